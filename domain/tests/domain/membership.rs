//! What a membership answers.

use cqrs_es::test::TestFramework;
use workroom_domain::{
    access::Role,
    ids::AccountId,
    membership::{Membership, MembershipCommand, MembershipEvent, MembershipRefusal},
};

use crate::examples::{ADA, BOB, EVE};

const ROLES: [Role; 3] = [Role::Viewer, Role::Collaborator, Role::Owner];

fn membership() -> TestFramework<Membership> {
    TestFramework::with(())
}

fn add(account_id: AccountId, role: Role) -> MembershipCommand {
    MembershipCommand::Add { account_id, role }
}

fn change_role(account_id: AccountId, role: Role) -> MembershipCommand {
    MembershipCommand::ChangeRole { account_id, role }
}

fn remove(account_id: AccountId) -> MembershipCommand {
    MembershipCommand::Remove { account_id }
}

fn added(account_id: AccountId, role: Role) -> MembershipEvent {
    MembershipEvent::MemberAdded { account_id, role }
}

fn role_changed(account_id: AccountId, from: Role, to: Role) -> MembershipEvent {
    MembershipEvent::MemberRoleChanged { account_id, from, to }
}

fn removed(account_id: AccountId, role: Role) -> MembershipEvent {
    MembershipEvent::MemberRemoved { account_id, role }
}

fn closed() -> MembershipEvent {
    MembershipEvent::MembershipClosed {}
}

/// Ada, the only owner, and Bob in the given role.
fn ada_and(bob: Role) -> Vec<MembershipEvent> {
    vec![added(ADA, Role::Owner), added(BOB, bob)]
}

/// Everything that may be asked of a membership that has begun.
fn everything_but_founding() -> [MembershipCommand; 4] {
    [add(BOB, Role::Viewer), change_role(ADA, Role::Viewer), remove(ADA), MembershipCommand::Close]
}

mod creation {
    use super::*;

    #[test]
    fn begins_the_roster_with_its_first_owner() {
        membership()
            .given_no_previous_events()
            .when(MembershipCommand::Create { owner: ADA })
            .then_expect_events(vec![added(ADA, Role::Owner)]);
    }

    #[test]
    fn comes_before_everything_else() {
        for command in everything_but_founding() {
            membership().given_no_previous_events().when(command).then_expect_error(MembershipRefusal::Closed);
        }
    }

    #[test]
    fn happens_once() {
        for owner in [ADA, BOB] {
            membership()
                .given(vec![added(ADA, Role::Owner)])
                .when(MembershipCommand::Create { owner })
                .then_expect_error(MembershipRefusal::AlreadyCreated);
        }
    }
}

mod adding {
    use super::*;

    #[test]
    fn puts_an_account_on_the_roster_in_any_role() {
        for role in ROLES {
            membership()
                .given(vec![added(ADA, Role::Owner)])
                .when(add(BOB, role))
                .then_expect_events(vec![added(BOB, role)]);
        }
    }

    #[test]
    fn refuses_a_member_whatever_the_role() {
        for role in ROLES {
            membership()
                .given(ada_and(Role::Collaborator))
                .when(add(BOB, role))
                .then_expect_error(MembershipRefusal::AlreadyMember);
        }
    }

    #[test]
    fn brings_back_a_member_who_was_removed() {
        membership()
            .given(ada_and(Role::Owner))
            .and(vec![removed(BOB, Role::Owner)])
            .when(add(BOB, Role::Viewer))
            .then_expect_events(vec![added(BOB, Role::Viewer)]);
    }
}

mod changing_a_role {
    use super::*;

    #[test]
    fn tells_the_role_before_and_after() {
        for from in ROLES {
            for to in ROLES.into_iter().filter(|to| *to != from) {
                membership()
                    .given(ada_and(from))
                    .when(change_role(BOB, to))
                    .then_expect_events(vec![role_changed(BOB, from, to)]);
            }
        }
    }

    #[test]
    fn to_the_present_role_emits_nothing() {
        for role in ROLES {
            membership().given(ada_and(role)).when(change_role(BOB, role)).then_expect_events(vec![]);
        }
    }

    #[test]
    fn builds_on_the_change_before_it() {
        membership()
            .given(ada_and(Role::Viewer))
            .and(vec![role_changed(BOB, Role::Viewer, Role::Collaborator)])
            .when(change_role(BOB, Role::Owner))
            .then_expect_events(vec![role_changed(BOB, Role::Collaborator, Role::Owner)]);
    }

    #[test]
    fn refuses_an_account_that_is_not_a_member() {
        membership()
            .given(ada_and(Role::Viewer))
            .when(change_role(EVE, Role::Owner))
            .then_expect_error(MembershipRefusal::NotAMember);
    }
}

mod removing {
    use super::*;

    #[test]
    fn takes_a_member_off_the_roster() {
        for role in ROLES {
            membership().given(ada_and(role)).when(remove(BOB)).then_expect_events(vec![removed(BOB, role)]);
        }
    }

    #[test]
    fn refuses_an_account_that_is_not_a_member() {
        membership().given(ada_and(Role::Viewer)).when(remove(EVE)).then_expect_error(MembershipRefusal::NotAMember);
    }

    #[test]
    fn refuses_a_member_who_was_removed() {
        membership()
            .given(ada_and(Role::Viewer))
            .and(vec![removed(BOB, Role::Viewer)])
            .when(remove(BOB))
            .then_expect_error(MembershipRefusal::NotAMember);
    }
}

