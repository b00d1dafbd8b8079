//! The driver under a clock that goes on only when everybody waits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::*;

const HOUR: Duration = Duration::from_hours(1);
const SECOND: Duration = Duration::from_secs(1);

type Work = Box<dyn FnMut(u64, Context) -> BoxFuture<'static, anyhow::Result<Activation>> + Send>;

/// A task that does what a test says: at which activation, counted from 0.
struct Scripted {
    work: Work,
    times: u64,
    bell: Arc<Notify>,
    wound_down: Arc<AtomicU64>,
}

impl Scripted {
    fn new<F>(mut work: impl FnMut(u64, Context) -> F + Send + 'static) -> Self
    where
        F: Future<Output = anyhow::Result<Activation>> + Send + 'static,
    {
        let work: Work = Box::new(move |times, context| work(times, context).boxed());
        Self { work, times: 0, bell: Arc::default(), wound_down: Arc::default() }
    }

    fn always(outcome: impl Fn() -> anyhow::Result<Activation> + Send + 'static) -> Self {
        Self::new(move |_, _| std::future::ready(outcome()))
    }
}

impl Task for Scripted {
    fn activate(&mut self, context: &Context) -> impl Future<Output = anyhow::Result<Activation>> + Send {
        self.times += 1;
        (self.work)(self.times - 1, context.clone())
    }

    async fn woken(&mut self) {
        self.bell.notified().await;
    }

