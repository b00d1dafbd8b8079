//! `/live`: a page that shows what happens in a project while it happens, made with the JavaScript client
//! (`clients/js`). Everything comes from this process: the page asks the network for nothing else.
//!
//! A new file of the page, or of the client, gets a line in [`PAGE`] or [`CLIENT`]; a test says so when one is missing.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Router,
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};

use super::{State, extract::IfNoneMatch};

/// Scripts and styles of the own address only, none in the page itself; text never becomes a script or an element.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// Pairs of name and content.
macro_rules! files {
    ($folder:literal: $($name:literal,)+) => { &[$(($name, include_str!(concat!($folder, $name)))),+] };
}

/// The page's own files, below `/live/`. `index.html` is `/live/` itself.
const PAGE: &[(&str, &str)] = files!("page/":
    "app.js",
    "board.js",
    "color.js",
    "connection.js",
    "describe.js",
    "dom.js",
    "events.js",
    "icon.svg",
    "index.html",
    "messages.js",
    "names.js",
    "people.js",
    "projects.js",
    "room.css",
    "room.js",
    "sign-in.js",
    "style.css",
    "tokens.js",
);

/// The client's files that browsers load, below `/live/client/`. Those in `node/` are for Node alone.
const CLIENT: &[(&str, &str)] = files!("../../../clients/js/src/":
    "client.js",
    "emitter.js",
    "errors.js",
    "http.js",
    "index.js",
    "live/event-queue.js",
    "live/hub.js",
    "live/link.js",
    "live/past.js",
    "live/room.js",
    "live/socket-link.js",
    "live/sse-parser.js",
    "live/stream-link.js",
    "live/subscription.js",
    "live/topic.js",
    "live/wire.js",
    "operations.js",
    "session.js",
    "timing.js",
);

struct File {
    path: String,
    media_type: &'static str,
    etag: String,
    text: &'static str,
}

/// The files as they are sent: made once.
static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let page = PAGE.iter().map(|(name, text)| File::new("/live/", name, text));
    page.chain(CLIENT.iter().map(|(name, text)| File::new("/live/client/", name, text))).collect()
});

/// The page, and what it is made of.
pub(super) fn routes() -> Router<State> {
    let routes = Router::new().route("/live", get(async || Redirect::permanent("/live/")));
    FILES
        .iter()
        .fold(routes, |routes, file| routes.route(&file.path, get(async move |known: IfNoneMatch| file.reply(&known))))
}

impl File {
    fn new(folder: &str, name: &str, text: &'static str) -> Self {
        let path = format!("{folder}{}", if name == "index.html" { "" } else { name });
        let etag = format!("\"{}\"", hex::encode(&digest(&SHA256, text.as_bytes()).as_ref()[..16]));
        Self { path, media_type: media_type(name), etag, text }
    }

    /// Browsers keep a file, and ask each time whether it is still the one: after an upgrade, all files of a page go
    /// together.
    fn reply(&self, known: &IfNoneMatch) -> Response {
        // Also with 304: its headers replace those that the browser has kept.
        let headers = [
            (header::ETAG, self.etag.as_str()),
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
        ];
        if known.has(&self.etag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, [(header::CONTENT_TYPE, self.media_type)], self.text).into_response()
    }
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "html")) => "text/html; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// The files below a folder, by their paths relative to `root`, with `/` between the parts.
    fn walk(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, found);
            } else {
                let parts = path.strip_prefix(root).unwrap().iter().map(|part| part.to_str().unwrap());
                found.insert(parts.collect::<Vec<_>>().join("/"));
            }
        }
    }

    fn on_disk(folder: &str) -> BTreeSet<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut found = BTreeSet::new();
        walk(&root, &root, &mut found);
        found
    }

    fn named(files: &[(&str, &str)]) -> BTreeSet<String> {
        files.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    #[test]
    fn every_file_of_the_page_is_served() {
        assert_eq!(named(PAGE), on_disk("src/http/live_page/page"));
    }

    #[test]
    fn every_file_of_the_client_that_browsers_load_is_served() {
        let is_of_browsers = |name: &String| !name.starts_with("node/") && !name.ends_with(".d.ts");
        let expected: BTreeSet<_> = on_disk("clients/js/src").into_iter().filter(is_of_browsers).collect();
        assert_eq!(named(CLIENT), expected);
    }

    #[test]
    fn every_file_has_a_media_type_and_an_address_of_its_own() {
        assert_eq!(FILES.len(), PAGE.len() + CLIENT.len());
        assert_eq!(FILES.iter().map(|file| &file.path).collect::<BTreeSet<_>>().len(), FILES.len());
        for file in FILES.iter() {
            assert_ne!(file.media_type, "application/octet-stream", "{}", file.path);
        }
    }

    #[test]
    fn nothing_in_the_page_needs_what_its_policy_forbids() {
        let (_, page) = PAGE.iter().find(|(name, _)| *name == "index.html").unwrap();
        assert_eq!(page.matches("<script").count(), page.matches("<script type=\"module\" src=").count());
        for forbidden in ["<style", " style=", " onclick=", "javascript:", "http://", "https://"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        for (name, text) in PAGE.iter().filter(|(name, _)| media_type(name).starts_with("text/javascript")) {
            for forbidden in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
                assert!(!text.contains(forbidden), "{name}: {forbidden}");
            }
        }
    }
}
