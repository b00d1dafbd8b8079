//! All routes on one page, and what every request passes on its way to one.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{DefaultBodyLimit, FromRef},
    http::{HeaderName, HeaderValue, Method, header},
    middleware,
    routing::get,
};
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa::OpenApi;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};
use utoipa_swagger_ui::SwaggerUi;
use workroom_domain::refusal::NOT_FOUND;

use super::{
    Probes, State, auth, comments, envelope, files, health, history, invitations, jobs, members, openapi,
    organizations, problem::Problem, projects, rate_limit, realtime, reply, request, tasks, webhooks, workspaces,
};
use crate::config::{Config, Role};
use crate::http::problem::codes::METHOD_NOT_ALLOWED;

const BASE: &str = "/api/v1";
const DOCUMENT: &str = "/api/v1/openapi.json";

fn api() -> OpenApiRouter<State> {
    OpenApiRouter::with_openapi(openapi::Api::openapi())
        .routes(routes!(auth::register::register))
        .routes(routes!(auth::login::login))
        .routes(routes!(auth::refresh::refresh))
        .routes(routes!(auth::logout::logout))
        .routes(routes!(auth::me::me, auth::me::update_me, auth::me::replace_me, auth::me::erase_me))
        .routes(routes!(auth::sessions::list_sessions))
        .routes(routes!(auth::sessions::revoke_session))
        .routes(routes!(auth::tokens::create_token, auth::tokens::list_tokens))
        .routes(routes!(auth::tokens::revoke_token))
        .routes(routes!(auth::password::change_password))
        .routes(routes!(auth::password::forgot_password))
        .routes(routes!(auth::password::reset_password))
        .routes(routes!(auth::email::verify_email))
        .routes(routes!(auth::email::send_verification))
        .routes(routes!(webhooks::identity))
        .routes(routes!(history::account_events))
        .routes(routes!(organizations::create::create, organizations::list::list))
        .routes(routes!(organizations::read::read, organizations::update::update, organizations::delete::delete))
        .routes(routes!(organizations::members::add::add_member, organizations::members::list::list_members))
        .routes(routes!(
            organizations::members::change_role::change_member_role,
            organizations::members::remove::remove_member
        ))
        .routes(routes!(organizations::projects::list_projects))
        .routes(routes!(history::organization_events))
        .routes(routes!(projects::create::create, projects::list::list))
        .routes(routes!(
            projects::read::read,
            projects::update::update,
            projects::update::replace,
            projects::delete::delete
        ))
        .routes(routes!(history::project_events))
        .routes(routes!(members::add::add, members::list::list))
        .routes(routes!(
            members::read::read,
            members::change_role::change_role,
            members::change_role::set_role,
            members::remove::remove
        ))
        .routes(routes!(invitations::list::list_invitations))
        .routes(routes!(invitations::read::read_invitation, invitations::revoke::revoke_invitation))
        .routes(routes!(invitations::list::list_organization_invitations))
        .routes(routes!(
            invitations::read::read_organization_invitation,
            invitations::revoke::revoke_organization_invitation
        ))
        .routes(routes!(invitations::accept::accept))
        .routes(routes!(invitations::block::block))
        .routes(routes!(tasks::create::create, tasks::list::list))
        .routes(routes!(tasks::delete::delete_many))
        .routes(routes!(tasks::read::read, tasks::update::update, tasks::update::replace, tasks::delete::delete))
        .routes(routes!(comments::post::post, comments::list::list))
        .routes(routes!(comments::read::read, comments::edit::edit, comments::delete::delete))
        .routes(routes!(workspaces::create::create, workspaces::list::list))
        .routes(routes!(workspaces::read::read, workspaces::update::update, workspaces::delete::delete))
        .routes(routes!(files::create::create, files::list::list).layer(DefaultBodyLimit::max(files::CREATE_LIMIT)))
        .routes(routes!(files::read::read, files::update::update, files::delete::delete))
        .routes(
            routes!(files::content::read_content, files::content::write_content)
                .layer(DefaultBodyLimit::max(files::WRITE_LIMIT)),
        )
        .routes(routes!(jobs::submit::submit, jobs::list::list))
        .routes(routes!(jobs::read::read))
        .routes(routes!(realtime::ticket))
}

/// The OpenAPI document.
pub fn document() -> utoipa::openapi::OpenApi {
    let (_, mut document) = api().split_for_parts();
    openapi::describe_errors(&mut document);
    document
}

/// The service's router: the API, the WebSocket, and what lies around them.
pub fn router(state: State) -> Router {
    let config = Arc::clone(&state.config);
    let mut service = probes();
    if config.roles.contains(&Role::Api) {
        let (api, _) = api().split_for_parts();
        let docs = utoipa_swagger_ui::Config::from(DOCUMENT).persist_authorization(false);
        service = service
            .nest(BASE, api)
            .route("/.well-known/jwks.json", get(auth::jwks::jwks))
            .merge(SwaggerUi::new("/docs").url(DOCUMENT, document()).config(docs));
    }
    if config.roles.contains(&Role::Live) {
        service = service.route("/api/v1/realtime", get(crate::live::realtime));
    }
    let limits = middleware::from_fn_with_state(state.clone(), rate_limit::limited);
    around(settled(service, state).layer(limits), &config)
}

/// The router of a process that only runs jobs: it says how it is, and nothing else.
pub fn router_of_worker(probes_of: Probes, config: &Config) -> Router {
    around(settled(probes(), probes_of), config)
}

fn probes<S: Clone + Send + Sync + 'static>() -> Router<S>
where
    Probes: FromRef<S>,
{
    Router::new()
        .route("/", get(health::about))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
}

/// Routes, and what is answered where there are none.
fn settled<S: Clone + Send + Sync + 'static>(service: Router<S>, state: S) -> Router {
    service.fallback(nothing_here).method_not_allowed_fallback(method_not_allowed).with_state(state)
}

/// What lies around all routes.
fn around(service: Router, config: &Config) -> Router {
    service
        .layer(DefaultBodyLimit::max(config.body_limit_bytes))
        .layer(cors(&config.allowed_origins))
        .layer(middleware::from_fn_with_state(Duration::from_secs(config.request_timeout_seconds), envelope::envelope))
}

async fn nothing_here() -> Problem {
    Problem::new(NOT_FOUND, "there is nothing at this address")
}

async fn method_not_allowed() -> Problem {
    METHOD_NOT_ALLOWED.into()
}

/// Which pages of other origins may call, from a browser. By default none.
fn cors(allowed: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = allowed.iter().filter_map(|origin| origin.parse().ok()).collect();
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("traceparent"),
            request::REQUEST_ID.clone(),
        ])
        .expose_headers([
            header::ETAG,
            header::LOCATION,
            header::RETRY_AFTER,
            request::REQUEST_ID.clone(),
            reply::POSITION.clone(),
            reply::VISIBLE.clone(),
            reply::ENDED_INVITATIONS.clone(),
            reply::REPLAYED.clone(),
            rate_limit::RATE_LIMIT.clone(),
            rate_limit::RATE_LIMIT_POLICY.clone(),
        ])
        .max_age(Duration::from_hours(1))
}
