//! What an event of a project's roster means for those who watch the project.

use uuid::Uuid;
use workroom_domain::{
    Decide,
    access::{self, Action, Standing, Verdict},
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
    /// The event's place in the roster's stream. A subscription that was authorized by a later state of the roster is
    /// not concerned: its account was added again since.
    pub(super) sequence: i64,
    /// Who; none: everybody.
    pub(super) account: Option<Uuid>,
}

impl Loss {
    /// What an event takes away, if anything.
    pub(super) fn of(event: &PublishedEvent) -> Option<Self> {
        if event.aggregate_type != Membership::TYPE {
            return None;
        }
        let account = match serde_json::from_str(event.data.get()) {
            Ok(MembershipEvent::MemberRemoved { account_id, .. }) => Some(account_id.0),
            Ok(MembershipEvent::MemberRoleChanged { account_id, to, .. }) if !may_watch(Standing::Member(to)) => {
                Some(account_id.0)
            }
            Ok(MembershipEvent::MembershipClosed {}) => None,
            Ok(MembershipEvent::MemberAdded { .. } | MembershipEvent::MemberRoleChanged { .. }) => return None,
            Err(error) => {
                // Of a newer version, perhaps. The check against the database follows within seconds.
                tracing::warn!(%error, position = event.position, "an event of a roster cannot be read");
                return None;
            }
        };
        Some(Self { sequence: event.sequence, account })
    }

    /// What it means for a subscription of this account, authorized by the roster as of `authorized`.
    pub(super) fn cuts(&self, account: Uuid, authorized: i64) -> Option<Cut> {
        if self.sequence <= authorized {
            return None;
        }
        match self.account {
            None => Some(Cut::Deleted),
            Some(lost) => (lost == account).then_some(Cut::Revoked),
        }
    }
}

/// Whether that standing allows to watch.
pub(super) fn may_watch(standing: Standing) -> bool {
    access::decide(standing, Action::JoinLive) == Verdict::Allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_loss_after_the_authorization_cuts() {
        let (ann, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let removal = Loss { sequence: 5, account: Some(ann) };
        assert_eq!(removal.cuts(ann, 4), Some(Cut::Revoked));
        assert_eq!(removal.cuts(ann, 5), None, "added again by a later event");
        assert_eq!(removal.cuts(bob, 4), None);
        assert_eq!(Loss { sequence: 5, account: None }.cuts(bob, 4), Some(Cut::Deleted));
    }
}