mod the_last_owner {
    use super::*;

    #[test]
    fn cannot_leave_an_otherwise_empty_roster() {
        membership()
            .given(vec![added(ADA, Role::Owner)])
            .when(remove(ADA))
            .then_expect_error(MembershipRefusal::LastOwner);
    }

    #[test]
    fn cannot_leave_members_behind() {
        for role in [Role::Viewer, Role::Collaborator] {
            membership().given(ada_and(role)).when(remove(ADA)).then_expect_error(MembershipRefusal::LastOwner);
        }
    }

    #[test]
    fn cannot_be_demoted() {
        for others in [vec![], vec![added(BOB, Role::Collaborator)]] {
            for role in [Role::Viewer, Role::Collaborator] {
                membership()
                    .given(vec![added(ADA, Role::Owner)])
                    .and(others.clone())
                    .when(change_role(ADA, role))
                    .then_expect_error(MembershipRefusal::LastOwner);
            }
        }
    }

    #[test]
    fn can_be_made_owner_again_without_effect() {
        membership()
            .given(vec![added(ADA, Role::Owner)])
            .when(change_role(ADA, Role::Owner))
            .then_expect_events(vec![]);
    }

    #[test]
    fn is_whoever_remains_and_not_whoever_founded() {
        membership()
            .given(ada_and(Role::Owner))
            .and(vec![removed(ADA, Role::Owner)])
            .when(remove(BOB))
            .then_expect_error(MembershipRefusal::LastOwner);
    }

    #[test]
    fn is_whoever_was_not_demoted() {
        membership()
            .given(ada_and(Role::Owner))
            .and(vec![role_changed(BOB, Role::Owner, Role::Viewer)])
            .when(remove(ADA))
            .then_expect_error(MembershipRefusal::LastOwner);
    }

    #[test]
    fn may_go_once_another_was_promoted() {
        let promoted = role_changed(BOB, Role::Viewer, Role::Owner);
        membership()
            .given(ada_and(Role::Viewer))
            .and(vec![promoted])
            .when(remove(ADA))
            .then_expect_events(vec![removed(ADA, Role::Owner)]);
        membership()
            .given(ada_and(Role::Viewer))
            .and(vec![promoted])
            .when(change_role(ADA, Role::Viewer))
            .then_expect_events(vec![role_changed(ADA, Role::Owner, Role::Viewer)]);
    }

    #[test]
    fn does_not_keep_the_other_members_from_going() {
        membership()
            .given(ada_and(Role::Collaborator))
            .when(remove(BOB))
            .then_expect_events(vec![removed(BOB, Role::Collaborator)]);
    }
}

mod closing {
    use super::*;

    #[test]
    fn ends_the_roster_whoever_is_on_it() {
        membership().given(ada_and(Role::Owner)).when(MembershipCommand::Close).then_expect_events(vec![closed()]);
    }

    #[test]
    fn leaves_a_roster_that_refuses_everything() {
        for command in everything_but_founding() {
            membership()
                .given(ada_and(Role::Owner))
                .and(vec![closed()])
                .when(command)
                .then_expect_error(MembershipRefusal::Closed);
        }
    }

    #[test]
    fn leaves_a_roster_that_cannot_be_founded_again() {
        membership()
            .given(vec![added(ADA, Role::Owner), closed()])
            .when(MembershipCommand::Create { owner: ADA })
            .then_expect_error(MembershipRefusal::AlreadyCreated);
    }
}

mod asking {
    use workroom_domain::Decide;

    use super::*;

    fn after(events: &[MembershipEvent]) -> Membership {
        let mut membership = Membership::default();
        for event in events {
            membership.evolve(event);
        }
        membership
    }

    #[test]
    fn tells_who_is_on_the_roster_in_which_role() {
        let membership = after(&ada_and(Role::Collaborator));
        assert_eq!(membership.role_of(ADA), Some(Role::Owner));
        assert_eq!(membership.role_of(BOB), Some(Role::Collaborator));
        assert_eq!(membership.role_of(EVE), None);
        assert_eq!(membership.members().collect::<Vec<_>>(), [(ADA, Role::Owner), (BOB, Role::Collaborator)]);
    }

    #[test]
    fn tells_whether_the_roster_is_open() {
        assert!(!after(&[]).is_open());
        assert!(after(&[added(ADA, Role::Owner)]).is_open());
        assert!(!after(&[added(ADA, Role::Owner), closed()]).is_open());
    }

    #[test]
    fn a_closed_roster_remembers_its_owners() {
        let membership = after(&[added(ADA, Role::Owner), added(BOB, Role::Viewer), closed()]);
        assert!(membership.was_owner(ADA) && !membership.was_owner(BOB));
        assert!(!after(&[added(ADA, Role::Owner)]).was_owner(ADA));
    }

    #[test]
    fn a_closed_roster_gives_nobody_a_role() {
        let membership = after(&[added(ADA, Role::Owner), added(BOB, Role::Viewer), closed()]);
        assert_eq!(membership.role_of(ADA), None);
        assert_eq!(membership.members().len(), 0);
    }

    #[test]
    fn an_event_names_its_subject() {
        for event in [added(ADA, Role::Viewer), role_changed(ADA, Role::Viewer, Role::Owner), removed(ADA, Role::Owner)]
        {
            assert_eq!(event.subject(), Some(ADA), "{event:?}");
        }
        assert_eq!(closed().subject(), None);
    }
}
