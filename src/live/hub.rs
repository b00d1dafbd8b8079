//! The feeds that the sockets of this process follow, one reference-counted NATS subscription each.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_nats::connection::State;
use sqlx::PgPool;
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;
use workroom_domain::ids::AccountId;

use crate::{
    event_store::EventLog,
    live::{
        feed::{Feed, FeedId, follow::follow, heads::watch_heads, pages::Pages},
        history_permits::HistoryPermits,
        limits::HubConfig,
        output::{Outputs, read_outputs},
        publish_quota::PublishQuota,
        publisher::{Outgoing, publish},
        room::{Rooms, keep},
        signal::{Signal, reason},
        socket_quota::SocketQuota,
        subscriber::{Registration, Subscriber},
    },
    messaging::{peers::Peers, seal::Seal},
};

/// The feeds of this process. Cheap to clone. Its tasks run until [`Hub::close`].
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    pool: PgPool,
    log: EventLog,
    nats: async_nats::Client,
    seal: Seal,
    config: HubConfig,
    feeds: Mutex<HashMap<Uuid, Arc<Feed>>>,
    epoch: Mutex<Uuid>,
    sockets: AtomicUsize,
    socket_quota: SocketQuota,
    readers: Semaphore,
    renderers: Semaphore,
    history_permits: HistoryPermits,
    pages: Pages,
    rooms: Rooms,
    outputs: Arc<Outputs>,
    publish_quota: PublishQuota,
    peers: Arc<Peers>,
    /// Connections that are to be told when the process ends.
    signals: Mutex<HashMap<Uuid, Arc<Signal>>>,
    doubt: AtomicBool,
    look: Notify,
    tasks: TaskTracker,
    stop: CancellationToken,
    shutdown: CancellationToken,
}

impl Hub {
    /// Starts the gateway's background work on the current runtime. What comes over NATS is believed where it is sealed with
    /// `seal`. `epoch` is the log's, as read at start-up; the hub follows its changes. `outgoing` is what this process commits.
    /// When `shutdown` is cancelled, connections are told to come again.
    #[expect(clippy::too_many_arguments, reason = "what a gateway rests on")]
    pub fn new(
        pool: PgPool,
        log: EventLog,
        nats: async_nats::Client,
        seal: Seal,
        epoch: Uuid,
        config: HubConfig,
        outgoing: Outgoing,
        shutdown: CancellationToken,
    ) -> Self {
        let hub = Self {
            inner: Arc::new(Inner {
                pool,
                log,
                nats,
                seal,
                feeds: Mutex::default(),
                epoch: Mutex::new(epoch),
                sockets: AtomicUsize::new(0),
                socket_quota: SocketQuota::new(
                    config.sockets_per_address,
                    config.sockets_per_account,
                    config.anonymous_sockets,
                ),
                readers: Semaphore::new(config.readers),
                renderers: Semaphore::new(config.renderers),
                history_permits: HistoryPermits::new(config.history_senders),
                pages: Pages::default(),
                rooms: Rooms::new(config.rooms.clone()),
                outputs: Arc::default(),
                publish_quota: PublishQuota::default(),
                peers: Arc::clone(&outgoing.peers),
                signals: Mutex::default(),
                doubt: AtomicBool::new(false),
                look: Notify::new(),
                tasks: TaskTracker::new(),
                stop: CancellationToken::new(),
                shutdown,
                config,
            }),
        };
        hub.inner.tasks.spawn(watch_heads(hub.clone()));
        hub.inner.tasks.spawn(publish(hub.clone(), outgoing));
        hub.inner.tasks.spawn(keep(hub.clone()));
        hub.inner.tasks.spawn(read_outputs(hub.clone()));
        hub.inner.tasks.spawn(tell_connections(hub.clone()));
        hub
    }

    /// How many feeds are followed.
    pub fn feeds(&self) -> usize {
        self.map().len()
    }

    /// How many sockets are open.
    pub fn sockets(&self) -> usize {
        self.inner.sockets.load(Ordering::Relaxed)
    }

