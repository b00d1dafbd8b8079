//! `up`: the service as production runs it, over a private Postgres and NATS.
//!
//! The service is a process of its own: the binary `workroom`, told by one variable what a developer's machine is like. What
//! nobody has set is chosen so that the first start needs no settings; where the private servers are holds in any case.

use std::{net::IpAddr, process::ExitStatus, time::Duration};

use anyhow::{Context, bail};
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    child::{Child, ChildSpec, Spawner, own_bin, workroom_bin},
    cli::{UpArgs, prepare_up},
    services::Services,
};

/// What the service reads the settings of a developer's machine from.
const SETTINGS: &str = "WORKROOM_DEVELOPMENT";
/// How long the service may take to answer what it has begun.
const STOP_LIMIT: Duration = Duration::from_mins(1);

/// Starts a private Postgres and NATS, and the service, until told to stop.
///
/// # Errors
/// Whatever keeps any of them from starting, as one sentence. What the service itself has said is not said again.
pub async fn up(args: &UpArgs) -> anyhow::Result<bool> {
    let stop = stop_signal()?;
    tokio::pin!(stop);
    let host: IpAddr = args.host.parse().with_context(|| format!("{} is no IP address", args.host))?;
    let workroom = workroom_bin()?;
    let services = tokio::select! {
        prepared = prepare_up(args) => prepared?,
        () = &mut stop => return Ok(true),
    };
    let settings = json!({
        "defaults": {
            "mail_folder": services.folder().root().join("mail"),
            "email_proof": "trusted",
        },
        "overrides": overrides(&services, host, args.port),
    });
    let spec = ChildSpec::in_sight(workroom).arg("serve").variable(SETTINGS, settings.to_string());
    let outcome = match Spawner::new(own_bin()?).and_then(|spawner| Ok((spawner.spawn(&spec)?, spawner))) {
        Ok((service, _spawner)) => tokio::select! {
            outcome = serve(&service, &mut stop) => outcome,
            never = services.keep_running() => match never {},
        },
        Err(error) => Err(error),
    };
    services.stop().await;
    outcome
}

/// Waits until the service is told to stop, and has; or until it ends by itself. Whether it ended well.
async fn serve(service: &Child, stop: impl Future<Output = ()>) -> anyhow::Result<bool> {
    let ended = tokio::select! {
        ended = service.wait() => return by_itself(ended),
        () = stop => service.stop(Signal::SIGTERM, STOP_LIMIT).await,
    };
    if ended {
        bail!("the service did not stop within {} seconds, and was killed", STOP_LIMIT.as_secs());
    }
    Ok(service.wait().await.is_some_and(|status| status.success()))
}

fn by_itself(ended: Option<ExitStatus>) -> anyhow::Result<bool> {
    match ended {
        // It has said why.
        Some(status) if status.code().is_some() => Ok(status.success()),
        Some(status) => bail!("the service has ended ({status})"),
        None => bail!("the service has ended"),
    }
}

/// What holds in any case: where the service listens, and where the private servers are.
fn overrides(services: &Services, host: IpAddr, port: u16) -> serde_json::Value {
    let mut settings = json!({
        "host": host,
        "port": port,
        "database_url": services.database_url(),
        "nats_url": services.nats_url(),
    });
    if let Some(postgres) = services.postgres() {
        settings["direct_url"] = json!(null);
        settings["owner_url"] = json!(postgres.owner_url());
    }
    if services.nats().is_some() {
        // A private NATS listens on this machine alone, and without TLS.
        for file in ["nats_ca_file", "nats_cert_file", "nats_key_file"] {
            settings[file] = json!(null);
        }
    }
    settings
}

/// Ready once the process is asked to stop: by Ctrl-C, by the system, or by the end of the terminal.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}
