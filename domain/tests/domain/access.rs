//! Which right an auditor demands of an event's actor (the rights themselves are tested beside their table).

use time::OffsetDateTime;
use uuid::Uuid;
use workroom_domain::{
    access::{
        Action, Decision, OrganizationAction, OrganizationRole, Relation, Right, Role, action_to_end, decide,
        decide_in_organization, policy_allows, required_right,
    },
    account::{AccountEvent, SessionEnd},
    event::DomainEventKind,
    ids::AccountId,
    job::{CancelReason, JobEvent, Key, MaxAttempts, Priority, Request, Work},
    job_rule::{JobRuleEvent, Rule, RuleOwner, RuleScope},
    membership::MembershipEvent,
    project::EditPolicy,
};

use crate::examples::{ADA, ORGANIZATION, SESSION, every_event, request};

const MANAGE: Right = Right::InProject(Action::ManageMembers);
const TASKS: Right = Right::InProject(Action::EditTasks);
const FILES: Right = Right::InProject(Action::EditFiles);
const MODERATE: Right = Right::InProject(Action::ModerateComments);
const EDIT_ORGANIZATION: Right = Right::InOrganization(OrganizationAction::Edit);
const MANAGE_ORGANIZATION: Right = Right::InOrganization(OrganizationAction::ManageMembers);
const DELETE: Right = Right::InProject(Action::DeleteProject);

