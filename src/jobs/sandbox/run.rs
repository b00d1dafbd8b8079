//! One execution, from the program to its outcome.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    pin::{Pin, pin},
    process::ExitStatus,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use nix::libc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::unix::pipe,
    process::ChildStdin,
    sync::{Notify, oneshot},
    time::{Sleep, sleep_until, timeout},
};
use workroom_launcher::message::{self, Ended, Message, Order, TERMINATE};

use super::{
    Inner, Sandbox, SandboxConfig, SandboxError,
    cgroup::{Group, LimitEvents},
    check,
    execution::{ARTIFACTS, Artifact, Execution, LimitHit, Outcome, Stream},
    host,
    output::{Capture, Listener, Printed},
    started::{KILLED, Started, receive},
};

/// Longest time in which artifacts are read.
const COLLECTED: Duration = Duration::from_secs(20);

/// Why waiting for a program ended.
enum End {
    /// The launcher says how it ended.
    Ended(Ended),
    /// The launcher ended without a word: it was killed, as all of its cgroup may be. Tells whether the program may have begun.
    Gone {
        started: bool,
    },
    Time,
    Flood,
    Stopped,
}

impl Sandbox {
    /// Runs a program until it ends or its time is over. When `stop` is ready, all its processes are sent SIGTERM, and after
    /// [`SandboxConfig::stop_grace`](super::SandboxConfig::stop_grace) killed. Dropping the future kills at once.
    ///
    /// `output` is called with each piece that the program prints, as it comes, also with what is not kept. It must be quick:
    /// the program waits for it.
    ///
    /// # Errors
    /// When the program was not run at all, or the host failed; never for what the program does.
    pub async fn run(
        &self,
        execution: Execution,
        stop: impl Future<Output = ()>,
        output: impl Fn(Stream, &[u8]) + Send + Sync + 'static,
    ) -> Result<Outcome, SandboxError> {
        // In a task of its own, which cleans up even when nobody waits for it any more.
        let (ask, asked) = oneshot::channel();
        let mut running = tokio::spawn(run(Arc::clone(&self.inner), execution, asked, Box::new(output)));
        let joined = tokio::select! {
            joined = &mut running => joined,
            () = stop => {
                // Else it has just ended.
                let _ = ask.send(());
                running.await
            }
        };
        joined.map_err(|error| host("running")(error.into()))?
    }
}

/// Runs a program. `asked` has a value when it is to be stopped, and is closed when nobody wants it any more.
async fn run(
    sandbox: Arc<Inner>,
    execution: Execution,
    mut asked: oneshot::Receiver<()>,
    listener: Listener,
) -> Result<Outcome, SandboxError> {
    let started = Instant::now();
    let missing = || SandboxError::LanguageMissing(execution.language.clone());
    let (language, view) = sandbox.languages.get(&execution.language).ok_or_else(missing)?;
    let order = execution.order(&sandbox.config, language, view)?;
    let mut over = pin!(sleep_until((started + execution.timeout.min(sandbox.config.longest)).into()));

    let printed = Printed::new(sandbox.config.output_limit_bytes, listener);
    loop {
        let ready = tokio::select! {
            biased;
            _ = &mut asked => None,
            () = &mut over => None,
            ready = sandbox.ready(&execution.language, view) => Some(ready?),
        };
        let Some(ready) = ready else {
            // What was being started ends by itself.
            let cancelled = !over.is_elapsed();
            let limit_hit = (!cancelled).then_some(LimitHit::Time);
            return Ok(Outcome { execution_time: started.elapsed(), limit_hit, cancelled, ..Outcome::default() });
        };
        sandbox.replenish(&execution.language);
        let has_waited = ready.has_waited;
        let grace = sandbox.config.stop_grace;
        let bounds = Bounds { asked: &mut asked, over: over.as_mut(), started, printed: &printed, grace };
        match run_in(ready, &sandbox.config, &execution, &order, bounds).await? {
            Ran::Begun(outcome) => return Ok(outcome),
            // It has died while it waited.
            Ran::NotBegun(_) if has_waited => {}
            Ran::NotBegun(detail) => return Err(SandboxError::NotStarted { detail }),
        }
    }
}

