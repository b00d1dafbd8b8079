//! Running jobs.

use std::path::PathBuf;

use super::section::section;
use crate::jobs::sandbox::{SandboxConfig, UseCgroups};

section! {
    /// How jobs are run, for the role `worker`.
    pub struct JobSettings {
        /// Jobs that a worker runs at a time; 0 takes the number of processors.
        worker_slots: usize = 0,
        /// Where bubblewrap is; searched in `PATH` when not given. Without it no code is run.
        bubblewrap: Option<PathBuf> = None,
        /// Whether code is run where there are no cgroups: `auto` does, `required` does not, `never` makes none.
        sandbox_cgroups: UseCgroups = SandboxConfig::default().cgroups,
        /// First of the users that programs run as where the worker is root; each running program has the next free one.
        sandbox_first_uid: u32 = SandboxConfig::default().first_uid,
        /// Where a folder is made for what programs see of the system; a temporary folder when not given.
        sandbox_folder: Option<PathBuf> = SandboxConfig::default().folder,
        /// Further folders of the system that programs see, read-only.
        sandbox_mounts: Vec<PathBuf> = SandboxConfig::default().mounts,
    }
}

impl JobSettings {
    /// What the sandbox needs of it, with bubblewrap where it is.
    pub fn sandbox(&self, bwrap: PathBuf) -> SandboxConfig {
        SandboxConfig {
            bwrap,
            cgroups: self.sandbox_cgroups,
            first_uid: self.sandbox_first_uid,
            folder: self.sandbox_folder.clone(),
            mounts: self.sandbox_mounts.clone(),
            ..SandboxConfig::default()
        }
    }
}
