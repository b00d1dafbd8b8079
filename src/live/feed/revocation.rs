//! What an event of a project's membership means for those who watch the project.

use workroom_domain::{
    Decide,
    access::{self, Action, Decision, Facts, Relation, Role},
    ids::AccountId,
    membership::{Membership, MembershipEvent},
};
use workroom_projections::history::PublishedEvent;

/// Why a subscription ends without its client's asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) enum EndReason {
    /// The account may no longer watch.
    Revoked,
    /// There is nothing left to watch.
    Deleted,
}

impl EndReason {
    /// The reason that the client is given.
    pub(in crate::live) fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "access_revoked",
            Self::Deleted => "project_deleted",
        }
    }
}

/// Somebody, or everybody, may no longer watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) struct Revocation {
    /// The event's place in the membership's stream. A subscription that was authorized by a later state of it is
    /// not concerned: its account was added again since.
    pub(in crate::live) sequence: i64,
    /// Who; none: everybody.
    pub(in crate::live) account: Option<AccountId>,
}

impl Revocation {
    /// What an event takes away, if anything.
    pub(in crate::live) fn of(event: &PublishedEvent) -> Option<Self> {
        if event.aggregate_type != Membership::TYPE {
            return None;
        }
        let account = match serde_json::from_str(event.data.get()) {
            Ok(MembershipEvent::MemberRemoved { account_id, .. }) => Some(account_id),
            Ok(MembershipEvent::MemberRoleChanged { account_id, to, .. }) if !may_watch_as(to) => Some(account_id),
            Ok(MembershipEvent::MembershipClosed {}) => None,
            Ok(MembershipEvent::MemberAdded { .. } | MembershipEvent::MemberRoleChanged { .. }) => return None,
            Err(error) => {
                // Of a newer version, perhaps. The check against the database follows within seconds.
                tracing::warn!(%error, position = event.position, "an event of a membership cannot be read");
                return None;
            }
        };
        Some(Self { sequence: event.sequence, account })
    }

    /// Why it ends a subscription of this account that was authorized by the membership as of `authorized`, if it does.
    pub(in crate::live) fn ends(&self, account: AccountId, authorized: i64) -> Option<EndReason> {
        if self.sequence <= authorized {
            return None;
        }
        match self.account {
            None => Some(EndReason::Deleted),
            Some(revoked) => (revoked == account).then_some(EndReason::Revoked),
        }
    }
}

/// What a relation to a project says of watching it.
pub(in crate::live) fn decide(relation: Relation) -> Decision {
    access::decide(relation, Action::JoinLive)
}

fn may_watch_as(role: Role) -> bool {
    decide(Facts::of_member(Some(role)).relation()) == Decision::Allowed
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn only_a_revocation_after_the_authorization_ends_a_subscription() {
        let (ann, bob) = (AccountId(Uuid::from_u128(1)), AccountId(Uuid::from_u128(2)));
        let removal = Revocation { sequence: 5, account: Some(ann) };
        assert_eq!(removal.ends(ann, 4), Some(EndReason::Revoked));
        assert_eq!(removal.ends(ann, 5), None, "added again by a later event");
        assert_eq!(removal.ends(bob, 4), None);
        assert_eq!(Revocation { sequence: 5, account: None }.ends(bob, 4), Some(EndReason::Deleted));
    }
}
