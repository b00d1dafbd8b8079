//! What must hold whatever is asked, in whatever order: random commands, and the promises of an event-sourced state.
//!
//! [`live`] runs commands the way the service does and checks what is true of every aggregate; each module below adds
//! what is true of its own. To cover a new aggregate: a strategy for its commands, a call of `live`, its invariants.

use std::{
    fmt::Debug,
    pin::pin,
    task::{Context, Poll, Waker},
};

use cqrs_es::{Aggregate, event_sink::EventSink};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde::{Serialize, de::DeserializeOwned};
use time::{Date, OffsetDateTime, UtcOffset};
use uuid::Uuid;
use workroom_domain::{
    Decide,
    access::Role,
    change::Change,
    event::DomainEventKind,
    ids::{AccountId, OrganizationId, ProjectId},
    project::{Priority, ProjectStatus, Schedule, SchedulePatch},
    text::{Name, Prose},
};

use crate::schemas;

mod a_job;

type Events<A> = Vec<<A as Aggregate>::Event>;
type Answer<A> = Result<Events<A>, <A as Aggregate>::Error>;

/// One command's effect: the state it met, the answer, and the state it left.
struct Step<'a, A: Aggregate> {
    before: &'a A,
    answer: &'a Answer<A>,
    after: &'a A,
}

/// The result of a future that has nothing to wait for, as no decision does.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a decision waited for something"),
    }
}

fn handle<A: Aggregate<Services = ()>>(aggregate: &mut A, command: A::Command) -> Answer<A> {
    let sink = EventSink::default();
    at_once(aggregate.handle(command, &(), &sink))?;
    Ok(at_once(sink.collect()))
}

fn applied<A: Aggregate + Clone>(state: &A, events: &[A::Event]) -> A {
    let mut state = state.clone();
    events.iter().cloned().for_each(|event| state.apply(event));
    state
}

fn survives_json<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value, "read from text: {text}");
    let tree = serde_json::to_value(value).unwrap();
    assert_eq!(&serde_json::from_value::<T>(tree).unwrap(), value, "read from a tree: {text}");
}

/// Runs commands one after the other against a live aggregate, checks what is true of every aggregate after each, and
/// hands each step to `invariants`. A command may depend on the state that it meets.
///
/// Returns the events of all accepted commands.
fn live<A, Wish>(
    wishes: Vec<Wish>,
    command: impl Fn(&A, Wish) -> <A as Aggregate>::Command,
    invariants: impl Fn(&Step<A>),
) -> Events<A>
where
    A: Decide + Aggregate<Services = ()> + PartialEq + Debug,
    <A as Aggregate>::Command: Clone,
{
    let id = Uuid::from_u128(1);
    let mut state = A::default();
    let mut history: Events<A> = Vec::new();
    for wish in wishes {
        let command = command(&state, wish);
        let before = state.clone();
        let answer = handle(&mut state, command.clone());
        let events = answer.as_ref().map_or(&[][..], Vec::as_slice);

        assert_eq!(applied(&before, events), state, "events applied again give another state");
        assert_eq!(before != state, changes_state::<A>(events), "the state changed without an event, or did not");
        assert_eq!(
            handle(&mut before.clone(), command).map_err(|refusal| refusal.to_string()),
            answer.as_ref().map(Clone::clone).map_err(ToString::to_string),
            "the same command in the same state was answered otherwise"
        );
        for event in events {
            survives_json(event);
            let payload = serde_json::to_string(event).unwrap();
            let decoded = DomainEventKind::decode(<A as Aggregate>::TYPE, &payload).unwrap();
            assert_eq!(decoded.event_type(), cqrs_es::DomainEvent::event_type(event));
            assert_eq!(schemas::without_formats().problem(&decoded.event_type(), &payload), None, "{payload}");
        }
        survives_json(&state);
        if !history.is_empty() {
            assert_eq!(state.feed(id), before.feed(id), "the aggregate moved to another feed");
        }
        history.extend_from_slice(events);
        invariants(&Step { before: &before, answer: &answer, after: &state });
    }
    assert_eq!(applied(&A::default(), &history), state, "the history folds to another state");
    history
}

