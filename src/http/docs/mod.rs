//! `/docs`: the OpenAPI document, and Swagger UI to browse it with; beside it the AsyncAPI document of what is live. Everything comes from this process: no page of it asks the
//! network for more.

pub mod asyncapi;

use std::{io::Read, sync::LazyLock};

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use bytes::Bytes;
use flate2::read::GzDecoder;

use super::router::document;
use crate::application::Error;

/// Where the document is.
const DOCUMENT: &str = "/api/v1/openapi.json";

/// Where the document of what is live is.
const LIVE_DOCUMENT: &str = "/api/v1/asyncapi.json";

/// Files of this project: name, media type, content.
const OWN: [(&str, &str, &str); 2] = [
    ("", "text/html; charset=utf-8", include_str!("index.html")),
    ("swagger-initializer.js", "text/javascript; charset=utf-8", include_str!("swagger-initializer.js")),
];

/// Files of Swagger UI, compressed by the build script: together they are a megabyte and a half.
const COMPRESSED: [(&str, &str, &[u8]); 3] = [
    (
        "swagger-ui-bundle.js",
        "text/javascript; charset=utf-8",
        include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz")),
    ),
    ("swagger-ui.css", "text/css; charset=utf-8", include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css.gz"))),
    ("favicon-32x32.png", "image/png", include_bytes!(concat!(env!("OUT_DIR"), "/favicon-32x32.png.gz"))),
];

/// The document as it is sent: made once.
static WRITTEN: LazyLock<Bytes> = LazyLock::new(|| document().to_json().map(Bytes::from).unwrap_or_default());

/// The document of what is live, as it is sent: made once.
static LIVE_WRITTEN: LazyLock<Bytes> = LazyLock::new(|| {
    let written = asyncapi::document().and_then(|document| serde_json::to_vec(&document));
    written.map(Bytes::from).unwrap_or_default()
});

/// The documents, and the page.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let written = get(async || content("application/json", WRITTEN.clone()));
    let live_written = get(async || content("application/json", LIVE_WRITTEN.clone()));
    let routes = Router::new().route(LIVE_DOCUMENT, live_written);
    let mut routes = routes.route(DOCUMENT, written).route("/docs", get(async || Redirect::permanent("/docs/")));
    for (name, media_type, text) in OWN {
        let file = get(async move || content(media_type, Bytes::from_static(text.as_bytes())));
        routes = routes.route(&format!("/docs/{name}"), file);
    }
    for (name, media_type, bytes) in COMPRESSED {
        let file = get(async move |headers: HeaderMap| compressed(&headers, media_type, bytes));
        routes = routes.route(&format!("/docs/{name}"), file);
    }
    routes
}

fn content(media_type: &'static str, bytes: Bytes) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))], bytes).into_response()
}

/// As it is stored, for those who take that, as all browsers do; decompressed for the others (RFC 9110, 12.5.3).
fn compressed(headers: &HeaderMap, media_type: &'static str, stored: &'static [u8]) -> Response {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let takes_gzip = accepted.flat_map(|value| value.split(',')).any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && !matches!(weight.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    });
    let mut response = if takes_gzip {
        let mut response = content(media_type, Bytes::from_static(stored));
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        response
    } else {
        let mut bytes = Vec::new();
        match GzDecoder::new(stored).read_to_end(&mut bytes) {
            Ok(_) => content(media_type, bytes.into()),
            Err(error) => Error::failure(error).into_response(),
        }
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    response
}
