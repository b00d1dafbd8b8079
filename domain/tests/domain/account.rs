//! What an account answers.

use cqrs_es::test::TestFramework;
use workroom_domain::{
    Decide,
    account::{
        Account, AccountCommand, AccountEvent, AccountRefusal, Closer, PasswordChange, ProfileField, SessionEnd,
    },
};

use crate::examples::{ORGANIZATION, OTHER_ORGANIZATION, SESSION, TOKEN};

fn account() -> TestFramework<Account> {
    TestFramework::with(())
}

fn registered() -> AccountEvent {
    AccountEvent::AccountRegistered { personal_organization_id: ORGANIZATION }
}

/// What the authentication log records, and the event that records it.
fn records() -> Vec<(AccountCommand, AccountEvent)> {
    let reason = SessionEnd::RefreshTokenReused;
    let fields = vec![ProfileField::FullName];
    let change = PasswordChange::Changed;
    vec![
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
        (AccountCommand::ChangeProfile { fields: fields.clone() }, AccountEvent::ProfileChanged { fields }),
        (AccountCommand::ChangePassword { change }, AccountEvent::PasswordChanged { change }),
        (AccountCommand::RequestPasswordReset, AccountEvent::PasswordResetRequested {}),
        (AccountCommand::VerifyEmail, AccountEvent::EmailVerified {}),
        (AccountCommand::CreateToken { token_id: TOKEN }, AccountEvent::TokenCreated { token_id: TOKEN }),
        (AccountCommand::RevokeToken { token_id: TOKEN }, AccountEvent::TokenRevoked { token_id: TOKEN }),
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
        account().given(vec![registered(), event.clone()]).when(command).then_expect_events(vec![event]);
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

#[test]
fn nothing_happens_to_an_erased_account() {
    let erased = || vec![registered(), AccountEvent::AccountErased { content_redacted: true }];
    let by = Closer::Operator;
    let erase = AccountCommand::Erase { content_redacted: false };
    let closing = [AccountCommand::Deactivate { by }, AccountCommand::Reactivate { by }, erase];
    for command in records().into_iter().map(|(command, _)| command).chain(closing) {
        account().given(erased()).when(command).then_expect_error(AccountRefusal::Erased);
    }
    account()
        .given(erased())
        .when(AccountCommand::Register { personal_organization_id: ORGANIZATION })
        .then_expect_error(AccountRefusal::AlreadyRegistered);
}

#[test]
fn a_deactivated_account_is_closed_to_its_owner_and_not_to_what_others_do() {
    for (command, event) in records() {
        let given = vec![registered(), AccountEvent::AccountDeactivated { by: Closer::Issuer }];
        let tested = account().given(given).when(command);
        match event {
            AccountEvent::SessionEnded { .. }
            | AccountEvent::LoginFailed {}
            | AccountEvent::ProfileChanged { .. }
            | AccountEvent::TokenRevoked { .. } => tested.then_expect_events(vec![event]),
            _ => tested.then_expect_error(AccountRefusal::Deactivated),
        }
    }
}

#[test]
fn an_account_is_deactivated_and_reactivated_once() {
    for by in [Closer::Operator, Closer::Issuer] {
        let deactivated = || AccountEvent::AccountDeactivated { by };
        let reactivated = || AccountEvent::AccountReactivated { by };
        let account = |events: Vec<AccountEvent>| account().given([vec![registered()], events].concat());
        account(vec![]).when(AccountCommand::Deactivate { by }).then_expect_events(vec![deactivated()]);
        account(vec![deactivated()]).when(AccountCommand::Deactivate { by }).then_expect_events(vec![]);
        account(vec![]).when(AccountCommand::Reactivate { by }).then_expect_events(vec![]);
        account(vec![deactivated()]).when(AccountCommand::Reactivate { by }).then_expect_events(vec![reactivated()]);
        account(vec![deactivated(), reactivated()])
            .when(AccountCommand::StartSession { session_id: SESSION })
            .then_expect_events(vec![AccountEvent::SessionStarted { session_id: SESSION }]);
        for content_redacted in [false, true] {
            account(vec![deactivated()])
                .when(AccountCommand::Erase { content_redacted })
                .then_expect_events(vec![AccountEvent::AccountErased { content_redacted }]);
        }
    }
}

#[test]
fn an_issuer_opens_what_it_has_closed_and_the_operator_everything() {
    let (operator, issuer) = (Closer::Operator, Closer::Issuer);
    let deactivated = |by| AccountEvent::AccountDeactivated { by };
    let reactivated = |by| AccountEvent::AccountReactivated { by };
    let account = |events: Vec<AccountEvent>| account().given([vec![registered()], events].concat());
    let start = || AccountCommand::StartSession { session_id: SESSION };
    account(vec![deactivated(operator)]).when(AccountCommand::Reactivate { by: issuer }).then_expect_events(vec![]);
    let both = || vec![deactivated(operator), deactivated(issuer)];
    account(both()).when(AccountCommand::Reactivate { by: issuer }).then_expect_events(vec![reactivated(issuer)]);
    account([both(), vec![reactivated(issuer)]].concat()).when(start()).then_expect_error(AccountRefusal::Deactivated);
    for closed in [both(), vec![deactivated(issuer)]] {
        account(closed.clone())
            .when(AccountCommand::Reactivate { by: operator })
            .then_expect_events(vec![reactivated(operator)]);
        account([closed, vec![reactivated(operator)]].concat())
            .when(start())
            .then_expect_events(vec![AccountEvent::SessionStarted { session_id: SESSION }]);
    }
}