/// The rights that every event demands: of an actor who creates the project, of a member about somebody else, of a
/// member about themselves.
fn rights() -> Vec<(&'static str, [Right; 3])> {
    let same = |right| [right, right, right];
    vec![
        ("ProjectCreated", same(Right::FoundProject)),
        ("ProjectUpdated", same(Right::InProject(Action::EditProject))),
        ("ProjectDeleted", same(DELETE)),
        ("MemberAdded", [Right::FoundProject, MANAGE, Right::Joining]),
        ("MemberRoleChanged", [MANAGE, MANAGE, MANAGE]),
        ("MemberRemoved", [MANAGE, MANAGE, Right::Oneself]),
        ("MembershipClosed", same(DELETE)),
        ("JobRequested", same(Right::InProject(Action::RunJobs))),
        ("JobStarted", same(Right::ServiceOnly)),
        ("JobSucceeded", same(Right::ServiceOnly)),
        ("JobAttemptFailed", same(Right::ServiceOnly)),
        ("JobDeadLettered", same(Right::ServiceOnly)),
        ("AccountRegistered", same(Right::OwnAccountOrService)),
        ("SessionStarted", same(Right::OwnAccount)),
        ("SessionRefreshed", same(Right::OwnAccount)),
        ("SessionEnded", same(Right::ServiceOnly)),
        ("LoginFailed", same(Right::ServiceOnly)),
        ("ProfileChanged", same(Right::OwnAccountOrService)),
        ("PasswordChanged", same(Right::OwnAccount)),
        ("PasswordResetRequested", same(Right::ServiceOnly)),
        ("EmailVerified", same(Right::OwnAccount)),
        ("TokenCreated", same(Right::OwnAccount)),
        ("TokenRevoked", same(Right::OwnAccount)),
        ("AccountDeactivated", same(Right::ServiceOnly)),
        ("AccountReactivated", same(Right::ServiceOnly)),
        ("AccountErased", same(Right::OwnAccountOrService)),
        ("TaskCreated", same(TASKS)),
        ("TaskUpdated", same(TASKS)),
        ("TaskUnassigned", same(Right::ServiceOnly)),
        ("TaskDeleted", same(TASKS)),
        ("CommentPosted", [Right::Nobody, Right::Nobody, TASKS]),
        ("CommentEdited", [Right::Nobody, Right::Nobody, TASKS]),
        ("CommentDeleted", [MODERATE, MODERATE, TASKS]),
        ("OrganizationCreated", same(Right::FoundOrganization)),
        ("OrganizationUpdated", same(EDIT_ORGANIZATION)),
        ("OrganizationMemberAdded", [MANAGE_ORGANIZATION, MANAGE_ORGANIZATION, Right::Joining]),
        ("OrganizationMemberRoleChanged", same(MANAGE_ORGANIZATION)),
        (
            "OrganizationMemberRemoved",
            [MANAGE_ORGANIZATION, MANAGE_ORGANIZATION, Right::InOrganization(OrganizationAction::View)],
        ),
        ("OrganizationDeleted", same(Right::InOrganization(OrganizationAction::Delete))),
        ("SlugClaimed", same(EDIT_ORGANIZATION)),
        ("SlugReleased", same(EDIT_ORGANIZATION)),
        ("WorkspaceCreated", same(FILES)),
        ("WorkspaceUpdated", same(FILES)),
        ("FileCreated", same(FILES)),
        ("FileMoved", same(FILES)),
        ("FileDeleted", same(FILES)),
        ("WorkspaceDeleted", same(FILES)),
        ("FileContentWritten", same(FILES)),
        ("InvitationSent", same(MANAGE)),
        ("InvitationRevoked", same(MANAGE)),
        ("InvitationAccepted", same(Right::Invited)),
        ("JobCancelled", same(Right::ServiceOnly)),
        ("ProjectAddedToOrganization", same(Right::FoundProject)),
        ("InvitationLapsed", same(Right::ServiceOnly)),
        ("JobInterrupted", same(Right::ServiceOnly)),
        ("JobSnoozed", same(Right::ServiceOnly)),
        ("JobRedriven", same(Right::RunJobs)),
        ("JobKeyClaimed", same(Right::RunJobs)),
        ("JobKeyGranted", same(Right::ServiceOnly)),
        ("ScheduleCreated", same(Right::RunJobs)),
        ("ScheduleUpdated", same(Right::RunJobs)),
        ("ScheduleTicked", same(Right::RunJobs)),
        ("ScheduleSuspended", same(Right::ServiceOnly)),
        ("ScheduleResumed", same(Right::RunJobs)),
        ("ScheduleDeleted", same(Right::RunJobs)),
        ("WebhookCreated", same(MANAGE)),
        ("WebhookFilterChanged", same(MANAGE)),
        ("WebhookEndpointChanged", same(MANAGE)),
        ("WebhookSecretRotated", same(MANAGE)),
        ("WebhookEnabled", same(MANAGE)),
        ("WebhookDisabled", same(MANAGE)),
        ("WebhookRedeliveryRequested", same(MANAGE)),
        ("WebhookDeleted", same(MANAGE)),
        ("JobDeleted", same(Right::EndJob)),
        ("JobRuleChanged", same(MANAGE)),
        ("HistoryExported", same(Right::ReadHistory)),
        ("StateRead", same(Right::ReadHistory)),
        ("PayloadRedacted", same(Right::Redact)),
        ("PayloadRedacted", same(Right::Redact)),
        ("PayloadRedacted", same(Right::Redact)),
        ("PayloadRedacted", same(Right::Redact)),
        ("PayloadRedacted", same(Right::Redact)),
        ("PayloadRedacted", same(Right::Redact)),
        ("PayloadRedacted", same(Right::Redact)),
        ("PayloadRedacted", same(Right::Redact)),
        ("PayloadRedacted", same(Right::Redact)),
        ("PayloadRedacted", same(Right::Redact)),
        ("ProjectPurgeOrdered", same(Right::Redact)),
    ]
}

#[test]
fn every_event_demands_its_right() {
    let events = every_event();
    assert_eq!(rights().len(), events.len(), "an event has no row, or a row no event");
    for (event, (event_type, [creation, about_another, about_oneself])) in events.iter().zip(rights()) {
        assert_eq!(event.event_type(), event_type);
        assert_eq!(required_right(event, false, false), creation, "{event_type} while the project is created");
        assert_eq!(required_right(event, false, true), about_another, "{event_type} about somebody else");
        assert_eq!(required_right(event, true, true), about_oneself, "{event_type} about oneself");
    }
}