    /// The history that places in feeds refer to.
    pub fn epoch(&self) -> Uuid {
        *self.inner.epoch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends everything: sockets close with 1012. Returns when all is done, or after `within`; `true` when all is done.
    pub async fn close(&self, within: Duration) -> bool {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        timeout(within, self.inner.tasks.wait()).await.is_ok()
    }

    /// Whether the process is about to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.inner.shutdown.is_cancelled() || self.inner.stop.is_cancelled()
    }

    fn signals(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Signal>>> {
        self.inner.signals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a connection: it is told when the process is about to end.
    pub(in crate::live) fn connect(&self, connection_id: Uuid, signal: &Arc<Signal>) -> Connected {
        self.signals().insert(connection_id, Arc::clone(signal));
        if self.is_stopping() {
            signal.raise(reason::STOP);
        }
        Connected { hub: self.clone(), connection_id }
    }

    /// The rooms of this process.
    pub(in crate::live) fn rooms(&self) -> &Rooms {
        &self.inner.rooms
    }

    /// What jobs print, for those of this process who look at it.
    pub(in crate::live) fn outputs(&self) -> &Arc<Outputs> {
        &self.inner.outputs
    }

    /// What accounts may say in rooms.
    pub(in crate::live) fn publish_quota(&self) -> &PublishQuota {
        &self.inner.publish_quota
    }

    /// Whether any connection is open.
    pub(in crate::live) fn has_connections(&self) -> bool {
        !self.signals().is_empty()
    }

    /// Whether other processes are there, and can be told something.
    pub(in crate::live) fn others_are_there(&self) -> bool {
        self.inner.peers.are_there(Instant::now()) && self.nats_is_here()
    }

    pub(in crate::live) fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    pub(in crate::live) fn log(&self) -> &EventLog {
        &self.inner.log
    }

    pub(in crate::live) fn nats(&self) -> &async_nats::Client {
        &self.inner.nats
    }

    pub(in crate::live) fn seal(&self) -> &Seal {
        &self.inner.seal
    }

    pub(in crate::live) fn nats_is_here(&self) -> bool {
        self.inner.nats.connection_state() == State::Connected
    }

    pub(in crate::live) fn config(&self) -> &HubConfig {
        &self.inner.config
    }

    pub(in crate::live) fn stopped(&self) -> &CancellationToken {
        &self.inner.stop
    }

    pub(in crate::live) fn tasks(&self) -> &TaskTracker {
        &self.inner.tasks
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Feed>>> {
        self.inner.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every feed that is followed.
    pub(in crate::live) fn all(&self) -> Vec<Arc<Feed>> {
        self.map().values().cloned().collect()
    }

    /// A feed that is followed.
    pub(in crate::live) fn feed(&self, feed_id: Uuid) -> Option<Arc<Feed>> {
        self.map().get(&feed_id).cloned()
    }

    /// Registers with a feed if it is followed and carries events.
    pub(in crate::live) fn join_open(
        &self,
        id: FeedId,
        account: AccountId,
        signal: &Arc<Signal>,
    ) -> Option<Registration> {
        let feeds = self.map();
        let feed = feeds.get(&id.uuid()).filter(|feed| feed.id == id && feed.is_open())?;
        Some(register(feed, account, Arc::clone(signal)))
    }

    /// Registers with a feed; returns once the feed carries every event from then on.
    pub(in crate::live) async fn join(&self, id: FeedId, account: AccountId, signal: Arc<Signal>) -> Registration {
        let registration = register(self.followed(&mut self.map(), id), account, signal);
        registration.feed().opened().await;
        registration
    }

    /// As [`Hub::join`], if the feed is followed already.
    pub(in crate::live) async fn join_followed(
        &self,
        id: FeedId,
        account: AccountId,
        signal: &Arc<Signal>,
    ) -> Option<Registration> {
        let registration = {
            let feeds = self.map();
            register(feeds.get(&id.uuid()).filter(|feed| feed.id == id)?, account, Arc::clone(signal))
        };
        registration.feed().opened().await;
        Some(registration)
    }

    /// Follows a feed for another whose rights it changes.
    pub(in crate::live) fn follow_for(&self, id: FeedId, dependent: &Arc<Feed>) -> Arc<Feed> {
        let mut feeds = self.map();
        let feed = self.followed(&mut feeds, id);
        feed.add_dependent(dependent);
        Arc::clone(feed)
    }

    fn followed<'a>(&self, feeds: &'a mut HashMap<Uuid, Arc<Feed>>, id: FeedId) -> &'a Arc<Feed> {
        feeds.entry(id.uuid()).or_insert_with(|| {
            let feed = Arc::new(Feed::new(id));
            self.inner.tasks.spawn(follow(self.clone(), feed.clone()));
            feed
        })
    }

    /// Stops following a feed, unless somebody has come meanwhile.
    pub(in crate::live) fn retire(&self, feed: &Feed) -> bool {
        let mut feeds = self.map();
        let deserted = feed.is_deserted();
        if deserted {
            feeds.remove(&feed.id.uuid());
        }
        deserted
    }

    /// Counts a socket in; `None` when there are too many.
    pub(crate) fn admit_socket(&self) -> Option<SocketCount> {
        let count = SocketCount(self.clone());
        (self.inner.sockets.fetch_add(1, Ordering::Relaxed) < self.inner.config.sockets).then_some(count)
    }

    /// What addresses and accounts have open.
    pub(crate) fn socket_quota(&self) -> &SocketQuota {
        &self.inner.socket_quota
    }

    /// A turn at the database. Sockets that come back all at once must not take every connection from the commands.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.inner.readers.acquire().await.ok()
    }

    /// A turn at reading a page of history.
    pub(in crate::live) async fn render_turn(&self) -> Option<SemaphorePermit<'_>> {
        self.inner.renderers.acquire().await.ok()
    }