/// What became of a program that was given to a sandbox.
enum Ran {
    Begun(Outcome),
    /// It certainly has not begun; with what is known of why.
    NotBegun(String),
}

/// Runs a program in a sandbox that is ready.
async fn run_in(
    ready: Started,
    config: &SandboxConfig,
    execution: &Execution,
    order: &Order,
    mut bounds: Bounds<'_>,
) -> Result<Ran, SandboxError> {
    let Started { mut child, stdin, stdout, stderr, mut control, mut report, group, .. } = ready;
    let printed = bounds.printed;
    let mut out = Capture::new(Stream::Stdout, config.output_bytes);
    let mut err = Capture::new(Stream::Stderr, config.output_bytes);
    let (end, execution_time, (artifacts, artifacts_dropped), status) = {
        let mut talk = pin!(async {
            let stdin = feed(stdin, execution.stdin.as_ref());
            tokio::join!(out.drain(stdout, printed), err.drain(stderr, printed), stdin)
        });
        let (end, talking) = {
            let terminate = Notify::new();
            let direct = direct(&mut control, order, execution, &terminate);
            let ended = ended(&mut report);
            wait(&mut bounds, &terminate, direct, ended, talk.as_mut()).await
        };
        let execution_time = bounds.started.elapsed();

        let wants_artifacts = order.artifacts.is_some() && matches!(end, End::Ended(_));
        let artifacts = if wants_artifacts { collected(&mut report).await } else { (Vec::new(), 0) };

        // The whole tree ends, whether or not its program has.
        drop(control);
        if !matches!(end, End::Ended(_))
            && let Some(group) = &group
        {
            group.kill();
        }
        let status = match timeout(KILLED, child.wait()).await {
            Ok(waited) => waited.map_err(host("waiting for the sandbox"))?,
            Err(late) => return Err(host("killing the sandbox")(late.into())),
        };
        // The program is dead and so is all it started; what the pipes still hold comes at once.
        if talking {
            let _ = timeout(KILLED, talk).await;
        }
        (end, execution_time, artifacts, status)
    };
    let events = group.as_ref().map(Group::limit_events).unwrap_or_default();
    if let Some(group) = group {
        group.remove().await;
    }

    let truncated = out.truncated() || err.truncated();
    let (stdout, stderr) = (out.into_text(), err.into_text());
    let limit_hit = limit_hit(&end, events);
    let cancelled = matches!(end, End::Stopped);
    if matches!(end, End::Gone { started: false }) {
        return Ok(Ran::NotBegun(silent(status, &stderr)));
    }
    let exit_code = exit_code(&end, status, &stderr)?;
    Ok(Ran::Begun(Outcome {
        stdout,
        stderr,
        exit_code,
        execution_time,
        truncated,
        limit_hit,
        cancelled,
        artifacts,
        artifacts_dropped,
    }))
}

/// What ends a program that does not end by itself.
struct Bounds<'a> {
    asked: &'a mut oneshot::Receiver<()>,
    over: Pin<&'a mut Sleep>,
    /// When the execution has begun.
    started: Instant,
    printed: &'a Printed,
    grace: Duration,
}

/// Waits for the end of a program. Tells as well whether it may still have something to say.
async fn wait<T>(
    bounds: &mut Bounds<'_>,
    terminate: &Notify,
    direct: impl Future<Output = ()>,
    ended: impl Future<Output = End>,
    mut talk: Pin<&mut impl Future<Output = T>>,
) -> (End, bool) {
    let (mut direct, mut ended) = (pin!(direct), pin!(ended));
    let mut killed = pin!(sleep_until(Instant::now().into()));
    let (mut stopping, mut talking) = (false, true);
    let end = loop {
        tokio::select! {
            biased;
            asked = &mut *bounds.asked, if !stopping => match asked {
                Ok(()) if !bounds.grace.is_zero() => {
                    stopping = true;
                    terminate.notify_one();
                    killed.as_mut().reset((Instant::now() + bounds.grace).into());
                }
                _ => break End::Stopped,
            },
            () = &mut killed, if stopping => break End::Stopped,
            () = &mut bounds.over, if !stopping => break End::Time,
            () = bounds.printed.flooded(), if !stopping => break End::Flood,
            end = &mut ended => break if stopping { End::Stopped } else { end },
            () = &mut direct => {}
            _ = &mut talk, if talking => talking = false,
        }
    };
    (end, talking)
}

