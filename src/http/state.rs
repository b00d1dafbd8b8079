//! What handlers share.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    application::{App, jobs::OpenJobs},
    background,
    config::{Config, ReadyDetails},
    identity::Identity,
    jobs::output_bell::OutputBell,
    live::Live,
    rate_limit::RateLimits,
};

/// Asks how the service is.
pub type Readiness = Arc<dyn Fn() -> futures::future::BoxFuture<'static, Report> + Send + Sync>;

/// How the service is.
#[derive(Clone, Debug)]
pub struct Report {
    /// What it needs, by name.
    pub needs: Vec<(&'static str, Need)>,
    /// What goes on behind the requests, by name. That some of it fails takes nobody out of service.
    pub background: Vec<(&'static str, background::Status)>,
}

/// Whether the service has something that it needs, with more about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// It has. `/ready` shows the text as the `detail` of the check.
    Met(String),
    /// It has not, and works all the same, but for that.
    Impaired(String),
    /// It has not, and cannot serve.
    Unmet(String),
}

impl From<Result<String, String>> for Need {
    fn from(outcome: Result<String, String>) -> Self {
        match outcome {
            Ok(detail) => Self::Met(detail),
            Err(detail) => Self::Unmet(detail),
        }
    }
}

/// Whether code in a language can be run here; the refusal says why not.
pub type SandboxGate = Arc<dyn Fn(&workroom_domain::job::Language) -> Result<(), String> + Send + Sync>;

/// What handlers share. Cloned several times a request, hence one reference.
#[derive(Clone)]
pub struct State(Arc<Shared>);

impl State {
    /// Puts the parts behind one reference, which all clones share.
    pub fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

impl std::ops::Deref for State {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// The parts of the service that handlers call.
pub struct Shared {
    /// Runs commands, and holds the database pool that queries read from.
    pub app: App,
    /// Who callers are.
    pub identity: Identity,
    /// The live gateway.
    pub live: Live,
    /// The settings that the process was started with.
    pub config: Arc<Config>,
    /// How often anything may be asked.
    pub rate_limits: RateLimits,
    /// What is ready.
    pub readiness: Readiness,
    /// Whether code can be run.
    pub sandbox: SandboxGate,
    /// How many jobs may wait or run.
    pub open_jobs: OpenJobs,
    /// Tells when jobs have printed something.
    pub outputs: OutputBell,
    /// The languages that programs can be in.
    pub languages: BTreeSet<String>,
}

/// What `/ready` tells, and to whom.
#[derive(Clone)]
pub struct Probes {
    /// What is ready.
    pub readiness: Readiness,
    /// Who is told what fails.
    pub details: ReadyDetails,
}

impl axum::extract::FromRef<State> for Probes {
    fn from_ref(state: &State) -> Self {
        Self { readiness: Arc::clone(&state.readiness), details: state.config.process.ready_details }
    }
}

impl axum::extract::FromRef<State> for Live {
    fn from_ref(state: &State) -> Self {
        state.live.clone()
    }
}
