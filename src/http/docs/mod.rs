//! `/docs`: the OpenAPI document and Swagger UI to browse it with. Everything comes from this process: no page of it asks the
//! network for more.

use std::sync::LazyLock;

use axum::{
    Router,
    http::{HeaderValue, header},
    response::{IntoResponse, Redirect},
    routing::get,
};
use bytes::Bytes;

use super::router::document;

/// Where the document is.
const DOCUMENT: &str = "/api/v1/openapi.json";

/// Files of the page: name, media type, content.
const FILES: [(&str, &str, &[u8]); 5] = [
    ("", "text/html; charset=utf-8", include_bytes!("index.html")),
    ("swagger-initializer.js", "text/javascript; charset=utf-8", include_bytes!("swagger-initializer.js")),
    (
        "swagger-ui-bundle.js",
        "text/javascript; charset=utf-8",
        include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js")),
    ),
    ("swagger-ui.css", "text/css; charset=utf-8", include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css"))),
    ("favicon-32x32.png", "image/png", include_bytes!(concat!(env!("OUT_DIR"), "/favicon-32x32.png"))),
];

/// The document as it is sent: made once.
static WRITTEN: LazyLock<Bytes> = LazyLock::new(|| document().to_json().map(Bytes::from).unwrap_or_default());

/// The document, and the page.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let written = get(async || content("application/json", WRITTEN.clone()));
    let mut routes = Router::new().route(DOCUMENT, written).route("/docs", get(async || Redirect::permanent("/docs/")));
    for (name, media_type, bytes) in FILES {
        let file = get(async move || content(media_type, Bytes::from_static(bytes)));
        routes = routes.route(&format!("/docs/{name}"), file);
    }
    routes
}

fn content(media_type: &'static str, bytes: Bytes) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))], bytes)
}
