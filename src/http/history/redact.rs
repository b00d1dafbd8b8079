//! `POST …/events/{seq}/redact`: take what somebody wrote in an event out of the log.

use axum::extract::State as Extract;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use utoipa::ToSchema;
use uuid::Uuid;
use workroom_domain::text::Name;

use crate::{
    application::{
        Context, Error, IdempotencyKey, at_pointer,
        redaction::{Authority, Place, Redacted},
    },
    http::{
        State,
        extract::{
            AccountEventPath, AccountOwner, Body, Caller, ClientKey, OrganizationEventPath, ProjectEventPath,
            RequestBody,
        },
        reply::{CreatedEvent, uncancellable},
    },
};

/// Why something is redacted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedactionRequest {
    /// The reason. It stays in the history for all who read it: do not repeat what is redacted.
    #[schema(example = "A customer's address, posted by mistake.", min_length = 1, max_length = 200)]
    reason: String,
}

impl RequestBody for RedactionRequest {}

impl RedactionRequest {
    /// The reason, checked.
    pub(in crate::http) fn reason(&self) -> Result<Name, Error> {
        Name::parse(&self.reason).map_err(at_pointer("/reason"))
    }
}

/// Where the event stands that says that another one was redacted.
#[derive(Serialize, ToSchema)]
pub struct RedactedEvent {
    /// Its place in the whole log.
    position: i64,
    /// Its place in the feed. Null if it could not be read: the redaction stands.
    seq: Option<i64>,
    /// Its id. Null if it could not be read.
    event_id: Option<Uuid>,
    /// The place of the redacted event in the feed.
    redacted_seq: i64,
}

/// Redact an event of a project: a placeholder takes the place of every text in it, everywhere, for good. Who did it, and why,
/// becomes an event. For owners, and for admins of the organization; of a deleted project, for these admins and who owned it.
#[utoipa::path(
    post,
    path = "/projects/{project_id}/events/{seq}/redact",
    tag = "history",
    operation_id = "redactProjectEvent",
    responses((status = 409))
)]
pub async fn redact_project_event(
    Extract(state): Extract<State>,
    caller: Caller,
    ProjectEventPath { project_id, seq }: ProjectEventPath,
    key: ClientKey,
    Body { value, bytes }: Body<RedactionRequest>,
) -> Result<CreatedEvent<RedactedEvent>, Error> {
    let key = key.bind(&state, caller.identity.account_id.into(), &bytes);
    let authority = Authority::Project(project_id);
    let location = |seq| ProjectEventPath { project_id, seq }.location();
    redact(state, caller.context, authority, (project_id.into(), seq), value.reason()?, key, location).await
}

/// Redact an event of an organization: a placeholder takes the place of every text in it, everywhere, for good. Who did it, and why,
/// becomes an event. For its admins.
#[utoipa::path(
    post,
    path = "/organizations/{organization_id}/events/{seq}/redact",
    tag = "history",
    operation_id = "redactOrganizationEvent",
    responses((status = 409))
)]
pub async fn redact_organization_event(
    Extract(state): Extract<State>,
    caller: Caller,
    OrganizationEventPath { organization_id, seq }: OrganizationEventPath,
    key: ClientKey,
    Body { value, bytes }: Body<RedactionRequest>,
) -> Result<CreatedEvent<RedactedEvent>, Error> {
    let key = key.bind(&state, caller.identity.account_id.into(), &bytes);
    let authority = Authority::Organization(organization_id);
    let location = |seq| OrganizationEventPath { organization_id, seq }.location();
    redact(state, caller.context, authority, (organization_id.into(), seq), value.reason()?, key, location).await
}

/// Redact an event of the signed-in account's own history, such as the request of a job that belongs to no project. Not for
/// personal access tokens.
#[utoipa::path(
    post,
    path = "/auth/me/events/{seq}/redact",
    tag = "auth",
    operation_id = "redactAccountEvent",
    responses((status = 409))
)]
pub async fn redact_account_event(
    Extract(state): Extract<State>,
    AccountOwner(caller): AccountOwner,
    AccountEventPath { seq }: AccountEventPath,
    key: ClientKey,
    Body { value, bytes }: Body<RedactionRequest>,
) -> Result<CreatedEvent<RedactedEvent>, Error> {
    let key = key.bind(&state, caller.identity.account_id.into(), &bytes);
    let account_id = caller.identity.account_id;
    let authority = Authority::Account(account_id);
    let location = |seq| AccountEventPath { seq }.location();
    redact(state, caller.context, authority, (account_id.into(), seq), value.reason()?, key, location).await
}

async fn redact(
    state: State,
    context: Context,
    authority: Authority,
    (feed_id, redacted_seq): (Uuid, i64),
    reason: Name,
    key: Option<IdempotencyKey>,
    location: impl FnOnce(i64) -> String,
) -> Result<CreatedEvent<RedactedEvent>, Error> {
    let app = state.app.clone();
    let (Redacted { position, visible, replayed }, place) = uncancellable(async move {
        let place = Place::InFeed { feed_id, seq: redacted_seq };
        let redacted = app.redact(&context, authority, place, &reason, key).await?;
        let place = place_of(app.pool(), redacted.position).await;
        Ok((redacted, place))
    })
    .await?;
    let (seq, event_id) = place.unzip();
    let body = RedactedEvent { position, seq, event_id, redacted_seq };
    Ok(CreatedEvent::new(position, visible, seq.map(location), &body).replayed(replayed))
}

/// Where an event stands in its feed, and its id. What was carried out is told although this cannot be read.
async fn place_of(pool: &PgPool, position: i64) -> Option<(i64, Uuid)> {
    let found = sqlx::query_as("SELECT feed_seq, event_id FROM events WHERE position = $1")
        .bind(position)
        .fetch_optional(pool)
        .await;
    found.unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, position, "an event could not be read back");
        None
    })
}
