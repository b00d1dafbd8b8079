//! The JSON that history is made of. **A changed snapshot here breaks history**: the log is never rewritten, so
//! whatever was stored yesterday must be read tomorrow.
//!
//! When a snapshot of [`stored_forever_as`] fails, do not accept it. Either undo the change, or, if the stored form
//! has to change: raise the event's version in `domain_event!`, write an upcaster (`upcast.rs`), write the new form's
//! test beside the old, and leave every line of `history/` as it is: it is what old logs hold, and must still read.
//!
//! A new event: add it to `every_event`, a test to [`stored_forever_as`], a line to the newest file of `history/`.

use std::collections::BTreeSet;

use cqrs_es::{DomainEvent, persist::SerializedEvent};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;
use workroom_domain::{
    Decide,
    account::{Account, AccountEvent},
    actor::{Actor, SystemActor},
    audit_trail::{AuditTrail, AuditTrailEvent},
    comment::{Comment, CommentEvent},
    event::{DomainEventKind, UndecodableEvent},
    file::{File, FileEvent, Sha256},
    invitation::{Invitation, InvitationEvent},
    job::{
        AttemptFailure, Code, InlineProgram, Input, Job, JobEvent, LimitHit, Outcome, Priority, Request, Source,
        Timeout, Work,
    },
    job_key::{JobKey, JobKeyEvent},
    job_rule::{JobRule, JobRuleEvent},
    membership::{Membership, MembershipEvent},
    metadata::Metadata,
    organization::{Organization, OrganizationEvent, OrganizationSettings},
    organization_projects::{OrganizationProjects, OrganizationProjectsEvent},
    organization_slug::{OrganizationSlug, OrganizationSlugEvent},
    project::{Project, ProjectEvent, ProjectFields, Schedule},
    schedule::{self, ScheduleEvent},
    task::{Task, TaskEvent},
    upcast::{upcast, upcasters},
    webhook::{Webhook, WebhookEvent},
    workspace::{Workspace, WorkspaceEvent},
};

use crate::examples::{ADA, ORGANIZATION, every_event, fields, full_request, language, later, request};

/// An event as the log's columns hold it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Stored<Payload> {
    aggregate_type: String,
    event_type: String,
    event_version: String,
    payload: Payload,
}

