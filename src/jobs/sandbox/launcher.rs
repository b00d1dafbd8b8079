//! The launcher that a worker starts for each sandbox.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use nix::fcntl::OFlag;
use tokio::{process::Command, time::timeout};
use workroom_launcher::{BUILD, PROGRAM, TELL_BUILD, plan::LaunchArguments};

/// The running program, also when its file was replaced.
const ITSELF: &str = "/proc/self/exe";
/// How long a launcher may take to say of which build it is.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The program that was found when the worker began. It stays that one when another takes its place on disk. One that is written
/// over is found out when it is started: the plan names the build.
#[derive(Clone, Debug)]
pub(super) struct Launcher(Arc<File>);

impl Launcher {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).custom_flags(OFlag::O_PATH.bits()).open(path)?;
        Ok(Self(Arc::new(file)))
    }

    /// A launcher with this plan.
    pub(super) fn command(&self, plan: &str) -> Command {
        let mut command = self.program();
        command.args([LaunchArguments::COMMAND, "--plan", plan]).env_clear().current_dir("/");
        command
    }

    fn program(&self) -> Command {
        // In the new process: it has the descriptor until it becomes the launcher.
        let mut command = Command::new(format!("/proc/self/fd/{}", self.0.as_raw_fd()));
        command.arg0(PROGRAM);
        command
    }

    /// Of which build it is; none where it does not say so.
    async fn build(&self) -> Option<String> {
        let mut command = self.program();
        command.arg(TELL_BUILD).env_clear().stdin(Stdio::null()).kill_on_drop(true);
        let output = timeout(ANSWER_TIMEOUT, command.output()).await.ok()?.ok()?;
        Some(String::from_utf8(output.stdout).ok()?.trim_end().to_owned())
    }
}

/// The small program beside the running one, where there is one of the same build; else the running program, which can do the same.
pub(super) async fn path() -> PathBuf {
    let beside = std::env::current_exe().map(|program| program.with_file_name(PROGRAM));
    let Some(beside) = beside.ok().filter(|program| program.is_file()) else { return ITSELF.into() };
    let build = match Launcher::open(&beside) {
        Ok(launcher) => launcher.build().await,
        Err(_) => None,
    };
    if build.as_deref() == Some(BUILD) {
        return beside;
    }
    tracing::warn!(launcher = %beside.display(), "the launcher is of another build: the service starts sandboxes itself, which takes longer");
    ITSELF.into()
}