/// Whether events leave a mark on the state. An account's authentication log does not: it is there to be read.
fn changes_state<A: Aggregate>(events: &[A::Event]) -> bool {
    use cqrs_es::DomainEvent;
    if A::TYPE == "account" {
        events.iter().any(|event| {
            let moves = ["AccountRegistered", "AccountDeactivated", "AccountReactivated", "AccountErased"];
            moves.contains(&event.event_type().as_str())
        })
    } else {
        !events.is_empty()
    }
}

/// One of a few accounts, so that commands meet the same ones again.
fn account_id() -> impl Strategy<Value = AccountId> {
    (1..=4_u128).prop_map(|id| AccountId(Uuid::from_u128(id)))
}

fn organization_id() -> impl Strategy<Value = OrganizationId> {
    any::<u128>().prop_map(|id| OrganizationId(Uuid::from_u128(id)))
}

fn project_id() -> impl Strategy<Value = ProjectId> {
    any::<u128>().prop_map(|id| ProjectId(Uuid::from_u128(id)))
}

fn role() -> impl Strategy<Value = Role> {
    select(&[Role::Viewer, Role::Collaborator, Role::Owner][..])
}

/// Any characters at all: letters, control characters, what JSON must escape.
fn text(most: usize) -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..=most).prop_map(String::from_iter)
}

/// A few names over and over, so that some patches change nothing, and any other.
fn name() -> impl Strategy<Value = Name> {
    let any_name = text(12).prop_filter_map("not a name", |text| Name::parse(&text).ok());
    prop_oneof![select(&["Apollo", "Artemis"][..]).prop_map(|text| Name::parse(text).unwrap()), any_name]
}

fn prose() -> impl Strategy<Value = Prose> {
    text(12).prop_filter_map("not prose", |text| Prose::parse(&text).ok())
}

/// Any day that the calendar knows, or one of a few.
fn date() -> impl Strategy<Value = Date> {
    let any_day = Date::MIN.to_julian_day()..=Date::MAX.to_julian_day();
    prop_oneof![any_day, 2_461_000..=2_461_003].prop_map(|day| Date::from_julian_day(day).unwrap())
}

/// Any nanosecond of this century, in any time zone.
fn moment() -> impl Strategy<Value = OffsetDateTime> {
    (946_684_800_000_000_000..4_102_444_800_000_000_000_i128, -14 * 60..=14 * 60).prop_map(|(nanos, minutes)| {
        OffsetDateTime::from_unix_timestamp_nanos(nanos)
            .unwrap()
            .to_offset(UtcOffset::from_whole_seconds(minutes * 60).unwrap())
    })
}

mod a_project {
    use workroom_domain::project::{EditPolicy, Project, ProjectCommand, ProjectEvent, ProjectFields, ProjectPatch};

    use super::*;

    fn status() -> impl Strategy<Value = ProjectStatus> {
        use ProjectStatus::{Active, Cancelled, Completed, OnHold, Planning};
        select(&[Planning, Active, OnHold, Completed, Cancelled][..])
    }

    fn priority() -> impl Strategy<Value = Priority> {
        select(&[Priority::Low, Priority::Medium, Priority::High][..])
    }

    fn policy() -> impl Strategy<Value = EditPolicy> {
        select(&[EditPolicy::Collaborators, EditPolicy::Lead][..])
    }

    fn fields() -> impl Strategy<Value = ProjectFields> {
        let dates = (option::of(date()), option::of(date()));
        let settled = (policy(), any::<bool>());
        (name(), prose(), any::<bool>(), status(), priority(), dates, option::of(account_id()), settled).prop_map(
            |(name, description, is_public, status, priority, (start_date, end_date), team_lead, settled)| {
                let schedule = Schedule { start_date, end_date };
                let (edit_policy, lead_can_add_members) = settled;
                ProjectFields {
                    name,
                    description,
                    is_public,
                    status,
                    priority,
                    schedule,
                    team_lead,
                    edit_policy,
                    lead_can_add_members,
                }
            },
        )
    }

    fn patch() -> impl Strategy<Value = ProjectPatch> {
        (
            option::of(name()),
            option::of(prose()),
            option::of(any::<bool>()),
            option::of(status()),
            option::of(priority()),
            option::of(option::of(date())),
            option::of(option::of(date())),
            option::of(option::of(account_id())),
            (option::of(policy()), option::of(any::<bool>())),
        )
            .prop_map(
                |(name, description, is_public, status, priority, start_date, end_date, team_lead, settled)| {
                    let (edit_policy, lead_can_add_members) = settled;
                    ProjectPatch {
                        name,
                        description,
                        is_public,
                        status,
                        priority,
                        schedule: SchedulePatch { start_date, end_date },
                        team_lead,
                        edit_policy,
                        lead_can_add_members,
                    }
                },
            )
    }

