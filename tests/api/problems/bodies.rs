//! Bodies that are no good.

use reqwest::Method;
use serde_json::{Value, json};

use super::head;
use crate::support::{Client, Person, Reply, World};

/// Every operation that takes a body, with one that it would take.
fn operations(project: &str, ada: &Person) -> Vec<(Method, String, Value)> {
    let project = format!("/projects/{project}");
    let account = json!({"email": "new@example.com", "password": "an analytical engine"});
    let job = json!({"type": "code_execution", "language": "python", "code": "print(1)"});
    vec![
        (Method::POST, "/auth/register".to_owned(), account),
        (Method::POST, "/auth/login".to_owned(), json!({"email": ada.email, "password": "not hers"})),
        (Method::POST, "/auth/refresh".to_owned(), json!({"refresh_token": "none"})),
        (Method::POST, "/projects".to_owned(), json!({"name": "Apollo"})),
        (Method::PATCH, project.clone(), json!({"name": "Artemis"})),
        (Method::PUT, project.clone(), json!({"name": "Artemis"})),
        (Method::POST, format!("{project}/members"), json!({"email": "somebody@example.com"})),
        (Method::PATCH, format!("{project}/members/{}", ada.id), json!({"role": "viewer"})),
        (Method::PUT, format!("{project}/members/{}", ada.id), json!({"role": "viewer"})),
        (Method::POST, "/jobs".to_owned(), job),
    ]
}

/// Sends bytes as JSON.
async fn send_bytes(client: &Client, path: &str, body: Vec<u8>) -> Reply {
    send_as(client, Method::POST, path, Some("application/json"), body).await
}

