//! What clients say of a project's fields, when they create it and when they change it.

use serde::{Deserialize, Deserializer, de::Error as _};
use time::Date;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::{
    project::{ProjectFields, ProjectPatch, Schedule, SchedulePatch},
    text::{Name, Prose},
};

use super::model::{EditPolicy, Priority, ProjectStatus};
use crate::{
    application::{Error, all, at_pointer, codes::OUT_OF_RANGE, people::AccountRef},
    http::extract::{RequestBody, double_option},
    identity::{codes::MALFORMED_EMAIL, email::EmailAddress},
};

const MAX_MEMBERS: usize = 100;

/// A project to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateProjectRequest {
    /// What to call it.
    #[schema(example = "Apollo", min_length = 1, max_length = 200)]
    name: String,
    /// What it is about.
    #[serde(default)]
    #[schema(max_length = 20_000)]
    description: Option<String>,
    /// The organization to create it in; the caller's personal one when not given.
    pub(super) organization_id: Option<Uuid>,
    /// Whether any signed-in account may look at it.
    #[serde(default)]
    is_public: Option<bool>,
    /// How far it is.
    status: Option<ProjectStatus>,
    /// How pressing it is.
    priority: Option<Priority>,
    /// The first day, `YYYY-MM-DD`, in the years 0001 to 9999; none when null or not given.
    #[schema(value_type = Option<String>, format = Date, example = "2026-11-20")]
    start_date: Option<DateParam>,
    /// Last day, not before the first.
    #[schema(value_type = Option<String>, format = Date)]
    end_date: Option<DateParam>,
    /// Who leads it: the id or e-mail address of a member of the organization.
    #[schema(example = "grace@example.com")]
    pub(super) team_lead: Option<String>,
    /// Who else belongs to it from the beginning, as collaborators: ids or e-mail addresses of members of the
    /// organization.
    #[schema(max_items = 100)]
    team_members: Option<Vec<String>>,
    /// Who may change the project's own fields.
    edit_policy: Option<EditPolicy>,
    /// Whether the lead may add members; not owners.
    lead_can_add_members: Option<bool>,
}

impl RequestBody for CreateProjectRequest {
    const CLEARABLE: &'static [&'static str] = &["start_date", "end_date", "team_lead"];
}

impl CreateProjectRequest {
    /// The fields, but for the lead.
    pub(super) fn fields(&self) -> Result<ProjectFields, Error> {
        let (name, description) = all((
            Name::parse(&self.name).map_err(at_pointer("/name")),
            Prose::parse(self.description.as_deref().unwrap_or_default()).map_err(at_pointer("/description")),
        ))?;
        Ok(ProjectFields {
            name,
            description,
            is_public: self.is_public.unwrap_or_default(),
            status: self.status.map(Into::into).unwrap_or_default(),
            priority: self.priority.map(Into::into).unwrap_or_default(),
            schedule: Schedule {
                start_date: self.start_date.map(|DateParam(date)| date),
                end_date: self.end_date.map(|DateParam(date)| date),
            },
            team_lead: None,
            edit_policy: self.edit_policy.map(Into::into).unwrap_or_default(),
            lead_can_add_members: self.lead_can_add_members.unwrap_or_default(),
        })
    }

    /// Who else belongs to it from the beginning.
    pub(super) fn team(&self) -> Result<Vec<AccountRef>, Error> {
        let team = self.team_members.as_deref().unwrap_or_default();
        if team.len() > MAX_MEMBERS {
            return Err(Error::invalid("/team_members", OUT_OF_RANGE, "must be at most 100"));
        }
        team.iter().enumerate().map(|(index, member)| account_ref(&format!("/team_members/{index}"), member)).collect()
    }
}

/// The fields to change. Dates and lead may be set to null, which clears them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateProjectRequest {
    /// The new name: one line of 1 to 200 characters; white space around it is removed.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// The new description, up to 20,000 characters; it may be empty.
    #[schema(max_length = 20_000)]
    description: Option<String>,
    /// Whether any signed-in account may look at the project from now on.
    is_public: Option<bool>,
    /// How far the project is from now on; any status may follow any other.
    status: Option<ProjectStatus>,
    /// How urgent the project is from now on.
    priority: Option<Priority>,
    /// New first day.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, format = Date)]
    start_date: Option<Option<DateParam>>,
    /// New last day.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>, format = Date)]
    end_date: Option<Option<DateParam>>,
    /// New lead: the id or e-mail address of an owner or collaborator.
    #[serde(default, deserialize_with = "double_option")]
    #[schema(value_type = Option<String>)]
    pub(super) team_lead: Option<Option<String>>,
    /// Who may change the project's own fields from now on: every collaborator, or only the lead and owners.
    edit_policy: Option<EditPolicy>,
    /// Whether the lead may add members, not owners. It takes an owner to settle this, and to name a lead who may.
    lead_can_add_members: Option<bool>,
}

impl RequestBody for UpdateProjectRequest {
    const CLEARABLE: &'static [&'static str] = &["start_date", "end_date", "team_lead"];
}

impl UpdateProjectRequest {
    /// The fields to change, but for the lead.
    pub(super) fn patch(self) -> Result<ProjectPatch, Error> {
        let date = |given: Option<Option<DateParam>>| given.map(|date| date.map(|DateParam(date)| date));
        let (name, description) = all((
            self.name.as_deref().map(Name::parse).transpose().map_err(at_pointer("/name")),
            self.description.as_deref().map(Prose::parse).transpose().map_err(at_pointer("/description")),
        ))?;
        Ok(ProjectPatch {
            name,
            description,
            is_public: self.is_public,
            status: self.status.map(Into::into),
            priority: self.priority.map(Into::into),
            schedule: SchedulePatch { start_date: date(self.start_date), end_date: date(self.end_date) },
            team_lead: None,
            edit_policy: self.edit_policy.map(Into::into),
            lead_can_add_members: self.lead_can_add_members,
        })
    }
}

/// A day, `YYYY-MM-DD`.
#[derive(Clone, Copy)]
struct DateParam(Date);

/// `Date` holds years that Postgres cannot keep, and a day that no view can hold would halt every view.
impl<'de> Deserialize<'de> for DateParam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let date = day::deserialize(deserializer)?;
        if date.year() < 1 {
            return Err(D::Error::custom("the year must be from 0001 to 9999"));
        }
        Ok(Self(date))
    }
}

time::serde::format_description!(day, Date, "[year]-[month]-[day]");

/// An account as a client names it: by id or e-mail address.
pub(super) fn account_ref(pointer: &str, text: &str) -> Result<AccountRef, Error> {
    if let Ok(id) = Uuid::try_parse(text) {
        return Ok(AccountRef::Id(id));
    }
    let email = EmailAddress::parse(text)
        .map_err(|_| Error::invalid(pointer, MALFORMED_EMAIL, "is neither an id nor an e-mail address"))?;
    Ok(AccountRef::Email(email.normalized().to_owned()))
}
