//! Who calls.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Method, header, request::Parts},
};
use uuid::Uuid;
use workroom_domain::actor::Actor;

use crate::{
    application::{Context, Error},
    clock::now,
    http::{
        State,
        client_address::ClientAddress,
        openapi::operation::{Input, OperationDoc},
        problem::Problem,
        rate_limit::Usage,
        request::RequestMeta,
    },
    identity::{self, Scope, codes::CREDENTIALS_MISSING},
    rate_limit::{Class, Subject},
};

/// The signed-in caller, and what events of this request will say.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account that calls, the credential that it called with, and what that credential opens.
    pub identity: identity::Caller,
    /// What events of this request will say.
    pub context: Context,
    /// What the request has used of its quotas, where those are counted.
    pub(in crate::http) usage: Option<Usage>,
}

impl Caller {
    /// Counts what a request writes that only reads as it seems, as a request that writes would be counted.
    ///
    /// # Errors
    /// `Kind::Throttled`.
    pub(in crate::http) fn take_write(&self) -> Result<(), Error> {
        let account = Subject::Account(self.identity.account_id.into());
        self.usage.as_ref().map_or(Ok(()), |usage| usage.take_class(Class::Write, account))
    }
}

/// The token of an `Authorization: Bearer` header (RFC 6750).
pub(in crate::http) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

impl FromRequestParts<State> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let token = bearer(&parts.headers).ok_or_else(|| {
            Error::refused(CREDENTIALS_MISSING, "sign in first: send Authorization: Bearer <access token>")
        })?;
        let now = now();
        let identity = state.identity.authenticate(token, now).await?;
        let only_reads = matches!(parts.method, Method::GET | Method::HEAD);
        identity.require(if only_reads { Scope::Read } else { Scope::Write })?;
        let usage = parts.extensions.get::<Usage>().cloned();
        if let Some(usage) = &usage {
            usage.take_account(identity.account_id.into())?;
        }
        let meta = meta(parts)?;
        let context = Context {
            actor: Actor::Account(identity.account_id),
            now,
            correlation_id: meta.correlation_id,
            causation_id: None,
            trace_id: meta.trace_id.clone(),
        };
        Ok(Self { identity, context, usage })
    }
}

/// Who calls, if they say so. Nobody need; credentials that are not good are none.
pub struct MaybeCaller(pub Option<Caller>);

impl FromRequestParts<State> for MaybeCaller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Self::Rejection> {
        Ok(Self(Caller::from_request_parts(parts, state).await.ok()))
    }
}

/// A caller whose credential opens all that the account may do: account, sessions and tokens are no matter for a personal
/// access token.
pub struct AccountOwner(pub Caller);

impl FromRequestParts<State> for AccountOwner {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        caller.identity.require(Scope::Full)?;
        Ok(Self(caller))
    }
}

/// What the client calls itself.
pub struct UserAgent(pub Option<String>);

impl FromRequestParts<State> for UserAgent {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Self::Rejection> {
        let name = parts.headers.get(header::USER_AGENT).and_then(|name| name.to_str().ok());
        Ok(Self(name.map(str::to_owned)))
    }
}

fn meta(parts: &Parts) -> Result<&RequestMeta, Problem> {
    parts.extensions.get::<RequestMeta>().ok_or_else(|| Error::failure("a request without an id").into())
}

/// The request's correlation id, for those who are not signed in yet.
pub struct Correlation(pub Uuid);

impl FromRequestParts<State> for Correlation {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Problem> {
        Ok(Self(meta(parts)?.correlation_id))
    }
}

impl Input for Caller {
    fn describe(doc: &mut OperationDoc) {
        doc.refuses(&["401"]);
        if doc.is_change {
            doc.refuses(&["403", "409"]);
        }
    }
}

impl Input for AccountOwner {
    fn describe(doc: &mut OperationDoc) {
        Caller::describe(doc);
        doc.refuses(&["403"]);
    }
}

impl Input for MaybeCaller {
    fn describe(_: &mut OperationDoc) {}
}

impl Input for UserAgent {
    fn describe(_: &mut OperationDoc) {}
}

impl Input for Correlation {
    fn describe(_: &mut OperationDoc) {}
}

impl Input for ClientAddress {
    fn describe(_: &mut OperationDoc) {}
}
