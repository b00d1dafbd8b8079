//! Redact events: what somebody wrote in them is gone, that they happened stays.

use std::sync::{Mutex, PoisonError};

use uuid::Uuid;
use workroom_domain::{
    Decide,
    access::{Action, OrganizationAction},
    actor::Actor,
    comment::Comment,
    file::File,
    ids::{AccountId, OrganizationId, ProjectId},
    job::Job,
    job_rule::JobRule,
    organization::Organization,
    organization_slug::OrganizationSlug,
    project::Project,
    redaction::{PayloadRedacted, Redactable, RedactionRefusal},
    schedule::Schedule,
    task::Task,
    text::Name,
    workspace::Workspace,
};

use super::{
    jobs,
    streams::Streams,
    target::{Target, digest_of, redacted_of},
};
use crate::{
    application::{Command, Error, Unit, codes::FORBIDDEN, reading::admit},
    event_store::Stored,
};

/// By what right something is redacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// An owner of the project, or who was one when it was deleted.
    Project(ProjectId),
    /// An admin of the organization.
    Organization(OrganizationId),
    /// The account whose own feed it is.
    Account(AccountId),
    /// Whoever runs the service, or the service itself, which carries out what somebody had the right to order.
    Service,
}

impl Authority {
    /// Insists on the right. The append is guarded by it.
    pub(super) async fn check(self, unit: &mut Unit<'_>) -> Result<(), Error> {
        match self {
            Self::Project(project_id) => authorize_in_project(unit, project_id).await,
            Self::Organization(organization_id) => {
                unit.authorize_in_organization(organization_id, OrganizationAction::Redact).await.map(drop)
            }
            Self::Account(account_id) if unit.context().account()? == account_id => Ok(()),
            Self::Service if matches!(unit.context().actor, Actor::System(_)) => Ok(()),
            Self::Account(_) | Self::Service => Err(FORBIDDEN.into()),
        }
    }
}

/// Insists that the caller may redact what is in a project's history: as an owner, or as an admin of its organization; of a deleted
/// project, as an owner of then.
pub(super) async fn authorize_in_project(unit: &mut Unit<'_>, project_id: ProjectId) -> Result<(), Error> {
    let account_id = unit.context().account()?;
    let relation = unit.relation_or_former(account_id, project_id, Action::Redact).await?;
    admit(relation, Action::Redact).map(drop)
}

/// How redactions name what the jobs of a schedule work on: a program, or what a mail says.
const INPUT: [&str; 2] = ["source", "input"];

/// Redact events of one aggregate. What goes beside the log is in `tables.rs`.
pub(super) struct RedactEvents<'a> {
    /// By what right.
    pub(super) authority: Authority,
    /// The events, in their order; none where there are no such events.
    pub(super) targets: &'a [Target],
    /// Why. It stays in the history.
    pub(super) reason: &'a Name,
    streams: &'a Streams,
    found: Mutex<Found>,
}

/// What the changes of tables have to know of the aggregate's stream, as it is when the command is decided.
#[derive(Clone, Copy, Default)]
pub(super) struct Found {
    /// Up to this sequence, replies to commands are gone, or show nothing of the events.
    pub(super) replies_gone_to: i64,
    /// Whether a schedule still has what its jobs work on, from another event.
    pub(super) keeps_input: bool,
}

impl<'a> RedactEvents<'a> {
    pub(super) fn new(authority: Authority, targets: &'a [Target], reason: &'a Name, streams: &'a Streams) -> Self {
        Self { authority, targets, reason, streams, found: Mutex::default() }
    }

    /// What was found when the command was decided last.
    pub(super) fn found(&self) -> Found {
        *self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Redacts events of an aggregate of this type.
    async fn of<A: Stored + Redactable>(&self, unit: &mut Unit<'_>, first: &Target) -> Result<(), Error> {
        let current = unit.read_committed::<A>(first.aggregate_id).await?;
        let positions: Vec<i64> = self.targets.iter().map(|target| target.position).collect();
        if !redacted_of(unit.pool(), &positions).await?.is_empty() {
            return Err(RedactionRefusal::AlreadyRedacted.into());
        }
        for target in self.targets {
            let remains = target.remains.as_deref().ok_or(RedactionRefusal::NothingToRedact)?;
            let stored_as = (target.event_type.as_str(), target.event_version.as_str());
            // It is read as the event was.
            unit.decode::<A>(target.aggregate_id, target.sequence, stored_as, remains)?;
        }
        let sequences: Vec<i64> = self.targets.iter().map(|target| target.sequence).collect();
        // As far as the guard goes: what comes later makes this attempt fail.
        let stream = self.streams.read::<A>(unit, &current).await?;
        let is_schedule = <A as Decide>::TYPE == <Schedule as Decide>::TYPE;
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Found {
            replies_gone_to: stream.replies_gone_to(first),
            keeps_input: is_schedule && stream.has_from_others(&INPUT, &sequences),
        };
        let affected = stream.affected(&sequences);
        let redactions: Result<Vec<_>, Error> = self
            .targets
            .iter()
            .zip(affected)
            .map(|(target, fields)| {
                let remains = target.remains.as_deref().unwrap_or_default();
                Ok(A::payload_redacted(PayloadRedacted {
                    position: target.position,
                    event_id: target.event_id,
                    event_type: target.event_type.clone(),
                    reason: self.reason.clone(),
                    remains: digest_of(remains)?,
                    fields,
                }))
            })
            .collect();
        unit.record(&current, first.feed_id, &redactions?)
    }
}

impl Command for RedactEvents<'_> {
    type Reply = ();

    fn lock_key(&self) -> Option<Uuid> {
        self.targets.first().map(|target| target.aggregate_id)
    }

    async fn decide(&self, unit: &mut Unit<'_>) -> Result<(), Error> {
        self.authority.check(unit).await?;
        let target = self.targets.first().ok_or_else(|| Error::not_found("event"))?;
        match target.aggregate_type.as_str() {
            <Project as Decide>::TYPE => self.of::<Project>(unit, target).await,
            <Task as Decide>::TYPE => self.of::<Task>(unit, target).await,
            <Comment as Decide>::TYPE => self.of::<Comment>(unit, target).await,
            <Workspace as Decide>::TYPE => self.of::<Workspace>(unit, target).await,
            <File as Decide>::TYPE => self.of::<File>(unit, target).await,
            <Job as Decide>::TYPE => {
                jobs::insist_on_end(&unit.read_committed::<Job>(target.aggregate_id).await?.state)?;
                self.of::<Job>(unit, target).await
            }
            <JobRule as Decide>::TYPE => self.of::<JobRule>(unit, target).await,
            <Schedule as Decide>::TYPE => self.of::<Schedule>(unit, target).await,
            <Organization as Decide>::TYPE => self.of::<Organization>(unit, target).await,
            <OrganizationSlug as Decide>::TYPE => self.of::<OrganizationSlug>(unit, target).await,
            // The events of the others have no text.
            _ => Err(RedactionRefusal::NothingToRedact.into()),
        }
    }
}