#[test]
fn a_session_is_ended_by_its_account_or_by_the_service_for_its_reason() {
    for (reason, right) in [
        (SessionEnd::RefreshTokenReused, Right::ServiceOnly),
        (SessionEnd::LoggedOut, Right::OwnAccount),
        (SessionEnd::Revoked, Right::OwnAccount),
        (SessionEnd::PasswordChanged, Right::OwnAccount),
        (SessionEnd::PasswordReset, Right::OwnAccount),
        (SessionEnd::AccountDeactivated, Right::ServiceOnly),
        (SessionEnd::AccountErased, Right::OwnAccountOrService),
        (SessionEnd::SessionLimit, Right::ServiceOnly),
    ] {
        let ended = DomainEventKind::Account(AccountEvent::SessionEnded { session_id: SESSION, reason });
        assert_eq!(required_right(&ended, false, true), right, "{reason:?}");
    }
}

#[test]
fn a_founder_joins_their_project_by_founding_it() {
    let added = DomainEventKind::Membership(MembershipEvent::MemberAdded { account_id: ADA, role: Role::Owner });
    assert_eq!(required_right(&added, true, false), Right::FoundProject);
}

#[test]
fn nobody_adds_or_promotes_themselves_without_the_right_to_manage_members() {
    let promoted = MembershipEvent::MemberRoleChanged { account_id: ADA, from: Role::Viewer, to: Role::Owner };
    assert_eq!(required_right(&DomainEventKind::Membership(promoted), true, true), MANAGE);
    // Or without having been invited.
    let added = MembershipEvent::MemberAdded { account_id: ADA, role: Role::Viewer };
    assert_eq!(required_right(&DomainEventKind::Membership(added), true, true), Right::Joining);
}

#[test]
fn a_job_without_a_project_is_its_accounts_own_matter() {
    let request = Request { project_id: None, ..request() };
    let requested = DomainEventKind::Job(JobEvent::JobRequested(Box::new(request)));
    assert_eq!(required_right(&requested, true, true), Right::OwnAccount);
    assert_eq!(required_right(&requested, false, true), Right::OwnAccount);
}

#[test]
fn the_operator_too_sets_the_rule_for_all_jobs_of_an_organization() {
    let all = RuleScope::all_of(RuleOwner::Organization(ORGANIZATION));
    let some = RuleScope { job_type: Some("noop".to_owned()), ..all.clone() };
    let edit = OrganizationAction::Edit;
    for (scope, right) in [(all, Right::InOrganizationOrOperator(edit)), (some, Right::InOrganization(edit))] {
        let rule = Rule::none(scope);
        let changed = DomainEventKind::JobRule(JobRuleEvent::JobRuleChanged(Box::new(rule)));
        assert_eq!(required_right(&changed, false, true), right);
    }
}

#[test]
fn whoever_may_read_a_history_may_export_it() {
    let max_attempts = MaxAttempts::default();
    let plain = Request { work: Work::ProjectExport { after: 0 }, max_attempts, ..request() };
    let key = || Some(Key::parse("nightly").unwrap());
    let run_at = Some(OffsetDateTime::UNIX_EPOCH);
    // What keeps others waiting, or is done later, or again, is for those who may run jobs.
    for (request, action) in [
        (plain.clone(), Action::ViewHistory),
        (Request { run_at, ..plain.clone() }, Action::RunJobs),
        (Request { key: key(), ..plain.clone() }, Action::RunJobs),
        (Request { fairness_key: key(), ..plain.clone() }, Action::RunJobs),
        (Request { priority: Priority::from_number(1).unwrap(), ..plain.clone() }, Action::RunJobs),
        (Request { max_attempts: MaxAttempts::from_number(2).unwrap(), ..plain.clone() }, Action::RunJobs),
    ] {
        let requested = DomainEventKind::Job(JobEvent::JobRequested(Box::new(request)));
        assert_eq!(required_right(&requested, false, true), Right::InProject(action), "{requested:?}");
    }
}

#[test]
fn who_has_asked_for_an_export_may_end_it() {
    let export = Request { work: Work::ProjectExport { after: 0 }, submitted_by: ADA, ..request() };
    assert_eq!(action_to_end(&export, ADA), Action::ViewHistory);
    assert_eq!(action_to_end(&export, AccountId(Uuid::from_u128(99))), Action::RunJobs);
    assert_eq!(action_to_end(&request(), ADA), Action::RunJobs);
}

