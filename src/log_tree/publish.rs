//! Copies each new checkpoint to a folder outside the database, so that whoever changes the database does not change what was
//! signed: `checkpoint` is the latest, and one a minute, at most, is kept as `checkpoints/<size / 1,000,000>/<size>`.
//!
//! Nothing waits for it. A folder that cannot be written is told, and tried again with the next checkpoint or after a while. A
//! folder that does not answer, as a share whose server is away, has one thread waiting for it, and no more. A folder that holds
//! checkpoints of another history is left as it is: they are the evidence.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    sync::{oneshot, watch},
    time::{Instant, timeout},
};
use uuid::Uuid;
use workroom_projections::describe::describe;
use workroom_proofs::checkpoint::Checkpoint;

use super::{SignedCheckpoint, Tree, TreeStatus, Trees};

/// How long after a failure it is tried again, if there is no newer checkpoint.
const RETRY: Duration = Duration::from_secs(5);

/// How long the folder may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often one is kept beside the latest.
const KEEPING: Duration = Duration::from_mins(1);

/// The file with the latest checkpoint.
const LATEST: &str = "checkpoint";
/// The folder with those that are kept, and how many sizes share a folder in it.
const KEPT: &str = "checkpoints";
const SIZES: u64 = 1_000_000;
/// Whoever has locked it writes.
const LOCK: &str = ".lock";