/// What the launcher says of the program.
async fn ended(report: &mut BufReader<pipe::Receiver>) -> End {
    if !matches!(receive(report).await, Ok(Some(Message::Started))) {
        return End::Gone { started: false };
    }
    match receive(report).await {
        Ok(Some(Message::Ended(ended))) => End::Ended(ended),
        _ => End::Gone { started: true },
    }
}

/// Gives the launcher its order, and tells it once to ask the program to end. Does not end.
async fn direct(control: &mut pipe::Sender, order: &Order, execution: &Execution, terminate: &Notify) {
    let told = async {
        control.write_all(&message::line(order)?).await?;
        for file in &execution.files {
            control.write_all(&file.content).await?;
        }
        terminate.notified().await;
        control.write_all(&[TERMINATE]).await
    };
    // A launcher that does not take it is dead, which is seen elsewhere.
    let _: io::Result<()> = told.await;
    std::future::pending::<()>().await;
}

/// Writes standard input. A program that does not read it to the end has not failed.
async fn feed(mut stdin: ChildStdin, text: Option<&Bytes>) {
    if let Some(text) = text {
        let _ = stdin.write_all(text).await;
    }
}

/// What the program has left. Where it cannot be read, the outcome is known all the same.
async fn collected(report: &mut BufReader<pipe::Receiver>) -> (Vec<Artifact>, u32) {
    let read = match timeout(COLLECTED, collect(report)).await {
        Ok(read) => read,
        Err(late) => Err(late.into()),
    };
    read.unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "what a program has left cannot be read");
        (Vec::new(), 1)
    })
}

/// Reads what the program has left. The launcher keeps the limits; they are looked at all the same.
async fn collect(report: &mut BufReader<pipe::Receiver>) -> io::Result<(Vec<Artifact>, u32)> {
    let (mut artifacts, mut room) = (Vec::new(), ARTIFACTS.bytes);
    loop {
        match receive(report).await? {
            Some(Message::Artifact(entry)) => {
                let small = entry.path.len() <= ARTIFACTS.path_bytes && check::path(&entry.path).is_ok();
                if artifacts.len() == ARTIFACTS.files || entry.bytes > room || !small {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                room -= entry.bytes;
                let mut content = Vec::new();
                let read = report.take(entry.bytes).read_to_end(&mut content).await?;
                if (read as u64) < entry.bytes {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                artifacts.push(Artifact { path: entry.path, content: content.into() });
            }
            Some(Message::Collected { dropped }) => return Ok((artifacts, dropped)),
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

fn limit_hit(end: &End, events: LimitEvents) -> Option<LimitHit> {
    let told = if let End::Ended(ended) = end { *ended } else { Ended::default() };
    match end {
        End::Time => Some(LimitHit::Time),
        End::Flood => Some(LimitHit::Output),
        _ if events.out_of_memory || told.out_of_memory => Some(LimitHit::Memory),
        _ if events.out_of_processes => Some(LimitHit::Processes),
        _ if told.disk_full => Some(LimitHit::Disk),
        _ => None,
    }
}

/// The program's exit code, if it was not ended from outside.
fn exit_code(end: &End, status: ExitStatus, stderr: &str) -> Result<Option<i32>, SandboxError> {
    let code = match end {
        End::Ended(Ended { unwatched: false, exit_code: Some(code), .. }) => Some(*code),
        // Killed by the launcher, which saw it take too much memory.
        End::Ended(Ended { unwatched: false, out_of_memory: true, .. }) => Some(128 + libc::SIGKILL),
        // Killed with its cgroup, when there was no more memory for it.
        End::Gone { started: true } => status.signal().map(|signal| 128 + signal),
        End::Gone { started: false } | End::Ended(_) => None,
        End::Time | End::Flood | End::Stopped => return Ok(None),
    };
    code.map(Some).ok_or_else(|| SandboxError::NotStarted { detail: silent(status, stderr) })
}

/// What is known of a launcher that has said nothing of the end.
fn silent(status: ExitStatus, stderr: &str) -> String {
    if stderr.is_empty() { status.to_string() } else { stderr.trim().to_owned() }
}
