//! Writing starts and ends of attempts to the log: what comes while an append is under way goes with the next.

use std::{panic::resume_unwind, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinError, JoinHandle, JoinSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use workroom_domain::{job::JobState, refusal::Kind};

use super::{context, reason::LastReason};
use crate::{
    application::{App, Error, jobs::Report},
    backoff::Backoff,
};

/// Reports that wait; more make their attempts wait.
const QUEUE: usize = 1024;
/// Reports that go together.
const BATCH: usize = 256;
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause before what failed together is recorded again.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The same for a report that fails by itself.
const LONGEST_PAUSE_APART: Duration = Duration::from_secs(10);

/// What the log says to a report.
type Answer = Result<JobState, Error>;

/// Records reports together: nothing of it, or all.
type Log = Arc<dyn Fn(Vec<Report>) -> BoxFuture<'static, Result<Vec<Answer>, Error>> + Send + Sync>;

struct Waiting {
    report: Report,
    answer: oneshot::Sender<Answer>,
}

/// Records what becomes of attempts. Cheap to clone.
#[derive(Clone)]
pub(super) struct Recorder(mpsc::Sender<Waiting>);

impl Recorder {
    /// Records, and returns what the log says. None when the worker was given up before the log had answered.
    pub(super) async fn record(&self, report: Report) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Waiting { report, answer }).await.ok()?;
        answered.await.ok()
    }
}

/// Starts recording; it ends with the last recorder, or when the worker is given up.
pub(super) fn start(app: App, given_up: CancellationToken) -> (Recorder, JoinHandle<()>) {
    let log: Log = Arc::new(move |reports: Vec<Report>| {
        let app = app.clone();
        async move { app.record_attempts(&context(), &reports).await }.boxed()
    });
    start_with(log, given_up)
}

fn start_with(log: Log, given_up: CancellationToken) -> (Recorder, JoinHandle<()>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let recording = async move {
        tokio::select! {
            () = record(log, receiver) => {}
            () = given_up.cancelled() => {}
        }
    };
    (Recorder(sender), tokio::spawn(recording))
}

async fn record(log: Log, mut receiver: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::with_capacity(BATCH);
    // At most one for each attempt: an attempt makes one report at a time. They end with this.
    let mut apart = JoinSet::new();
    loop {
        tokio::select! {
            count = receiver.recv_many(&mut waiting, BATCH) => {
                if count == 0 {
                    break;
                }
                for failing in settle(&log, std::mem::take(&mut waiting)).await {
                    apart.spawn(settle_apart(Arc::clone(&log), failing));
                }
            }
            Some(ended) = apart.join_next() => go_on(ended),
        }
    }
    while let Some(ended) = apart.join_next().await {
        go_on(ended);
    }
}

/// Panics as the task has: its report is lost, and the worker must not go on as if it were recorded.
fn go_on(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        resume_unwind(panic);
    }
}

/// Records until the log has answered each report; returns those that fail by themselves. No report is given up: a
/// start that may have been committed, and nobody knows of, would be an attempt that nobody runs.
async fn settle(log: &Log, waiting: Vec<Waiting>) -> Vec<Waiting> {
    let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE);
    let mut reason = LastReason::default();
    let (mut batches, mut failing) = (vec![waiting], Vec::new());
    while let Some(batch) = batches.pop() {
        let reports: Vec<Report> = batch.iter().map(|waiting| waiting.report).collect();
        match log(reports).await {
            Ok(answers) => {
                for (waiting, answer) in batch.into_iter().zip(answers) {
                    // Whoever asked may have gone.
                    let _ = waiting.answer.send(answer);
                }
                backoff.reset();
            }
            Err(error) if error.kind() == Kind::Unavailable => {
                reason.warn(&error, "what became of attempts is not recorded yet");
                batches.insert(0, batch);
                sleep(backoff.pause()).await;
            }
            // One that cannot be recorded must not keep the others from it.
            Err(error) if batch.len() > 1 => {
                reason.warn(&error, "reports are recorded one by one");
                batches.extend(batch.into_iter().map(|waiting| vec![waiting]));
            }
            Err(_) => failing.extend(batch),
        }
    }
    failing
}

