//! The thread that starts every sandbox.
//!
//! The kernel sends `PR_SET_PDEATHSIG` when the *thread* that forked ends, not the process (prctl(2)). Tokio's threads
//! come and go, so sandboxes are started by one thread that lives as long as the [`Sandbox`](super::Sandbox).

use std::{
    fs::File,
    io,
    sync::{Arc, mpsc},
    thread,
};

use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
};

struct Request {
    command: Command,
    /// Files that the child takes by number: the numbers must not be given to others before it is done or dead.
    files: Vec<Arc<File>>,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

#[derive(Debug)]
pub(super) struct Spawner {
    requests: mpsc::Sender<Request>,
}

impl Spawner {
    pub(super) fn start() -> io::Result<Self> {
        let (requests, queue) = mpsc::channel::<Request>();
        thread::Builder::new().name("sandbox-spawner".to_owned()).spawn(move || {
            for Request { mut command, files, runtime, reply } in queue {
                let _context = runtime.enter();
                // Nobody waiting means the execution was given up: the child is killed as it is dropped.
                drop(reply.send(command.spawn()));
                drop(files);
            }
        })?;
        Ok(Self { requests })
    }

    /// Starts a program that is killed when its handle is dropped, and when this process ends.
    pub(super) async fn spawn(&self, mut command: Command, files: Vec<Arc<File>>) -> io::Result<Child> {
        command.kill_on_drop(true);
        let (reply, answer) = oneshot::channel();
        let request = Request { command, files, runtime: Handle::current(), reply };
        self.requests.send(request).map_err(|_| io::Error::other("the spawning thread has ended"))?;
        answer.await.map_err(io::Error::other)?
    }
}
