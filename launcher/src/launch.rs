//! A launcher's life: a fresh process that gives up everything, starts a sandbox, hands the program in and stays until all
//! of the sandbox is dead.
//!
//! ```text
//! gives up what it has, joins its cgroups, becomes another user, goes into a user namespace (confine.rs)
//! starts process 1 (start.rs), waits until it has made everything (../init.rs) ── "ready" ──► worker
//! ◄── an order ── writes the program's files (inside.rs), tells process 1 what to start
//! heeds the worker: asks the program to end (terminate.rs), or kills it; watches its memory where nobody else does (watch.rs)
//! waits until process 1 is dead, and with it all others ── "ended" ──► worker
//! reads what was left as artifacts (artifacts.rs) ──► worker
//! ```

mod artifacts;
mod confine;
mod first;
mod inside;
mod start;
mod terminate;
mod watch;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Write},
    os::unix::{fs::MetadataExt, process::ExitStatusExt},
    process::{Child, ExitStatus},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use nix::unistd;

use self::{first::First, inside::Inside, start::Pipes, watch::Findings};
use crate::{
    BUILD,
    failure::{During, Failure},
    init::{Status, World},
    message::{self, ArtifactLimits, Ended, Message, Order, TERMINATE},
    plan::{LaunchArguments, Pipe, Plan},
};

/// 128 + SIGXFSZ: a file had its limit.
const FILE_TOO_LARGE: i32 = 153;

/// Starts the sandbox, waits for its end and ends the process. Returns only if nothing could be started.
pub(crate) fn launch(arguments: &LaunchArguments) -> Failure {
    match try_launch(arguments) {
        Ok(()) => std::process::exit(0),
        Err(failure) => failure,
    }
}

fn try_launch(arguments: &LaunchArguments) -> Result<(), Failure> {
    let plan: Plan = serde_json::from_str(&arguments.plan).during("reading the plan")?;
    if plan.build != BUILD {
        return Err("the worker is of another build").during("reading the plan");
    }
    confine::close_inherited().during("closing inherited files")?;

    // The worker's own descriptors, by its number: nothing else has to be inheritable in a process full of threads.
    let control = of_parent(&plan, plan.control, OpenOptions::new().read(true)).during("taking the worker's orders")?;
    let report = of_parent(&plan, plan.report, OpenOptions::new().write(true)).during("taking the worker's ear")?;
    check_parent(plan.parent)?;

    // When the whole host runs out of memory, this goes first. Allowed to everybody; not everywhere is it there.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    // Programs that take all processors must not keep the worker from saying that it lives.
    let _ = rustix::process::nice(10);
    for file in &plan.cgroups {
        // "0" is the writer; by version 1's `tasks` a single thread joins without the lock of all processes.
        OpenOptions::new().write(true).open(file).and_then(|mut file| file.write_all(b"0")).during("joining cgroup")?;
    }

    // Read while still privileged: it may lie where the user below cannot go.
    let filter = fs::read(&plan.filter).during("reading the list of system calls")?;

    // Held until all of the sandbox is dead.
    let _user = confine::confine(&plan)?;
    confine::enter_user_namespace().during("going into a user namespace")?;
    let (child, pipes) = start::process_one()?;
    confine::keep_looking().during("dropping capabilities")?;
    let mut sandbox = Waiting::begin(&plan, child, pipes, &filter)?;
    let served = sandbox.serve(&plan, control, &report);
    if !matches!(served, Ok(Served::Runs { .. })) {
        sandbox.first.kill();
    }
    let (status, how) = sandbox.ended().during("waiting for the sandbox")?;
    let exit_code = code_of(status.as_ref(), how);
    if let Served::Runs { artifacts, findings } = served? {
        let found = |finding: &AtomicBool| finding.load(Ordering::SeqCst);
        let disk_full = exit_code == Some(FILE_TOO_LARGE) || sandbox.inside.is_full();
        let ended = Ended {
            exit_code,
            out_of_memory: found(&findings.out_of_memory),
            unwatched: found(&findings.unwatched),
            disk_full,
        };
        // The worker may be gone.
        let told = message::write(&Message::Ended(ended), &report);
        if let (Ok(()), Some(limits)) = (told, artifacts) {
            let by_itself = status.is_some() && !ended.out_of_memory && !ended.unwatched;
            let limits = if by_itself { limits } else { ArtifactLimits { files: 0, ..limits } };
            artifacts::collect(sandbox.inside.workspace(), limits, &report).during("reading artifacts")?;
        }
    }
    Ok(())
}

/// A sandbox in which nothing hostile runs yet: process 1 waits for the program.
struct Waiting {
    child: Child,
    first: Arc<First>,
    orders: Option<File>,
    statuses: BufReader<File>,
    inside: Inside,
}

/// What became of a sandbox that waits.
enum Served {
    /// A program runs in it.
    Runs { artifacts: Option<ArtifactLimits>, findings: Arc<Findings> },
    /// The worker has let go of it.
    Unwanted,
}