    async fn wind_down(&mut self) {
        self.wound_down.fetch_add(1, Ordering::Relaxed);
    }
}

fn driver() -> (Driver, CancellationToken) {
    let shutdown = CancellationToken::new();
    (Driver::new(shutdown.clone()), shutdown)
}

fn about(period: Duration) -> About {
    About::every(period, "it", AtStop::Waited)
}

/// Waits until the status of a task is so.
async fn becomes(driver: &Driver, is_so: impl FnMut(&Status) -> bool) -> Status {
    let mut status = driver.statuses().of("it").unwrap();
    status.wait_for(is_so).await.unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_task_is_activated_at_the_start_and_after_each_period() {
    let (driver, _) = driver();
    let began = Instant::now();
    driver.task(about(HOUR), Scripted::always(|| Ok(Activation::did("much"))));
    let status = becomes(&driver, |status| status.last_success.is_some()).await;
    assert_eq!((status.state, began.elapsed()), (State::Waiting, Duration::ZERO));
    assert_eq!(status.last_success.unwrap().detail, "much");
    becomes(&driver, |status| status.activations == 3).await;
    assert_eq!(began.elapsed().as_secs(), 2 * HOUR.as_secs());
}

#[tokio::test(start_paused = true)]
async fn an_activation_says_when_it_wants_to_come_again_and_the_period_is_the_most() {
    let (driver, _) = driver();
    let began = Instant::now();
    let script = [Next::AtOnce, Next::In(SECOND), Next::In(2 * HOUR), Next::AfterPeriod];
    let task = Scripted::new(move |times, _| {
        let next = script.get(usize::try_from(times).unwrap()).copied().unwrap_or(Next::AfterPeriod);
        async move { Ok(Activation::idle().then(next)) }
    });
    driver.task(about(HOUR), task);
    for (activations, seconds) in [(2, 0), (3, 1), (4, 3601), (5, 7201)] {
        becomes(&driver, |status| status.activations == activations).await;
        assert_eq!(began.elapsed().as_secs(), seconds, "activation {activations}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_woken_task_runs_at_once() {
    let (driver, _) = driver();
    let task = Scripted::always(|| Ok(Activation::idle()));
    let bell = Arc::clone(&task.bell);
    driver.task(about(HOUR), task);
    becomes(&driver, |status| status.last_success.is_some()).await;
    let rung = Instant::now();
    bell.notify_one();
    becomes(&driver, |status| status.activations == 2).await;
    assert_eq!(rung.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_wake_during_an_activation_leads_to_another_one() {
    let (driver, _) = driver();
    let (go_on, going_on) = watch::channel(false);
    let task = Scripted::new(move |_, _| {
        let mut going_on = going_on.clone();
        async move {
            going_on.wait_for(|on| *on).await?;
            Ok(Activation::idle())
        }
    });
    let bell = Arc::clone(&task.bell);
    driver.task(about(HOUR), task);
    becomes(&driver, |status| status.state == State::Running).await;
    let rung = Instant::now();
    bell.notify_one();
    go_on.send_replace(true);
    let status = becomes(&driver, |status| status.activations == 2 && status.state == State::Waiting).await;
    assert_eq!((status.failures, rung.elapsed()), (0, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn what_rings_while_a_task_gathers_is_seen_together() {
    let (driver, _) = driver();
    let task = Scripted::always(|| Ok(Activation::idle()));
    let bell = Arc::clone(&task.bell);
    driver.task(about(HOUR).gathering(SECOND), task);
    becomes(&driver, |status| status.last_success.is_some()).await;
    let rung = Instant::now();
    for _ in 0..3 {
        bell.notify_one();
        sleep(SECOND / 10).await;
    }
    becomes(&driver, |status| status.activations == 2).await;
    assert_eq!(rung.elapsed().as_millis().div_ceil(10), 100);
    becomes(&driver, |status| status.activations == 3).await;
    assert!(rung.elapsed() >= HOUR, "{:?}", rung.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_failing_task_delays_no_other() {
    let (driver, _) = driver();
    let failing = About { name: "failing", ..about(SECOND) };
    driver.task(failing, Scripted::always(|| anyhow::bail!("no")));
    let hanging = About { name: "hanging", ..about(SECOND) };
    driver.task(hanging, Scripted::new(|_, _| std::future::pending()));
    let panicking = About { name: "panicking", ..about(SECOND) };
    driver.task(panicking, Scripted::always(|| panic!("at work")));
    let began = Instant::now();
    driver.task(about(SECOND), Scripted::always(|| Ok(Activation::idle())));
    becomes(&driver, |status| status.activations == 101).await;
    assert_eq!(began.elapsed().as_secs(), 100);
    let failing = driver.statuses().of("failing").unwrap().borrow().clone();
    assert_eq!((failing.activations, failing.last_error.unwrap().reason.as_str()), (failing.failures, "no"));
}

#[tokio::test(start_paused = true)]
async fn after_an_error_it_is_tried_again_ever_later_but_not_later_than_after_a_period() {
    let (driver, _) = driver();
    let (said, mut tried) = mpsc::unbounded_channel();
    let task = Scripted::new(move |_, _| {
        said.send(Instant::now()).unwrap();
        async { anyhow::bail!("no") }
    });
    let bell = Arc::clone(&task.bell);
    let period = 60 * SECOND;
    driver.task(about(period), task);
    let mut before = tried.recv().await.unwrap();
    let mut longest = Duration::ZERO;
    for attempt in 0..60 {
        // Who rings does not get past the pause.
        bell.notify_one();
        let now = tried.recv().await.unwrap();
        let ceiling = (SECOND * (1 << attempt.min(6))).min(period);
        assert!(now - before <= ceiling + SECOND / 100, "{attempt}: {:?}", now - before);
        longest = longest.max(now - before);
        before = now;
    }
    assert!(longest > period / 2, "{longest:?}");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_for_several_periods_does_not_work_until_it_succeeds() {
    let (driver, _) = driver();
    let (mend, mended) = watch::channel(false);
    let task = Scripted::always(move || {
        anyhow::ensure!(*mended.borrow(), "no");
        Ok(Activation::idle())
    });
    driver.task(about(10 * SECOND), task);
    let began = Instant::now();
    let status = becomes(&driver, |status| status.failures == 1).await;
    assert!(status.is_ok(), "one failure is none yet");
    let status = becomes(&driver, |status| status.failures > 1 && began.elapsed() > 31 * SECOND).await;
    assert!(!status.is_ok());
    mend.send_replace(true);
    let status = becomes(&driver, |status| status.last_success.is_some()).await;
    assert!(status.is_ok() && status.last_error.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_error_of_its_activation() {
    let (driver, _) = driver();
    let task = Scripted::new(|times, _| async move {
        assert!(times != 1, "the second");
        Ok(Activation::idle())
    });
    driver.task(about(SECOND), task);
    let status = becomes(&driver, |status| status.activations == 4 && status.state == State::Waiting).await;
    assert_eq!((status.failures, status.last_error.unwrap().reason.as_str()), (1, "it panicked: the second"));
    assert!(status.failing_since.is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_waited_for_comes_to_its_end_and_winds_down() {
    let (driver, shutdown) = driver();
    let task = Scripted::new(|_, context| async move {
        context.shutdown.cancelled().await;
        assert!(!context.may_go_on());
        sleep(3 * SECOND).await;
        Ok(Activation::did("the rest").then(Next::AtOnce))
    });
    let wound_down = Arc::clone(&task.wound_down);
    driver.task(about(SECOND), task);
    becomes(&driver, |status| status.state == State::Running).await;
    let began = Instant::now();
    shutdown.cancel();
    driver.ended().await;
    assert_eq!(began.elapsed().as_secs(), 3);
    let status = becomes(&driver, |status| status.state == State::Stopped).await;
    assert_eq!((status.activations, status.last_success.unwrap().detail), (1, "the rest".into()));
    assert_eq!(wound_down.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_task_at_rest_ends_at_once() {
    let (driver, shutdown) = driver();
    driver.task(about(HOUR), Scripted::always(|| Ok(Activation::idle())));
    driver.task(About { name: "failing", ..about(HOUR) }, Scripted::always(|| anyhow::bail!("no")));
    becomes(&driver, |status| status.last_success.is_some()).await;
    let began = Instant::now();
    shutdown.cancel();
    driver.ended().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn what_may_be_aborted_goes_on_until_then() {
    let (driver, shutdown) = driver();
    let beats = Arc::<AtomicU64>::default();
    let beat = Arc::clone(&beats);
    let task = Scripted::new(move |_, context| {
        let beat = Arc::clone(&beat);
        async move {
            assert!(context.may_go_on());
            beat.fetch_add(1, Ordering::Relaxed);
            Ok(Activation::idle())
        }
    });
    driver.task(About::every(SECOND, "it", AtStop::Aborted), task);
    shutdown.cancel();
    driver.ended().await;
    becomes(&driver, |status| status.activations == 5).await;
    driver.abort();
    sleep(HOUR).await;
    assert_eq!(beats.load(Ordering::Relaxed), 5);
}

#[tokio::test(start_paused = true)]
async fn a_service_loop_that_ends_or_panics_is_begun_again() {
    let (driver, shutdown) = driver();
    let starts = Arc::<AtomicU64>::default();
    let counted = Arc::clone(&starts);
    driver.service("it", AtStop::Waited, move |context| {
        let start = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            match start {
                0 => {}
                1 => panic!("in the loop"),
                _ => context.shutdown.cancelled().await,
            }
        }
    });
    let status = becomes(&driver, |status| status.failures == 1).await;
    assert_eq!(status.last_error.unwrap().reason, "it ended, and must not");
    let status = becomes(&driver, |status| status.failures == 2).await;
    assert_eq!(status.last_error.unwrap().reason, "it panicked: in the loop");
    let status = becomes(&driver, |status| status.activations == 3 && status.failing_since.is_none()).await;
    assert_eq!((status.state, status.is_ok()), (State::Running, true));
    shutdown.cancel();
    driver.ended().await;
    assert_eq!(starts.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_service_loop_that_never_works_is_told() {
    let (driver, _) = driver();
    driver.service("it", AtStop::Aborted, |_| async { panic!("always") });
    let began = Instant::now();
    let status = becomes(&driver, |_| began.elapsed() > 60 * SECOND).await;
    assert!(!status.is_ok() && status.failures > 5, "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn work_ends_where_its_lease_is_lost_and_not_where_it_cannot_be_renewed() {
    let renewals = AtomicU64::new(0);
    let renew = || async {
        match renewals.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(true),
            1 => Err(std::io::Error::other("away")),
            _ => Ok(false),
        }
    };
    let began = Instant::now();
    assert_eq!(while_renewed(SECOND, renew, std::future::pending::<()>()).await, None);
    assert_eq!(began.elapsed().as_secs(), 3);
    let keep = || async { Ok::<_, std::io::Error>(true) };
    assert_eq!(while_renewed(SECOND, keep, async { sleep(HOUR).await }).await, Some(()));
}

/// Follows a log of numbers: positions 1 to 10, of which those that divide by three are acted on.
struct Threes {
    checkpoint: i64,
    acted: mpsc::UnboundedSender<i64>,
    /// Where it fails, once.
    stumbles: Option<i64>,
}

impl Follower for Threes {
    type Claim = ();
    type Item = i64;

    async fn claim(&mut self) -> anyhow::Result<Option<((), Stretch)>> {
        Ok((self.checkpoint < 10).then_some(((), Stretch { after: self.checkpoint, until: 10 })))
    }

    async fn read(&mut self, (): &mut (), Stretch { after, until }: Stretch) -> anyhow::Result<Batch<i64>> {
        let to = until.min(after + 7);
        let items = (after + 1..=to).filter(|position| position % 3 == 0).collect();
        Ok(Batch { items, to, is_more: to < until })
    }

    async fn act(&mut self, (): &mut (), batch: &Batch<i64>) -> anyhow::Result<Acted> {
        let mut done = None;
        for position in &batch.items {
            if self.stumbles.take_if(|stumbles| stumbles == position).is_some() {
                return Ok(Acted { to: done, failure: Some(anyhow::anyhow!("stumbled")) });
            }
            self.acted.send(*position)?;
            done = Some(*position);
        }
        Ok(Acted { to: Some(batch.to), failure: None })
    }

    async fn advance(&mut self, (): (), from: i64, to: i64) -> anyhow::Result<()> {
        assert_eq!(self.checkpoint, from);
        self.checkpoint = to;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_follower_acts_on_each_event_once_and_goes_on_behind_what_is_done() {
    let (driver, _) = driver();
    let (acted, mut events) = mpsc::unbounded_channel();
    driver.task(about(HOUR), Following(Threes { checkpoint: 0, acted, stumbles: Some(6) }));
    let status = becomes(&driver, |status| status.failures == 1).await;
    assert_eq!(status.last_error.unwrap().reason, "stumbled");
    let is_through = |status: &Status| status.last_success.as_ref().is_some_and(|last| last.detail["position"] == 10);
    let status = becomes(&driver, is_through).await;
    assert_eq!((status.failures, status.activations), (1, 2));
    let all: Vec<i64> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    assert_eq!(all, [3, 6, 9]);
}