async fn send_as(client: &Client, method: Method, path: &str, media_type: Option<&str>, body: Vec<u8>) -> Reply {
    let mut request = reqwest::Client::new()
        .request(method, format!("http://{}/api/v1{path}", client.address()))
        .bearer_auth(client.token())
        .body(body);
    if let Some(media_type) = media_type {
        request = request.header("content-type", media_type);
    }
    let reply = request.send().await.expect("a reply");
    let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
    let text = reply.text().await.expect("a body");
    Reply { status, headers, json: serde_json::from_str(&text).unwrap_or_default(), text }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_is_malformed() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let before = head(&world).await;
    for (method, path, good) in operations(&project, &ada) {
        let good = good.to_string();
        let cut = &good[..good.len() - 1];
        let half = &good[..=good.find(':').expect("a field")];
        for malformed in ["", " ", "{", "nonsense", "{'name': 'x'}", half, cut, &format!("{good}{good}"), "\u{feff}{}"]
        {
            let reply = ada.send(method.clone(), &path, Some(malformed.to_owned())).await;
            assert_eq!(reply.status, 400, "{method} {path} {malformed}: {}", reply.text);
            reply.problem(400);
        }
        let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for nested in [deep.clone(), format!("{{\"name\":{deep}}}"), "{\"name\":".repeat(10_000)] {
            let reply = ada.send(method.clone(), &path, Some(nested)).await;
            assert!(matches!(reply.status, 400 | 422), "{method} {path}: {}", reply.text);
            let status = reply.status;
            reply.problem(status);
        }
    }
    for bytes in [
        &b"{\"name\":\"\xff\xfe\"}"[..],
        b"\xff",
        b"{\"na\xc3me\":\"x\"}",
        b"\0",
        b"{\"name\":\"a\0b\"}",
        b"{\"name\":\"\\ud800\"}",
    ] {
        send_bytes(&ada, "/projects", bytes.to_vec()).await.problem(400);
    }
    assert_eq!(head(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_no_object_even_if_its_items_would_fit_the_fields() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let before = head(&world).await;
    for (path, list) in [
        ("/auth/login", json!([ada.email, ada.password])),
        ("/auth/refresh", json!([ada.refresh_token])),
        ("/projects", json!(["Apollo", null, null, null, null, null, null, null])),
        ("/projects", json!([])),
    ] {
        let reply = ada.post(path, list).await.problem(422);
        assert_eq!(reply.json["detail"], "must be a JSON object", "{path}");
    }
    ada.send(reqwest::Method::POST, "/projects", Some(" [".to_owned())).await.problem(400);
    assert_eq!(head(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_another_shape_is_invalid() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let before = head(&world).await;
    for (method, path, good) in operations(&project, &ada) {
        let mut invalid = vec![json!([]), json!("text"), json!(7), json!(null), json!(true)];
        let mut unknown = good.clone();
        unknown["no_such_field"] = 1.into();
        invalid.push(unknown);
        for field in good.as_object().unwrap().keys() {
            for wrong in [json!(7), json!({}), json!([]), json!(true), json!("nul \u{0}"), json!(-1.5e300)] {
                let mut body = good.clone();
                body[field] = wrong;
                invalid.push(body);
            }
        }
        for body in invalid {
            let reply = ada.send(method.clone(), &path, Some(body.to_string())).await;
            assert_eq!(reply.status, 422, "{method} {path} {body}: {}", reply.text);
            let reply = reply.problem(422);
            assert!(reply.json["errors"][0]["pointer"].is_string(), "{method} {path} {body}: {}", reply.text);
        }
        let twice = good.to_string().replacen('{', &format!("{{{},", &good.to_string().trim_matches(['{', '}'])), 1);
        ada.send(method, &path, Some(twice)).await.problem(422);
    }
    assert_eq!(head(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_does_not_hold_is_pointed_at() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let unknown = ada.post("/projects", json!({"name": "x", "a/b~c": 1})).await.problem(422);
    assert_eq!(unknown.json["errors"][0]["pointer"], "/a~1b~0c");
    let nul = ada.post("/projects", json!({"name": "a\u{0}b"})).await.problem(422);
    assert!(nul.json["detail"].as_str().unwrap().contains("NUL"), "{}", nul.text);
    // A backslash before `u0000` that is a letter of the text is no NUL.
    ada.post("/projects", json!({"name": "a\\u0000b"})).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_out_of_range_is_refused() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let before = head(&world).await;
    for number in ["0", "301", "-1", "4294967296", "99999999999999999999", "1.5", "1e2", "-0", "NaN", "1e400", "0x10"] {
        let body =
            format!(r#"{{"type": "code_execution", "language": "python", "code": "1", "timeout_seconds": {number}}}"#);
        let reply = ada.send(Method::POST, "/jobs", Some(body)).await;
        assert!(matches!(reply.status, 400 | 422), "{number}: {}", reply.text);
        let status = reply.status;
        reply.problem(status);
    }
    assert_eq!(head(&world).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let before = head(&world).await;
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(16 * 1024 * 1024));
    for (method, path, _) in operations(&project, &ada) {
        ada.send(method, &path, Some(large.clone())).await.problem(413);
    }
    // Nor does anybody else lose the reply over a body that is not even looked at.
    server.client().send(Method::POST, "/projects", Some(large.clone())).await.problem(401);
    // Without saying how long it is.
    let chunks = futures::stream::iter((0..160).map(|_| Ok::<_, std::io::Error>(vec![b'x'; 64 * 1024])));
    let mut status = 0;
    if let Ok(reply) = chunked(&ada, chunks).await {
        status = reply;
    }
    assert_eq!(status, 413);
    assert_eq!(head(&world).await, before);
}

/// Sends a body in chunks over a plain connection; returns the status.
async fn chunked(ada: &Person, chunks: impl futures::Stream<Item = std::io::Result<Vec<u8>>>) -> std::io::Result<u16> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut read, mut write) = tokio::net::TcpStream::connect(ada.address()).await?.into_split();
    let head = format!(
        "POST /api/v1/projects HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n",
        ada.token()
    );
    let writing = async {
        write.write_all(head.as_bytes()).await?;
        let mut chunks = std::pin::pin!(chunks);
        while let Some(chunk) = futures::StreamExt::next(&mut chunks).await {
            let chunk = chunk?;
            write.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await?;
            write.write_all(&chunk).await?;
            write.write_all(b"\r\n").await?;
        }
        write.write_all(b"0\r\n\r\n").await
    };
    let reading = async {
        let mut line = [0; 12];
        read.read_exact(&mut line).await?;
        Ok(String::from_utf8_lossy(&line[9..]).parse().unwrap_or_default())
    };
    // The service may stop reading as soon as it has answered.
    let (_, status) = tokio::join!(writing, reading);
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_must_say_that_it_is_json() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let before = head(&world).await;
    for (method, path, good) in operations(&project, &ada) {
        for media_type in
            [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx"), Some("")]
        {
            let reply = send_as(&ada, method.clone(), &path, media_type, good.to_string().into_bytes()).await;
            assert_eq!(reply.status, 415, "{method} {path} {media_type:?}: {}", reply.text);
            reply.problem(415);
        }
    }
    assert_eq!(head(&world).await, before);
    for media_type in ["application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"] {
        let path = format!("/projects/{project}");
        send_as(&ada, Method::PATCH, &path, Some(media_type), b"{}".to_vec()).await.is(200);
    }
}
