//! What the jobs of a project have printed lately, as frames. It keeps no clock.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use workroom_domain::ids::{JobId, ProjectId};

use crate::live::feed::frames::Frame;

/// Frames that are kept.
const KEPT: usize = 1024;
/// Bytes of frames that are kept, or one frame.
const KEPT_BYTES: usize = 256 * 1024;
/// How long a frame is kept.
const AGE: Duration = Duration::from_secs(10);
/// Jobs of which is known that something was let go of.
const SKIPPED: usize = 256;

struct Kept {
    at: Instant,
    job_id: JobId,
    frame: Utf8Bytes,
}

/// What was printed lately.
pub(super) struct Recent {
    project_id: ProjectId,
    frames: VecDeque<Kept>,
    bytes: usize,
    /// Counts frames; that of the last.
    version: u64,
    /// Of each job the version of the last frame that is gone, and the other way round.
    gone: HashMap<JobId, u64>,
    gone_by_version: BTreeMap<u64, JobId>,
    /// Up to this version is not known of which jobs frames are gone.
    forgotten: u64,
}

impl Recent {
    pub(super) fn new(project_id: ProjectId) -> Self {
        Self {
            project_id,
            frames: VecDeque::new(),
            bytes: 0,
            version: 0,
            gone: HashMap::new(),
            gone_by_version: BTreeMap::new(),
            forgotten: 0,
        }
    }

    /// The version of the last frame.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Keeps a frame, and lets go of those that are too many.
    pub(super) fn push(&mut self, job_id: JobId, frame: Utf8Bytes, now: Instant) {
        self.version += 1;
        self.bytes += frame.len();
        self.frames.push_back(Kept { at: now, job_id, frame });
        while self.frames.len() > KEPT || (self.bytes > KEPT_BYTES && self.frames.len() > 1) {
            self.drop_first();
        }
    }

    /// Lets go of what is old.
    pub(super) fn expire(&mut self, now: Instant) {
        while self.frames.front().is_some_and(|first| now.saturating_duration_since(first.at) >= AGE) {
            self.drop_first();
        }
        if self.frames.is_empty() {
            self.frames.shrink_to_fit();
        }
    }

    /// The version before the first frame that is kept.
    fn floor(&self) -> u64 {
        self.version - self.frames.len() as u64
    }

    fn drop_first(&mut self) {
        let Some(Kept { job_id, frame, .. }) = self.frames.pop_front() else { return };
        self.bytes -= frame.len();
        let version = self.floor();
        if let Some(before) = self.gone.insert(job_id, version) {
            self.gone_by_version.remove(&before);
        }
        self.gone_by_version.insert(version, job_id);
        if self.gone.len() > SKIPPED
            && let Some((version, job_id)) = self.gone_by_version.pop_first()
        {
            self.gone.remove(&job_id);
            self.forgotten = version;
        }
    }

    /// Puts out what lies behind `seen`, until that is `most` bytes, and moves `seen` on; returns whether there is more. Of
    /// what is gone the jobs are told, each once.
    pub(super) fn pull(&self, seen: &mut u64, most: usize, mut put: impl FnMut(Utf8Bytes)) -> bool {
        let floor = self.floor();
        if *seen < floor {
            let project_id = self.project_id;
            if *seen < self.forgotten {
                put(Frame::JobOutputSkipped { project_id, job_id: None }.text());
            }
            for job_id in self.gone_by_version.range(*seen + 1..).map(|(_, job_id)| Some(*job_id)) {
                put(Frame::JobOutputSkipped { project_id, job_id }.text());
            }
            *seen = floor;
        }
        let mut bytes = 0;
        let skip = usize::try_from(*seen - floor).unwrap_or(usize::MAX);
        for kept in self.frames.iter().skip(skip) {
            if bytes >= most {
                return true;
            }
            bytes += kept.frame.len();
            *seen += 1;
            put(kept.frame.clone());
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn job(number: u128) -> JobId {
        JobId(Uuid::from_u128(number))
    }

    fn pull(recent: &Recent, seen: &mut u64, most: usize) -> (Vec<String>, bool) {
        let mut put = Vec::new();
        let has_more = recent.pull(seen, most, |frame| put.push(frame.as_str().to_owned()));
        (put, has_more)
    }

    fn skipped(job_id: Option<JobId>) -> String {
        Frame::JobOutputSkipped { project_id: ProjectId(Uuid::nil()), job_id }.text().as_str().to_owned()
    }

    #[test]
    fn each_takes_what_it_has_not_seen_as_far_as_it_reads() {
        let mut recent = Recent::new(ProjectId(Uuid::nil()));
        let now = Instant::now();
        let mut seen = recent.version();
        for text in ["one", "two", "three"] {
            recent.push(job(1), text.into(), now);
        }
        assert_eq!(pull(&recent, &mut seen, 4), (vec!["one".to_owned(), "two".to_owned()], true));
        assert_eq!(pull(&recent, &mut seen, 4), (vec!["three".to_owned()], false));
        assert_eq!(pull(&recent, &mut seen, 4), (vec![], false));
        let mut late = recent.version();
        assert_eq!(pull(&recent, &mut late, 4), (vec![], false), "who comes later sees what comes later");
    }

    #[test]
    fn a_flood_takes_bounded_room_and_who_lags_is_told_of_which_jobs() {
        let mut recent = Recent::new(ProjectId(Uuid::nil()));
        let now = Instant::now();
        let (mut slow, mut slower) = (0, 0);
        recent.push(job(7), "x".into(), now);
        assert_eq!(pull(&recent, &mut slow, usize::MAX).0.len(), 1);
        let text = "x".repeat(1000);
        for number in 0..10_000 {
            recent.push(job(number % 2), text.as_str().into(), now);
        }
        assert!(recent.bytes <= KEPT_BYTES, "{}", recent.bytes);
        let (frames, has_more) = pull(&recent, &mut slow, usize::MAX);
        let mut told = frames[..2].to_vec();
        told.sort();
        assert_eq!(told, [skipped(Some(job(0))), skipped(Some(job(1)))]);
        assert!(!has_more && frames[2..].iter().all(|frame| *frame == text), "what is kept follows");
        assert_eq!(pull(&recent, &mut slow, usize::MAX), (vec![], false), "once");
        assert!(pull(&recent, &mut slower, 0).0.contains(&skipped(Some(job(7)))));
    }

    #[test]
    fn of_very_many_jobs_is_told_that_something_was_skipped() {
        let mut recent = Recent::new(ProjectId(Uuid::nil()));
        let now = Instant::now();
        for number in 0..2000 {
            recent.push(job(number), "x".into(), now);
        }
        recent.expire(now + AGE);
        assert_eq!((recent.frames.len(), recent.bytes), (0, 0));
        assert!(recent.gone.len() <= SKIPPED && recent.gone_by_version.len() == recent.gone.len());
        let (frames, has_more) = pull(&recent, &mut 0, usize::MAX);
        assert_eq!((frames.len(), has_more), (SKIPPED + 1, false));
        assert_eq!(frames[0], skipped(None));
        let (frames, _) = pull(&recent, &mut 1990, usize::MAX);
        assert_eq!(frames.len(), 10, "only those that it has not seen");
    }
}
