//! What changed, from and to: the auditor reads both sides without replaying.

use serde::{Deserialize, Serialize};

/// A field's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change<T> {
    /// The value before.
    pub from: T,
    /// The value after.
    pub to: T,
}

/// A text's change.
#[cfg(feature = "openapi")]
pub type ProseChange = Change<crate::text::Prose>;

/// A path's change.
#[cfg(feature = "openapi")]
pub type FilePathChange = Change<crate::workspace::FilePath>;

impl<T: PartialEq> Change<T> {
    /// The change from `current` to `wanted`, or nothing when they are equal or nothing is wanted.
    pub fn between(current: &T, wanted: Option<T>) -> Option<Self>
    where
        T: Clone,
    {
        wanted.filter(|to| to != current).map(|to| Self { from: current.clone(), to })
    }
}

/// Takes the values of fields, one by one.
pub trait Fields {
    /// Takes what a field is now.
    fn field(&mut self, name: &'static str, value: &impl Serialize);
}

/// Something that tells what each of its fields is now: fields tell all of them, changes those that changed. Unlike the stored
/// form it leaves nothing out because it is usual, and flattens nothing.
pub trait Values {
    /// Tells each by its name.
    fn tell(&self, fields: &mut impl Fields);
}

/// Declares the changed fields of an aggregate: each may have changed, and is written only when it has.
macro_rules! changes {
    (
        $(#[doc = $about:literal])+
        pub struct $name:ident {
            $($(#[doc = $doc:literal])+ pub $field:ident: $value:ty),+ $(,)?
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<$crate::change::Change<$value>>,
            )+
        }

        impl $name {
            /// Whether nothing changed.
            pub fn is_empty(&self) -> bool {
                *self == Self::default()
            }
        }

        impl $crate::change::Values for $name {
            fn tell(&self, fields: &mut impl $crate::change::Fields) {
                $(if let Some(change) = &self.$field {
                    fields.field(stringify!($field), &change.to);
                })+
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                $crate::schema::ChangesSchema::new(concat!($($about),+))
                    $(.field::<$value>(stringify!($field), concat!($($doc),+)))+
                    .build()
            }
        }

        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn schemas(found: &mut $crate::schema::Components) {
                $($crate::schema::add::<$crate::change::Change<$value>>(found);)+
            }
        }
    };
}
pub(crate) use changes;

/// Applies a change to the field it describes.
pub(crate) fn apply<T: Clone>(field: &mut T, change: Option<&Change<T>>) {
    if let Some(change) = change {
        field.clone_from(&change.to);
    }
}
