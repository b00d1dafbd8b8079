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
pub(super) enum Cut {
    /// The account may no longer watch.
    Revoked,
    /// There is nothing left to watch.
    Deleted,
}

impl Cut {
    /// The reason that the client is given.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Revoked => "access_revoked",
            Self::Deleted => "project_deleted",
        }
    }
}

/// Somebody, or everybody, may no longer watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loss {
    /// The event's place in the membership's stream. A subscription that was authorized by a later state of it is
    /// not concerned: its account was added again since.
    pub(super) sequence: i64,
    /// Who; none: everybody.
    pub(super) account: Option<AccountId>,
}

impl Loss {
    /// What an event takes away, if anything.
    pub(super) fn of(event: &PublishedEvent) -> Option<Self> {
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

    /// What it means for a subscription of this account, authorized by the membership as of `authorized`.
    pub(super) fn cuts(&self, account: AccountId, authorized: i64) -> Option<Cut> {
        if self.sequence <= authorized {
            return None;
        }
        match self.account {
            None => Some(Cut::Deleted),
            Some(lost) => (lost == account).then_some(Cut::Revoked),
        }
    }
}

/// What a relation to a project says of watching it.
pub(super) fn decide(relation: Relation) -> Decision {
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
    fn only_a_loss_after_the_authorization_cuts() {
        let (ann, bob) = (AccountId(Uuid::from_u128(1)), AccountId(Uuid::from_u128(2)));
        let removal = Loss { sequence: 5, account: Some(ann) };
        assert_eq!(removal.cuts(ann, 4), Some(Cut::Revoked));
        assert_eq!(removal.cuts(ann, 5), None, "added again by a later event");
        assert_eq!(removal.cuts(bob, 4), None);
        assert_eq!(Loss { sequence: 5, account: None }.cuts(bob, 4), Some(Cut::Deleted));
    }
}
