//! The sandbox of a process that runs jobs.

use std::{collections::BTreeSet, sync::Arc};

use workroom_projections::describe::describe;

use super::Base;
use crate::{config::Config, http, jobs::sandbox::Sandbox};

/// A sandbox, if one can be used here; the error says why not. None where nobody asks for one.
pub(super) type Found = Result<Option<Sandbox>, String>;

/// Tries the sandbox that is configured.
pub(super) async fn find(base: &Base) -> Found {
    match Sandbox::probe(base.config.jobs.sandbox()).await {
        Ok(sandbox) => {
            tracing::info!(sandbox = %sandbox.describe(), "code can be run");
            Ok(Some(sandbox))
        }
        Err(error) => {
            let reason = describe(&error);
            tracing::warn!(reason, "code cannot be run here");
            Err(reason)
        }
    }
}

/// Refuses code that nobody here could run. A process without the worker role leaves that to those who have it.
pub(super) fn gate(sandbox: Found) -> http::SandboxGate {
    Arc::new(move |language| match &sandbox {
        Ok(None) => Ok(()),
        Ok(Some(sandbox)) if sandbox.languages().any(|known| known == language.as_str()) => Ok(()),
        Ok(Some(_)) => Err(format!("there is no interpreter for {}", language.as_str())),
        Err(reason) => Err(reason.clone()),
    })
}

/// The languages that programs can be in.
pub(super) fn languages(config: &Config) -> BTreeSet<String> {
    config.jobs.languages.all().into_keys().collect()
}
