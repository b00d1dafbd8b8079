//! The fields of an organization.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::refusal::MALFORMED_SLUG;
use crate::{
    fields::{Wanted, fields},
    ids::OrganizationId,
    redaction::{ADDRESS, Placeholder},
    refusal::{Code, Refusal},
    text::{Name, TextRefused},
};

/// The short name in an organization's address: 2 to 64 characters, lower-case letters, digits, and single hyphens between
/// them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "openapi",
    derive(utoipa::ToSchema),
    schema(min_length = 2, max_length = 64, pattern = "^([a-z0-9]+(-[a-z0-9]+)*|\\[redacted\\]-[0-9]+)$")
)]
#[serde(transparent)]
pub struct Slug(String);

/// How slugs of personal organizations begin.
const PERSONAL: &str = "personal-";

/// The text is no slug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 2 to 64 lower-case letters, digits, and single hyphens between them")]
pub struct SlugRefused;

impl Refusal for SlugRefused {
    fn code(&self) -> &'static Code {
        MALFORMED_SLUG
    }
}

impl Slug {
    const LENGTHS: std::ops::RangeInclusive<usize> = 2..=64;

    /// Checks the form of a slug. Capital letters are refused, not turned into small ones.
    pub fn parse(text: &str) -> Result<Self, SlugRefused> {
        let is_known = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        let is_framed = !text.starts_with('-') && !text.ends_with('-') && !text.contains("--");
        if Self::LENGTHS.contains(&text.len()) && is_framed && text.bytes().all(is_known) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SlugRefused)
        }
    }

    /// Makes one of a name, as far as its letters are ASCII, and of what tells it apart.
    pub fn of(name: &Name, suffix: Option<&str>) -> Self {
        let mut slug = String::new();
        for c in name.as_str().chars().map(|c| c.to_ascii_lowercase()) {
            if slug.len() >= 40 {
                break;
            }
            match c {
                'a'..='z' | '0'..='9' => slug.push(c),
                _ if slug.is_empty() || slug.ends_with('-') => {}
                _ => slug.push('-'),
            }
        }
        let stem = slug.trim_end_matches('-');
        let stem = if stem.len() < 2 { "organization" } else { stem };
        Self(suffix.map_or_else(|| stem.to_owned(), |suffix| format!("{stem}-{suffix}")))
    }

    /// The one that a personal organization begins with. It says nothing of the person.
    pub fn personal(organization_id: OrganizationId) -> Self {
        Self(format!("{PERSONAL}{}", organization_id.0.simple()))
    }

    /// The only organization that may have this slug, if it is one of a personal organization. No event claims it, so
    /// that it belongs to its organization whether it was created by this version or by an earlier one.
    pub fn reserved_for(&self) -> Option<OrganizationId> {
        let id = Uuid::try_parse(self.0.strip_prefix(PERSONAL)?).ok().map(OrganizationId)?;
        (Self::personal(id) == *self).then_some(id)
    }

    /// What stands for a slug that was redacted, in the event at a position. Nobody can ask for it: it is no slug.
    pub(crate) fn redacted(position: i64) -> Self {
        Self(Placeholder::Unique.text(position))
    }

    /// The slug, which has no capital letters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The address of a picture: http or https, at most 2048 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(max_length = 2_048, pattern = "^https?://[^/]"))]
#[serde(transparent)]
pub struct ImageUrl(String);

impl ImageUrl {
    const LIMIT: usize = 2048;

    /// Checks the form of an address, and keeps it as it was given. Nothing is fetched from it.
    ///
    /// # Errors
    /// Too long, no address, or one with control characters or white space in it.
    pub fn parse(text: &str) -> Result<Self, TextRefused> {
        if text.len() > Self::LIMIT {
            return Err(TextRefused::TooManyBytes { limit: Self::LIMIT });
        }
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
        if rest.is_empty() || rest.starts_with('/') {
            return Err(TextRefused::NoAddress);
        }
        if text.chars().any(char::is_control) {
            return Err(TextRefused::ControlCharacter);
        }
        if text.contains(char::is_whitespace) {
            return Err(TextRefused::NoAddress);
        }
        Ok(Self(text.to_owned()))
    }

    /// What stands for an address that was redacted.
    pub(crate) fn redacted() -> Self {
        Self(ADDRESS.to_owned())
    }