impl Waiting {
    /// Tells process 1 what the world is like, and waits until it has made it.
    fn begin(plan: &Plan, mut child: Child, pipes: Pipes, filter: &[u8]) -> Result<Self, Failure> {
        let Pipes { mut orders, statuses } = pipes;
        let first = First::hold(child.id().cast_signed()).during("holding process 1")?;
        let world = World {
            root: plan.root.clone(),
            mounts: plan.mounts.clone(),
            workdir_bytes: plan.workdir_bytes,
            processes: plan.cgroups.is_empty().then_some(plan.processes),
            filter_bytes: filter.len() as u64,
        };
        let mut statuses = BufReader::new(statuses);
        let told = message::write(&world, &orders).and_then(|()| orders.write_all(filter));
        let answer = told.and_then(|()| message::read::<Status>(&mut statuses));
        let ready = match answer {
            Ok(Some(Status::Ready)) => Inside::open(first.number()),
            // It has said why on standard error, and ends by itself.
            Ok(_) => Err(io::Error::other("process 1 has ended")),
            Err(error) => Err(error),
        };
        let inside = match ready {
            Ok(inside) => inside,
            Err(error) => {
                // What it says comes first.
                drop(orders);
                let _ = child.wait();
                return Err(error).during("making the sandbox");
            }
        };
        Ok(Self { child, first: Arc::new(first), orders: Some(orders), statuses, inside })
    }

    /// Says that it is ready, waits for an order and starts the program.
    fn serve(&mut self, plan: &Plan, control: File, report: &File) -> Result<Served, Failure> {
        let mut control = BufReader::new(control);
        let order = message::write(&Message::Ready, report).and_then(|()| message::read::<Order>(&mut control));
        let Ok(Some(order)) = order else { return Ok(Served::Unwanted) };
        for file in &order.files {
            let mut content = (&mut control).take(file.bytes);
            let written = self.inside.write(&file.path, &mut content).during("writing the program's files")?;
            if written < file.bytes {
                return Ok(Served::Unwanted);
            }
        }
        if order.artifacts.is_some() {
            self.inside.make_artifacts().during("making the folder of artifacts")?;
        }

        let findings = Arc::new(Findings::default());
        let first = Arc::clone(&self.first);
        thread::Builder::new().spawn(move || heed(control, &first)).during("heeding the worker")?;
        if plan.cgroups.is_empty() {
            let (first, findings) = (Arc::clone(&self.first), Arc::clone(&findings));
            let memory_bytes = plan.memory_bytes;
            let watching = thread::Builder::new().spawn(move || watch::watch(&first, memory_bytes, &findings));
            watching.during("watching the memory")?;
        }
        if let Some(orders) = self.orders.take() {
            let told = message::write(&Message::Started, report);
            told.and_then(|()| message::write(&order.program, &orders)).during("starting the program")?;
        }
        Ok(Served::Runs { artifacts: order.artifacts, findings })
    }

    /// Waits until all of the sandbox is dead. Returns what process 1 has said of a command that ended by itself, and how it ended.
    fn ended(&mut self) -> io::Result<(Option<Status>, ExitStatus)> {
        // What the program has left running goes with process 1.
        let how = self.child.wait()?;
        Ok((message::read(&mut self.statuses).ok().flatten(), how))
    }
}

/// The program's exit code. Where process 1 was killed before it could tell, such as for want of memory, the program was as well.
fn code_of(status: Option<&Status>, how: ExitStatus) -> Option<i32> {
    match status {
        Some(Status::Exited(code)) => Some(*code),
        Some(Status::Ready) | None => how.signal().map(|signal| 128 + signal),
    }
}

/// Does what the worker says until it is gone or has let go; then kills process 1 of the sandbox, with which all of it dies.
fn heed(mut control: BufReader<File>, first: &First) {
    let mut word = [0];
    while control.read_exact(&mut word).is_ok() {
        if word[0] == TERMINATE {
            terminate::all_of(first.number());
        }
    }
    first.kill();
}

fn check_parent(parent: i32) -> Result<(), Failure> {
    if unistd::getppid().as_raw() == parent {
        Ok(())
    } else {
        Err("the worker is gone").during("looking for the worker")
    }
}

/// Opens an end of one of the worker's pipes.
fn of_parent(plan: &Plan, pipe: Pipe, how: &mut OpenOptions) -> io::Result<File> {
    let file = how.open(format!("/proc/{}/fd/{}", plan.parent, pipe.number))?;
    if file.metadata()?.ino() == pipe.inode { Ok(file) } else { Err(io::Error::other("the worker has let go of it")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_killed_with_process_1() {
        let killed = ExitStatus::from_raw(9);
        assert_eq!(code_of(None, killed), Some(137));
        assert_eq!(code_of(Some(&Status::Exited(3)), killed), Some(3), "it had told before");
        assert_eq!(code_of(None, ExitStatus::from_raw(1 << 8)), None, "it could not go on");
    }
}
