//! Running jobs.

use std::{path::PathBuf, time::Duration};

use super::{section::section, webhooks::WebhookSettings};
use crate::application::jobs::OpenLimits;
use crate::jobs::{
    dispatcher::RunningLimits,
    sandbox::{Languages, SandboxConfig, UseCgroups},
};

section! {
    /// How jobs are run, for the role `worker`.
    pub struct JobSettings {
        /// Programs that a worker runs at a time; 0 takes twice the number of processors, or fewer where there is little memory.
        worker_slots: usize = 0,
        /// Jobs of the service's own types (not programs) that a process with the role `scheduler` runs at a time.
        service_slots: usize = 64,
        /// How long programs may go on when a worker is told to stop, in seconds. What is not done by then goes to other workers.
        worker_grace_seconds: u64 = 5,
        /// Jobs submitted by an account that may wait or run; one more is refused (429). 0 is as many as one likes.
        open_jobs_per_account: u32 = 50_000,
        /// Jobs of a project that may wait or run; 0 is as many as one likes.
        open_jobs_per_project: u32 = 50_000,
        /// Jobs of an organization that may wait or run; 0 is as many as one likes.
        open_jobs_per_organization: u32 = 100_000,
        /// How long programs, their input, what they print and leave is kept, in days since it came; 0 is for ever.
        job_data_days: u32 = 0,
        /// Bytes that are kept of what jobs of an organization (or of an account's own) print and leave. What comes beyond
        /// is not kept, and the attempt says `truncated`; 0 is as many as there are.
        job_storage_bytes_per_organization: u64 = 1024 * 1024 * 1024,
        /// The fewest seconds between two runs of a schedule that is created or given other times.
        shortest_schedule_seconds: u32 = 1,
        /// Jobs of an organization, or of an account's own, that run at a time; 0 is as many as there are slots.
        running_per_organization: usize = 0,
        /// Jobs of a project that run at a time; 0 is as many as there are slots.
        running_per_project: usize = 0,
        /// Jobs submitted by an account that run at a time; 0 is as many as there are slots.
        running_per_account: usize = 0,
        /// Whether code is run where there are no cgroups: `auto` does, `required` does not, `never` makes none.
        sandbox_cgroups: UseCgroups = SandboxConfig::default().cgroups,
        /// First of the users that programs run as where the worker is root; each running program has the next free one.
        sandbox_first_uid: u32 = SandboxConfig::default().first_uid,
        /// Where a folder is made for what programs see of the system; a temporary folder when not given.
        sandbox_folder: Option<PathBuf> = SandboxConfig::default().folder,
        /// Further folders of the system that programs see, read-only.
        sandbox_mounts: Vec<PathBuf> = SandboxConfig::default().mounts,
        /// Sandboxes of each language that wait ready for a program, from the first program of the language on.
        sandbox_waiting: usize = SandboxConfig::default().waiting,
        /// Bytes that a program may print; one that prints more is ended. (What is kept of them is less.)
        sandbox_output_limit_bytes: u64 = SandboxConfig::default().output_limit_bytes,
        /// How long a program that is stopped may take to end by itself, after SIGTERM, in milliseconds.
        sandbox_stop_grace_ms: u64 = 50,
        /// Languages beside `python`, `javascript` and `bash`, and what is to be different in these; see `docs/sandbox.md`.
        languages: Languages = Languages::default(),
        /// Where webhooks may send events to.
        webhooks: WebhookSettings = WebhookSettings::default(),
    }
}

impl JobSettings {
    /// How many jobs may wait or run.
    pub fn open_limits(&self) -> OpenLimits {
        OpenLimits {
            per_account: self.open_jobs_per_account,
            per_project: self.open_jobs_per_project,
            per_organization: self.open_jobs_per_organization,
        }
    }

    /// How many jobs run at a time.
    pub fn running_limits(&self) -> RunningLimits {
        let limit = |limit: usize| (limit > 0).then_some(limit);
        RunningLimits {
            per_organization: limit(self.running_per_organization),
            per_project: limit(self.running_per_project),
            per_account: limit(self.running_per_account),
        }
    }

    /// Bytes that are kept of what jobs of an owner print and leave; 0 is as many as there are.
    pub fn storage_quota(&self) -> i64 {
        i64::try_from(self.job_storage_bytes_per_organization).unwrap_or(i64::MAX)
    }

    /// How long programs may go on when a worker is told to stop.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.worker_grace_seconds.min(3600))
    }

    /// What the sandbox needs of it.
    pub fn sandbox(&self) -> SandboxConfig {
        SandboxConfig {
            cgroups: self.sandbox_cgroups,
            first_uid: self.sandbox_first_uid,
            folder: self.sandbox_folder.clone(),
            mounts: self.sandbox_mounts.clone(),
            waiting: self.sandbox_waiting,
            output_limit_bytes: self.sandbox_output_limit_bytes,
            stop_grace: Duration::from_millis(self.sandbox_stop_grace_ms),
            languages: self.languages.clone(),
            ..SandboxConfig::default()
        }
    }
}
