//! What handlers share.

use std::sync::Arc;

use crate::{application::App, config::Config, identity::Identity, live::Live};

/// What keeps the service from being ready, by name.
pub type Readiness =
    Arc<dyn Fn() -> futures::future::BoxFuture<'static, Vec<(&'static str, Result<String, String>)>> + Send + Sync>;

/// Whether code in a language can be run here; the refusal says why not.
pub type SandboxGate = Arc<dyn Fn(workroom_domain::job::Language) -> Result<(), String> + Send + Sync>;

/// What handlers share. Cloned several times a request, hence one reference.
#[derive(Clone)]
pub struct State(Arc<Shared>);

impl State {
    /// Shares these.
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
    /// The application.
    pub app: App,
    /// Who callers are.
    pub identity: Identity,
    /// The live gateway.
    pub live: Live,
    /// The configuration.
    pub config: Arc<Config>,
    /// What is ready.
    pub readiness: Readiness,
    /// Whether code can be run.
    pub sandbox: SandboxGate,
}

impl axum::extract::FromRef<State> for Live {
    fn from_ref(state: &State) -> Self {
        state.live.clone()
    }
}
