//! `/health`, `/ready`, `/`: for load balancers and the curious.

use std::{collections::BTreeMap, net::SocketAddr};

use axum::{
    Json,
    extract::{ConnectInfo, State as Extract},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Need, Probes, Report, background::BackgroundTask, client_address::is_local, problem::codes::NOT_READY};
use crate::config::ReadyDetails;

/// The process is there.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the process is there.
#[utoipa::path(
    get,
    path = "/health",
    tag = "service",
    operation_id = "getHealth",
    security(()),
    responses((status = 200, description = "It is.", body = Health))
)]
pub async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// What the process needs, and whether it has it.
#[derive(Serialize, ToSchema)]
pub struct Ready {
    /// `ready` or `not_ready`.
    #[schema(example = "ready")]
    status: &'static str,
    /// Each need: `ok`, or what is wrong. Not for everybody; see `WORKROOM_READY_DETAILS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = BTreeMap<String, Check>, required = false)]
    checks: Option<BTreeMap<&'static str, Check>>,
    /// How each background task of the process does, for whoever is told of the needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = BTreeMap<String, BackgroundTask>, required = false)]
    background: Option<BTreeMap<&'static str, BackgroundTask>>,
}

/// One thing that the process needs, such as `postgres` or `nats`, and whether it is there.
#[derive(Serialize, ToSchema)]
pub struct Check {
    /// Whether it is met. One that is not takes the process out of service (503), but for `mails`, `sandbox` and `log_tree`, without which everything else works.
    ok: bool,
    /// More about it.
    detail: String,
}

/// Whether the process can serve: 200, or 503. What fails, and what is well, is named for whoever may know.
#[utoipa::path(
    get,
    path = "/ready",
    tag = "service",
    operation_id = "getReadiness",
    security(()),
    responses((status = 200, description = "It can.", body = Ready), (status = 503))
)]
pub async fn ready(
    Extract(Probes { readiness, details }): Extract<Probes>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    let Report { needs, background } = readiness().await;
    let ready = !needs.iter().any(|(_, need)| matches!(need, Need::Unmet(_)));
    let may_know = details == ReadyDetails::Everyone || is_local(peer.ip(), &headers);
    let checks: BTreeMap<_, _> = needs
        .into_iter()
        .map(|(name, need)| match need {
            Need::Met(detail) => (name, Check { ok: true, detail }),
            Need::Impaired(detail) | Need::Unmet(detail) => (name, Check { ok: false, detail }),
        })
        .collect();
    if ready {
        let background = background.into_iter().map(|(name, status)| (name, status.into())).collect();
        let (checks, background) = if may_know { (Some(checks), Some(background)) } else { (None, None) };
        return Json(Ready { status: "ready", checks, background }).into_response();
    }
    let failing: Vec<_> =
        checks.iter().filter(|(_, check)| !check.ok).map(|(name, check)| format!("{name}: {}", check.detail)).collect();
    let detail = if may_know { format!("not ready: {}", failing.join("; ")) } else { "not ready".to_owned() };
    super::problem::Problem::new(NOT_READY, detail).into_response()
}

/// What this is.
#[derive(Serialize, ToSchema)]
pub struct About {
    /// The name of the service: always `workroom`.
    #[schema(example = "workroom")]
    service: &'static str,
    /// The version of the program that answers, such as `0.1.0`.
    version: &'static str,
    /// Where its documentation is.
    docs: &'static str,
}

/// The service's name and version.
#[utoipa::path(
    get,
    path = "/",
    tag = "service",
    operation_id = "getService",
    security(()),
    responses((status = 200, description = "What this is.", body = About), (status = 429))
)]
pub async fn about() -> Json<About> {
    Json(About { service: "workroom", version: env!("CARGO_PKG_VERSION"), docs: "/docs" })
}
