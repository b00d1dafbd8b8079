//! Pages of history: read and written as frames once, and shared by all sockets that need them.
//!
//! Sockets that come back together need the same pages. So pages begin at the same places for all, one reading serves all who
//! wait for it, and a page is kept for a moment for those who come a little later. What is kept is bounded in bytes; a
//! subscription holds one page at a time, and a connection one more while it waits for its permit to send.
//!
//! What is redacted is in no page that was asked for afterwards: each names how often something of the feed was redacted before.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;
use workroom_projections::history::{self, PublishedEvent};

use crate::live::{
    feed::{FeedId, ring::Entry},
    hub::Hub,
};

/// How long to wait for a database that did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// Which page: of which feed, in which history and generation of the feed, behind which place. (A feed that is followed again
/// counts its generations anew, so they do not tell histories apart.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::live) struct PageKey {
    pub(in crate::live) feed: FeedId,
    pub(in crate::live) epoch: Uuid,
    pub(in crate::live) generation: u32,
    /// How often something of the feed had been redacted when it was asked for.
    pub(in crate::live) redactions: u32,
    pub(in crate::live) after: i64,
}

/// A page of history.
pub(in crate::live) struct Page {
    pub(in crate::live) key: PageKey,
    pub(in crate::live) entries: Vec<Entry>,
    bytes: usize,
}

impl Page {
    fn of(key: PageKey, entries: Vec<Entry>) -> Self {
        let bytes = entries.iter().map(|entry| entry.frame.len() + size_of::<Entry>()).sum();
        Self { key, entries, bytes }
    }

    /// The place of its last entry.
    pub(in crate::live) fn last(&self) -> i64 {
        self.entries.last().map_or(self.key.after, |entry| entry.seq)
    }
}

/// A page that is being read. Dropped by all who wait for it, the reading ends.
pub(in crate::live) type Reading = Shared<BoxFuture<'static, Arc<Page>>>;

/// The pages of a process.
#[derive(Default)]
pub(in crate::live) struct Pages {
    pages: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    flights: HashMap<PageKey, WeakShared<BoxFuture<'static, Arc<Page>>>>,
    kept: HashMap<PageKey, Arc<Page>>,
    /// The kept pages, oldest first.
    order: VecDeque<(Instant, PageKey)>,
    bytes: usize,
    /// How often pages were dropped that may be out of date: what was being read then is not kept.
    forgotten: u64,
}

impl Kept {
    fn drop_first(&mut self) {
        if let Some(page) = self.order.pop_front().and_then(|(_, key)| self.kept.remove(&key)) {
            self.bytes -= page.bytes;
        }
    }
}

impl Pages {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page behind a place where pages begin: kept, or by one reading for all who ask meanwhile.
    pub(in crate::live) fn get(&self, hub: &Hub, key: PageKey) -> Reading {
        let mut pages = self.lock();
        if let Some(page) = pages.kept.get(&key) {
            return std::future::ready(Arc::clone(page)).boxed().shared();
        }
        if let Some(flight) = pages.flights.get(&key).and_then(WeakShared::upgrade) {
            return flight;
        }
        let hub = hub.clone();
        let forgotten = pages.forgotten;
        let flight = async move {
            let page = Arc::new(read_page(&hub, key).await);
            hub.pages().landed(&page, forgotten, hub.config().page_cache_bytes);
            page
        };
        let flight = flight.boxed().shared();
        if let Some(flight) = flight.downgrade() {
            pages.flights.insert(key, flight);
        }
        flight
    }

    fn landed(&self, page: &Arc<Page>, forgotten: u64, most: usize) {
        let mut pages = self.lock();
        if pages.forgotten != forgotten {
            return;
        }
        pages.flights.remove(&page.key);
        if page.entries.is_empty() || pages.kept.contains_key(&page.key) {
            return;
        }
        pages.bytes += page.bytes;
        pages.order.push_back((Instant::now(), page.key));
        pages.kept.insert(page.key, Arc::clone(page));
        while pages.bytes > most && !pages.order.is_empty() {
            pages.drop_first();
        }
    }

    /// Lets go of a feed's pages. A feed that is followed anew does not know what was redacted meanwhile.
    pub(in crate::live) fn forget(&self, feed: FeedId) {
        let mut pages = self.lock();
        let Kept { flights, kept, order, bytes, forgotten } = &mut *pages;
        *forgotten += 1;
        flights.retain(|key, _| key.feed != feed);
        order.retain(|(_, key)| key.feed != feed);
        kept.retain(|key, page| {
            let stays = key.feed != feed;
            *bytes -= if stays { 0 } else { page.bytes };
            stays
        });
    }

    /// Lets go of pages that are older than that, and of readings that nobody waits for.
    pub(in crate::live) fn expire(&self, now: Instant, age: Duration) {
        let mut pages = self.lock();
        while pages.order.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > age) {
            pages.drop_first();
        }
        pages.flights.retain(|_, flight| flight.upgrade().is_some());
        if pages.kept.is_empty() {
            pages.kept.shrink_to_fit();
            pages.order.shrink_to_fit();
        }
    }
}

/// Reads a page of history, however long the database takes: subscriptions wait, sockets live.
async fn read_page(hub: &Hub, key: PageKey) -> Page {
    let config = hub.config();
    let (feed_id, after) = (key.feed.uuid(), key.after);
    loop {
        let rows = {
            let _turn = hub.render_turn().await;
            let rows = history::portion(hub.pool(), feed_id, after, config.page, config.page_bytes);
            timeout(config.query, rows).await
        };
        match rows {
            Ok(Ok(rows)) if !rows.is_empty() => {
                let mut entries = Vec::with_capacity(rows.len());
                for row in rows {
                    entries.push(Entry::of(key.feed, &PublishedEvent::from_row(row)));
                    // Commands go first.
                    tokio::task::consume_budget().await;
                }
                return Page::of(key, entries);
            }
            Ok(Ok(_)) => {
                // Asked for because there is more; a log that says otherwise was put back, and a reset follows.
                sleep(RETRY).await;
                return Page::of(key, Vec::new());
            }
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a page of history could not be read");
            }
            Err(_) => tracing::warn!("a page of history could not be read in time"),
        }
        sleep(RETRY).await;
    }
}
