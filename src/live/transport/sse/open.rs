//! `GET /api/v1/projects/{project_id}/events/stream` and `GET /api/v1/events/stream`: from a request to a stream.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::future::try_join_all;
use utoipa::IntoParams;
use uuid::Uuid;
use workroom_domain::{
    ids::{AccountId, ProjectId},
    refusal::NOT_FOUND,
};

use super::{event_stream, place};
use crate::{
    application::{
        Error,
        codes::{FORBIDDEN, INTERNAL, OUT_OF_RANGE},
    },
    http::{
        client_address::ClientAddress,
        extract::ProjectPath,
        problem::codes::{INVALID_VALUE, MISSING_FIELD, TOO_MANY_SOCKETS, UNAVAILABLE, UNKNOWN_FIELD},
    },
    identity::{Caller, codes::CREDENTIALS_MISSING},
    live::{
        Live,
        connection::{Admitted, Connection, Refused, Since, Wanted, admit},
        feed::{FeedId, frames::Topic},
        signal::Signal,
        transport::{self, Place},
    },
};

/// Projects that one stream can follow.
const MAX_PROJECTS: usize = 32;

/// What a stream of one project takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "for the document")]
pub struct EventStreamParams {
    /// Begin behind this place: `<epoch>.<seq>`, as in the `id` of an event, or a bare `seq`. Without it, only what comes is sent.
    /// `Last-Event-ID` goes before it.
    since: Option<String>,
    /// A ticket of `POST /realtime/tickets`, where no header can be set.
    ticket: Option<String>,
}

/// What a stream of several projects takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "for the document")]
pub struct EventsStreamParams {
    /// The projects, at most 32.
    project_id: Vec<Uuid>,
    /// Begin behind these places: a JSON object from project to `<epoch>.<seq>`, as in the `id` of an event. Of a project that it
    /// does not name, only what comes is sent. `Last-Event-ID` goes before it.
    since: Option<String>,
    /// A ticket of `POST /realtime/tickets`, where no header can be set.
    ticket: Option<String>,
}

/// Follow the events of a project as server-sent events. Each carries the same frame as over the WebSocket. Events of the project are
/// messages; everything else (`subscribed`, `caught_up`, `head`, `role`, `message`, `reset`, `unsubscribed`, `problem`, `close`) is named
/// by its type. `id` is the place to resume from, which browsers send as `Last-Event-ID` when they connect again.
#[utoipa::path(
    get,
    path = "/projects/{project_id}/events/stream",
    tag = "realtime",
    operation_id = "streamProjectEvents",
    params(("project_id" = Uuid, Path, description = "The project."), EventStreamParams),
    security((), ("bearer" = [])),
    responses(
        (status = 200, description = "Events as they happen.", content_type = "text/event-stream", body = String),
        (status = 400), (status = 401), (status = 403), (status = 404), (status = 422), (status = 429), (status = 503)
    )
)]
pub async fn stream_project_events(
    State(live): State<Live>,
    address: ClientAddress,
    ProjectPath { project_id }: ProjectPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let opened = async {
        let caller = signed_in(&live, &headers, query.as_deref()).await?;
        let asked = Asked::read(query.as_deref(), false)?;
        let since = match asked.since(&headers) {
            Some(text) => Some(place::read(text).ok_or_else(|| malformed("<epoch>.<seq>"))?),
            None => None,
        };
        open(live, address, caller, vec![(project_id, since)], true).await
    };
    opened.await.unwrap_or_else(IntoResponse::into_response)
}

/// Follow the events of several projects as server-sent events, as for one. `id` is a JSON object from project to place.
#[utoipa::path(
    get,
    path = "/events/stream",
    tag = "realtime",
    operation_id = "streamEvents",
    params(EventsStreamParams),
    security((), ("bearer" = [])),
    responses(
        (status = 200, description = "Events as they happen.", content_type = "text/event-stream", body = String),
        (status = 400), (status = 401), (status = 403), (status = 404), (status = 422), (status = 429), (status = 503)
    )
)]
pub async fn stream_events(
    State(live): State<Live>,
    address: ClientAddress,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let opened = async {
        let caller = signed_in(&live, &headers, query.as_deref()).await?;
        let asked = Asked::read(query.as_deref(), true)?;
        let mut since = match asked.since(&headers) {
            Some(text) => {
                place::read_all(text).ok_or_else(|| malformed("a JSON object of <epoch>.<seq> by project"))?
            }
            None => HashMap::new(),
        };
        let projects = asked.projects.iter().map(|id| (*id, since.remove(&id.uuid()))).collect();
        open(live, address, caller, projects, false).await
    };
    opened.await.unwrap_or_else(IntoResponse::into_response)
}