    /// Permits to send history.
    pub(in crate::live) fn history_permits(&self) -> &HistoryPermits {
        &self.inner.history_permits
    }

    /// Whether a feed is followed.
    pub(in crate::live) fn follows(&self, id: FeedId) -> bool {
        self.map().get(&id.uuid()).is_some_and(|feed| feed.id == id)
    }

    /// The pages of history of this process.
    pub(in crate::live) fn pages(&self) -> &Pages {
        &self.inner.pages
    }

    /// Notes another epoch; `true` when it is news.
    pub(in crate::live) fn set_epoch(&self, epoch: Uuid) -> bool {
        let mut known = self.inner.epoch.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *known, epoch) != epoch
    }

    /// Asks for a look at the heads soon: something does not add up.
    pub(in crate::live) fn look_soon(&self) {
        self.inner.doubt.store(true, Ordering::Relaxed);
        self.inner.look.notify_one();
    }

    /// Resolves when somebody asked for a look.
    pub(in crate::live) async fn asked(&self) {
        self.inner.look.notified().await;
    }

    /// Whether somebody asked for a look since the last call.
    pub(in crate::live) fn take_doubt(&self) -> bool {
        self.inner.doubt.swap(false, Ordering::Relaxed)
    }
}

/// Tells every connection when the process is about to end. (Each of them watching for it would be one more lock a wake.)
async fn tell_connections(hub: Hub) {
    tokio::select! {
        () = hub.inner.shutdown.cancelled() => {}
        () = hub.inner.stop.cancelled() => {}
    }
    hub.signals().values().for_each(|signal| signal.raise(reason::STOP));
}

fn register(feed: &Arc<Feed>, account: AccountId, signal: Arc<Signal>) -> Registration {
    let subscriber = Arc::new(Subscriber::new(account, signal));
    let number = feed.register(Arc::clone(&subscriber));
    Registration::new(Arc::clone(feed), subscriber, number)
}

/// A connection that is told when the process is about to end, as long as this is kept.
pub(in crate::live) struct Connected {
    hub: Hub,
    connection_id: Uuid,
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.hub.signals().remove(&self.connection_id);
    }
}

/// Counts a socket while it lives.
pub(crate) struct SocketCount(Hub);

impl Drop for SocketCount {
    fn drop(&mut self) {
        self.0.inner.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}