    fn command() -> impl Strategy<Value = ProjectCommand> {
        prop_oneof![
            4 => (organization_id(), fields())
                .prop_map(|(organization_id, fields)| ProjectCommand::Create { organization_id, fields }),
            20 => patch().prop_map(ProjectCommand::Update),
            1 => Just(ProjectCommand::Delete),
            1 => name().prop_map(|reason| ProjectCommand::OrderPurge { reason }),
        ]
    }

    /// A change tells the truth about what was, and is one.
    fn is_true<T: PartialEq + Debug>(change: Option<&Change<T>>, before: &T, after: &T) {
        match change {
            Some(change) => {
                assert_eq!((&change.from, &change.to), (before, after));
                assert_ne!(change.from, change.to);
            }
            None => assert_eq!(before, after),
        }
    }

    fn holds(step: &Step<Project>) {
        match (step.before, step.after) {
            (Project::Absent, _) | (Project::Active { .. } | Project::Deleted { .. }, Project::Deleted { .. }) => {}
            (Project::Active { .. }, Project::Active { .. }) => {
                assert_eq!(step.before.active().unwrap().0, step.after.active().unwrap().0, "another organization");
            }
            (before, after) => panic!("{before:?} became {after:?}"),
        }
        if let Ok((_, fields)) = step.after.active() {
            assert!(fields.schedule.is_ordered(), "{:?}", fields.schedule);
        }
        for event in step.answer.iter().flatten() {
            if let ProjectEvent::ProjectPurgeOrdered { .. } = event {
                assert!(matches!(step.before, Project::Deleted { purge_ordered: false, .. }), "{:?}", step.before);
                assert!(matches!(step.after, Project::Deleted { purge_ordered: true, .. }), "{:?}", step.after);
            }
            if let ProjectEvent::ProjectUpdated { changes } = event {
                let ((_, before), (_, after)) = (step.before.active().unwrap(), step.after.active().unwrap());
                is_true(changes.name.as_ref(), &before.name, &after.name);
                is_true(changes.description.as_ref(), &before.description, &after.description);
                is_true(changes.is_public.as_ref(), &before.is_public, &after.is_public);
                is_true(changes.status.as_ref(), &before.status, &after.status);
                is_true(changes.priority.as_ref(), &before.priority, &after.priority);
                is_true(changes.schedule.as_ref(), &before.schedule, &after.schedule);
                is_true(changes.team_lead.as_ref(), &before.team_lead, &after.team_lead);
                is_true(changes.edit_policy.as_ref(), &before.edit_policy, &after.edit_policy);
                let lead = (&before.lead_can_add_members, &after.lead_can_add_members);
                is_true(changes.lead_can_add_members.as_ref(), lead.0, lead.1);
            }
        }
    }

    proptest! {
        #[test]
        fn is_never_upside_down_and_never_returns_from_deletion(commands in vec(command(), 0..40)) {
            live::<Project, _>(commands, |_, command| command, holds);
        }
    }
}

mod a_roster {
    use workroom_domain::membership::{Membership, MembershipCommand, MembershipEvent};

    use super::*;

    fn command() -> impl Strategy<Value = MembershipCommand> {
        prop_oneof![
            4 => account_id().prop_map(|owner| MembershipCommand::Create { owner }),
            12 => (account_id(), role()).prop_map(|(account_id, role)| MembershipCommand::Add { account_id, role }),
            12 => (account_id(), role())
                .prop_map(|(account_id, role)| MembershipCommand::ChangeRole { account_id, role }),
            12 => account_id().prop_map(|account_id| MembershipCommand::Remove { account_id }),
            1 => Just(MembershipCommand::Close),
        ]
    }

    fn owners(membership: &Membership) -> usize {
        membership.members().filter(|(_, role)| *role == Role::Owner).count()
    }

