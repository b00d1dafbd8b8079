//! What an invitation answers.

use cqrs_es::test::TestFramework;
use time::Duration;
use workroom_domain::{
    access::{OrganizationRole, Role},
    event::DomainEventKind,
    ids::AccountId,
    invitation::{Invitation, InvitationCommand, InvitationEvent, InvitationRefusal, Place},
    timestamp::Timestamp,
};

use crate::examples::{ADA, BOB, ORGANIZATION, PROJECT, due};

const PLACE: Place = Place::Project { project_id: PROJECT, role: Role::Viewer };

fn invitation() -> TestFramework<Invitation> {
    TestFramework::with(())
}

fn send() -> InvitationCommand {
    InvitationCommand::Send { place: PLACE, expires_at: due(), invited_by: ADA }
}

fn sent() -> InvitationEvent {
    InvitationEvent::InvitationSent { place: PLACE, expires_at: due(), invited_by: Some(ADA) }
}

fn accept(account_id: AccountId, late_by: Duration) -> InvitationCommand {
    InvitationCommand::Accept { account_id, at: Timestamp::new(due().get() + late_by).unwrap() }
}

fn accepted() -> InvitationEvent {
    InvitationEvent::InvitationAccepted { place: PLACE, account_id: BOB }
}

fn revoked() -> InvitationEvent {
    InvitationEvent::InvitationRevoked { place: PLACE }
}

#[test]
fn an_invitation_is_sent_once() {
    invitation().given_no_previous_events().when(send()).then_expect_events(vec![sent()]);
    for before in [vec![sent()], vec![sent(), revoked()], vec![sent(), accepted()]] {
        invitation().given(before).when(send()).then_expect_error(InvitationRefusal::AlreadySent);
    }
}

#[test]
fn an_invitation_is_accepted_until_it_expires() {
    let accept_at = |late_by| invitation().given(vec![sent()]).when(accept(BOB, late_by));
    accept_at(-Duration::HOUR).then_expect_events(vec![accepted()]);
    accept_at(Duration::ZERO).then_expect_events(vec![accepted()]);
    accept_at(Duration::MICROSECOND).then_expect_error(InvitationRefusal::Expired);
}

#[test]
fn an_invitation_is_accepted_by_one_who_may_ask_again() {
    let before = || vec![sent(), accepted()];
    invitation().given(before()).when(accept(BOB, Duration::DAY)).then_expect_events(vec![]);
    invitation().given(before()).when(accept(ADA, Duration::ZERO)).then_expect_error(InvitationRefusal::Absent);
}

#[test]
fn an_invitation_that_was_taken_back_is_none() {
    invitation().given(vec![sent()]).when(InvitationCommand::Revoke).then_expect_events(vec![revoked()]);
    let before = || vec![sent(), revoked()];
    invitation().given(before()).when(accept(BOB, Duration::ZERO)).then_expect_error(InvitationRefusal::Absent);
    invitation().given(before()).when(InvitationCommand::Revoke).then_expect_error(InvitationRefusal::Absent);
}

#[test]
fn an_invitation_lapses_while_it_is_open() {
    let lapsed = || InvitationEvent::InvitationLapsed { place: PLACE };
    invitation().given(vec![sent()]).when(InvitationCommand::Lapse).then_expect_events(vec![lapsed()]);
    for over in [revoked(), lapsed(), accepted()] {
        invitation().given(vec![sent(), over]).when(InvitationCommand::Lapse).then_expect_events(vec![]);
    }
    let before = || vec![sent(), lapsed()];
    invitation().given(before()).when(accept(BOB, Duration::ZERO)).then_expect_error(InvitationRefusal::Absent);
    invitation().given(before()).when(InvitationCommand::Revoke).then_expect_error(InvitationRefusal::Absent);
}

#[test]
fn who_has_come_is_not_taken_back() {
    let before = vec![sent(), accepted()];
    invitation().given(before).when(InvitationCommand::Revoke).then_expect_error(InvitationRefusal::Accepted);
}

#[test]
fn nothing_is_known_of_an_invitation_that_was_never_sent() {
    for command in [InvitationCommand::Revoke, accept(BOB, Duration::ZERO)] {
        invitation().given_no_previous_events().when(command).then_expect_error(InvitationRefusal::Absent);
    }
}

#[test]
fn an_invitation_into_an_organization_is_read_as_it_is_written() {
    let place = Place::Organization { organization_id: ORGANIZATION, role: OrganizationRole::Admin };
    let event = InvitationEvent::InvitationSent { place, expires_at: due(), invited_by: Some(ADA) };
    let payload = serde_json::to_string(&event).unwrap();
    let expected = r#"{"type":"InvitationSent","organization_id":"00000000-0000-0000-0000-00000000000c","role":"admin","expires_at":"2026-05-03T03:09:37.123456Z","invited_by":"00000000-0000-0000-0000-000000000ada"}"#;
    assert_eq!(payload, expected);
    assert_eq!(DomainEventKind::decode("invitation", &payload).unwrap(), DomainEventKind::Invitation(event));
}
