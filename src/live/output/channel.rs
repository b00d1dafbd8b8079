//! Who looks at what the jobs of a project print.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use uuid::Uuid;
use workroom_domain::ids::{JobId, ProjectId};

use super::recent::Recent;
use crate::live::signal::{Signal, reason};

/// Bytes that a connection takes at a time, and what the last frame has beyond that.
const PORTION: usize = 64 * 1024;

/// The channels of this process, one for each project that somebody looks at.
#[derive(Default)]
pub(in crate::live) struct Outputs(Mutex<HashMap<ProjectId, Arc<Channel>>>);

/// What the jobs of a project print, for those who look at it.
pub(super) struct Channel {
    recent: Mutex<Recent>,
    viewers: Mutex<HashMap<Uuid, Arc<Viewer>>>,
}

/// A connection that looks at a channel, as the channel knows it.
struct Viewer {
    signal: Arc<Signal>,
    /// Whether something has come since it looked last.
    is_ready: AtomicBool,
}

impl Outputs {
    fn map(&self) -> MutexGuard<'_, HashMap<ProjectId, Arc<Channel>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A view of what the jobs of a project print from now on.
    pub(in crate::live) fn open(
        self: &Arc<Self>,
        project_id: ProjectId,
        connection_id: Uuid,
        signal: &Arc<Signal>,
    ) -> OutputView {
        let mut channels = self.map();
        let channel = channels.entry(project_id).or_insert_with(|| {
            Arc::new(Channel { recent: Mutex::new(Recent::new(project_id)), viewers: Mutex::default() })
        });
        let viewer = Arc::new(Viewer { signal: Arc::clone(signal), is_ready: AtomicBool::new(false) });
        channel.viewers().insert(connection_id, Arc::clone(&viewer));
        let seen = channel.recent().version();
        let (outputs, channel) = (Arc::clone(self), Arc::clone(channel));
        OutputView { outputs, channel, viewer, project_id, connection_id, seen }
    }

    /// Whether nobody looks at anything.
    pub(super) fn are_deserted(&self) -> bool {
        self.map().is_empty()
    }

    /// The channel of a project, if somebody looks at it.
    pub(super) fn channel(&self, project_id: ProjectId) -> Option<Arc<Channel>> {
        self.map().get(&project_id).cloned()
    }

    /// Lets go of what is old.
    pub(super) fn expire(&self, now: Instant) {
        let channels: Vec<_> = self.map().values().cloned().collect();
        for channel in channels {
            channel.recent().expire(now);
        }
    }
}

impl Channel {
    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn viewers(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Viewer>>> {
        self.viewers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what a job has printed; [`Channel::wake`] tells of it.
    pub(super) fn push(&self, job_id: JobId, frame: Utf8Bytes, now: Instant) {
        self.recent().push(job_id, frame, now);
    }

    /// Wakes all who look at it.
    pub(super) fn wake(&self) {
        for viewer in self.viewers().values() {
            viewer.is_ready.store(true, Ordering::SeqCst);
            viewer.signal.raise(reason::ROOM);
        }
    }
}

/// What a connection has seen of what the jobs of a project print; it ends when it is dropped.
pub(in crate::live) struct OutputView {
    outputs: Arc<Outputs>,
    channel: Arc<Channel>,
    viewer: Arc<Viewer>,
    project_id: ProjectId,
    connection_id: Uuid,
    /// The version up to which it has seen what came.
    seen: u64,
}

impl OutputView {
    /// Puts out a portion of what was not seen yet; returns whether there is more.
    pub(in crate::live) fn pull(&mut self, put: impl FnMut(Utf8Bytes)) -> bool {
        if !self.viewer.is_ready.swap(false, Ordering::SeqCst) {
            return false;
        }
        let has_more = self.channel.recent().pull(&mut self.seen, PORTION, put);
        if has_more {
            self.viewer.is_ready.store(true, Ordering::SeqCst);
        }
        has_more
    }
}

impl Drop for OutputView {
    fn drop(&mut self) {
        let mut channels = self.outputs.map();
        let mut viewers = self.channel.viewers();
        // The connection may have a newer view of it.
        if viewers.get(&self.connection_id).is_some_and(|viewer| Arc::ptr_eq(viewer, &self.viewer)) {
            viewers.remove(&self.connection_id);
        }
        // Nor may it be another channel by now: this one may have ended with that view.
        let is_current = channels.get(&self.project_id).is_some_and(|channel| Arc::ptr_eq(channel, &self.channel));
        if viewers.is_empty() && is_current {
            channels.remove(&self.project_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pull(view: &mut OutputView) -> Vec<String> {
        let mut put = Vec::new();
        while view.pull(|frame| put.push(frame.as_str().to_owned())) {}
        put
    }

    #[test]
    fn a_channel_is_there_as_long_as_somebody_looks_at_it() {
        let outputs = Arc::<Outputs>::default();
        let (project_id, job_id) = (ProjectId(Uuid::from_u128(1)), JobId(Uuid::from_u128(2)));
        assert!(outputs.are_deserted() && outputs.channel(project_id).is_none());
        let signal = Arc::<Signal>::default();
        let mut first = outputs.open(project_id, Uuid::from_u128(3), &signal);
        let channel = outputs.channel(project_id).expect("a channel");
        channel.push(job_id, "one".into(), Instant::now());
        channel.wake();
        let mut second = outputs.open(project_id, Uuid::from_u128(4), &signal);
        channel.push(job_id, "two".into(), Instant::now());
        assert_eq!(pull(&mut first), ["one", "two"]);
        assert!(pull(&mut second).is_empty(), "it was not woken yet");
        channel.wake();
        assert_eq!(pull(&mut second), ["two"]);
        drop(first);
        assert!(outputs.channel(project_id).is_some());
        drop(second);
        assert!(outputs.are_deserted());
    }

    #[test]
    fn the_end_of_an_old_view_leaves_the_new_one_of_the_same_connection() {
        let outputs = Arc::<Outputs>::default();
        let (project_id, connection_id) = (ProjectId(Uuid::from_u128(1)), Uuid::from_u128(3));
        let signal = Arc::<Signal>::default();
        let old = outputs.open(project_id, connection_id, &signal);
        let mut new = outputs.open(project_id, connection_id, &signal);
        drop(old);
        let channel = outputs.channel(project_id).expect("a channel");
        channel.push(JobId(Uuid::from_u128(2)), "one".into(), Instant::now());
        channel.wake();
        assert_eq!(pull(&mut new), ["one"]);
        drop(new);
        assert!(outputs.are_deserted());
        // The other way round: the old one is told nothing any more, and its end ends nothing twice.
        let old = outputs.open(project_id, connection_id, &signal);
        drop(outputs.open(project_id, connection_id, &signal));
        assert!(outputs.are_deserted());
        let newest = outputs.open(project_id, connection_id, &signal);
        drop(old);
        assert!(outputs.channel(project_id).is_some(), "it is another channel by then");
        drop(newest);
        assert!(outputs.are_deserted());
    }
}
