//! `POST /auth/login`

use axum::{
    extract::State as Extract,
    http::{HeaderMap, HeaderName, HeaderValue, header::SET_COOKIE},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::model::Tokens;
use crate::{
    application::Error,
    config::Config,
    http::{
        State,
        client_address::ClientAddress,
        extract,
        openapi::operation::{OperationDoc, Output},
        reply::{Shown, uncancellable},
    },
    identity::{DEVICE_LIFETIME, SignIn},
};

/// An account signs in by its e-mail address and password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The account's e-mail address, in any case of letters.
    #[schema(example = "ada@example.com")]
    email: String,
    /// The account's password.
    #[schema(example = "an analytical engine")]
    password: String,
}

impl extract::RequestBody for LoginRequest {}

/// The cookie by which a device is known that somebody has signed in from before.
///
/// Over TLS it has the prefix by which browsers take it from this host alone, and from nobody who can only write to the wire
/// (RFC 6265bis, section 4.1.3.2); a browser keeps no such cookie of a page without TLS.
struct DeviceCookie {
    name: &'static str,
    attributes: &'static str,
}

impl DeviceCookie {
    fn of(config: &Config) -> Self {
        if config.mail.app_url.as_deref().is_some_and(|url| url.starts_with("https:")) {
            Self { name: "__Host-workroom_device", attributes: "Path=/; Secure" }
        } else {
            Self { name: "workroom_device", attributes: "Path=/api/v1/auth/login" }
        }
    }

    /// The device that the client's cookies name, if they do.
    fn read(&self, headers: &HeaderMap) -> Option<String> {
        let cookies = headers.get_all("cookie").iter().filter_map(|value| value.to_str().ok());
        let mut cookies = cookies.flat_map(|line| line.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
        cookies.find(|(name, _)| *name == self.name).map(|(_, value)| value.to_owned())
    }

    /// Has the client's browser remember the device, for requests of its own site alone.
    fn set(&self, device: &str) -> Option<(HeaderName, HeaderValue)> {
        let (name, attributes, seconds) = (self.name, self.attributes, DEVICE_LIFETIME.whole_seconds());
        let cookie = format!("{name}={device}; {attributes}; Max-Age={seconds}; HttpOnly; SameSite=Strict");
        HeaderValue::try_from(cookie).ok().map(|cookie| (SET_COOKIE, cookie))
    }
}

/// Sign in, and start a session. The reply sets a cookie by which the device is known from then on: while strangers guess at the
/// account, whoever brings it is let through. It signs nobody in, and need not be kept.
#[utoipa::path(post, path = "/auth/login", tag = "auth", operation_id = "login", security(()), responses((status = 401)))]
pub async fn login(
    Extract(state): Extract<State>,
    extract::Correlation(correlation_id): extract::Correlation,
    ClientAddress(address): ClientAddress,
    extract::UserAgent(user_agent): extract::UserAgent,
    headers: HeaderMap,
    extract::Json(LoginRequest { email, password }): extract::Json<LoginRequest>,
) -> Result<SignedIn, Error> {
    let identity = state.identity.clone();
    let cookie = DeviceCookie::of(&state.config);
    let sign_in = SignIn { email, password, address, user_agent, device: cookie.read(&headers) };
    let signed_in = uncancellable(async move { identity.login(correlation_id, &sign_in).await }).await?;
    let cookie = signed_in.device.and_then(|device| cookie.set(&device));
    Ok(SignedIn { cookie, tokens: Tokens::of(&state.app, signed_in.pair).await? })
}

/// 200 with tokens, and the cookie of a device that was not known.
pub struct SignedIn {
    cookie: Option<(HeaderName, HeaderValue)>,
    tokens: Tokens,
}

impl IntoResponse for SignedIn {
    fn into_response(self) -> Response {
        let mut response = Shown(self.tokens).into_response();
        response.headers_mut().extend(self.cookie);
        response
    }
}

impl Output for SignedIn {
    fn describe(doc: &mut OperationDoc) {
        Shown::<Tokens>::describe(doc);
        doc.tells("200", &["Set-Cookie"]);
    }
}
