//! What an aggregate says about itself, declared once.

use crate::change::Change;

/// What may be wanted of a field: most take a new value whole, some part by part.
pub(crate) trait Wanted<T> {
    /// The value wanted instead of `current`, if any is.
    fn instead_of(self, current: &T) -> Option<T>;
}

impl<T> Wanted<T> for Option<T> {
    fn instead_of(self, _: &T) -> Self {
        self
    }
}

/// The change that leads to what is wanted, if anything else is.
pub(crate) fn change<T: PartialEq + Clone>(current: &T, wanted: impl Wanted<T>) -> Option<Change<T>> {
    Change::between(current, wanted.instead_of(current))
}

/// Declares the fields of an aggregate, and from them three types: the fields, a patch (what a command wants of each) and the
/// changes (what an event tells of each, see [`changes!`](crate::change::changes)); with `fields.changes(patch)`,
/// `fields.apply(&changes)` and [`Values`](crate::change::Values).
///
/// ```ignore
/// fields! {
///     /// Everything a project says about itself.
///     pub struct ProjectFields;
///     /// The fields to change.
///     pub struct ProjectPatch;
///     /// The changed fields.
///     pub struct ProjectChanges;
///
///     /// What it is called. (In the fields and in the patch.)
///     name: Name, "Of the name. (In the changes.)";
///     /// When it begins and ends.
///     #[serde(flatten)] // how the fields are stored
///     #[schema(…)]      // how the `OpenAPI` document shows them
///     schedule: Schedule, "Of the dates.", patch SchedulePatch; // implements `Wanted<Schedule>`
/// }
/// ```
///
/// A field that is added to an aggregate with a history needs `#[serde(default)]`: earlier events lack it.
macro_rules! fields {
    (
        $(#[doc = $about:literal])+
        pub struct $fields:ident;
        $(#[doc = $about_patch:literal])+
        pub struct $patch:ident;
        $(#[doc = $about_changes:literal])+
        pub struct $changes:ident;
        $(
            $(#[doc = $doc:literal])+
            $(#[serde($($serde:tt)+)])?
            $(#[schema($($schema:tt)+)])?
            $field:ident: $value:ty, $changed:literal $(, patch $wanted:ty)?;
        )+
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub struct $fields {
            $(
                $(#[doc = $doc])+
                $(#[serde($($serde)+)])?
                $(#[cfg_attr(feature = "openapi", schema($($schema)+))])?
                pub $field: $value,
            )+
        }

        $(#[doc = $about_patch])+
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $patch {
            $($(#[doc = $doc])+ pub $field: $crate::fields::wanted!($value $(, $wanted)?),)+
        }

        $crate::change::changes! {
            $(#[doc = $about_changes])+
            pub struct $changes {
                $(#[doc = $changed] pub $field: $value,)+
            }
        }

        impl $fields {
            /// What a patch changes.
            pub(crate) fn changes(&self, patch: $patch) -> $changes {
                $changes { $($field: $crate::fields::change(&self.$field, patch.$field),)+ }
            }

            /// Folds changes into the fields.
            pub fn apply(&mut self, changes: &$changes) {
                $($crate::change::apply(&mut self.$field, changes.$field.as_ref());)+
            }
        }

        impl $crate::change::Values for $fields {
            fn tell(&self, fields: &mut impl $crate::change::Fields) {
                $(fields.field(stringify!($field), &self.$field);)+
            }
        }
    };
}
pub(crate) use fields;

/// The type of what may be wanted of a field.
macro_rules! wanted {
    ($value:ty) => { Option<$value> };
    ($value:ty, $wanted:ty) => { $wanted };
}
pub(crate) use wanted;
