//! Bounding the memory of an execution as a whole where there are no cgroups to do it.
//!
//! Limits of processes bound each process, and the kernel's share for a process is in none of them. So the launcher looks
//! every few milliseconds at what all processes of the sandbox hold together, and kills process 1 when it is too much.
//! What a look cannot see is made impossible before: memory that belongs to no process (memfd, System V, huge pages: the
//! seccomp filter), shared memory without a file (there too, and `/dev/zero`), file systems without a bound (there are
//! none that can be written), buffers of sockets larger than their default.
//!
//! A program can be too quick for a look: then each of its processes still meets its own limit.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::sys::statvfs::statvfs;

use super::first::First;

/// Time between looks.
const PERIOD: Duration = Duration::from_millis(20);
/// Looking takes at most this part of the time, however many processes there are.
const SHARE: u32 = 4;
/// A sandbox that cannot be looked into for so long is killed.
const BLIND: Duration = Duration::from_secs(5);

/// What a file costs beside its content: its inode and its name. It is also the unit in which tmpfs counts attributes.
const FILE_BYTES: u64 = 1024;
/// What a socket can hold: the default size of its buffer, `net.core.wmem_default`.
const SOCKET_BYTES: u64 = 208 * 1024;

/// Folders that can be written, each a file system in memory.
const FILE_SYSTEMS: [&str; 3] = ["workspace", "tmp", "dev/shm"];

/// Why a sandbox was killed by who watches it.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub out_of_memory: AtomicBool,
    pub unwatched: AtomicBool,
}

/// Watches a sandbox until it is killed or this process ends with it.
pub(super) fn watch(first: &First, memory_bytes: u64, findings: &Findings) {
    // A little more than one process may have, so that a single process learns of its own limit before it is killed.
    let limit = memory_bytes.saturating_add(memory_bytes / 8);
    let started = Instant::now();
    let mut seen = false;
    loop {
        let before = Instant::now();
        match (Look { first: first.number().as_raw() }).exceeds(limit) {
            Ok(false) => seen = true,
            Ok(true) => return end(first, &findings.out_of_memory),
            // It has ended.
            Err(_) if seen || started.elapsed() < BLIND => {}
            Err(error) => {
                let _ = writeln!(io::stderr(), "the sandbox's memory cannot be watched: {error}");
                return end(first, &findings.unwatched);
            }
        }
        thread::sleep(PERIOD.max(before.elapsed() * (SHARE - 1)));
    }
}

/// Says why, then kills process 1, and with it everything.
fn end(first: &First, why: &AtomicBool) {
    why.store(true, Ordering::SeqCst);
    first.kill();
}

/// A look at the sandbox whose process 1 has this number outside.
struct Look {
    first: i32,
}

impl Look {
    /// Whether its memory exceeds a number of bytes. First by figures that are cheap to get, in which memory that processes
    /// share since a fork counts for each; only if these exceed it, by exact ones.
    fn exceeds(&self, limit: u64) -> io::Result<bool> {
        let processes = self.processes()?;
        let others = self.files()?.saturating_add(self.sockets()?);
        let sum = |of: fn(&Path) -> u64| processes.iter().map(|process| of(process)).fold(others, u64::saturating_add);
        Ok(sum(roughly) > limit && sum(exactly) > limit)
    }

    fn root(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.first))
    }

    /// The folders of all its processes in its own `/proc`, which shows no others.
    fn processes(&self) -> io::Result<Vec<PathBuf>> {
        let own = self.root().join("proc");
        // Until process 1 has changed its root, this is the host's.
        if own.metadata()?.dev() == fs::metadata("/proc")?.dev() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let number = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit))
        };
        Ok(fs::read_dir(own)?.filter_map(|entry| Some(entry.ok()?.path())).filter(number).collect())
    }

    /// What its files hold.
    fn files(&self) -> io::Result<u64> {
        let mut sum: u64 = 0;
        for folder in FILE_SYSTEMS {
            let found = statvfs(&self.root().join(folder))?;
            let content = found.blocks().saturating_sub(found.blocks_free()).saturating_mul(found.fragment_size());
            let files = found.files().saturating_sub(found.files_free()).saturating_mul(FILE_BYTES);
            sum = sum.saturating_add(content).saturating_add(files);
        }
        Ok(sum)
    }

    /// What its sockets may hold.
    fn sockets(&self) -> io::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/net/sockstat", self.first))?;
        let used = text.lines().find_map(|line| line.strip_prefix("sockets: used ")?.trim().parse::<u64>().ok());
        Ok(used.unwrap_or(0).saturating_mul(SOCKET_BYTES))
    }
}

/// A process's own memory, that in swap and its page tables. An ended process has none.
fn roughly(process: &Path) -> u64 {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    bytes(&status, &["RssAnon:", "VmSwap:", "VmPTE:"])
}

/// The same, with its part of what it shares. Where the kernel does not tell, as before.
fn exactly(process: &Path) -> u64 {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    match fs::read_to_string(process.join("smaps_rollup")) {
        Ok(parts) if parts.contains("Pss_Anon:") => {
            bytes(&parts, &["Pss_Anon:", "SwapPss:"]).saturating_add(bytes(&status, &["VmPTE:"]))
        }
        _ => bytes(&status, &["RssAnon:", "VmSwap:", "VmPTE:"]),
    }
}

/// The sum of some lines `Key: number kB`.
fn bytes(text: &str, keys: &[&str]) -> u64 {
    let number = |line: &str| {
        let value = keys.iter().find_map(|key| line.strip_prefix(key))?;
        value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    text.lines().filter_map(number).fold(0, |sum, kilobytes| sum.saturating_add(kilobytes.saturating_mul(1024)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_summed_by_their_names() {
        let text =
            "Name:\tpython3\nVmSwap:\t       2 kB\nRssAnon:\t     100 kB\nRssFile:\t     900 kB\nVmPTE:\t      44 kB\n";
        assert_eq!(bytes(text, &["RssAnon:", "VmSwap:", "VmPTE:"]), 146 * 1024);
        assert_eq!(bytes("", &["RssAnon:"]), 0);
    }

    #[test]
    fn a_process_has_memory_by_both_figures() {
        let own = Path::new("/proc/self");
        assert!(roughly(own) > 0 && exactly(own) > 0);
    }

    #[test]
    fn the_host_itself_is_not_taken_for_a_sandbox() {
        let own = std::process::id().cast_signed();
        assert!(Look { first: own }.processes().is_err());
    }
}