fn malformed(form: &str) -> Error {
    Error::invalid("/since", INVALID_VALUE, format!("since and Last-Event-ID have the form {form}"))
}

/// Who asks. Told before anything else is looked at.
async fn signed_in(live: &Live, headers: &HeaderMap, query: Option<&str>) -> Result<Caller, Error> {
    let mut fields = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let ticket = fields.find(|(name, _)| name == "ticket").map(|(_, ticket)| ticket);
    Ok(transport::caller(live, headers, ticket.as_deref()).await?.ok_or(CREDENTIALS_MISSING)?)
}

/// The query string of a stream, without its ticket.
#[derive(Default)]
struct Asked {
    projects: Vec<ProjectId>,
    since: Option<String>,
    has_ticket: bool,
}

impl Asked {
    fn read(query: Option<&str>, takes_projects: bool) -> Result<Self, Error> {
        let mut asked = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "project_id" if takes_projects => {
                    let id = value.parse().map(ProjectId);
                    let id = id.map_err(|_| Error::invalid("/project_id", INVALID_VALUE, "is not a UUID"))?;
                    if !asked.projects.contains(&id) {
                        asked.projects.push(id);
                    }
                }
                "since" if asked.since.is_none() => asked.since = Some(value.into_owned()),
                "ticket" if !asked.has_ticket => asked.has_ticket = true,
                other => {
                    let detail = format!("the query string is not valid: unknown or repeated field `{other}`");
                    return Err(Error::invalid("", UNKNOWN_FIELD, detail));
                }
            }
        }
        if takes_projects && asked.projects.is_empty() {
            return Err(Error::invalid("/project_id", MISSING_FIELD, "name one project at least"));
        }
        if asked.projects.len() > MAX_PROJECTS {
            let detail = format!("a stream follows at most {MAX_PROJECTS} projects");
            return Err(Error::invalid("/project_id", OUT_OF_RANGE, detail));
        }
        Ok(asked)
    }

    /// What the client resumes from.
    fn since<'a>(&'a self, headers: &'a HeaderMap) -> Option<&'a str> {
        let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()).filter(|id| !id.is_empty());
        last.or(self.since.as_deref())
    }
}

async fn open(
    live: Live,
    ClientAddress(address): ClientAddress,
    caller: Caller,
    projects: Vec<(ProjectId, Option<Since>)>,
    is_single: bool,
) -> Result<Response, Error> {
    if live.hub.is_stopping() {
        return Err(Error::later(UNAVAILABLE, Duration::from_secs(1)));
    }
    let count = live.hub.admit_socket().ok_or_else(|| Error::later(UNAVAILABLE, Duration::from_secs(5)))?;
    let too_many = || Error::later(TOO_MANY_SOCKETS, Duration::from_secs(5));
    let permit = live.hub.socket_quota().for_address(address).ok_or_else(too_many)?;
    let signal = Arc::<Signal>::default();
    let admitted = try_join_all(projects.into_iter().map(|one| follow(&live, caller.account_id, one, &signal))).await?;
    let places = admitted.iter().map(|(_, admitted)| admitted.place());
    let (stream, body) = event_stream(places.collect::<Vec<Place>>(), is_single);
    let mut connection = Connection::new(live.clone(), Box::new(stream), Some(caller), signal);
    for (topic, admitted) in admitted {
        connection.join(topic, admitted, None);
    }
    let token = live.hub.tasks().token();
    tokio::spawn(async move {
        connection.run().await;
        drop((count, permit, token));
    });
    Ok(respond(body))
}

async fn follow(
    live: &Live,
    account_id: AccountId,
    (project_id, since): (ProjectId, Option<Since>),
    signal: &Arc<Signal>,
) -> Result<(Topic, Admitted), Error> {
    let topic = Topic { feed: FeedId::Project(project_id), workspace_id: None, file_id: None };
    let wanted = Wanted { since, events: true, presence: false, cursors: false, output: false };
    let admitted = admit(live.clone(), account_id, topic, wanted, Arc::clone(signal)).await;
    admitted.map(|admitted| (topic, admitted)).map_err(|refused| match refused {
        Refused::NOT_FOUND => Error::refused(NOT_FOUND, format!("there is no such project: {project_id}")),
        Refused::FORBIDDEN => {
            Error::refused(FORBIDDEN, format!("you do not have the right to follow this project: {project_id}"))
        }
        Refused::UNAVAILABLE => Error::later(UNAVAILABLE, Duration::from_secs(1)),
        _ => INTERNAL.into(),
    })
}

fn respond(body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream")),
        // A proxy that gathers what it passes on would hold back what has happened.
        (header::HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    ];
    (headers, body).into_response()
}
