//! The files of the page `/live`, as they are served.

use std::collections::BTreeSet;

use reqwest::Url;

use crate::support::World;

/// The files that a file of the page names: what it links to, and what it imports.
fn named_in(text: &str) -> Vec<&str> {
    let after = ["src=\"", "href=\"", "from \""].iter().flat_map(|mark| text.split(*mark).skip(1));
    let names = after.filter_map(|rest| rest.split_once('"').map(|(name, _)| name));
    names.filter(|name| [".js", ".css", ".svg"].iter().any(|end| name.ends_with(end))).collect()
}

#[tokio::test]
async fn every_file_that_the_page_asks_for_is_there() {
    let world = World::new().await;
    let server = world.server().await;
    let client = server.client();
    let start = Url::parse(&format!("http://{}/live/", server.address)).unwrap();
    let (mut open, mut seen) = (vec![start.clone()], BTreeSet::from([start]));
    while let Some(url) = open.pop() {
        let reply = client.get(&format!("/{}", url.path())).await.is(200);
        let expected = match url.path().rsplit_once('.') {
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(reply.header("content-type"), expected, "{url}");
        for name in named_in(&reply.text) {
            let named = url.join(name).unwrap();
            assert!(named.path().starts_with("/live/"), "{url} names {named}");
            if seen.insert(named.clone()) {
                open.push(named);
            }
        }
    }
    assert!(seen.len() > 30, "{seen:?}");
    for path in ["//live/nothing.js", "//live/client/node/websocket.js", "//live/client/index.d.ts", "//live/../src"] {
        client.get(path).await.problem(404);
    }
}

#[tokio::test]
async fn the_page_runs_nothing_but_its_own_files_and_is_asked_for_anew_each_time() {
    let world = World::new().await;
    let server = world.server().await;
    // Without a slash it leads to where relative addresses hold.
    for path in ["//live", "//live/"] {
        let page = server.client().get(path).await.is(200);
        assert!(page.text.contains("<title>Workroom live</title>"), "{}", page.text);
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("cache-control"), "no-cache");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        let known = server.client().with_header("if-none-match", page.header("etag")).get(path).await.is(304);
        assert_eq!(known.text, "");
        // The headers of this reply replace those that the browser has kept.
        assert_eq!(known.header("content-security-policy"), policy);
        let other = server.client().with_header("if-none-match", "\"other\"").get(path).await.is(200);
        assert_eq!(other.header("etag"), page.header("etag"));
    }
}
