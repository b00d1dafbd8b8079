//! Sandboxes that wait ready for a program.
//!
//! Making a sandbox takes several times as long as a small program runs in it, and nothing of that depends on the
//! program but its language. So, from the first program of a language on, some are kept ready; each runs one program
//! and is replaced. They hold no more than a launcher and process 1 inside, which take some megabytes and no time. A
//! language that nobody has used for a while has none.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Inner, SandboxError, started::Started, view::View};

/// A language that was not used for so long has no waiting sandboxes any more.
const UNUSED: Duration = Duration::from_mins(10);

/// The sandboxes that wait, by language.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    by_language: BTreeMap<String, Line>,
    closed: bool,
}

#[derive(Debug)]
struct Line {
    used: Instant,
    sandboxes: VecDeque<Started>,
    /// How many are being started.
    coming: usize,
}

impl Waiting {
    fn lines(&self) -> MutexGuard<'_, Lines> {
        // Whoever panicked has left whole entries.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the one that has waited longest.
    fn take(&self, language: &str) -> Option<Started> {
        let mut lines = self.lines();
        let line = lines.by_language.get_mut(language)?;
        line.used = Instant::now();
        line.sandboxes.pop_front()
    }

    /// Whether another is wanted; it is then expected.
    fn expect(&self, language: &str, wanted: usize) -> bool {
        let mut lines = self.lines();
        if lines.closed || wanted == 0 {
            return false;
        }
        let new = || Line { used: Instant::now(), sandboxes: VecDeque::new(), coming: 0 };
        let line = lines.by_language.entry(language.to_owned()).or_insert_with(new);
        let more = line.sandboxes.len() + line.coming < wanted;
        line.coming += usize::from(more);
        more
    }

    /// Takes in one that was expected, or notes that it does not come. Returns one that nobody wants any more.
    fn arrive(&self, language: &str, started: Option<Started>) -> Option<Started> {
        let mut lines = self.lines();
        let closed = lines.closed;
        let Some(line) = lines.by_language.get_mut(language) else { return started };
        line.coming = line.coming.saturating_sub(1);
        if closed {
            return started;
        }
        line.sandboxes.extend(started);
        None
    }

    /// Takes out those of languages that nobody uses.
    fn unused(&self) -> Vec<Started> {
        let mut lines = self.lines();
        let mut unused = Vec::new();
        lines.by_language.retain(|_, line| {
            let keeps = line.used.elapsed() <= UNUSED || line.coming > 0;
            if !keeps {
                unused.extend(line.sandboxes.drain(..));
            }
            keeps
        });
        unused
    }

    /// Takes all out, and lets none in any more.
    fn close(&self) -> Vec<Started> {
        let mut lines = self.lines();
        lines.closed = true;
        let lines = &mut lines.by_language;
        lines.values_mut().flat_map(|line| line.sandboxes.drain(..)).collect()
    }
}

impl Inner {
    /// A sandbox that is ready: one that waits, or else a new one.
    pub(super) async fn ready(&self, language: &str, view: &View) -> Result<Started, SandboxError> {
        while let Some(mut waiting) = self.waiting.take(language) {
            // It may have died since, such as for want of memory on the host.
            if waiting.is_alive() && waiting.ready().await.is_ok() {
                waiting.has_waited = true;
                return Ok(waiting);
            }
        }
        let mut started = Started::new(self, view)?;
        match started.ready().await {
            Ok(()) => Ok(started),
            Err(error) => {
                started.end().await;
                Err(error)
            }
        }
    }

    /// Starts further ones in the background, until as many wait as are wanted.
    pub(super) fn replenish(self: &Arc<Self>, language: &str) {
        let Some((_, view)) = self.languages.get(language) else { return };
        while self.waiting.expect(language, self.config.waiting) {
            let (sandbox, language, view) = (Arc::clone(self), language.to_owned(), view.clone());
            tokio::spawn(async move {
                let started = Started::new(&sandbox, &view);
                if let Err(error) = &started {
                    tracing::warn!(error = error as &dyn std::error::Error, %language, "no sandbox waits");
                }
                if let Some(unwanted) = sandbox.waiting.arrive(&language, started.ok()) {
                    unwanted.end().await;
                }
            });
        }
    }

    /// Ends those that wait for programs that do not come.
    pub(super) async fn end_unused(&self) {
        for started in self.waiting.unused() {
            started.end().await;
        }
    }

    /// Ends all that wait, and lets none wait any more.
    pub(super) async fn end_waiting(&self) {
        for started in self.waiting.close() {
            started.end().await;
        }
    }
}