    fn holds(step: &Step<Membership>) {
        let Step { before, answer, after } = step;
        assert_eq!(after.is_open(), owners(after) > 0, "an open membership has an owner, a closed one has nobody");
        assert_eq!(after.is_open(), after.members().len() > 0);
        for event in answer.iter().flatten() {
            match *event {
                MembershipEvent::MemberAdded { account_id, role } => {
                    assert_eq!((before.role_of(account_id), after.role_of(account_id)), (None, Some(role)));
                }
                MembershipEvent::MemberRoleChanged { account_id, from, to } => {
                    assert_eq!((before.role_of(account_id), after.role_of(account_id)), (Some(from), Some(to)));
                    assert_ne!(from, to);
                }
                MembershipEvent::MemberRemoved { account_id, role } => {
                    assert_eq!((before.role_of(account_id), after.role_of(account_id)), (Some(role), None));
                }
                MembershipEvent::MembershipClosed {} => {
                    assert!(before.is_open() && !after.is_open());
                    return;
                }
            }
            let others = |membership: &Membership| {
                membership.members().filter(|(id, _)| Some(*id) != event.subject()).collect::<Vec<_>>()
            };
            assert_eq!(others(before), others(after), "an event about one member touched another");
        }
    }

    proptest! {
        #[test]
        fn has_an_owner_as_long_as_it_is_open(commands in vec(command(), 0..60)) {
            let history = live::<Membership, _>(commands, |_, command| command, holds);
            let end = history.iter().position(|event| matches!(event, MembershipEvent::MembershipClosed {}));
            assert!(end.is_none_or(|end| end == history.len() - 1), "something followed the end");
        }
    }
}

mod an_account {
    use workroom_domain::{
        account::{Account, AccountCommand, AccountRefusal, Closer, PasswordChange, ProfileField, SessionEnd},
        ids::{SessionId, TokenId},
    };

    use super::*;

    fn session_id() -> impl Strategy<Value = SessionId> {
        any::<u128>().prop_map(|id| SessionId(Uuid::from_u128(id)))
    }

    fn closer() -> impl Strategy<Value = Closer> {
        prop_oneof![Just(Closer::Operator), Just(Closer::Issuer)]
    }

    fn command() -> impl Strategy<Value = AccountCommand> {
        let reason = SessionEnd::RefreshTokenReused;
        prop_oneof![
            organization_id().prop_map(|id| AccountCommand::Register { personal_organization_id: id }),
            session_id().prop_map(|session_id| AccountCommand::StartSession { session_id }),
            (session_id(), any::<u32>())
                .prop_map(|(session_id, generation)| AccountCommand::RefreshSession { session_id, generation }),
            session_id().prop_map(move |session_id| AccountCommand::EndSession { session_id, reason }),
            Just(AccountCommand::FailLogin),
            Just(AccountCommand::ChangeProfile { fields: vec![ProfileField::Email] }),
            Just(AccountCommand::ChangePassword { change: PasswordChange::Reset }),
            Just(AccountCommand::RequestPasswordReset),
            Just(AccountCommand::VerifyEmail),
            any::<u128>().prop_map(|id| AccountCommand::CreateToken { token_id: TokenId(Uuid::from_u128(id)) }),
            any::<u128>().prop_map(|id| AccountCommand::RevokeToken { token_id: TokenId(Uuid::from_u128(id)) }),
            closer().prop_map(|by| AccountCommand::Deactivate { by }),
            closer().prop_map(|by| AccountCommand::Reactivate { by }),
            any::<bool>().prop_map(|content_redacted| AccountCommand::Erase { content_redacted }),
        ]
    }

    fn holds(step: &Step<Account>) {
        if let Some(organization_id) = step.before.personal_organization_id() {
            assert_eq!(step.after.personal_organization_id(), Some(organization_id));
        }
        let has_happened = step.answer.iter().flatten().next().is_some();
        let was_erased = step.before.active() == Err(AccountRefusal::Erased);
        assert!(!(has_happened && was_erased), "an event after the erasure");
        assert!(!has_happened || step.after.personal_organization_id().is_some(), "an event without an account");
    }

    proptest! {
        #[test]
        fn keeps_its_personal_organization(commands in vec(command(), 0..40)) {
            live::<Account, _>(commands, |_, command| command, holds);
        }
    }
}

mod a_workspace {
    use std::collections::BTreeSet;
    use workroom_domain::{
        ids::FileId,
        workspace::{FilePath, Workspace, WorkspaceCommand, WorkspaceEvent, WorkspacePatch},
    };

    use super::*;

    const FILES: u128 = 6;
    /// More than there are commands: each may create a file.
    const IDS: u128 = 100;

    fn file_id() -> impl Strategy<Value = FileId> {
        (0..FILES).prop_map(|id| FileId(Uuid::from_u128(id)))
    }

