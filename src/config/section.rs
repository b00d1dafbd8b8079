//! A section of the settings.

/// Declares a section: each setting once, with its meaning, its type and its default. What is behind two underscores in a
/// variable is a section of its own that refuses what it does not know.
macro_rules! section {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $($(#[doc = $meaning:literal])+ $setting:ident: $type:ty = $default:expr,)+
        }
    ) => {
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
        $(#[$about])*
        pub struct $name {
            $($(#[doc = $meaning])+ pub $setting: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($setting: $default,)+ }
            }
        }

        #[cfg(test)]
        impl $name {
            /// Each setting with its meaning, for the documentation.
            pub(super) const MEANINGS: &[(&str, &str)] = &[$((stringify!($setting), concat!($($meaning),+)),)+];
        }
    };
}
pub(super) use section;