/// An event of any aggregate, written as its own aggregate writes it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Payload<'a> {
    Project(&'a ProjectEvent),
    Membership(&'a MembershipEvent),
    Job(&'a JobEvent),
    JobKey(&'a JobKeyEvent),
    JobRule(&'a JobRuleEvent),
    Schedule(&'a ScheduleEvent),
    Account(&'a AccountEvent),
    Task(&'a TaskEvent),
    Comment(&'a CommentEvent),
    Organization(&'a OrganizationEvent),
    OrganizationProjects(&'a OrganizationProjectsEvent),
    OrganizationSlug(&'a OrganizationSlugEvent),
    Workspace(&'a WorkspaceEvent),
    File(&'a FileEvent),
    Invitation(&'a InvitationEvent),
    Webhook(&'a WebhookEvent),
    AuditTrail(&'a AuditTrailEvent),
}

fn write(event: &DomainEventKind) -> Stored<Payload<'_>> {
    fn columns<'a, A: Decide>(event: &A::Event, payload: Payload<'a>) -> Stored<Payload<'a>> {
        Stored {
            aggregate_type: A::TYPE.to_owned(),
            event_type: event.event_type(),
            event_version: event.event_version(),
            payload,
        }
    }
    match event {
        DomainEventKind::Project(event) => columns::<Project>(event, Payload::Project(event)),
        DomainEventKind::Membership(event) => columns::<Membership>(event, Payload::Membership(event)),
        DomainEventKind::Job(event) => columns::<Job>(event, Payload::Job(event)),
        DomainEventKind::JobKey(event) => columns::<JobKey>(event, Payload::JobKey(event)),
        DomainEventKind::JobRule(event) => columns::<JobRule>(event, Payload::JobRule(event)),
        DomainEventKind::Schedule(event) => columns::<schedule::Schedule>(event, Payload::Schedule(event)),
        DomainEventKind::Account(event) => columns::<Account>(event, Payload::Account(event)),
        DomainEventKind::Task(event) => columns::<Task>(event, Payload::Task(event)),
        DomainEventKind::Comment(event) => columns::<Comment>(event, Payload::Comment(event)),
        DomainEventKind::Organization(event) => columns::<Organization>(event, Payload::Organization(event)),
        DomainEventKind::OrganizationProjects(event) => {
            columns::<OrganizationProjects>(event, Payload::OrganizationProjects(event))
        }
        DomainEventKind::OrganizationSlug(event) => {
            columns::<OrganizationSlug>(event, Payload::OrganizationSlug(event))
        }
        DomainEventKind::Workspace(event) => columns::<Workspace>(event, Payload::Workspace(event)),
        DomainEventKind::File(event) => columns::<File>(event, Payload::File(event)),
        DomainEventKind::Invitation(event) => columns::<Invitation>(event, Payload::Invitation(event)),
        DomainEventKind::Webhook(event) => columns::<Webhook>(event, Payload::Webhook(event)),
        DomainEventKind::AuditTrail(event) => columns::<AuditTrail>(event, Payload::AuditTrail(event)),
    }
}

fn read(stored: Stored<Value>) -> Result<DomainEventKind, UndecodableEvent> {
    let Stored { aggregate_type, event_type, event_version, payload } = stored;
    let id = Uuid::from_u128(1).to_string();
    let event = SerializedEvent::new(id, 1, aggregate_type, event_type, event_version, payload, Value::Null);
    let event = upcast(&upcasters(), event);
    DomainEventKind::decode(&event.aggregate_type, &event.payload.to_string())
}

/// Reads a line of [`written`].
pub fn read_line(line: &str) -> DomainEventKind {
    read(serde_json::from_str(line).unwrap()).unwrap_or_else(|error| panic!("{error:?} in {line}"))
}

/// What version 1 stored: first the examples, one a line, then the spellings that they do not show. Never edit a line.
const HISTORY_OF_VERSION_1: &str = include_str!("history/version_1.ndjson");
/// What events of version 2 stored, and the spellings that came with them.
const HISTORY_OF_VERSION_2: &str = include_str!("history/version_2.ndjson");

fn history() -> impl Iterator<Item = (&'static str, DomainEventKind)> {
    HISTORY_OF_VERSION_1.lines().chain(HISTORY_OF_VERSION_2.lines()).map(|line| {
        let stored = serde_json::from_str(line).unwrap();
        let event = read(stored).unwrap_or_else(|error| panic!("history is broken: {error:?} in {line}"));
        (line, event)
    })
}

/// Every example as it is written today, and every line of the history as it was stored: the line, the event's type, and its
/// payload.
pub fn written() -> Vec<(String, String, String)> {
    let examples = every_event().into_iter().map(|event| serde_json::to_string(&write(&event)).unwrap());
    let lines = HISTORY_OF_VERSION_1.lines().chain(HISTORY_OF_VERSION_2.lines()).map(str::to_owned);
    let read = examples.chain(lines).map(|line| {
        let stored: Stored<Value> = serde_json::from_str(&line).unwrap();
        (line, stored.event_type, stored.payload.to_string())
    });
    read.collect()
}

/// Every event type, behind the type of its aggregate. There is an example of each.
pub fn every_type() -> BTreeSet<(String, String)> {
    let columns = |event| {
        let Stored { aggregate_type, event_type, .. } = write(event);
        (aggregate_type, event_type)
    };
    every_event().iter().map(columns).collect()
}

#[test]
fn old_history_still_reads_and_means_what_it_meant() {
    let mut history = history().map(|(_, event)| event);
    let read: Vec<_> = history.by_ref().take(every_event().len()).collect();
    assert_eq!(read, every_event());
    assert!(history.count() > 0);
}

#[test]
fn an_event_of_an_unchanged_version_is_written_as_ever_byte_for_byte() {
    for (line, event) in history() {
        let stored: Stored<Value> = serde_json::from_str(line).unwrap();
        let written = write(&event);
        assert_eq!(written.event_type, stored.event_type);
        if written.event_version == stored.event_version {
            assert_eq!(serde_json::to_string(&written).unwrap(), line);
        }
    }
}

/// The program stays in the event, and the job is as urgent as any other.
#[test]
fn a_job_of_version_1_is_read_as_what_it_asked_for() {
    let payload = json!({
        "type": "JobRequested", "project_id": null, "submitted_by": ADA, "job_type": "code_execution",
        "language": "bash", "code": "exit 3\n", "timeout_seconds": 300, "max_attempts": 3,
    });
    let source = Source::Inline(InlineProgram { code: Code::parse("exit 3\n".to_owned()).unwrap(), stdin: None });
    let timeout_seconds = Timeout::from_seconds(300).unwrap();
    let work = Work::CodeExecution { language: language("bash"), timeout_seconds, source };
    let asked = Request { project_id: None, work, priority: Priority::default(), ..request() };
    assert_eq!(read_job("JobRequested", payload), JobEvent::JobRequested(Box::new(asked)));
}

#[test]
fn only_the_limit_of_time_was_called_otherwise_in_version_1() {
    for (stored, limit_hit) in [
        (Some("timeout"), Some(LimitHit::Time)),
        (Some("memory"), Some(LimitHit::Memory)),
        (Some("processes"), Some(LimitHit::Processes)),
        (None, None),
    ] {
        let mut outcome = json!({"exit_code": 137, "execution_time_ms": 7, "truncated": false});
        if let Some(stored) = stored {
            outcome["limit_hit"] = stored.into();
        }
        let failure = json!({"reason": "program", "outcome": outcome});
        let payload = json!({"type": "JobAttemptFailed", "attempt": 2, "failure": failure, "retry_at": null});
        let (exit_code, control) = (Some(137), None);
        let outcome = Outcome { exit_code, execution_time_ms: 7, truncated: false, limit_hit, control };
        let failure = AttemptFailure::Program { outcome };
        let event = JobEvent::JobAttemptFailed { attempt: 2, failure, retry_at: None };
        assert_eq!(read_job("JobAttemptFailed", payload), event);
    }
}

/// Reads an event of a job that version 1 stored.
fn read_job(event_type: &str, payload: Value) -> JobEvent {
    let (aggregate_type, event_type) = ("job".to_owned(), event_type.to_owned());
    match read(Stored { aggregate_type, event_type, event_version: "1".to_owned(), payload }).unwrap() {
        DomainEventKind::Job(event) => event,
        other => panic!("not of a job: {other:?}"),
    }
}

#[test]
fn a_project_without_dates_is_read_back() {
    let fields = ProjectFields { schedule: Schedule::default(), ..fields() };
    let event = ProjectEvent::ProjectCreated { organization_id: ORGANIZATION, fields };
    let payload = serde_json::to_string(&event).unwrap();
    assert_eq!(DomainEventKind::decode("project", &payload).unwrap(), DomainEventKind::Project(event));
}

/// Settings that came later are written where somebody has settled them, and only there: the forms above stay as they were.
#[test]
fn what_was_settled_later_is_stored_beside() {
    let settings = OrganizationSettings {
        members_can_create_projects: true,
        allow_guests: Some(false),
        job_output_days: None,
        job_code_days: None,
    };
    let stored = serde_json::to_string(&settings).unwrap();
    assert_eq!(stored, r#"{"members_can_create_projects":true,"allow_guests":false}"#);
    assert_eq!(serde_json::from_str::<OrganizationSettings>(&stored).unwrap(), settings);
    let fields = ProjectFields { lead_can_add_members: true, ..fields() };
    let event = ProjectEvent::ProjectCreated { organization_id: ORGANIZATION, fields };
    let payload = serde_json::to_string(&event).unwrap();
    assert!(payload.ends_with(r#""end_date":"2026-05-01","lead_can_add_members":true}"#), "{payload}");
    assert_eq!(DomainEventKind::decode("project", &payload).unwrap(), DomainEventKind::Project(event));
    for (content_redacted, stored) in
        [(false, r#"{"type":"AccountErased"}"#), (true, r#"{"type":"AccountErased","content_redacted":true}"#)]
    {
        let event = AccountEvent::AccountErased { content_redacted };
        assert_eq!(serde_json::to_string(&event).unwrap(), stored);
        assert_eq!(DomainEventKind::decode("account", stored).unwrap(), DomainEventKind::Account(event));
    }
}

#[test]
fn what_is_not_an_event_of_its_aggregate_is_not_read() {
    let decode = DomainEventKind::decode;
    assert!(matches!(decode("planet", "{}"), Err(UndecodableEvent::AggregateType(name)) if name == "planet"));
    for payload in [
        "",
        "null",
        "{}",
        r#"{"type":"ProjectRenamed"}"#,
        r#"{"type":"ProjectCreated"}"#,
        r#"{"type":"MembershipClosed"}"#,
    ] {
        let answer = decode("project", payload);
        let is_refused =
            matches!(&answer, Err(UndecodableEvent::Payload { aggregate_type, .. }) if aggregate_type == "project");
        assert!(is_refused, "{payload} was read as {answer:?}");
    }
}

#[test]
#[ignore = "prints the lines for a new event, to be added to the history and the snapshots"]
#[allow(clippy::print_stdout)]
fn print_examples() {
    for event in every_event() {
        println!("{}", serde_json::to_string(&write(&event)).unwrap());
    }
}

#[test]
fn every_event_has_an_example() {
    let places: BTreeSet<_> = every_event().iter().map(place).collect();
    assert_eq!(places, (0..every_event().len()).collect(), "an event without an example has no pinned form");
}

/// Exhaustive, so that a new event without an example does not compile.
fn place(event: &DomainEventKind) -> usize {
    use {
        AccountEvent as A, CommentEvent as C, FileEvent as F, InvitationEvent as I, JobEvent as J, JobKeyEvent as K,
        MembershipEvent as M, OrganizationEvent as O, OrganizationSlugEvent as S, ProjectEvent as P, TaskEvent as T,
        WebhookEvent as Hook, WorkspaceEvent as W,
    };
    match event {
        DomainEventKind::Project(P::ProjectCreated { .. }) => 0,
        DomainEventKind::Project(P::ProjectUpdated { .. }) => 1,
        DomainEventKind::Project(P::ProjectDeleted { .. }) => 2,
        DomainEventKind::Membership(M::MemberAdded { .. }) => 3,
        DomainEventKind::Membership(M::MemberRoleChanged { .. }) => 4,
        DomainEventKind::Membership(M::MemberRemoved { .. }) => 5,
        DomainEventKind::Membership(M::MembershipClosed { .. }) => 6,
        DomainEventKind::Job(J::JobRequested { .. }) => 7,
        DomainEventKind::Job(J::JobStarted { .. }) => 8,
        DomainEventKind::Job(J::JobSucceeded { .. }) => 9,
        DomainEventKind::Job(J::JobAttemptFailed { .. }) => 10,
        DomainEventKind::Job(J::JobDeadLettered { .. }) => 11,
        DomainEventKind::Account(A::AccountRegistered { .. }) => 12,
        DomainEventKind::Account(A::SessionStarted { .. }) => 13,
        DomainEventKind::Account(A::SessionRefreshed { .. }) => 14,
        DomainEventKind::Account(A::SessionEnded { .. }) => 15,
        DomainEventKind::Account(A::LoginFailed { .. }) => 16,
        DomainEventKind::Account(A::ProfileChanged { .. }) => 17,
        DomainEventKind::Account(A::PasswordChanged { .. }) => 18,
        DomainEventKind::Account(A::PasswordResetRequested { .. }) => 19,
        DomainEventKind::Account(A::EmailVerified { .. }) => 20,
        DomainEventKind::Account(A::TokenCreated { .. }) => 21,
        DomainEventKind::Account(A::TokenRevoked { .. }) => 22,
        DomainEventKind::Account(A::AccountDeactivated { .. }) => 23,
        DomainEventKind::Account(A::AccountReactivated { .. }) => 24,
        DomainEventKind::Account(A::AccountErased { .. }) => 25,
        DomainEventKind::Task(T::TaskCreated { .. }) => 26,
        DomainEventKind::Task(T::TaskUpdated { .. }) => 27,
        DomainEventKind::Task(T::TaskUnassigned { .. }) => 28,
        DomainEventKind::Task(T::TaskDeleted { .. }) => 29,
        DomainEventKind::Comment(C::CommentPosted { .. }) => 30,
        DomainEventKind::Comment(C::CommentEdited { .. }) => 31,
        DomainEventKind::Comment(C::CommentDeleted { .. }) => 32,
        DomainEventKind::Organization(O::OrganizationCreated { .. }) => 33,
        DomainEventKind::Organization(O::OrganizationUpdated { .. }) => 34,
        DomainEventKind::Organization(O::OrganizationMemberAdded { .. }) => 35,
        DomainEventKind::Organization(O::OrganizationMemberRoleChanged { .. }) => 36,
        DomainEventKind::Organization(O::OrganizationMemberRemoved { .. }) => 37,
        DomainEventKind::Organization(O::OrganizationDeleted { .. }) => 38,
        DomainEventKind::OrganizationSlug(S::SlugClaimed { .. }) => 39,
        DomainEventKind::OrganizationSlug(S::SlugReleased { .. }) => 40,
        DomainEventKind::Workspace(W::WorkspaceCreated { .. }) => 41,
        DomainEventKind::Workspace(W::WorkspaceUpdated { .. }) => 42,
        DomainEventKind::Workspace(W::FileCreated { .. }) => 43,
        DomainEventKind::Workspace(W::FileMoved { .. }) => 44,
        DomainEventKind::Workspace(W::FileDeleted { .. }) => 45,
        DomainEventKind::Workspace(W::WorkspaceDeleted { .. }) => 46,
        DomainEventKind::File(F::FileContentWritten { .. }) => 47,
        DomainEventKind::Invitation(I::InvitationSent { .. }) => 48,
        DomainEventKind::Invitation(I::InvitationRevoked { .. }) => 49,
        DomainEventKind::Invitation(I::InvitationAccepted { .. }) => 50,
        DomainEventKind::Job(J::JobCancelled { .. }) => 51,
        DomainEventKind::OrganizationProjects(OrganizationProjectsEvent::ProjectAddedToOrganization { .. }) => 52,
        DomainEventKind::Invitation(I::InvitationLapsed { .. }) => 53,
        DomainEventKind::Job(J::JobInterrupted { .. }) => 54,
        DomainEventKind::Job(J::JobSnoozed { .. }) => 55,
        DomainEventKind::Job(J::JobRedriven { .. }) => 56,
        DomainEventKind::JobKey(K::JobKeyClaimed { .. }) => 57,
        DomainEventKind::JobKey(K::JobKeyGranted { .. }) => 58,
        DomainEventKind::Schedule(ScheduleEvent::ScheduleCreated(_)) => 59,
        DomainEventKind::Schedule(ScheduleEvent::ScheduleUpdated(_)) => 60,
        DomainEventKind::Schedule(ScheduleEvent::ScheduleTicked { .. }) => 61,
        DomainEventKind::Schedule(ScheduleEvent::ScheduleSuspended { .. }) => 62,
        DomainEventKind::Schedule(ScheduleEvent::ScheduleResumed { .. }) => 63,
        DomainEventKind::Schedule(ScheduleEvent::ScheduleDeleted { .. }) => 64,
        DomainEventKind::Webhook(Hook::WebhookCreated { .. }) => 65,
        DomainEventKind::Webhook(Hook::WebhookFilterChanged { .. }) => 66,
        DomainEventKind::Webhook(Hook::WebhookEndpointChanged { .. }) => 67,
        DomainEventKind::Webhook(Hook::WebhookSecretRotated { .. }) => 68,
        DomainEventKind::Webhook(Hook::WebhookEnabled { .. }) => 69,
        DomainEventKind::Webhook(Hook::WebhookDisabled { .. }) => 70,
        DomainEventKind::Webhook(Hook::WebhookRedeliveryRequested { .. }) => 71,
        DomainEventKind::Webhook(Hook::WebhookDeleted { .. }) => 72,
        DomainEventKind::Job(J::JobDeleted { .. }) => 73,
        DomainEventKind::JobRule(JobRuleEvent::JobRuleChanged(_)) => 74,
        DomainEventKind::AuditTrail(AuditTrailEvent::HistoryExported { .. }) => 75,
        DomainEventKind::AuditTrail(AuditTrailEvent::StateRead { .. }) => 76,
        DomainEventKind::Project(P::PayloadRedacted(_)) => 77,
        DomainEventKind::Job(J::PayloadRedacted(_)) => 78,
        DomainEventKind::JobRule(JobRuleEvent::PayloadRedacted(_)) => 79,
        DomainEventKind::Schedule(ScheduleEvent::PayloadRedacted(_)) => 80,
        DomainEventKind::Task(T::PayloadRedacted(_)) => 81,
        DomainEventKind::Comment(C::PayloadRedacted(_)) => 82,
        DomainEventKind::Organization(O::PayloadRedacted(_)) => 83,
        DomainEventKind::OrganizationSlug(S::PayloadRedacted(_)) => 84,
        DomainEventKind::Workspace(W::PayloadRedacted(_)) => 85,
        DomainEventKind::File(F::PayloadRedacted(_)) => 86,
        DomainEventKind::Project(P::ProjectPurgeOrdered { .. }) => 87,
    }
}

/// The pinned form of every event at its version. These snapshots are a promise, not a record: see the top of the file.
mod stored_forever_as {
    use insta::assert_json_snapshot;

    use super::*;

    /// An event in its stored form, the fields in the order in which they are stored.
    struct InStoredForm(DomainEventKind);

    impl Serialize for InStoredForm {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            write(&self.0).serialize(serializer)
        }
    }

    /// The example of an event.
    fn stored(event_type: &str) -> InStoredForm {
        InStoredForm(every_event().into_iter().find(|event| event.event_type() == event_type).unwrap())
    }

    #[test]
    fn project_created_version_1() {
        assert_json_snapshot!(stored("ProjectCreated"), @r#"
        {
          "aggregate_type": "project",
          "event_type": "ProjectCreated",
          "event_version": "1",
          "payload": {
            "type": "ProjectCreated",
            "organization_id": "00000000-0000-0000-0000-00000000000c",
            "name": "Apollo",
            "description": "To the moon.\nAnd back.",
            "is_public": false,
            "status": "planning",
            "priority": "medium",
            "start_date": "2026-03-01",
            "end_date": "2026-05-01"
          }
        }
        "#);
    }

    #[test]
    fn project_updated_version_1() {
        assert_json_snapshot!(stored("ProjectUpdated"), @r#"
        {
          "aggregate_type": "project",
          "event_type": "ProjectUpdated",
          "event_version": "1",
          "payload": {
            "type": "ProjectUpdated",
            "changes": {
              "name": {
                "from": "Apollo",
                "to": "Artemis"
              },
              "description": {
                "from": "To the moon.",
                "to": ""
              },
              "is_public": {
                "from": false,
                "to": true
              },
              "status": {
                "from": "planning",
                "to": "on_hold"
              },
              "priority": {
                "from": "medium",
                "to": "high"
              },
              "schedule": {
                "from": {
                  "start_date": "2026-03-01",
                  "end_date": "2026-05-01"
                },
                "to": {
                  "start_date": "2026-04-01",
                  "end_date": null
                }
              }
            }
          }
        }
        "#);
    }

    #[test]
    fn project_deleted_version_1() {
        assert_json_snapshot!(stored("ProjectDeleted"), @r#"
        {
          "aggregate_type": "project",
          "event_type": "ProjectDeleted",
          "event_version": "1",
          "payload": {
            "type": "ProjectDeleted"
          }
        }
        "#);
    }

    #[test]
    fn member_added_version_1() {
        assert_json_snapshot!(stored("MemberAdded"), @r#"
        {
          "aggregate_type": "membership",
          "event_type": "MemberAdded",
          "event_version": "1",
          "payload": {
            "type": "MemberAdded",
            "account_id": "00000000-0000-0000-0000-000000000ada",
            "role": "owner"
          }
        }
        "#);
    }

    #[test]
    fn member_role_changed_version_1() {
        assert_json_snapshot!(stored("MemberRoleChanged"), @r#"
        {
          "aggregate_type": "membership",
          "event_type": "MemberRoleChanged",
          "event_version": "1",
          "payload": {
            "type": "MemberRoleChanged",
            "account_id": "00000000-0000-0000-0000-000000000ada",
            "from": "owner",
            "to": "collaborator"
          }
        }
        "#);
    }

    #[test]
    fn member_removed_version_1() {
        assert_json_snapshot!(stored("MemberRemoved"), @r#"
        {
          "aggregate_type": "membership",
          "event_type": "MemberRemoved",
          "event_version": "1",
          "payload": {
            "type": "MemberRemoved",
            "account_id": "00000000-0000-0000-0000-000000000ada",
            "role": "viewer"
          }
        }
        "#);
    }

    #[test]
    fn membership_closed_version_1() {
        assert_json_snapshot!(stored("MembershipClosed"), @r#"
        {
          "aggregate_type": "membership",
          "event_type": "MembershipClosed",
          "event_version": "1",
          "payload": {
            "type": "MembershipClosed"
          }
        }
        "#);
    }

    #[test]
    fn job_requested_version_2() {
        assert_json_snapshot!(stored("JobRequested"), @r#"
        {
          "aggregate_type": "job",
          "event_type": "JobRequested",
          "event_version": "2",
          "payload": {
            "type": "JobRequested",
            "project_id": "00000000-0000-0000-0000-0000000000a0",
            "organization_id": null,
            "submitted_by": "00000000-0000-0000-0000-000000000ada",
            "job_type": "code_execution",
            "language": "python",
            "timeout_seconds": 30,
            "source": {
              "inline": {
                "code": "print(input())",
                "stdin": "hello\n"
              }
            },
            "max_attempts": 3,
            "priority": 3
          }
        }
        "#);
    }

    #[test]
    fn job_requested_version_2_with_all_that_can_be_asked_for() {
        let requested = JobEvent::JobRequested(Box::new(full_request()));
        assert_json_snapshot!(InStoredForm(DomainEventKind::Job(requested)), @r#"
        {
          "aggregate_type": "job",
          "event_type": "JobRequested",
          "event_version": "2",
          "payload": {
            "type": "JobRequested",
            "project_id": "00000000-0000-0000-0000-0000000000a0",
            "organization_id": "00000000-0000-0000-0000-00000000000c",
            "submitted_by": "00000000-0000-0000-0000-000000000ada",
            "job_type": "code_execution",
            "language": "c++",
            "timeout_seconds": 300,
            "source": {
              "input": {
                "size": 100,
                "sha256": "6464646464646464646464646464646464646464646464646464646464646464"
              }
            },
            "max_attempts": 25,
            "priority": 1,
            "run_at": "2026-05-03T03:09:37.123456Z",
            "key": "nightly",
            "fairness_key": "Zoë’s 🚀",
            "schedule_id": "00000000-0000-0000-0000-00000000005c"
          }
        }
        "#);
    }

    #[test]
    fn job_requested_version_2_to_do_nothing() {
        let request = Request { project_id: None, work: Work::Noop {}, ..request() };
        let requested = JobEvent::JobRequested(Box::new(request));
        assert_json_snapshot!(InStoredForm(DomainEventKind::Job(requested)), @r#"
        {
          "aggregate_type": "job",
          "event_type": "JobRequested",
          "event_version": "2",
          "payload": {
            "type": "JobRequested",
            "project_id": null,
            "organization_id": null,
            "submitted_by": "00000000-0000-0000-0000-000000000ada",
            "job_type": "noop",
            "max_attempts": 3,
            "priority": 3
          }
        }
        "#);
    }

    #[test]
    fn job_requested_version_2_to_export_a_history() {
        let request = Request { work: Work::ProjectExport { after: 7 }, ..request() };
        let requested = JobEvent::JobRequested(Box::new(request));
        assert_json_snapshot!(InStoredForm(DomainEventKind::Job(requested)), @r#"
        {
          "aggregate_type": "job",
          "event_type": "JobRequested",
          "event_version": "2",
          "payload": {
            "type": "JobRequested",
            "project_id": "00000000-0000-0000-0000-0000000000a0",
            "organization_id": null,
            "submitted_by": "00000000-0000-0000-0000-000000000ada",
            "job_type": "project_export",
            "after": 7,
            "max_attempts": 3,
            "priority": 3
          }
        }
        "#);
    }

    #[test]
    fn job_requested_version_2_to_send_a_mail() {
        let work = Work::Email { input: Input { size: 100, sha256: Sha256([100; 32]) } };
        let requested = JobEvent::JobRequested(Box::new(Request { project_id: None, work, ..request() }));
        assert_json_snapshot!(InStoredForm(DomainEventKind::Job(requested)), @r#"
        {
          "aggregate_type": "job",
          "event_type": "JobRequested",
          "event_version": "2",
          "payload": {
            "type": "JobRequested",
            "project_id": null,
            "organization_id": null,
            "submitted_by": "00000000-0000-0000-0000-000000000ada",
            "job_type": "email",
            "input": {
              "size": 100,
              "sha256": "6464646464646464646464646464646464646464646464646464646464646464"
            },
            "max_attempts": 3,
            "priority": 3
          }
        }
        "#);
    }

    #[test]
    fn job_started_version_1() {
        assert_json_snapshot!(stored("JobStarted"), @r#"
        {
          "aggregate_type": "job",
          "event_type": "JobStarted",
          "event_version": "1",
          "payload": {
            "type": "JobStarted",
            "attempt": 1,
            "worker_id": "00000000-0000-0000-0000-00000000003a"
          }
        }
        "#);
    }

    #[test]
    fn job_succeeded_version_1() {
        assert_json_snapshot!(stored("JobSucceeded"), @r#"
        {
          "aggregate_type": "job",
          "event_type": "JobSucceeded",
          "event_version": "1",
          "payload": {
            "type": "JobSucceeded",
            "attempt": 1,
            "outcome": {
              "exit_code": 0,
              "execution_time_ms": 120,
              "truncated": false
            }
          }
        }
        "#);
    }

    #[test]
    fn job_attempt_failed_version_2() {
        assert_json_snapshot!(stored("JobAttemptFailed"), @r#"
        {
          "aggregate_type": "job",
          "event_type": "JobAttemptFailed",
          "event_version": "2",
          "payload": {
            "type": "JobAttemptFailed",
            "attempt": 1,
            "failure": {
              "reason": "program",
              "outcome": {
                "exit_code": null,
                "execution_time_ms": 30000,
                "truncated": true,
                "limit_hit": "time"
              }
            },
            "retry_at": "2026-05-03T03:09:37.123456Z"
          }
        }
        "#);
    }

    #[test]
    fn job_dead_lettered_version_1() {
        assert_json_snapshot!(stored("JobDeadLettered"), @r#"
        {
          "aggregate_type": "job",
          "event_type": "JobDeadLettered",
          "event_version": "1",
          "payload": {
            "type": "JobDeadLettered",
            "attempt": 3
          }
        }
        "#);
    }

    #[test]
    fn account_registered_version_1() {
        assert_json_snapshot!(stored("AccountRegistered"), @r#"
        {
          "aggregate_type": "account",
          "event_type": "AccountRegistered",
          "event_version": "1",
          "payload": {
            "type": "AccountRegistered",
            "personal_organization_id": "00000000-0000-0000-0000-00000000000c"
          }
        }
        "#);
    }

    #[test]
    fn session_started_version_1() {
        assert_json_snapshot!(stored("SessionStarted"), @r#"
        {
          "aggregate_type": "account",
          "event_type": "SessionStarted",
          "event_version": "1",
          "payload": {
            "type": "SessionStarted",
            "session_id": "00000000-0000-0000-0000-00000000005e"
          }
        }
        "#);
    }

    #[test]
    fn session_refreshed_version_1() {
        assert_json_snapshot!(stored("SessionRefreshed"), @r#"
        {
          "aggregate_type": "account",
          "event_type": "SessionRefreshed",
          "event_version": "1",
          "payload": {
            "type": "SessionRefreshed",
            "session_id": "00000000-0000-0000-0000-00000000005e",
            "generation": 1
          }
        }
        "#);
    }

    #[test]
    fn session_ended_version_1() {
        assert_json_snapshot!(stored("SessionEnded"), @r#"
        {
          "aggregate_type": "account",
          "event_type": "SessionEnded",
          "event_version": "1",
          "payload": {
            "type": "SessionEnded",
            "session_id": "00000000-0000-0000-0000-00000000005e",
            "reason": "refresh_token_reused"
          }
        }
        "#);
    }

    #[test]
    fn login_failed_version_1() {
        assert_json_snapshot!(stored("LoginFailed"), @r#"
        {
          "aggregate_type": "account",
          "event_type": "LoginFailed",
          "event_version": "1",
          "payload": {
            "type": "LoginFailed"
          }
        }
        "#);
    }

    #[test]
    fn profile_changed_version_1() {
        assert_json_snapshot!(stored("ProfileChanged"), @r#"
        {
          "aggregate_type": "account",
          "event_type": "ProfileChanged",
          "event_version": "1",
          "payload": {
            "type": "ProfileChanged",
            "fields": [
              "username",
              "full_name"
            ]
          }
        }
        "#);
    }

    #[test]
    fn password_changed_version_1() {
        assert_json_snapshot!(stored("PasswordChanged"), @r#"
        {
          "aggregate_type": "account",
          "event_type": "PasswordChanged",
          "event_version": "1",
          "payload": {
            "type": "PasswordChanged",
            "change": "reset"
          }
        }
        "#);
    }

    #[test]
    fn password_reset_requested_version_1() {
        assert_json_snapshot!(stored("PasswordResetRequested"), @r#"
        {
          "aggregate_type": "account",
          "event_type": "PasswordResetRequested",
          "event_version": "1",
          "payload": {
            "type": "PasswordResetRequested"
          }
        }
        "#);
    }

    #[test]
    fn email_verified_version_1() {
        assert_json_snapshot!(stored("EmailVerified"), @r#"
        {
          "aggregate_type": "account",
          "event_type": "EmailVerified",
          "event_version": "1",
          "payload": {
            "type": "EmailVerified"
          }
        }
        "#);
    }

    #[test]
    fn token_created_version_1() {
        assert_json_snapshot!(stored("TokenCreated"), @r#"
        {
          "aggregate_type": "account",
          "event_type": "TokenCreated",
          "event_version": "1",
          "payload": {
            "type": "TokenCreated",
            "token_id": "00000000-0000-0000-0000-00000000070c"
          }
        }
        "#);
    }

    #[test]
    fn token_revoked_version_1() {
        assert_json_snapshot!(stored("TokenRevoked"), @r#"
        {
          "aggregate_type": "account",
          "event_type": "TokenRevoked",
          "event_version": "1",
          "payload": {
            "type": "TokenRevoked",
            "token_id": "00000000-0000-0000-0000-00000000070c"
          }
        }
        "#);
    }

    #[test]
    fn account_deactivated_version_2() {
        assert_json_snapshot!(stored("AccountDeactivated"), @r#"
        {
          "aggregate_type": "account",
          "event_type": "AccountDeactivated",
          "event_version": "2",
          "payload": {
            "type": "AccountDeactivated",
            "by": "operator"
          }
        }
        "#);
    }

    #[test]
    fn account_reactivated_version_2() {
        assert_json_snapshot!(stored("AccountReactivated"), @r#"
        {
          "aggregate_type": "account",
          "event_type": "AccountReactivated",
          "event_version": "2",
          "payload": {
            "type": "AccountReactivated",
            "by": "operator"
          }
        }
        "#);
    }

    #[test]
    fn account_erased_version_1() {
        assert_json_snapshot!(stored("AccountErased"), @r#"
        {
          "aggregate_type": "account",
          "event_type": "AccountErased",
          "event_version": "1",
          "payload": {
            "type": "AccountErased"
          }
        }
        "#);
    }

    #[test]
    fn organization_created_version_1() {
        assert_json_snapshot!(stored("OrganizationCreated"), @r#"
        {
          "aggregate_type": "organization",
          "event_type": "OrganizationCreated",
          "event_version": "1",
          "payload": {
            "type": "OrganizationCreated",
            "is_personal": false,
            "admin_id": "00000000-0000-0000-0000-000000000ada",
            "name": "Acme",
            "slug": "acme",
            "image_url": null,
            "settings": {
              "members_can_create_projects": false
            }
          }
        }
        "#);
    }

    #[test]
    fn organization_updated_version_1() {
        assert_json_snapshot!(stored("OrganizationUpdated"), @r#"
        {
          "aggregate_type": "organization",
          "event_type": "OrganizationUpdated",
          "event_version": "1",
          "payload": {
            "type": "OrganizationUpdated",
            "changes": {
              "name": {
                "from": "Acme",
                "to": "Ajax"
              },
              "slug": {
                "from": "acme",
                "to": "ajax"
              },
              "image_url": {
                "from": null,
                "to": "https://example.com/a.png"
              },
              "settings": {
                "from": {
                  "members_can_create_projects": false
                },
                "to": {
                  "members_can_create_projects": true
                }
              }
            }
          }
        }
        "#);
    }

    #[test]
    fn organization_member_added_version_1() {
        assert_json_snapshot!(stored("OrganizationMemberAdded"), @r#"
        {
          "aggregate_type": "organization",
          "event_type": "OrganizationMemberAdded",
          "event_version": "1",
          "payload": {
            "type": "OrganizationMemberAdded",
            "account_id": "00000000-0000-0000-0000-000000000b0b",
            "role": "member"
          }
        }
        "#);
    }

    #[test]
    fn organization_member_role_changed_version_1() {
        assert_json_snapshot!(stored("OrganizationMemberRoleChanged"), @r#"
        {
          "aggregate_type": "organization",
          "event_type": "OrganizationMemberRoleChanged",
          "event_version": "1",
          "payload": {
            "type": "OrganizationMemberRoleChanged",
            "account_id": "00000000-0000-0000-0000-000000000b0b",
            "from": "member",
            "to": "admin"
          }
        }
        "#);
    }

    #[test]
    fn organization_member_removed_version_1() {
        assert_json_snapshot!(stored("OrganizationMemberRemoved"), @r#"
        {
          "aggregate_type": "organization",
          "event_type": "OrganizationMemberRemoved",
          "event_version": "1",
          "payload": {
            "type": "OrganizationMemberRemoved",
            "account_id": "00000000-0000-0000-0000-000000000b0b",
            "role": "admin"
          }
        }
        "#);
    }

    #[test]
    fn organization_deleted_version_1() {
        assert_json_snapshot!(stored("OrganizationDeleted"), @r#"
        {
          "aggregate_type": "organization",
          "event_type": "OrganizationDeleted",
          "event_version": "1",
          "payload": {
            "type": "OrganizationDeleted"
          }
        }
        "#);
    }

    #[test]
    fn slug_claimed_version_1() {
        assert_json_snapshot!(stored("SlugClaimed"), @r#"
        {
          "aggregate_type": "organization_slug",
          "event_type": "SlugClaimed",
          "event_version": "1",
          "payload": {
            "type": "SlugClaimed",
            "slug": "acme",
            "organization_id": "00000000-0000-0000-0000-00000000000c"
          }
        }
        "#);
    }

    #[test]
    fn slug_released_version_1() {
        assert_json_snapshot!(stored("SlugReleased"), @r#"
        {
          "aggregate_type": "organization_slug",
          "event_type": "SlugReleased",
          "event_version": "1",
          "payload": {
            "type": "SlugReleased",
            "organization_id": "00000000-0000-0000-0000-00000000000c"
          }
        }
        "#);
    }

    #[test]
    fn project_added_to_organization_version_1() {
        assert_json_snapshot!(stored("ProjectAddedToOrganization"), @r#"
        {
          "aggregate_type": "organization_projects",
          "event_type": "ProjectAddedToOrganization",
          "event_version": "1",
          "payload": {
            "type": "ProjectAddedToOrganization",
            "organization_id": "00000000-0000-0000-0000-00000000000c",
            "project_id": "00000000-0000-0000-0000-0000000000a0"
          }
        }
        "#);
    }

    #[test]
    fn task_created_version_1() {
        assert_json_snapshot!(stored("TaskCreated"), @r#"
        {
          "aggregate_type": "task",
          "event_type": "TaskCreated",
          "event_version": "1",
          "payload": {
            "type": "TaskCreated",
            "project_id": "00000000-0000-0000-0000-0000000000a0",
            "title": "Launch",
            "description": "All engines.",
            "assignee_id": "00000000-0000-0000-0000-000000000ada",
            "status": "todo",
            "task_type": "feature",
            "priority": "high",
            "due_at": "2026-05-03T03:09:37.123456Z"
          }
        }
        "#);
    }

    #[test]
    fn task_updated_version_1() {
        assert_json_snapshot!(stored("TaskUpdated"), @r#"
        {
          "aggregate_type": "task",
          "event_type": "TaskUpdated",
          "event_version": "1",
          "payload": {
            "type": "TaskUpdated",
            "changes": {
              "title": {
                "from": "Launch",
                "to": "Land"
              },
              "description": {
                "from": "All engines.",
                "to": "Softly."
              },
              "assignee_id": {
                "from": "00000000-0000-0000-0000-000000000ada",
                "to": null
              },
              "status": {
                "from": "todo",
                "to": "in_progress"
              },
              "task_type": {
                "from": "feature",
                "to": "improvement"
              },
              "priority": {
                "from": "high",
                "to": "low"
              },
              "due_at": {
                "from": "2026-05-03T03:09:37.123456Z",
                "to": null
              }
            }
          }
        }
        "#);
    }

    #[test]
    fn task_unassigned_version_1() {
        assert_json_snapshot!(stored("TaskUnassigned"), @r#"
        {
          "aggregate_type": "task",
          "event_type": "TaskUnassigned",
          "event_version": "1",
          "payload": {
            "type": "TaskUnassigned",
            "assignee_id": "00000000-0000-0000-0000-000000000ada"
          }
        }
        "#);
    }

    #[test]
    fn task_deleted_version_1() {
        assert_json_snapshot!(stored("TaskDeleted"), @r#"
        {
          "aggregate_type": "task",
          "event_type": "TaskDeleted",
          "event_version": "1",
          "payload": {
            "type": "TaskDeleted"
          }
        }
        "#);
    }

    #[test]
    fn comment_posted_version_1() {
        assert_json_snapshot!(stored("CommentPosted"), @r#"
        {
          "aggregate_type": "comment",
          "event_type": "CommentPosted",
          "event_version": "1",
          "payload": {
            "type": "CommentPosted",
            "project_id": "00000000-0000-0000-0000-0000000000a0",
            "task_id": "00000000-0000-0000-0000-00000000007a",
            "author_id": "00000000-0000-0000-0000-000000000ada",
            "body": "Done."
          }
        }
        "#);
    }

    #[test]
    fn comment_edited_version_1() {
        assert_json_snapshot!(stored("CommentEdited"), @r#"
        {
          "aggregate_type": "comment",
          "event_type": "CommentEdited",
          "event_version": "1",
          "payload": {
            "type": "CommentEdited",
            "task_id": "00000000-0000-0000-0000-00000000007a",
            "body": {
              "from": "Done.",
              "to": "Not yet."
            }
          }
        }
        "#);
    }

    #[test]
    fn comment_deleted_version_1() {
        assert_json_snapshot!(stored("CommentDeleted"), @r#"
        {
          "aggregate_type": "comment",
          "event_type": "CommentDeleted",
          "event_version": "1",
          "payload": {
            "type": "CommentDeleted",
            "task_id": "00000000-0000-0000-0000-00000000007a"
          }
        }
        "#);
    }

    #[test]
    fn workspace_created_version_1() {
        assert_json_snapshot!(stored("WorkspaceCreated"), @r#"
        {
          "aggregate_type": "workspace",
          "event_type": "WorkspaceCreated",
          "event_version": "1",
          "payload": {
            "type": "WorkspaceCreated",
            "project_id": "00000000-0000-0000-0000-0000000000a0",
            "name": "Lab",
            "description": "To try."
          }
        }
        "#);
    }

    #[test]
    fn workspace_updated_version_1() {
        assert_json_snapshot!(stored("WorkspaceUpdated"), @r#"
        {
          "aggregate_type": "workspace",
          "event_type": "WorkspaceUpdated",
          "event_version": "1",
          "payload": {
            "type": "WorkspaceUpdated",
            "changes": {
              "name": {
                "from": "Lab",
                "to": "Office"
              },
              "description": {
                "from": "To try.",
                "to": "To work."
              }
            }
          }
        }
        "#);
    }

    #[test]
    fn file_created_version_1() {
        assert_json_snapshot!(stored("FileCreated"), @r#"
        {
          "aggregate_type": "workspace",
          "event_type": "FileCreated",
          "event_version": "1",
          "payload": {
            "type": "FileCreated",
            "file_id": "00000000-0000-0000-0000-0000000000f1",
            "path": "main.py"
          }
        }
        "#);
    }

    #[test]
    fn file_moved_version_1() {
        assert_json_snapshot!(stored("FileMoved"), @r#"
        {
          "aggregate_type": "workspace",
          "event_type": "FileMoved",
          "event_version": "1",
          "payload": {
            "type": "FileMoved",
            "file_id": "00000000-0000-0000-0000-0000000000f1",
            "path": {
              "from": "main.py",
              "to": "src/main.py"
            }
          }
        }
        "#);
    }

    #[test]
    fn file_deleted_version_1() {
        assert_json_snapshot!(stored("FileDeleted"), @r#"
        {
          "aggregate_type": "workspace",
          "event_type": "FileDeleted",
          "event_version": "1",
          "payload": {
            "type": "FileDeleted",
            "file_id": "00000000-0000-0000-0000-0000000000f1",
            "path": "src/main.py"
          }
        }
        "#);
    }

    #[test]
    fn workspace_deleted_version_1() {
        assert_json_snapshot!(stored("WorkspaceDeleted"), @r#"
        {
          "aggregate_type": "workspace",
          "event_type": "WorkspaceDeleted",
          "event_version": "1",
          "payload": {
            "type": "WorkspaceDeleted"
          }
        }
        "#);
    }

    #[test]
    fn file_content_written_version_1() {
        assert_json_snapshot!(stored("FileContentWritten"), @r#"
        {
          "aggregate_type": "file",
          "event_type": "FileContentWritten",
          "event_version": "1",
          "payload": {
            "type": "FileContentWritten",
            "project_id": "00000000-0000-0000-0000-0000000000a0",
            "workspace_id": "00000000-0000-0000-0000-000000000030",
            "size": 12,
            "sha256": "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c"
          }
        }
        "#);
    }

    #[test]
    fn invitation_sent_version_2() {
        assert_json_snapshot!(stored("InvitationSent"), @r#"
        {
          "aggregate_type": "invitation",
          "event_type": "InvitationSent",
          "event_version": "2",
          "payload": {
            "type": "InvitationSent",
            "project_id": "00000000-0000-0000-0000-0000000000a0",
            "role": "viewer",
            "expires_at": "2026-05-03T03:09:37.123456Z",
            "invited_by": null
          }
        }
        "#);
    }

    #[test]
    fn invitation_revoked_version_1() {
        assert_json_snapshot!(stored("InvitationRevoked"), @r#"
        {
          "aggregate_type": "invitation",
          "event_type": "InvitationRevoked",
          "event_version": "1",
          "payload": {
            "type": "InvitationRevoked",
            "project_id": "00000000-0000-0000-0000-0000000000a0",
            "role": "viewer"
          }
        }
        "#);
    }

    #[test]
    fn invitation_lapsed_version_1() {
        assert_json_snapshot!(stored("InvitationLapsed"), @r#"
        {
          "aggregate_type": "invitation",
          "event_type": "InvitationLapsed",
          "event_version": "1",
          "payload": {
            "type": "InvitationLapsed",
            "project_id": "00000000-0000-0000-0000-0000000000a0",
            "role": "viewer"
          }
        }
        "#);
    }

    #[test]
    fn invitation_accepted_version_1() {
        assert_json_snapshot!(stored("InvitationAccepted"), @r#"
        {
          "aggregate_type": "invitation",
          "event_type": "InvitationAccepted",
          "event_version": "1",
          "payload": {
            "type": "InvitationAccepted",
            "project_id": "00000000-0000-0000-0000-0000000000a0",
            "role": "viewer",
            "account_id": "00000000-0000-0000-0000-000000000b0b"
          }
        }
        "#);
    }

    #[test]
    fn job_cancelled_version_1() {
        assert_json_snapshot!(stored("JobCancelled"), @r#"
        {
          "aggregate_type": "job",
          "event_type": "JobCancelled",
          "event_version": "1",
          "payload": {
            "type": "JobCancelled",
            "reason": "project_deleted"
          }
        }
        "#);
    }

    #[test]
    fn job_interrupted_version_1() {
        assert_json_snapshot!(stored("JobInterrupted"), @r#"
        {
          "aggregate_type": "job",
          "event_type": "JobInterrupted",
          "event_version": "1",
          "payload": {
            "type": "JobInterrupted",
            "attempt": 1,
            "cause": "worker_lost",
            "uncounted": 1,
            "retry_at": "2026-05-03T03:09:37.123456Z"
          }
        }
        "#);
    }

    #[test]
    fn job_snoozed_version_1() {
        assert_json_snapshot!(stored("JobSnoozed"), @r#"
        {
          "aggregate_type": "job",
          "event_type": "JobSnoozed",
          "event_version": "1",
          "payload": {
            "type": "JobSnoozed",
            "attempt": 1,
            "uncounted": 2,
            "until": "2026-05-03T03:09:37.123456Z"
          }
        }
        "#);
    }

    #[test]
    fn job_redriven_version_1() {
        assert_json_snapshot!(stored("JobRedriven"), @r#"
        {
          "aggregate_type": "job",
          "event_type": "JobRedriven",
          "event_version": "1",
          "payload": {
            "type": "JobRedriven"
          }
        }
        "#);
    }

    #[test]
    fn job_key_claimed_version_1() {
        assert_json_snapshot!(stored("JobKeyClaimed"), @r#"
        {
          "aggregate_type": "job_key",
          "event_type": "JobKeyClaimed",
          "event_version": "1",
          "payload": {
            "type": "JobKeyClaimed",
            "project_id": "00000000-0000-0000-0000-0000000000a0",
            "account_id": "00000000-0000-0000-0000-000000000ada",
            "job_id": "00000000-0000-0000-0000-00000000010b",
            "unique_until": "2026-05-03T03:09:37.123456Z"
          }
        }
        "#);
    }

    #[test]
    fn job_key_granted_version_1() {
        assert_json_snapshot!(stored("JobKeyGranted"), @r#"
        {
          "aggregate_type": "job_key",
          "event_type": "JobKeyGranted",
          "event_version": "1",
          "payload": {
            "type": "JobKeyGranted",
            "project_id": "00000000-0000-0000-0000-0000000000a0",
            "account_id": "00000000-0000-0000-0000-000000000ada",
            "job_id": "00000000-0000-0000-0000-00000000010b",
            "attempt": 2
          }
        }
        "#);
    }

    #[test]
    fn schedule_created_version_1() {
        assert_json_snapshot!(stored("ScheduleCreated"), @r#"
        {
          "aggregate_type": "schedule",
          "event_type": "ScheduleCreated",
          "event_version": "1",
          "payload": {
            "type": "ScheduleCreated",
            "project_id": "00000000-0000-0000-0000-0000000000a0",
            "created_by": "00000000-0000-0000-0000-000000000ada",
            "name": "Nightly",
            "timing": {
              "cron": "30 3 * * mon-fri"
            },
            "time_zone": "Europe/Berlin",
            "missed": "one",
            "paused": false,
            "job": {
              "work": {
                "job_type": "noop"
              },
              "max_attempts": 3,
              "priority": 3,
              "key": "nightly"
            },
            "counted_from": "2026-05-03T03:09:37.123456Z",
            "next_at": "2026-05-03T03:09:37.123456Z"
          }
        }
        "#);
    }

    #[test]
    fn schedule_updated_version_1() {
        assert_json_snapshot!(stored("ScheduleUpdated"), @r#"
        {
          "aggregate_type": "schedule",
          "event_type": "ScheduleUpdated",
          "event_version": "1",
          "payload": {
            "type": "ScheduleUpdated",
            "changes": {
              "name": {
                "from": "Nightly",
                "to": null
              },
              "timing": {
                "from": {
                  "cron": "30 3 * * mon-fri"
                },
                "to": {
                  "every_seconds": 3600
                }
              },
              "paused": {
                "from": false,
                "to": true
              }
            },
            "acts_for": "00000000-0000-0000-0000-000000000ada",
            "counted_from": "2026-05-03T03:09:37.123456Z",
            "next_at": null
          }
        }
        "#);
    }

    #[test]
    fn schedule_ticked_version_1() {
        assert_json_snapshot!(stored("ScheduleTicked"), @r#"
        {
          "aggregate_type": "schedule",
          "event_type": "ScheduleTicked",
          "event_version": "1",
          "payload": {
            "type": "ScheduleTicked",
            "tick_at": "2026-05-03T03:09:37.123456Z",
            "job_id": "00000000-0000-0000-0000-00000000010b",
            "made_up": 0,
            "next_at": "2026-05-03T03:09:37.123456Z"
          }
        }
        "#);
    }

    #[test]
    fn schedule_suspended_version_1() {
        assert_json_snapshot!(stored("ScheduleSuspended"), @r#"
        {
          "aggregate_type": "schedule",
          "event_type": "ScheduleSuspended",
          "event_version": "1",
          "payload": {
            "type": "ScheduleSuspended",
            "reason": "right_lost"
          }
        }
        "#);
    }

    #[test]
    fn schedule_resumed_version_1() {
        assert_json_snapshot!(stored("ScheduleResumed"), @r#"
        {
          "aggregate_type": "schedule",
          "event_type": "ScheduleResumed",
          "event_version": "1",
          "payload": {
            "type": "ScheduleResumed",
            "acts_for": "00000000-0000-0000-0000-000000000b0b",
            "next_at": "2026-05-03T03:09:37.123456Z"
          }
        }
        "#);
    }

    #[test]
    fn schedule_deleted_version_1() {
        assert_json_snapshot!(stored("ScheduleDeleted"), @r#"
        {
          "aggregate_type": "schedule",
          "event_type": "ScheduleDeleted",
          "event_version": "1",
          "payload": {
            "type": "ScheduleDeleted"
          }
        }
        "#);
    }

    #[test]
    fn webhook_created_version_1() {
        assert_json_snapshot!(stored("WebhookCreated"), @r#"
        {
          "aggregate_type": "webhook",
          "event_type": "WebhookCreated",
          "event_version": "1",
          "payload": {
            "type": "WebhookCreated",
            "project_id": "00000000-0000-0000-0000-0000000000a0",
            "event_types": [
              "TaskCreated",
              "TaskUpdated"
            ]
          }
        }
        "#);
    }

    #[test]
    fn webhook_filter_changed_version_1() {
        assert_json_snapshot!(stored("WebhookFilterChanged"), @r#"
        {
          "aggregate_type": "webhook",
          "event_type": "WebhookFilterChanged",
          "event_version": "1",
          "payload": {
            "type": "WebhookFilterChanged",
            "from": [
              "TaskCreated",
              "TaskUpdated"
            ],
            "to": null
          }
        }
        "#);
    }

    #[test]
    fn webhook_endpoint_changed_version_1() {
        assert_json_snapshot!(stored("WebhookEndpointChanged"), @r#"
        {
          "aggregate_type": "webhook",
          "event_type": "WebhookEndpointChanged",
          "event_version": "1",
          "payload": {
            "type": "WebhookEndpointChanged",
            "fields": [
              "url",
              "description"
            ]
          }
        }
        "#);
    }

    #[test]
    fn webhook_secret_rotated_version_1() {
        assert_json_snapshot!(stored("WebhookSecretRotated"), @r#"
        {
          "aggregate_type": "webhook",
          "event_type": "WebhookSecretRotated",
          "event_version": "1",
          "payload": {
            "type": "WebhookSecretRotated"
          }
        }
        "#);
    }

    #[test]
    fn webhook_enabled_version_1() {
        assert_json_snapshot!(stored("WebhookEnabled"), @r#"
        {
          "aggregate_type": "webhook",
          "event_type": "WebhookEnabled",
          "event_version": "1",
          "payload": {
            "type": "WebhookEnabled"
          }
        }
        "#);
    }

    #[test]
    fn webhook_disabled_version_1() {
        assert_json_snapshot!(stored("WebhookDisabled"), @r#"
        {
          "aggregate_type": "webhook",
          "event_type": "WebhookDisabled",
          "event_version": "1",
          "payload": {
            "type": "WebhookDisabled",
            "reason": "requested"
          }
        }
        "#);
    }

    #[test]
    fn webhook_redelivery_requested_version_1() {
        assert_json_snapshot!(stored("WebhookRedeliveryRequested"), @r#"
        {
          "aggregate_type": "webhook",
          "event_type": "WebhookRedeliveryRequested",
          "event_version": "1",
          "payload": {
            "type": "WebhookRedeliveryRequested",
            "delivery_id": "00000000-0000-0000-0000-0000000000de",
            "event_id": "00000000-0000-0000-0000-0000000000e7",
            "position": 7
          }
        }
        "#);
    }

    #[test]
    fn webhook_deleted_version_1() {
        assert_json_snapshot!(stored("WebhookDeleted"), @r#"
        {
          "aggregate_type": "webhook",
          "event_type": "WebhookDeleted",
          "event_version": "1",
          "payload": {
            "type": "WebhookDeleted"
          }
        }
        "#);
    }

    #[test]
    fn job_deleted_version_1() {
        assert_json_snapshot!(stored("JobDeleted"), @r#"
        {
          "aggregate_type": "job",
          "event_type": "JobDeleted",
          "event_version": "1",
          "payload": {
            "type": "JobDeleted"
          }
        }
        "#);
    }

    #[test]
    fn job_rule_changed_version_1() {
        assert_json_snapshot!(stored("JobRuleChanged"), @r#"
        {
          "aggregate_type": "job_rule",
          "event_type": "JobRuleChanged",
          "event_version": "1",
          "payload": {
            "type": "JobRuleChanged",
            "scope": {
              "project_id": "00000000-0000-0000-0000-0000000000a0",
              "job_type": "code_execution",
              "key": "nightly",
              "fairness_key": "reports"
            },
            "paused": true,
            "weight": 3,
            "running": 2,
            "rate": {
              "count": 10,
              "seconds": 60
            }
          }
        }
        "#);
    }

    #[test]
    fn history_exported_version_1() {
        assert_json_snapshot!(stored("HistoryExported"), @r#"
        {
          "aggregate_type": "audit_trail",
          "event_type": "HistoryExported",
          "event_version": "1",
          "payload": {
            "type": "HistoryExported",
            "after": 0,
            "until": 12
          }
        }
        "#);
    }

    #[test]
    fn state_read_version_1() {
        assert_json_snapshot!(stored("StateRead"), @r#"
        {
          "aggregate_type": "audit_trail",
          "event_type": "StateRead",
          "event_version": "1",
          "payload": {
            "type": "StateRead",
            "as_of": 7
          }
        }
        "#);
    }

    #[test]
    fn payload_redacted_version_1() {
        assert_json_snapshot!(stored("PayloadRedacted"), @r#"
        {
          "aggregate_type": "project",
          "event_type": "PayloadRedacted",
          "event_version": "1",
          "payload": {
            "type": "PayloadRedacted",
            "position": 7,
            "event_id": "00000000-0000-0000-0000-0000000000e7",
            "event_type": "ProjectCreated",
            "reason": "It named a customer.",
            "remains": "0707070707070707070707070707070707070707070707070707070707070707",
            "fields": [
              "name"
            ]
          }
        }
        "#);
    }

    #[test]
    fn project_purge_ordered_version_1() {
        assert_json_snapshot!(stored("ProjectPurgeOrdered"), @r#"
        {
          "aggregate_type": "project",
          "event_type": "ProjectPurgeOrdered",
          "event_version": "1",
          "payload": {
            "type": "ProjectPurgeOrdered",
            "reason": "The contract is over."
          }
        }
        "#);
    }
}

/// What the log keeps beside every event.
mod metadata {
    use std::collections::BTreeMap;

    use insta::assert_json_snapshot;

    use super::*;

    fn stored(actor: Actor, causation_id: Option<Uuid>, trace_id: Option<&str>) -> BTreeMap<String, String> {
        let metadata = Metadata {
            actor,
            occurred_at: later(),
            correlation_id: Uuid::from_u128(0xc0),
            causation_id,
            trace_id: trace_id.map(str::to_owned),
        };
        let map = metadata.to_map().unwrap();
        assert_eq!(Metadata::from_map(&map).unwrap(), metadata);
        map.into_iter().collect()
    }

    #[test]
    fn of_a_person() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_json_snapshot!(stored(Actor::Account(ADA), Some(Uuid::from_u128(0xca)), Some(trace)), @r#"
        {
          "actor": "account:00000000-0000-0000-0000-000000000ada",
          "causation_id": "00000000-0000-0000-0000-0000000000ca",
          "correlation_id": "00000000-0000-0000-0000-0000000000c0",
          "occurred_at": "2026-05-03T03:09:37.123456Z",
          "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"
        }
        "#);
    }

    #[test]
    fn of_the_service() {
        assert_json_snapshot!(stored(Actor::System(SystemActor::Worker), None, None), @r#"
        {
          "actor": "system:worker",
          "correlation_id": "00000000-0000-0000-0000-0000000000c0",
          "occurred_at": "2026-05-03T03:09:37.123456Z"
        }
        "#);
        assert_json_snapshot!(stored(Actor::System(SystemActor::Reconciler), None, None)["actor"], @r#""system:reconciler""#);
    }

    #[test]
    fn lacking_an_entry_is_not_read() {
        let whole = stored(Actor::Account(ADA), None, None);
        for missing in ["actor", "occurred_at", "correlation_id"] {
            let rest = whole.clone().into_iter().filter(|(name, _)| name != missing).collect();
            let error = Metadata::from_map(&rest).unwrap_err();
            assert_eq!(error.to_string(), format!("event metadata lacks `{missing}`"));
        }
    }

    #[test]
    fn with_an_unreadable_entry_is_not_read() {
        let whole = stored(Actor::Account(ADA), Some(Uuid::nil()), None);
        for name in ["actor", "occurred_at", "correlation_id", "causation_id"] {
            let mut map: std::collections::HashMap<_, _> = whole.clone().into_iter().collect();
            map.insert(name.to_owned(), "nonsense".to_owned());
            assert!(Metadata::from_map(&map).is_err(), "{name}");
        }
    }
}

/// Snapshots of a state are a cache: one of another shape is ignored. So a changed form here breaks nothing, as long as
/// `SHAPE` is raised with it: accept the new snapshot and the new number together.
mod cached_as {
    use insta::assert_json_snapshot;

    use super::*;

    #[derive(Serialize)]
    struct Cached<State> {
        shape: u32,
        state: State,
    }

    fn cached<A: Decide>(events: impl IntoIterator<Item = A::Event>) -> Cached<A> {
        let mut state = A::default();
        for event in events {
            state.evolve(&event);
        }
        Cached { shape: A::SHAPE, state }
    }

    #[test]
    fn a_project_of_shape_3() {
        let events = every_event().into_iter().filter_map(|event| match event {
            DomainEventKind::Project(event) => Some(event),
            _ => None,
        });
        assert_json_snapshot!(cached::<Project>(events.take(1)), @r#"
        {
          "shape": 3,
          "state": {
            "Active": {
              "organization_id": "00000000-0000-0000-0000-00000000000c",
              "fields": {
                "name": "Apollo",
                "description": "To the moon.\nAnd back.",
                "is_public": false,
                "status": "planning",
                "priority": "medium",
                "start_date": "2026-03-01",
                "end_date": "2026-05-01"
              }
            }
          }
        }
        "#);
    }

    #[test]
    fn a_roster_of_shape_2() {
        let events = every_event().into_iter().filter_map(|event| match event {
            DomainEventKind::Membership(event) => Some(event),
            _ => None,
        });
        assert_json_snapshot!(cached::<Membership>(events.take(1)), @r#"
        {
          "shape": 2,
          "state": {
            "members": {
              "00000000-0000-0000-0000-000000000ada": "owner"
            },
            "closed": false,
            "former_owners": []
          }
        }
        "#);
    }

    #[test]
    fn a_job_of_shape_2() {
        let events = every_event().into_iter().filter_map(|event| match event {
            DomainEventKind::Job(event) => Some(event),
            _ => None,
        });
        assert_json_snapshot!(cached::<Job>(events.take(2)), @r#"
        {
          "shape": 2,
          "state": {
            "request": {
              "project_id": "00000000-0000-0000-0000-0000000000a0",
              "organization_id": null,
              "submitted_by": "00000000-0000-0000-0000-000000000ada",
              "job_type": "code_execution",
              "language": "python",
              "timeout_seconds": 30,
              "source": {
                "inline": {
                  "code": "print(input())",
                  "stdin": "hello\n"
                }
              },
              "max_attempts": 3,
              "priority": 3
            },
            "status": "running",
            "attempt": 1,
            "worker_id": "00000000-0000-0000-0000-00000000003a",
            "failures": 0,
            "suspicions": 0,
            "uncounted": 0
          }
        }
        "#);
    }

    #[test]
    fn an_account_of_shape_3() {
        let events = every_event().into_iter().filter_map(|event| match event {
            DomainEventKind::Account(event) => Some(event),
            _ => None,
        });
        assert_json_snapshot!(cached::<Account>(events.take(1)), @r#"
        {
          "shape": 3,
          "state": {
            "personal_organization_id": "00000000-0000-0000-0000-00000000000c",
            "is_closed_by_operator": false,
            "is_closed_by_issuer": false,
            "erased": false
          }
        }
        "#);
    }
}