    /// The address as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What its admins have settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EventOrganizationSettings))]
pub struct OrganizationSettings {
    /// Whether members, not only admins, may create projects in it.
    pub members_can_create_projects: bool,
    /// Whether people may belong to its projects who do not belong to it; as long as nobody has said, they may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub allow_guests: Option<bool>,
    /// Days for which what jobs print and leave is kept; 0 and nothing: as long as the service is set to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub job_output_days: Option<u32>,
    /// Days for which what jobs work on is kept; 0 and nothing: as long as the service is set to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub job_code_days: Option<u32>,
}

/// The settings to change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrganizationSettingsPatch {
    /// Whether members may create projects.
    pub members_can_create_projects: Option<bool>,
    /// Whether people may belong to its projects who do not belong to it.
    pub allow_guests: Option<bool>,
    /// Days for which what jobs print and leave is kept; 0: as long as the service is set to.
    pub job_output_days: Option<u32>,
    /// Days for which what jobs work on is kept; 0: as long as the service is set to.
    pub job_code_days: Option<u32>,
}

impl Wanted<OrganizationSettings> for OrganizationSettingsPatch {
    fn instead_of(self, current: &OrganizationSettings) -> Option<OrganizationSettings> {
        Some(OrganizationSettings {
            members_can_create_projects: self
                .members_can_create_projects
                .unwrap_or(current.members_can_create_projects),
            allow_guests: self.allow_guests.or(current.allow_guests),
            job_output_days: self.job_output_days.or(current.job_output_days),
            job_code_days: self.job_code_days.or(current.job_code_days),
        })
    }
}

/// Version of the fields' form in snapshots; see [`SHAPE`](crate::Decide::SHAPE).
pub(super) const SHAPE: u32 = 2;

fields! {
    /// Everything an organization says about itself.
    pub struct OrganizationFields;
    /// The fields to change; `None` leaves one as it is. For the picture `Some(None)` clears.
    pub struct OrganizationPatch;
    /// The changed fields of an organization.
    pub struct OrganizationChanges;

    /// What it is called.
    name: Name, "Of the name.";
    /// The short name in its address; no two have the same.
    slug: Slug, "Of the short name.";
    /// The http or https address of the organization's picture; null when it has none.
    #[schema(required)]
    image_url: Option<ImageUrl>, "Of the picture.";
    /// What its admins have settled.
    settings: OrganizationSettings, "Of the settings.", patch OrganizationSettingsPatch;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_lower_case_and_hyphenated() {
        for good in ["ab", "acme", "acme-2", "1-2-3", &"a".repeat(64)] {
            assert!(Slug::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a", "-a", "a-", "a--b", "Acme", "ac me", "ä-b", "a_b", &"a".repeat(65)] {
            assert_eq!(Slug::parse(bad), Err(SlugRefused), "{bad}");
        }
    }

    #[test]
    fn the_slug_of_a_personal_organization_is_reserved_for_it() {
        let id = OrganizationId(Uuid::from_u128(0x0198_aaaa_0000_7000_8000_0000_0000_000c));
        let slug = Slug::personal(id);
        assert_eq!(slug.as_str(), "personal-0198aaaa00007000800000000000000c");
        assert_eq!((slug.reserved_for(), Slug::parse(slug.as_str())), (Some(id), Ok(slug.clone())));
        for free in ["acme", "personal", "personal-0", "personal-0198aaaa-0000-7000-8000-00000000000c"] {
            assert_eq!(Slug::parse(free).unwrap().reserved_for(), None, "{free}");
        }
    }

    #[test]
    fn a_slug_made_of_a_name_is_one() {
        for (name, slug) in [
            ("Acme, Inc.", "acme-inc"),
            ("  Ünïted   Föo ", "n-ted-f-o"),
            ("日本", "organization"),
            ("X", "organization"),
            (&"long name ".repeat(20), "long-name-long-name-long-name-long-name"),
        ] {
            let made = Slug::of(&Name::parse(name).unwrap(), None);
            assert_eq!((made.as_str(), Slug::parse(made.as_str())), (slug, Ok(made.clone())), "{name}");
        }
        assert_eq!(Slug::of(&Name::parse("Acme").unwrap(), Some("7f3a")).as_str(), "acme-7f3a");
    }

    #[test]
    fn a_picture_is_fetched_over_http() {
        assert!(ImageUrl::parse("https://example.com/a.png").is_ok());
        for bad in ["", "javascript:alert(1)", "https://", "http:///x", "ftp://x", "https://a b"] {
            assert!(ImageUrl::parse(bad).is_err(), "{bad}");
        }
    }
}