/// Why a checkpoint is not in the folder.
#[derive(Debug, thiserror::Error)]
pub(super) enum PublishError {
    #[error("the folder cannot be written")]
    Folder(#[from] io::Error),
    #[error("the folder does not answer: nothing more is tried before what was begun there is finished")]
    Hangs,
    #[error("the folder holds a checkpoint of size {size} that is none of this log's history: it is left as it is")]
    OtherHistory { size: u64 },
    #[error("the folder holds a checkpoint that does not read: it is left as it is")]
    Unreadable,
    #[error("what the folder holds cannot be compared with the log")]
    Tree(#[from] super::TreeError),
}

/// Writes what the leader of this process signs.
#[derive(Clone)]
pub(crate) struct Publisher {
    folder: PathBuf,
    trees: Trees,
    signed: watch::Receiver<Option<SignedCheckpoint>>,
    status: watch::Sender<TreeStatus>,
}

impl Publisher {
    /// Into a folder, which need not be there yet.
    pub(crate) fn new(
        folder: PathBuf,
        trees: Trees,
        signed: watch::Receiver<Option<SignedCheckpoint>>,
        status: watch::Sender<TreeStatus>,
    ) -> Self {
        Self { folder, trees, signed, status }
    }

    /// Runs until the task is aborted.
    pub(crate) async fn run(mut self) {
        let mut hand = Hand::default();
        let mut kept: Option<Instant> = None;
        loop {
            let signed = self.signed.borrow_and_update().clone();
            let failure = match signed {
                Some(signed) => self.publish(signed, &mut hand, &mut kept).await.err(),
                None => None,
            };
            let reason = failure.as_ref().map(|error| describe(error));
            self.note(reason);
            let changed = self.signed.changed();
            let changed =
                if failure.is_some() { timeout(RETRY, changed).await.unwrap_or(Ok(())) } else { changed.await };
            if changed.is_err() {
                return;
            }
        }
    }

    fn note(&self, reason: Option<String>) {
        let folder = self.folder.display();
        self.status.send_if_modified(|status| {
            let is_news = status.folder_error != reason;
            if is_news {
                if let Some(reason) = &reason {
                    tracing::warn!(%folder, reason, "checkpoints are not written to their folder");
                } else {
                    tracing::info!(%folder, "checkpoints are written to their folder again");
                }
                status.folder_error = reason;
            }
            is_news
        });
    }

    async fn publish(
        &self,
        signed: SignedCheckpoint,
        hand: &mut Hand,
        kept: &mut Option<Instant>,
    ) -> Result<(), PublishError> {
        let folder = self.folder.clone();
        let held = hand.work(move || held(&folder), PATIENCE).await??;
        if let Some(held) = held {
            let Ok(checkpoint) = body(&held).parse::<Checkpoint>() else { return Err(PublishError::Unreadable) };
            // A newer one of a later leader's is not of another history; what this database does not hold is.
            let size = checkpoint.size;
            let is_ours = match self.trees.size().await? {
                grown if grown < size => false,
                _ => self.trees.root(Tree::Log, size).await? == checkpoint.root,
            };
            if !is_ours {
                return Err(PublishError::OtherHistory { size });
            }
            if size > signed.size {
                return Ok(());
            }
        }
        let folder = self.folder.clone();
        let keeps = kept.is_none_or(|at| at.elapsed() >= KEEPING);
        hand.work(move || write(&folder, &signed, keeps), PATIENCE).await??;
        if keeps {
            *kept = Some(Instant::now());
        }
        Ok(())
    }
}

/// Works in the folder, one thing at a time.
#[derive(Default)]
struct Hand {
    /// What took too long.
    stuck: Option<JoinHandle<()>>,
}

impl Hand {
    /// On a thread of its own: the end of the process does not wait for it.
    async fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
        patience: Duration,
    ) -> Result<T, PublishError> {
        if self.stuck.as_ref().is_some_and(|stuck| !stuck.is_finished()) {
            return Err(PublishError::Hangs);
        }
        let (done, result) = oneshot::channel();
        // Nobody may be waiting for it any more.
        let work = move || drop(done.send(work()));
        let thread = thread::Builder::new().name("checkpoints".to_owned()).spawn(work)?;
        if let Ok(result) = timeout(patience, result).await {
            result.map_err(|aborted| io::Error::other(aborted).into())
        } else {
            self.stuck = Some(thread);
            Err(PublishError::Hangs)
        }
    }
}

/// The text of a note, without its signatures.
fn body(note: &str) -> &str {
    note.find("\n\n").map_or(note, |end| &note[..=end])
}

fn held(folder: &Path) -> Result<Option<String>, PublishError> {
    read(&folder.join(LATEST))
}

fn read(file: &Path) -> Result<Option<String>, PublishError> {
    match fs::read_to_string(file) {
        Ok(note) => Ok(Some(note)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes the checkpoint among those that are kept, if it is to be kept, then as the latest; each is there whole or not at all,
/// whenever the machine dies. Another process may write at the same time: one waits for the other, and the larger size stays.
fn write(folder: &Path, signed: &SignedCheckpoint, keeps: bool) -> Result<(), PublishError> {
    fs::create_dir_all(folder)?;
    // It is held until the file is closed.
    let lock = File::create(folder.join(LOCK))?;
    match lock.lock() {
        // Not every share has locks.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
        locked => locked?,
    }
    if let Some(held) = held(folder)? {
        let Checkpoint { origin, size, .. } =
            body(&held).parse::<Checkpoint>().map_err(|_| PublishError::Unreadable)?;
        let differs = size == signed.size && body(&held) != body(&signed.note);
        if differs || signed.note.lines().next() != Some(origin.as_str()) {
            return Err(PublishError::OtherHistory { size });
        }
        if size > signed.size {
            return Ok(());
        }
    }
    let group = folder.join(KEPT).join((signed.size / SIZES).to_string());
    let file = group.join(signed.size.to_string());
    match read(&file)? {
        Some(other) if body(&other) != body(&signed.note) => {
            return Err(PublishError::OtherHistory { size: signed.size });
        }
        None if keeps => {
            fs::create_dir_all(&group)?;
            replace(&group, &file, &signed.note)?;
        }
        _ => {}
    }
    replace(folder, &folder.join(LATEST), &signed.note)?;
    Ok(())
}

fn replace(folder: &Path, file: &Path, note: &str) -> io::Result<()> {
    // Two leaders may write at once.
    let fresh = folder.join(format!(".{}", Uuid::now_v7()));
    let written = (|| {
        let mut handle = File::create_new(&fresh)?;
        handle.write_all(note.as_bytes())?;
        handle.sync_all()?;
        fs::rename(&fresh, file)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // It may not be there.
        let _ = fs::remove_file(&fresh);
    }
    written
}

#[cfg(test)]
mod tests {
    use workroom_proofs::hash::Hash;

    use super::*;

    fn of(origin: &str, size: u64, root: &str) -> SignedCheckpoint {
        let root = Hash::leaf(root.as_bytes());
        let text = Checkpoint { origin: origin.to_owned(), size, root, extensions: Vec::new() };
        SignedCheckpoint { size, root, note: format!("{text}\n\u{2014} a signature\n") }
    }

    fn signed(size: u64, root: &str) -> SignedCheckpoint {
        of("workroom/x", size, root)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_latest_is_replaced_and_some_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("not there yet");
        for (size, keeps) in [(3, true), (7, true), (8, false), (2_000_000, true)] {
            write(&at, &signed(size, "root"), keeps).unwrap();
            assert_eq!(held(&at).unwrap().unwrap(), signed(size, "root").note);
        }
        write(&at, &signed(2_000_000, "root"), true).unwrap();
        assert_eq!(names(&at.join(KEPT)), ["0", "2"]);
        assert_eq!(names(&at.join(KEPT).join("0")), ["3", "7"]);
        assert_eq!(names(&at.join(KEPT).join("2")), ["2000000"]);
        assert_eq!(names(&at), [LOCK, LATEST, KEPT], "nothing else is left behind");
    }

    #[test]
    fn of_two_that_write_the_larger_size_stays() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &signed(7, "root"), true).unwrap();
        write(folder.path(), &signed(3, "before"), true).unwrap();
        assert_eq!(held(folder.path()).unwrap().unwrap(), signed(7, "root").note);
        assert_eq!(names(&folder.path().join(KEPT).join("0")), ["7"]);
    }

    #[test]
    fn another_history_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &signed(3, "root"), true).unwrap();
        for other in [signed(3, "another"), of("workroom/y", 4, "root"), of("workroom/y", 2, "root")] {
            let refused = write(folder.path(), &other, false);
            assert!(matches!(refused, Err(PublishError::OtherHistory { size: 3 })), "{refused:?}");
        }
        assert_eq!(held(folder.path()).unwrap().unwrap(), signed(3, "root").note);
        // It was kept before the latest was lost.
        fs::remove_file(folder.path().join(LATEST)).unwrap();
        let refused = write(folder.path(), &signed(3, "another"), false);
        assert!(matches!(refused, Err(PublishError::OtherHistory { size: 3 })), "{refused:?}");
        fs::write(folder.path().join(LATEST), "no checkpoint").unwrap();
        assert!(matches!(write(folder.path(), &signed(4, "root"), false), Err(PublishError::Unreadable)));
    }

    #[tokio::test]
    async fn a_folder_that_hangs_has_one_thread_waiting() {
        let mut hand = Hand::default();
        let (answer, answered) = std::sync::mpsc::channel::<()>();
        let hangs = hand.work(move || answered.recv().is_err(), Duration::ZERO).await;
        assert!(matches!(hangs, Err(PublishError::Hangs)), "{hangs:?}");
        let again = hand.work(|| (), PATIENCE).await;
        assert!(matches!(again, Err(PublishError::Hangs)), "{again:?}");
        drop(answer);
        hand.stuck.take().unwrap().join().unwrap();
        assert_eq!(hand.work(|| 7, PATIENCE).await.unwrap(), 7);
    }
}
