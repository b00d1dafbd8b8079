//! What an account answers.

use cqrs_es::test::TestFramework;
use workroom_domain::{
    Decide,
    account::{Account, AccountCommand, AccountEvent, AccountRefusal, SessionEnd},
};

use crate::examples::{ORGANIZATION, OTHER_ORGANIZATION, SESSION};

fn account() -> TestFramework<Account> {
    TestFramework::with(())
}

fn registered() -> AccountEvent {
    AccountEvent::AccountRegistered { personal_organization_id: ORGANIZATION }
}

/// What the authentication log records, and the event that records it.
fn records() -> [(AccountCommand, AccountEvent); 4] {
    let reason = SessionEnd::RefreshTokenReused;
    [
        (AccountCommand::StartSession { session_id: SESSION }, AccountEvent::SessionStarted { session_id: SESSION }),
        (
            AccountCommand::RefreshSession { session_id: SESSION, generation: 1 },
            AccountEvent::SessionRefreshed { session_id: SESSION, generation: 1 },
        ),
        (
            AccountCommand::EndSession { session_id: SESSION, reason },
            AccountEvent::SessionEnded { session_id: SESSION, reason },
        ),
        (AccountCommand::FailLogin, AccountEvent::LoginFailed {}),
    ]
}

#[test]
fn registering_begins_the_account() {
    account()
        .given_no_previous_events()
        .when(AccountCommand::Register { personal_organization_id: ORGANIZATION })
        .then_expect_events(vec![registered()]);
}

#[test]
fn registering_happens_once() {
    for personal_organization_id in [ORGANIZATION, OTHER_ORGANIZATION] {
        account()
            .given(vec![registered()])
            .when(AccountCommand::Register { personal_organization_id })
            .then_expect_error(AccountRefusal::AlreadyRegistered);
    }
}

#[test]
fn a_registered_account_records_what_happens_to_it() {
    for (command, event) in records() {
        account().given(vec![registered()]).when(command).then_expect_events(vec![event]);
    }
}

#[test]
fn the_same_thing_happening_again_is_recorded_again() {
    for (command, event) in records() {
        account().given(vec![registered(), event]).when(command).then_expect_events(vec![event]);
    }
}

#[test]
fn an_account_that_is_not_registered_records_nothing() {
    for (command, _) in records() {
        account().given_no_previous_events().when(command).then_expect_error(AccountRefusal::Absent);
    }
}

#[test]
fn an_account_knows_its_personal_organization_from_registration_on() {
    let mut account = Account::default();
    assert_eq!(account.personal_organization_id(), None);
    account.evolve(&registered());
    for (_, event) in records() {
        account.evolve(&event);
        assert_eq!(account.personal_organization_id(), Some(ORGANIZATION));
    }
}