    /// Few names, so that files meet each other and folders.
    fn path() -> impl Strategy<Value = FilePath> {
        vec(select(&["a", "b", "a.b", "a-"][..]), 1..4).prop_map(|parts| FilePath::parse(&parts.join("/")).unwrap())
    }

    fn command() -> impl Strategy<Value = WorkspaceCommand> {
        prop_oneof![
            4 => (project_id(), name(), prose()).prop_map(|(project_id, name, description)| {
                WorkspaceCommand::Create { project_id, name, description }
            }),
            3 => (option::of(name()), option::of(prose()))
                .prop_map(|(name, description)| WorkspaceCommand::Update(WorkspacePatch { name, description })),
            12 => (file_id(), path()).prop_map(|(file_id, path)| WorkspaceCommand::CreateFile { file_id, path }),
            12 => (file_id(), path()).prop_map(|(file_id, path)| WorkspaceCommand::MoveFile { file_id, path }),
            4 => file_id().prop_map(|file_id| WorkspaceCommand::DeleteFile { file_id }),
            1 => Just(WorkspaceCommand::Delete),
        ]
    }

    /// A new file has a new id, as the service draws them.
    fn fresh(workspace: &Workspace, command: WorkspaceCommand) -> WorkspaceCommand {
        match (command, workspace) {
            (WorkspaceCommand::CreateFile { file_id, path }, Workspace::Present(state))
                if state.file(file_id).is_ok() =>
            {
                let free = (0..IDS).map(|id| FileId(Uuid::from_u128(id))).find(|id| state.file(*id).is_err());
                WorkspaceCommand::CreateFile { file_id: free.unwrap(), path }
            }
            (command, _) => command,
        }
    }

    fn paths(workspace: &Workspace) -> Vec<FilePath> {
        let Workspace::Present(state) = workspace else { return Vec::new() };
        let ids = (0..IDS).map(|id| FileId(Uuid::from_u128(id)));
        ids.filter_map(|id| Some(state.file(id).ok()?.0.clone())).collect()
    }

    fn holds(step: &Step<Workspace>) {
        let Workspace::Present(state) = step.after else { return };
        let paths = paths(step.after);
        assert_eq!(paths.len(), state.file_count(), "every file lies somewhere");
        let files: BTreeSet<&str> = paths.iter().map(FilePath::as_str).collect();
        assert_eq!(files.len(), paths.len(), "two files in one place");
        let mut folders = paths.iter().flat_map(FilePath::folders);
        assert!(!folders.any(|folder| files.contains(folder)), "a file is a folder: {files:?}");
        for event in step.answer.iter().flatten() {
            if let WorkspaceEvent::FileMoved { file_id, path } = event {
                let Workspace::Present(before) = step.before else { panic!("moved from nowhere") };
                assert_eq!(before.file(*file_id).unwrap().0, &path.from);
                assert_eq!(state.file(*file_id).unwrap().0, &path.to);
            }
        }
    }

    proptest! {
        #[test]
        fn is_a_tree_whatever_is_moved_in_it(commands in vec(command(), 0..60)) {
            live::<Workspace, _>(commands, fresh, holds);
        }
    }
}

mod a_text {
    use super::*;

    proptest! {
        #[test]
        fn that_passed_for_a_name_passes_again_unchanged(text in text(210)) {
            if let Ok(name) = Name::parse(&text) {
                let kept = name.as_str();
                assert!((1..=Name::LIMIT).contains(&kept.chars().count()));
                assert_eq!(kept, text.trim());
                assert!(!kept.contains(char::is_control));
                assert_eq!(Name::parse(kept).as_ref(), Ok(&name));
                survives_json(&name);
            }
        }

        #[test]
        fn of_printable_characters_is_a_name(text in "[\\PC&&\\S]{1,200}") {
            assert!(Name::parse(&text).is_ok());
        }

        #[test]
        fn that_passed_for_prose_is_kept_as_given(text in text(40)) {
            let forbidden = |c: char| c.is_control() && !"\n\r\t".contains(c);
            match Prose::parse(&text) {
                Ok(prose) => {
                    assert!(!text.contains(forbidden));
                    assert_eq!(prose.as_str(), text);
                    survives_json(&prose);
                }
                Err(_) => assert!(text.contains(forbidden)),
            }
        }
    }
}
