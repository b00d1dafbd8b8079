//! `/projects/{project_id}/workspaces/{workspace_id}/files`

use reqwest::Method;
use serde_json::json;

use super::{file, workspace};
use crate::support::{Person, Reply, World};

async fn write(person: &Person, file: &str, text: &str) -> Reply {
    let client = person.with_header("content-type", "text/plain; charset=utf-8");
    client.send(Method::PUT, &format!("{file}/content"), Some(text.to_owned())).await
}

async fn read(person: &Person, file: &str) -> String {
    let reply = person.get(&format!("{file}/content")).await.is(200);
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
    reply.text
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_created_written_read_moved_and_removed() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let room = workspace(&ada, &project, "Lab").await;
    let files = format!("{room}/files");
    let created = ada.post(&files, json!({"path": "src/main.py", "content": "print('ü')\n"})).await.is(201);
    let path = format!("{files}/{}", created.id());
    assert_eq!(created.header("location"), format!("/api/v1{path}"));
    assert_eq!((&created.json["path"], &created.json["size"]), (&json!("src/main.py"), &json!(12)));
    assert_eq!(ada.get(&path).await.is(200).json, created.json);
    assert_eq!(read(&ada, &path).await, "print('ü')\n");
    assert_eq!(ada.get(&room).await.is(200).json["file_count"], 1);

    let text = "text with \"quotes\", \t tabs,\r\n lines and 🚀\n".repeat(1000);
    let written = write(&ada, &path, &text).await.is(200);
    assert_eq!(written.json["size"], text.len());
    assert_eq!(read(&ada, &path).await, text);
    let version = written.header("etag").to_owned();
    assert_eq!(ada.get(&path).await.is(200).header("etag"), version);
    ada.with_header("if-none-match", &version).get(&path).await.is(304);
    ada.with_header("if-none-match", &version).get(&format!("{path}/content")).await.is(304);
    let before = ada.history(&project).await.len();
    assert_eq!(write(&ada, &path, &text).await.is(200).header("etag"), version, "what is there is not written again");
    assert_eq!(ada.history(&project).await.len(), before);

    let moved = ada.with_header("if-match", &version).patch(&path, json!({"path": "lib/app.py"})).await.is(200);
    assert_eq!((&moved.json["path"], &moved.json["sha256"]), (&json!("lib/app.py"), &written.json["sha256"]));
    ada.with_header("if-match", &version).patch(&path, json!({"path": "x"})).await.problem(412);
    ada.with_header("if-match", &version).delete(&path).await.problem(412);
    let stale = ada.with_header("if-match", &version).with_header("content-type", "text/plain");
    stale.send(Method::PUT, &format!("{path}/content"), Some("late".to_owned())).await.problem(412);
    let events = ada.history(&project).await;
    let last = events.last().expect("an event");
    assert_eq!(last["event_type"], "FileMoved");
    assert_eq!(last["data"]["path"], json!({"from": "src/main.py", "to": "lib/app.py"}));
    let content = events.iter().rfind(|event| event["event_type"] == "FileContentWritten").expect("an event");
    assert_eq!(content["data"]["sha256"], written.json["sha256"]);
    assert!(!serde_json::to_string(&events).expect("JSON").contains("quotes"), "content lies beside the log");

    write(&ada, &path, "").await.is(200);
    assert_eq!(read(&ada, &path).await, "");
    let empty = ada.post(&files, json!({"path": "empty"})).await.is(201);
    let empty_path = format!("{files}/{}", empty.id());
    assert_eq!((read(&ada, &empty_path).await, &empty.json["size"]), (String::new(), &json!(0)));
    assert_eq!(empty.json["sha256"], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

    ada.delete(&path).await.is(204);
    ada.get(&path).await.problem(404);
    ada.get(&format!("{path}/content")).await.problem(404);
    write(&ada, &path, "too late").await.problem(404);
    ada.delete(&path).await.problem(404);
    ada.patch(&path, json!({"path": "y"})).await.problem(404);
    // Its place is free again, and closing the room takes the rest.
    file(&ada, &room, "lib/app.py", "anew").await;
    ada.delete(&room).await.is(204);
    ada.get(&empty_path).await.problem(404);
    ada.get(&files).await.problem(404);
    write(&ada, &empty_path, "too late").await.problem(404);
    for command in [&["audit", "access"], &["projections", "verify"]] {
        let (proven, printed) = world.command(command).await;
        assert!(proven, "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_relative_unique_and_either_file_or_folder() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let room = workspace(&ada, &project, "Lab").await;
    let files = format!("{room}/files");
    let first = file(&ada, &room, "src/main.py", "").await;
    let long = "x/".repeat(513);
    for bad in ["", "/etc/passwd", "../x", "a/../b", "a/./b", "a//b", "a/", "a\\b", "a\nb", "a\u{202e}b", &long] {
        let refused = ada.post(&files, json!({"path": bad})).await.problem(422);
        assert_eq!(refused.json["errors"][0]["pointer"], "/path", "{bad:?}");
        ada.patch(&first, json!({"path": bad})).await.problem(422);
    }
    ada.post(&files, json!({"path": "a\u{0}b"})).await.problem(422);
    ada.post(&files, json!({})).await.problem(422);
    ada.post(&files, json!({"path": &"x/".repeat(511)[..1021]})).await.is(201);
    for taken in ["src/main.py", "src", "src/main.py/x"] {
        ada.post(&files, json!({"path": taken})).await.problem(409);
    }
    let second = file(&ada, &room, "src/other.py", "").await;
    ada.patch(&second, json!({"path": "src/main.py"})).await.problem(409);
    ada.patch(&second, json!({"path": "src"})).await.problem(409);
    ada.patch(&second, json!({"path": "src/Main.py"})).await.is(200);
    // Many at once for one path: one gets it.
    let rush = (0..20).map(|_| ada.post(&files, json!({"path": "rush"})));
    let replies = futures::future::join_all(rush).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    assert_eq!(replies.iter().filter(|reply| reply.status == 409).count(), 19);
    // And many at once for many paths all get theirs.
    let paths: Vec<_> = (0..50).map(|number| json!({"path": format!("many/{number}")})).collect();
    let replies = futures::future::join_all(paths.iter().map(|body| ada.post(&files, body.clone()))).await;
    assert!(replies.iter().all(|reply| reply.status == 201));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_listed_by_path_in_pages_and_by_folder() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let room = workspace(&ada, &project, "Lab").await;
    let mut expected = ["B", "README.md", "a", "src/a.py", "src/b.py", "src/ü.py", "src-old/a.py", "z%_"];
    for path in expected {
        file(&ada, &room, path, path).await;
    }
    expected.sort_unstable();
    let list = async |query: &str| {
        let mut paths = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = ada.get(&format!("{room}/files?limit=2{query}{cursor}")).await.is(200);
            paths.extend(page.items().iter().map(|file| file["path"].as_str().expect("a path").to_owned()));
            match page.json["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return paths,
            }
        }
    };
    assert_eq!(list("").await, expected);
    assert_eq!(list("&prefix=src/").await, ["src/a.py", "src/b.py", "src/ü.py"]);
    assert_eq!(list("&prefix=z%25").await, ["z%_"]);
    assert!(list("&prefix=%25").await.is_empty());
    assert_eq!(ada.get(&format!("{room}/files?skip=6")).await.is(200).items().len(), 2);
    for bad in ["cursor=%21", "cursor=gA", "limit=0", "limit=101", "skip=-1", "prefix=a%00", "unknown=1"] {
        ada.get(&format!("{room}/files?{bad}")).await.problem(422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_text_of_at_most_one_mebibyte() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let room = workspace(&ada, &project, "Lab").await;
    let path = file(&ada, &room, "big", "").await;
    let full = "ab\n\u{1}".repeat(256 * 1024);
    assert_eq!(full.len(), 1024 * 1024);
    write(&ada, &path, &full).await.is(200);
    assert_eq!(read(&ada, &path).await, full);
    write(&ada, &path, &format!("{full}x")).await.problem(413);
    write(&ada, &path, "a\0b").await.problem(422);
    // As JSON it is longer, and taken all the same.
    let escaped = ada.post(&format!("{room}/files"), json!({"path": "escaped", "content": full})).await.is(201);
    assert_eq!(read(&ada, &format!("{room}/files/{}", escaped.id())).await, full);
    let long = json!({"path": "too-long", "content": format!("{full}x")});
    assert_eq!(ada.post(&format!("{room}/files"), long).await.problem(422).json["errors"][0]["pointer"], "/content");
    let huge = json!({"path": "huge", "content": "x".repeat(7 * 1024 * 1024)});
    ada.post(&format!("{room}/files"), huge).await.problem(413);
    for (media_type, status) in [
        ("text/plain", 200),
        ("Text/Plain; charset=\"UTF-8\"", 200),
        ("text/plain; charset=latin1", 415),
        ("application/json", 415),
        ("application/x-www-form-urlencoded", 415),
    ] {
        let client = ada.with_header("content-type", media_type);
        let reply = client.send(Method::PUT, &format!("{path}/content"), Some(media_type.to_owned())).await;
        assert_eq!(reply.status, status, "{media_type}: {}", reply.text);
    }
    let address = format!("http://{}/api/v1{path}/content", ada.address());
    let raw = reqwest::Client::new().put(&address).bearer_auth(ada.token()).body(vec![0xff, 0xfe]);
    assert_eq!(raw.send().await.expect("a reply").status(), 400, "not UTF-8");
    let raw = reqwest::Client::new().put(&address).bearer_auth(ada.token()).body("undeclared");
    assert_eq!(raw.send().await.expect("a reply").status(), 200);
    assert_eq!(read(&ada, &path).await, "undeclared");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_created_once_for_one_key_with_its_content() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let room = workspace(&ada, &project, "Lab").await;
    let body = json!({"path": "once", "content": "once"});
    let keyed = ada.with_header("idempotency-key", "one");
    let first = keyed.post(&format!("{room}/files"), body.clone()).await.is(201);
    let again = keyed.post(&format!("{room}/files"), body).await.is(201);
    assert_eq!((first.text.clone(), again.header("idempotent-replayed")), (again.text.clone(), "true"));
    assert_eq!(read(&ada, &format!("{room}/files/{}", first.id())).await, "once");
    keyed.post(&format!("{room}/files"), json!({"path": "other"})).await.problem(422);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_who_race_leave_what_one_of_them_wrote() {
    let world = World::new().await;
    let (here, there) = tokio::join!(world.server(), world.server());
    let ada = here.person("ada").await;
    let project = ada.project("Apollo").await;
    let room = workspace(&ada, &project, "Lab").await;
    let path = file(&ada, &room, "shared", "").await;
    let other = ada.at(&there.address);
    let texts: Vec<_> = (0..20).map(|number| format!("{number} ").repeat(1000)).collect();
    let writes = texts.iter().enumerate().map(|(number, text)| {
        let person = if number % 2 == 0 { &ada } else { &other };
        write(person, &path, text)
    });
    for reply in futures::future::join_all(writes).await {
        reply.is(200);
    }
    let left = read(&ada, &path).await;
    assert!(texts.contains(&left));
    assert_eq!(read(&other, &path).await, left);
    assert_eq!(ada.get(&path).await.is(200).json["version"], 21);
    // With a version named, one write of each generation gets through.
    let version = ada.get(&path).await.is(200).header("etag").to_owned();
    let writes = texts.iter().map(|text| {
        let client = ada.with_header("if-match", &version).with_header("content-type", "text/plain");
        let (path, text) = (format!("{path}/content"), format!("{text}!"));
        async move { client.send(Method::PUT, &path, Some(text)).await.status }
    });
    let statuses = futures::future::join_all(writes).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 19);
}
