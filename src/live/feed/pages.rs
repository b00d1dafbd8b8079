//! Pages of history, read from Postgres for one subscription at a time.

use std::{future::Future, pin::Pin, time::Duration};

use tokio::time::{sleep, timeout};
use workroom_domain::ids::ProjectId;
use workroom_projections::history::{self, PublishedEvent};

use crate::live::{feed::ring::Entry, hub::Hub};

/// How long to wait for a database that did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// A page of history: of which project, behind which place, in which generation of the feed.
pub(in crate::live) struct Page {
    pub(in crate::live) project_id: ProjectId,
    pub(in crate::live) after: i64,
    pub(in crate::live) generation: u32,
    pub(in crate::live) entries: Vec<Entry>,
}

/// A page that is being read.
pub(in crate::live) type Reading = Pin<Box<dyn Future<Output = Page> + Send>>;

/// The page that is being read; never, when none is.
pub(in crate::live) async fn read(reading: &mut Option<Reading>) -> Page {
    let Some(page) = reading else { return std::future::pending().await };
    let page = page.await;
    *reading = None;
    page
}

/// Reads a page of history, however long the database takes: the subscription waits, the socket lives.
pub(in crate::live) async fn read_page(hub: Hub, (project_id, after, generation): (ProjectId, i64, u32)) -> Page {
    loop {
        let rows = {
            let _turn = hub.turn().await;
            timeout(hub.config().query, history::since(hub.pool(), project_id.uuid(), after, hub.config().page)).await
        };
        match rows {
            Ok(Ok(rows)) => {
                if rows.is_empty() {
                    // Asked for because there is more; a log that says otherwise was put back, and a reset follows.
                    sleep(RETRY).await;
                }
                let entries = rows.into_iter().map(|row| Entry::of(&PublishedEvent::from_row(row))).collect();
                return Page { project_id, after, generation, entries };
            }
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a page of history could not be read");
            }
            Err(_) => tracing::warn!("a page of history could not be read in time"),
        }
        sleep(RETRY).await;
    }
}
