//! Requests against their quotas, and what replies tell of them: `RateLimit-Policy` and `RateLimit`
//! (draft-ietf-httpapi-ratelimit-headers-10).

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{ConnectInfo, Request, State as Extract},
    http::{HeaderMap, HeaderName, HeaderValue, Method},
    middleware::Next,
    response::{IntoResponse, Response},
};
use uuid::Uuid;

use super::{
    State,
    client_address::{client_address, note_unconfigured_proxy},
    problem::Problem,
};
use crate::application::Refused;
use crate::http::problem::codes::TOO_MANY_REQUESTS;
use crate::{
    application::Error,
    rate_limit::{Class, RateLimits, Report, Subject},
};

pub(super) static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(super) static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The class of a request; none for what is always answered.
fn class(method: &Method, path: &str) -> Option<Class> {
    let Some(path) = path.strip_prefix("/api/v1/") else {
        return if matches!(path, "/health" | "/ready") { None } else { Some(Class::Read) };
    };
    Some(match (method.as_str(), path) {
        ("POST", "auth/register") => Class::Registration,
        ("POST", "auth/login" | "auth/refresh") => Class::SignIn,
        ("POST", "auth/password/forgot" | "auth/password/reset" | "auth/email/verify") => Class::Recovery,
        ("POST", path) if path.starts_with("invitations/") && path.ends_with("/block") => Class::Recovery,
        (_, "realtime") => Class::Socket,
        ("GET" | "HEAD" | "OPTIONS", _) => Class::Read,
        _ => Class::Write,
    })
}

/// What a request has used of its quotas; travels with it.
#[derive(Clone)]
pub(super) struct Usage(Arc<Used>);

struct Used {
    limits: RateLimits,
    class: Class,
    nearest: Mutex<Option<Report>>,
}

/// Counts a request against its address, lets it pass, and tells in the reply how its quotas stand.
pub(super) async fn limited(Extract(state): Extract<State>, mut request: Request, next: Next) -> Response {
    let class = class(request.method(), request.uri().path());
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    let (Some(class), Some(peer)) = (class, peer) else { return next.run(request).await };
    note_unconfigured_proxy(peer, request.headers(), state.config.requests.trusted_proxies);
    let address = client_address(peer, request.headers(), state.config.requests.trusted_proxies);
    let usage = Usage(Arc::new(Used { limits: state.rate_limits.clone(), class, nearest: Mutex::default() }));
    let mut response = match usage.take(Subject::Address(address)) {
        Ok(()) => {
            request.extensions_mut().insert(usage.clone());
            next.run(request).await
        }
        Err(error) => Problem::from(error).into_response(),
    };
    usage.tell(response.headers_mut());
    response
}

impl fmt::Debug for Usage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Usage").field("class", &self.0.class).finish_non_exhaustive()
    }
}

impl Usage {
    /// Counts the request against the account that makes it.
    ///
    /// # Errors
    /// `Kind::Throttled`.
    pub(super) fn take_account(&self, account_id: Uuid) -> Result<(), Error> {
        self.take(Subject::Account(account_id))
    }

    fn take(&self, subject: Subject) -> Result<(), Error> {
        self.take_class(self.0.class, subject)
    }

    /// Counts the request against a quota of another class, too.
    ///
    /// # Errors
    /// `Kind::Throttled`.
    pub(super) fn take_class(&self, class: Class, subject: Subject) -> Result<(), Error> {
        let taken = self.0.limits.take(class, subject);
        let report = match &taken {
            Ok(report) => *report,
            Err(report) => Some(*report),
        };
        if let Some(report) = report {
            let mut nearest = self.0.nearest.lock().unwrap_or_else(PoisonError::into_inner);
            if nearest.is_none_or(|nearest| report.is_closer_to_limit_than(&nearest)) {
                *nearest = Some(report);
            }
        }
        match taken {
            Ok(_) => Ok(()),
            Err(report) => Err(Error::Refused(Refused {
                code: TOO_MANY_REQUESTS,
                detail: if report.of_account {
                    "the account asks too often; wait before the next request".into()
                } else {
                    "this address asks too often; wait before the next request".into()
                },
                retry_after: Some(report.reset),
            })),
        }
    }

    /// Tells the quota that is nearest to its end.
    fn tell(&self, headers: &mut HeaderMap) {
        let Some(report) = *self.0.nearest.lock().unwrap_or_else(PoisonError::into_inner) else { return };
        let name = format!("{}-by-{}", report.class.as_str(), if report.of_account { "account" } else { "address" });
        let policy = format!("\"{name}\";q={};w={}", report.requests, report.window().as_secs());
        let reset = report.reset.as_millis().div_ceil(1000);
        let left = format!("\"{name}\";r={};t={reset}", report.remaining);
        for (header, value) in [(&RATE_LIMIT_POLICY, policy), (&RATE_LIMIT, left)] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(header, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RateLimitsConfig;

    #[test]
    fn a_request_can_count_in_two_classes() {
        let config = RateLimitsConfig { writes_per_account: 1, reads_per_account: 3, ..RateLimitsConfig::default() };
        let limits = RateLimits::new(config);
        let usage = Usage(Arc::new(Used { limits, class: Class::Read, nearest: Mutex::default() }));
        let account = Subject::Account(Uuid::from_u128(1));
        assert!(usage.take(account).is_ok());
        assert!(usage.take_class(Class::Write, account).is_ok());
        assert!(usage.take_class(Class::Write, account).is_err());
        assert!(usage.take(account).is_ok(), "it may still read");
    }

    #[test]
    fn requests_have_classes() {
        for (method, path, expected) in [
            (Method::GET, "/health", None),
            (Method::GET, "/docs", Some(Class::Read)),
            (Method::POST, "/api/v1/auth/login", Some(Class::SignIn)),
            (Method::POST, "/api/v1/auth/register", Some(Class::Registration)),
            (Method::POST, "/api/v1/auth/password", Some(Class::Write)),
            (Method::POST, "/api/v1/auth/password/forgot", Some(Class::Recovery)),
            (Method::GET, "/api/v1/projects", Some(Class::Read)),
            (Method::DELETE, "/api/v1/projects/x", Some(Class::Write)),
            (Method::GET, "/api/v1/realtime", Some(Class::Socket)),
        ] {
            assert_eq!(class(&method, path), expected, "{method} {path}");
        }
    }
}