/// Records a report that has failed by itself, until the log has answered. The reason may go away: somebody may mend
/// the database.
async fn settle_apart(log: Log, failing: Waiting) {
    let Waiting { report, answer } = failing;
    let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE_APART);
    let mut reason = LastReason::default();
    loop {
        match log(vec![report]).await {
            Ok(answers) => {
                if let Some(answered) = answers.into_iter().next() {
                    let _ = answer.send(answered);
                }
                return;
            }
            Err(error) => {
                let span = tracing::info_span!("report", job_id = %report.job_id, attempt = report.attempt);
                span.in_scope(|| reason.warn(&error, "what became of an attempt is not recorded: it is tried again"));
                sleep(backoff.pause()).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    };

    use futures::{future::join_all, poll};
    use tokio::{sync::Semaphore, task::yield_now, time::timeout};
    use uuid::Uuid;
    use workroom_domain::ids::JobId;

    use super::*;
    use crate::application::jobs::Progress;

    const SOON: Duration = Duration::from_secs(30);

    fn report(job: u128) -> Report {
        let progress = Progress::Started { worker_id: Uuid::nil() };
        Report { job_id: JobId(Uuid::from_u128(job)), attempt: 1, progress }
    }

    /// A log that answers each report, but nothing together with the job 0 until that is mended.
    fn log(is_mended: Arc<AtomicBool>) -> Log {
        Arc::new(move |reports: Vec<Report>| {
            let fails = reports.contains(&report(0)) && !is_mended.load(Ordering::SeqCst);
            async move {
                if fails {
                    return Err(Error::failure("unreadable"));
                }
                let answers: Vec<Answer> = reports.iter().map(|_| Err(Error::not_found("job"))).collect();
                Ok(answers)
            }
            .boxed()
        })
    }

    async fn is_answered(recorder: &Recorder, job: u128) -> bool {
        let answer = timeout(SOON, recorder.record(report(job))).await.expect("an answer in time");
        answer.is_some_and(|answer| answer.is_err_and(|error| error.kind() == Kind::NotFound))
    }

    #[tokio::test(start_paused = true)]
    async fn a_report_that_fails_by_itself_keeps_no_other_from_the_log() {
        let is_mended = Arc::new(AtomicBool::new(false));
        let (recorder, recording) = start_with(log(Arc::clone(&is_mended)), CancellationToken::new());
        let failing = tokio::spawn({
            let recorder = recorder.clone();
            async move { is_answered(&recorder, 0).await }
        });
        for job in 1..=10 {
            let (one, other) = tokio::join!(is_answered(&recorder, 2 * job), is_answered(&recorder, 2 * job + 1));
            assert!(one && other);
        }
        assert!(!failing.is_finished());
        is_mended.store(true, Ordering::SeqCst);
        assert!(failing.await.expect("an answer"), "it is recorded after all");
        drop(recorder);
        recording.await.expect("its end");
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_while_an_append_is_under_way_goes_with_the_next() {
        let (sizes, open) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Semaphore::new(0)));
        let log: Log = Arc::new({
            let (sizes, open) = (Arc::clone(&sizes), Arc::clone(&open));
            move |reports: Vec<Report>| {
                sizes.lock().unwrap().push(reports.len());
                let open = Arc::clone(&open);
                async move {
                    let _open = open.acquire().await.expect("a permit");
                    let answers: Vec<Answer> = reports.iter().map(|_| Err(Error::not_found("job"))).collect();
                    Ok::<_, Error>(answers)
                }
                .boxed()
            }
        });
        let (recorder, _recording) = start_with(log, CancellationToken::new());
        let first = tokio::spawn({
            let recorder = recorder.clone();
            async move { is_answered(&recorder, 0).await }
        });
        while sizes.lock().unwrap().is_empty() {
            yield_now().await;
        }
        let mut more = join_all((1..=10).map(|job| is_answered(&recorder, job)));
        assert!(poll!(&mut more).is_pending(), "the first append goes on");
        open.add_permits(1);
        assert!(first.await.expect("an answer"));
        assert!(more.await.into_iter().all(|is_answered| is_answered));
        assert_eq!(*sizes.lock().unwrap(), [1, 10]);
    }

    /// A log that panics, at once or once it has failed.
    fn panicking_log(fails_first: bool) -> Log {
        let has_failed = AtomicBool::new(!fails_first);
        Arc::new(move |_: Vec<Report>| {
            let panics = has_failed.swap(true, Ordering::SeqCst);
            async move {
                assert!(!panics, "a panic");
                Err::<Vec<Answer>, _>(Error::failure("unreadable"))
            }
            .boxed()
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_ends_the_recording_and_whoever_waits_goes() {
        for fails_first in [false, true] {
            let (recorder, recording) = start_with(panicking_log(fails_first), CancellationToken::new());
            assert!(recorder.record(report(0)).await.is_none());
            let ended = timeout(SOON, recording).await.expect("an end in time");
            assert!(ended.is_err_and(|error| error.is_panic()));
            assert!(recorder.record(report(1)).await.is_none(), "nobody waits for ever");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_the_log_goes_when_the_worker_is_given_up() {
        let given_up = CancellationToken::new();
        let (recorder, recording) = start_with(log(Arc::default()), given_up.clone());
        let failing = recorder.record(report(0));
        tokio::pin!(failing);
        assert!(timeout(SOON, &mut failing).await.is_err(), "it is tried for ever");
        given_up.cancel();
        assert!(failing.await.is_none());
        recording.await.expect("its end");
    }
}
