//! The launcher that a worker starts for each sandbox.

use std::{
    fs::{File, OpenOptions},
    io,
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::fcntl::OFlag;
use tokio::process::Command;
use workroom_launcher::{PROGRAM, plan::LaunchArguments};

/// The running program, also when its file was replaced.
const ITSELF: &str = "/proc/self/exe";

/// The program that was found when the worker began. It stays that one when the file on disk is replaced: a launcher of another
/// version might not understand this worker's plans.
#[derive(Clone, Debug)]
pub(super) struct Launcher(Arc<File>);

impl Launcher {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).custom_flags(OFlag::O_PATH.bits()).open(path)?;
        Ok(Self(Arc::new(file)))
    }

    /// A launcher with this plan.
    pub(super) fn command(&self, plan: &str) -> Command {
        // In the new process: it has the descriptor until it becomes the launcher.
        let mut command = Command::new(format!("/proc/self/fd/{}", self.0.as_raw_fd()));
        command.arg0(PROGRAM).args([LaunchArguments::COMMAND, "--plan", plan]).env_clear().current_dir("/");
        command
    }
}

/// The small program beside the running one, where there is one; else the running program, which can do the same.
pub(super) fn path() -> PathBuf {
    let beside = std::env::current_exe().map(|program| program.with_file_name(PROGRAM));
    beside.ok().filter(|program| program.is_file()).unwrap_or_else(|| ITSELF.into())
}
