//! Files that programs leave.

use serde_json::json;

use super::lifecycle::{bash, with};
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_leaves_is_listed_and_read() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, eve) = (server.person("ada").await, server.person("eve").await);
    let project = ada.project("Apollo").await;
    let code = "mkdir -p artifacts/deep; printf 'a,b' > artifacts/table.csv; printf x > artifacts/deep/x;
                ln -s /etc/passwd artifacts/link; echo done";
    let job = ada.job(with(bash(code), json!({"project_id": project}))).await;
    let ended = ada.finished(&job).await;
    let left = json!([{"path": "deep/x", "size": 1}, {"path": "table.csv", "size": 3}]);
    assert_eq!(ended["result"]["artifacts"], left, "{ended}");
    let path = format!("/jobs/{job}/artifacts");
    assert_eq!(ada.get(&path).await.is(200).json, json!({"attempt": 1, "items": left}));
    let table = ada.get(&format!("{path}?path=table.csv")).await.is(200);
    assert_eq!((table.text.as_str(), table.header("content-type")), ("a,b", "application/octet-stream"));
    assert_eq!(table.header("content-disposition"), "attachment");
    for other in ["link", "../artifacts/table.csv", "/etc/passwd"] {
        ada.get(&format!("{path}?path={other}")).await.problem(404);
    }
    eve.get(&path).await.problem(404);
    eve.get(&format!("{path}?path=table.csv")).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_comes_whole_and_an_empty_one_too() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let code = "open('artifacts/none', 'w').close()
with open('artifacts/large', 'w') as file:
    for number in range(400_000): file.write(f'{number}\\n')";
    let job = ada.run_python(code, None).await;
    assert_eq!(ada.finished(&job).await["status"], "completed");
    let large = ada.get(&format!("/jobs/{job}/artifacts?path=large")).await.is(200);
    let expected: String = (0..400_000).map(|number| format!("{number}\n")).collect();
    assert!(expected.len() > 2 * 1024 * 1024, "more than is read at a time");
    assert_eq!(large.header("content-length"), expected.len().to_string());
    assert!(large.text == expected, "{} bytes", large.text.len());
    let none = ada.get(&format!("/jobs/{job}/artifacts?path=none")).await.is(200);
    assert_eq!((none.text.as_str(), none.header("content-length")), ("", "0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_arguments_and_environment_reach_the_program() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let job = json!({
        "language": "python", "entry": "src/main.py", "args": ["one", "two words"], "env": {"GREETING": "hi $HOME"},
        "files": [
            {"path": "src/main.py", "content": "import sys, os\nfrom lib import name\nprint(name, sys.argv[1:], os.environ['GREETING'])"},
            {"path": "src/lib.py", "content": "name = 'lib'"},
        ],
    });
    let ended = ada.finished(&ada.job(job).await).await;
    assert_eq!(ended["result"]["stdout"], "lib ['one', 'two words'] hi $HOME\n", "{ended}");
}
