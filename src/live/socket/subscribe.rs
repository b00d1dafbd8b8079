//! Whether somebody may follow a project, and from where.

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::{sync::Notify, time::timeout};
use uuid::Uuid;
use workroom_domain::refusal::Kind;
use workroom_domain::{
    access::{Action, Decision, Facts},
    ids::{AccountId, ProjectId},
    membership::Membership,
};

use crate::{
    application::Error,
    live::{
        Live,
        feed::revocation,
        socket::{
            messages::{Since, Subscribe},
            subscription::Start,
        },
    },
};

/// How long an answer may take.
const ADMISSION_TIMEOUT: Duration = Duration::from_secs(15);

/// Why somebody may not, in the protocol's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) struct Refused {
    pub(in crate::live) code: &'static str,
    pub(in crate::live) detail: &'static str,
}

impl Refused {
    const NOT_FOUND: Self = Self { code: "not_found", detail: "there is no such project" };
    const FORBIDDEN: Self = Self { code: "forbidden", detail: "you do not have the right to follow this project" };
    const UNAVAILABLE: Self = Self { code: "unavailable", detail: "the service is busy; try again" };
    const INTERNAL: Self = Self { code: "internal", detail: "an internal error occurred" };
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error.kind() {
            Kind::NotFound => Self::NOT_FOUND,
            Kind::Forbidden | Kind::Unauthenticated => Self::FORBIDDEN,
            Kind::Unavailable | Kind::Throttled => Self::UNAVAILABLE,
            Kind::Malformed | Kind::Conflict | Kind::Stale | Kind::Invalid | Kind::Field | Kind::Failure => {
                tracing::error!(error = &error as &dyn std::error::Error, "a subscription failed");
                Self::INTERNAL
            }
        }
    }
}

/// A subscription that may begin.
pub(in crate::live) struct Admitted {
    /// What it starts from.
    pub(in crate::live) start: Start,
    /// The current history.
    pub(in crate::live) epoch: Uuid,
    /// Whether the client's place belongs to another history.
    pub(in crate::live) is_reset: bool,
}

/// Finds out whether somebody may follow a project, registers with its feed, and finds where to begin.
///
/// The order matters. First the views, which know what to call a refusal, so that a stranger never makes the process
/// follow a feed. Then the registration: from here on no event of the membership passes unseen. Then the membership from the log itself,
/// and its sequence: a removal behind it will come by, one before it is no longer about this membership. Last the head.
pub(in crate::live) async fn admit(
    live: Live,
    account_id: AccountId,
    request: Subscribe,
    wake: Arc<Notify>,
) -> Result<Admitted, Refused> {
    timeout(ADMISSION_TIMEOUT, try_admit(&live, account_id, &request, wake)).await.unwrap_or_else(|_| {
        tracing::warn!(project_id = %request.project_id, "a subscription took too long");
        Err(Refused::UNAVAILABLE)
    })
}

async fn try_admit(
    live: &Live,
    account_id: AccountId,
    request: &Subscribe,
    wake: Arc<Notify>,
) -> Result<Admitted, Refused> {
    let hub = &live.hub;
    let project_id = request.project_id;
    {
        let _turn = hub.turn().await;
        live.app.project_for(account_id, project_id, Action::JoinLive).await?;
    }
    // Without a turn: the feed's own task reads for it.
    let registration = hub.join(project_id, account_id, wake).await;
    let generation = registration.feed().ring().generation();
    let _turn = hub.turn().await;
    let membership = live.app.log().reload::<Membership>(project_id.into()).await.map_err(Error::from)?;
    require_right(live, account_id, project_id, &membership.state).await?;
    let (epoch, head) = head_of(hub.pool(), project_id).await.map_err(Error::from)?;
    if epoch != hub.epoch() {
        hub.look_soon();
    }
    registration.feed().expect(head);
    registration.subscriber().admit();
    let (cursor, is_reset) = resume_point(request.since, epoch, head);
    let start = Start {
        registration,
        authorized: membership.sequence,
        cursor,
        head,
        generation,
        events: request.events,
        page_size: hub.config().page,
    };
    Ok(Admitted { start, epoch, is_reset })
}

/// Insists that the account may watch. Only whom the membership does not let costs a look at the project and its organization.
async fn require_right(
    live: &Live,
    account_id: AccountId,
    project_id: ProjectId,
    membership: &Membership,
) -> Result<(), Refused> {
    let least = Facts::of_member(membership.role_of(account_id)).relation();
    if revocation::decide(least) == Decision::Allowed {
        return Ok(());
    }
    let facts = live.app.facts(account_id, project_id, membership).await?;
    match revocation::decide(facts.relation()) {
        Decision::Allowed => Ok(()),
        Decision::Forbidden => Err(Refused::FORBIDDEN),
        Decision::Hidden => Err(Refused::NOT_FOUND),
    }
}

/// The current history and a feed's head, of one moment.
async fn head_of(pool: &PgPool, project_id: ProjectId) -> Result<(Uuid, i64), sqlx::Error> {
    sqlx::query_as(
        "SELECT epoch, COALESCE((
             SELECT feed_seq FROM events WHERE feed_id = $1 ORDER BY feed_seq DESC LIMIT 1), 0)
         FROM log_epoch",
    )
    .bind(project_id.uuid())
    .fetch_one(pool)
    .await
}

/// Where to begin, and whether the client's own place was of no use.
fn resume_point(since: Option<Since>, epoch: Uuid, head: i64) -> (i64, bool) {
    match since {
        None => (head, false),
        Some(since) if since.epoch.is_some_and(|of| of != epoch) || since.seq > head => (head, true),
        Some(since) => (since.seq, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_another_history_is_of_no_use() {
        let (ours, theirs) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let since = |epoch, seq| Some(Since { epoch, seq });
        assert_eq!(resume_point(None, ours, 7), (7, false));
        assert_eq!(resume_point(since(Some(ours), 3), ours, 7), (3, false));
        assert_eq!(resume_point(since(None, 0), ours, 7), (0, false));
        assert_eq!(resume_point(since(Some(ours), 7), ours, 7), (7, false));
        assert_eq!(resume_point(since(Some(ours), 8), ours, 7), (7, true));
        assert_eq!(resume_point(since(Some(theirs), 3), ours, 7), (7, true));
    }
}
