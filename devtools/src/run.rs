//! Runs a helper program (a package client, an unpacker) to its end, with a time limit and its output in a log.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// How long a package client may take; a slow line needs minutes for 24 MB.
const LIMIT: Duration = Duration::from_mins(10);

/// Tells helpers that are at work to end. Clones are one.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Fails once they have been told to.
    pub fn check(&self) -> anyhow::Result<()> {
        if self.0.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        Ok(())
    }
}

/// Sets an [`Interrupt`] when it is dropped.
#[derive(Debug)]
pub struct InterruptOnDrop(pub Interrupt);

impl Drop for InterruptOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Whether a command of that name is on `PATH` (or, given a path, exists); returns its path.
pub fn find(name: &str) -> Option<PathBuf> {
    all(name).into_iter().next()
}

/// Every executable of that name on `PATH`, in order.
pub fn all(name: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(name)).filter(|path| is_executable(path)).collect()
}

/// Whether the file exists and may be run by this process.
pub fn is_executable(path: &Path) -> bool {
    path.is_file() && nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok()
}

/// Runs a command, appending its output to `log`; a failure names the program and the log. An interrupt ends it.
pub fn logged(command: &mut Command, log: &Path, interrupt: &Interrupt) -> anyhow::Result<()> {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("the log {} cannot be opened", log.display()))?;
    // Best effort: the log helps a reader, the command does not depend on it.
    let _ = writeln!(file, "$ {command:?}");
    let stderr = file.try_clone().context("a log file cannot be shared")?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(stderr)
        .spawn()
        .with_context(|| format!("{name} cannot be run"))?;
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().with_context(|| format!("{name} cannot be waited for"))? {
            if status.success() {
                return Ok(());
            }
            bail!("{name} failed ({status}; its output is in {})", log.display());
        }
        if let Err(interrupted) = interrupt.check() {
            end(&mut child);
            return Err(interrupted);
        }
        if start.elapsed() > LIMIT {
            end(&mut child);
            bail!("{name} did not finish within {} minutes", LIMIT.as_secs() / 60);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn end(child: &mut Child) {
    // Both fail only if it ended meanwhile.
    let _ = child.kill();
    let _ = child.wait();
}

/// The stdout of a command that succeeds; `None` if it cannot be run or fails.
pub fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
