//! What a process does.

use std::{collections::BTreeSet, net::IpAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::section::section;

/// A part that a process can play. Each can be played by any number of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Answers REST requests.
    Api,
    /// Serves WebSockets at `/api/v1/realtime`.
    Live,
    /// Keeps the read models; elects a leader for each group.
    Projector,
    /// Copies the log to JetStream; elects a leader.
    Relay,
    /// Takes attempts of jobs from the work queue and runs them in the sandbox.
    Worker,
    /// Finds jobs that were lost or are due; elects a leader.
    Scheduler,
}

impl Role {
    /// Every role; the default of the setting `roles`.
    pub const ALL: [Self; 6] = [Self::Api, Self::Live, Self::Projector, Self::Relay, Self::Worker, Self::Scheduler];
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Lines for people to read, with colours on a terminal.
    #[default]
    Text,
    /// One JSON object a line, for programs that collect logs.
    Json,
}

/// Who is told by `/ready` what fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadyDetails {
    /// Whoever asks from the same machine, and not through a proxy.
    #[default]
    Local,
    /// Whoever can reach `/ready`.
    Everyone,
}

section! {
    /// What this process does, and how it tells of itself.
    pub struct Process {
        /// Address to listen on.
        host: IpAddr = IpAddr::from([127, 0, 0, 1]),
        /// Port to listen on; 0 takes any free one.
        port: u16 = 8080,
        /// The parts this process plays.
        roles: BTreeSet<Role> = Role::ALL.into(),
        /// Who is told by `/ready` what fails, and not only that something does.
        ready_details: ReadyDetails = ReadyDetails::Local,
        /// A folder that each checkpoint of the log is also written to: best on another machine's disk. Role `projector`.
        checkpoints_dir: Option<PathBuf> = None,
        /// How log lines look.
        log_format: LogFormat = LogFormat::Text,
    }
}

impl Process {
    /// Whether this process only runs jobs. Such a process needs, and is given, the least rights in Postgres and NATS.
    pub fn only_runs_jobs(&self) -> bool {
        self.roles.iter().eq([&Role::Worker])
    }
}
