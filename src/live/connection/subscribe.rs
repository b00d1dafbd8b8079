//! Whether somebody may follow a feed, and from where.

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::time::timeout;
use uuid::Uuid;
use workroom_domain::refusal::Kind;
use workroom_domain::{access::Action, ids::AccountId, workspace::Workspace};

use crate::{
    application::Error,
    live::{
        Live,
        connection::{messages::Since, subscription::Start},
        feed::{
            FeedId,
            frames::Topic,
            rights::{Access, Change},
        },
        signal::Signal,
        subscriber::Registration,
        transport::Place,
    },
};

/// How long an answer may take.
const ADMISSION_TIMEOUT: Duration = Duration::from_secs(15);
/// How often a feed's rights are read before somebody is refused whom the log allowed a moment before.
const ADMISSION_ATTEMPTS: usize = 8;

/// Why somebody may not, in the protocol's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::live) struct Refused {
    pub(in crate::live) code: &'static str,
    pub(in crate::live) detail: &'static str,
}

impl Refused {
    /// There is no such feed, or none that the account may know of.
    pub(in crate::live) const NOT_FOUND: Self = Self { code: "not_found", detail: "there is no such feed" };
    /// The account does not have the right.
    pub(in crate::live) const FORBIDDEN: Self =
        Self { code: "forbidden", detail: "you do not have the right to follow this feed" };
    /// Not now.
    pub(in crate::live) const UNAVAILABLE: Self =
        Self { code: "unavailable", detail: "the service is busy; try again" };
    /// The machine broke.
    pub(in crate::live) const INTERNAL: Self = Self { code: "internal", detail: "an internal error occurred" };
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

/// What is wanted of a feed.
#[allow(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
#[derive(Clone, Copy, Debug)]
pub(in crate::live) struct Wanted {
    /// The last event that the client has; none: only what comes.
    pub(in crate::live) since: Option<Since>,
    /// Whether to send events.
    pub(in crate::live) events: bool,
    /// Whether the account is to be shown in the room, and told who is there.
    pub(in crate::live) presence: bool,
    /// Whether the client wants cursors.
    pub(in crate::live) cursors: bool,
    /// Whether the client wants what jobs print.
    pub(in crate::live) output: bool,
}

/// A subscription that may begin.
pub(in crate::live) struct Admitted {
    /// What it starts from.
    pub(in crate::live) start: Start,
    /// What is wanted.
    pub(in crate::live) wanted: Wanted,
    /// Whether the client's place belongs to another history.
    pub(in crate::live) is_reset: bool,
}

impl Admitted {
    /// Where the client is when it begins.
    pub(in crate::live) fn place(&self) -> Place {
        let Start { registration, cursor, epoch, .. } = &self.start;
        Place { feed: registration.feed().id, epoch: *epoch, seq: *cursor }
    }
}

/// Finds out whether somebody may follow a feed, registers with it, and finds where to begin.
///
/// A feed that is followed here knows who may: then nothing is asked. Whom it does not know is looked for in the log, so that a
/// member of a moment ago is not refused, and a stranger never makes the process follow a feed.
pub(in crate::live) async fn admit(
    live: Live,
    account_id: AccountId,
    topic: Topic,
    wanted: Wanted,
    signal: Arc<Signal>,
) -> Result<Admitted, Refused> {
    timeout(ADMISSION_TIMEOUT, try_admit(&live, account_id, topic, wanted, signal)).await.unwrap_or_else(|_| {
        tracing::warn!(feed_id = %topic.feed.uuid(), "a subscription took too long");
        Err(Refused::UNAVAILABLE)
    })
}

async fn try_admit(
    live: &Live,
    account_id: AccountId,
    topic: Topic,
    wanted: Wanted,
    signal: Arc<Signal>,
) -> Result<Admitted, Refused> {
    let (hub, feed) = (&live.hub, topic.feed);
    let known = hub.join_open(feed, account_id, &signal);
    let known = known.filter(|known| matches!(known.admit(), Some(Access::Follower(_))));
    let registration = match known {
        Some(registration) => registration,
        None => admit_by_log(live, account_id, feed, signal).await?,
    };
    let generation = registration.feed().ring().generation();
    // A place that this process has not heard of may have been told by another: the log knows.
    if wanted.since.is_some_and(|since| since.seq > registration.feed().furthest()) {
        let _turn = hub.turn().await;
        let (epoch, head) = head_of(hub.pool(), feed).await.map_err(Error::from)?;
        if epoch != hub.epoch() {
            hub.look_soon();
        }
        registration.feed().expect(head);
    }
    let (epoch, head) = (hub.epoch(), registration.feed().furthest());
    let (cursor, is_reset) = resume_point(wanted.since, epoch, head);
    // Whoever wants no events needs no history.
    let cursor = if wanted.events { cursor } else { head };
    // After the registration: when it is closed later, that event is met.
    find_room(live, topic).await?;
    let follower = registration.subscriber().follower();
    let page_size = hub.config().page;
    let start = Start { registration, cursor, head, epoch, generation, events: wanted.events, page_size, follower };
    Ok(Admitted { start, wanted, is_reset })
}

/// Makes sure that a workspace belongs to the project that it is named with, and a file to the workspace.
async fn find_room(live: &Live, topic: Topic) -> Result<(), Refused> {
    let (FeedId::Project(project_id), Some(workspace_id)) = (topic.feed, topic.workspace_id) else { return Ok(()) };
    let _turn = live.hub.turn().await;
    let workspace = live.hub.log().reload::<Workspace>(workspace_id.into()).await.map_err(Error::from)?;
    let workspace = workspace.state.of(project_id).map_err(|_| Refused::NOT_FOUND)?;
    match topic.file_id {
        Some(file_id) => workspace.file(file_id).map(drop).map_err(|_| Refused::NOT_FOUND),
        None => Ok(()),
    }
}

/// Admits by what the log says now.
async fn admit_by_log(
    live: &Live,
    account_id: AccountId,
    feed: FeedId,
    signal: Arc<Signal>,
) -> Result<Registration, Refused> {
    // Many may come at once, such as all who were cut off: what the first one finds out is of use to the others.
    let was_followed = live.hub.follows(feed);
    if let Some(registration) = admit_with_others(live, account_id, feed, &signal).await {
        return Ok(registration);
    }
    let mut turn = live.hub.turn().await;
    if !was_followed && live.hub.follows(feed) {
        // Nobody waits for the feed with a turn.
        drop(turn);
        if let Some(registration) = admit_with_others(live, account_id, feed, &signal).await {
            return Ok(registration);
        }
        turn = live.hub.turn().await;
    }
    match feed {
        FeedId::Project(id) => drop(live.app.project_for(account_id, id, Action::JoinLive).await?),
        FeedId::Organization(id) => drop(live.app.organization_for(account_id, id).await?),
        // Only one's own can be named.
        FeedId::Account(_) => {}
    }
    drop(turn);
    for _ in 0..ADMISSION_ATTEMPTS {
        // Without a turn: the feed's own task reads for it.
        let registration = live.hub.join(feed, account_id, Arc::clone(&signal)).await;
        registration.feed().rights_known().await;
        match registration.admit() {
            Some(Access::Follower(_)) => return Ok(registration),
            // What the feed knows may be older than what was asked a moment ago; the other way round, the next reading tells.
            Some(Access::Forbidden | Access::Hidden | Access::Closed) => {
                registration.feed().change_rights(Change::Given);
            }
            None => {}
        }
    }
    Err(Refused::NOT_FOUND)
}

/// Admits by the feed, if somebody else has made the process follow it and it is about to open. `None`: the log has to be asked.
async fn admit_with_others(
    live: &Live,
    account_id: AccountId,
    feed: FeedId,
    signal: &Arc<Signal>,
) -> Option<Registration> {
    let registration = live.hub.join_followed(feed, account_id, signal).await?;
    registration.feed().rights_known().await;
    matches!(registration.admit(), Some(Access::Follower(_))).then_some(registration)
}

/// The current history and a feed's head, of one moment.
async fn head_of(pool: &PgPool, feed: FeedId) -> Result<(Uuid, i64), sqlx::Error> {
    sqlx::query_as(
        "SELECT epoch, COALESCE((
             SELECT feed_seq FROM events WHERE feed_id = $1 ORDER BY feed_seq DESC LIMIT 1), 0)
         FROM log_epoch",
    )
    .bind(feed.uuid())
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