#[test]
fn a_job_is_cancelled_by_who_may_run_it_or_by_the_service_for_its_reason() {
    for (reason, right) in [
        (CancelReason::ProjectDeleted, Right::ServiceOnly),
        (CancelReason::Requested, Right::EndJob),
        (CancelReason::Superseded, Right::RunJobs),
        (CancelReason::AccountErased, Right::ServiceOnly),
        (CancelReason::AccountDeactivated, Right::ServiceOnly),
    ] {
        let cancelled = DomainEventKind::Job(JobEvent::JobCancelled { reason });
        assert_eq!(required_right(&cancelled, false, true), right, "{reason:?}");
    }
}

#[test]
fn what_a_role_may_do_every_higher_role_may_do() {
    let ascending = [
        Relation::Visitor,
        Relation::Auditor,
        Relation::Member(Role::Viewer),
        Relation::Member(Role::Collaborator),
        Relation::Member(Role::Owner),
        Relation::Admin,
    ];
    for action in Action::ALL {
        for pair in ascending.windows(2) {
            let [lower, higher] = pair else { unreachable!() };
            assert!(
                decide(*lower, action) != Decision::Allowed || decide(*higher, action) == Decision::Allowed,
                "{lower:?} may {action:?}, {higher:?} may not"
            );
        }
    }
    assert!(Role::Viewer < Role::Collaborator && Role::Collaborator < Role::Owner);
}

#[test]
fn only_a_stranger_is_told_that_the_project_does_not_exist() {
    let insiders = [
        Relation::Visitor,
        Relation::Auditor,
        Relation::Member(Role::Viewer),
        Relation::Member(Role::Collaborator),
        Relation::Member(Role::Owner),
        Relation::Admin,
    ];
    for action in Action::ALL {
        assert_eq!(decide(Relation::Stranger, action), Decision::Hidden, "{action:?}");
        for relation in insiders {
            assert_ne!(decide(relation, action), Decision::Hidden, "{relation:?} {action:?}");
        }
    }
}

#[test]
fn an_organization_is_its_admins_to_manage_and_its_members_to_see() {
    use OrganizationAction::{Audit, CreateProjects, Delete, Edit, ManageMembers, Redact, View};
    let rows = [
        (View, [true, true, true]),
        (Audit, [true, false, true]),
        (CreateProjects, [true, false, false]),
        (Edit, [true, false, false]),
        (ManageMembers, [true, false, false]),
        (Redact, [true, false, false]),
        (Delete, [true, false, false]),
    ];
    let roles = [OrganizationRole::Admin, OrganizationRole::Member, OrganizationRole::Auditor];
    assert_eq!(rows.map(|(action, _)| action), OrganizationAction::ALL);
    for (action, allowed) in rows {
        for (role, allowed) in roles.into_iter().zip(allowed) {
            let decision = if allowed { Decision::Allowed } else { Decision::Forbidden };
            assert_eq!(decide_in_organization(Some(role), false, action), decision, "{role:?} {action:?}");
        }
        assert_eq!(decide_in_organization(None, true, action), Decision::Hidden);
    }
    let member = Some(OrganizationRole::Member);
    assert_eq!(decide_in_organization(member, true, CreateProjects), Decision::Allowed);
    assert_eq!(decide_in_organization(member, true, Edit), Decision::Forbidden);
    // What members may is nothing to auditors.
    let auditor = Some(OrganizationRole::Auditor);
    assert_eq!(decide_in_organization(auditor, true, CreateProjects), Decision::Forbidden);
}

#[test]
fn a_led_project_is_edited_by_its_lead_and_its_owners() {
    for (policy, role, is_lead, allowed) in [
        (EditPolicy::Collaborators, Role::Collaborator, false, true),
        (EditPolicy::Lead, Role::Collaborator, false, false),
        (EditPolicy::Lead, Role::Collaborator, true, true),
        (EditPolicy::Lead, Role::Owner, false, true),
    ] {
        assert_eq!(policy_allows(policy, role, is_lead), allowed, "{policy:?} {role:?} {is_lead}");
    }
}
