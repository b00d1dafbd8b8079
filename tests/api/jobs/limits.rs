//! What `limit_hit` says, for each limit of the sandbox; that of time is in `running.rs`.

use serde_json::{Value, json};

use crate::support::World;

/// Programs end when they have printed a megabyte, and not 64.
const OUTPUT: [(&str, &str); 1] = [("WORKROOM_SANDBOX_OUTPUT_LIMIT_BYTES", "1000000")];

/// Fills the file system of the work folder, and ends as if nothing had been.
const FULL_FOLDER: &str = "head -c 40M /dev/zero > one; head -c 40M /dev/zero > two; exit 0";
/// Makes a file larger than one may be.
const LARGE_FILE: &str = "import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
os.truncate(os.open('x', os.O_CREAT | os.O_WRONLY), 1 << 40)";
const HOG: &str = "x = []
while True: x.append(bytearray(1 << 20))";
const FORKS: &str = "import os, time
try:
  while True:
    if os.fork() == 0: time.sleep(60)
except OSError: print('refused')";

#[tokio::test]
async fn the_limit_that_a_program_hits_is_told() {
    let world = World::new().await;
    let server = world.server_with(&[], &OUTPUT).await;
    let ada = server.person("ada").await;
    let ready = server.client().get("//ready").await.is(200);
    let detail = ready.json["checks"]["sandbox"]["detail"].as_str().expect("a detail");
    let has_cgroups = detail.contains("limits by cgroups");
    let mut cases = vec![
        ("bash", "yes", "output", Some(Value::Null)),
        ("bash", "yes >&2", "output", Some(Value::Null)),
        ("bash", FULL_FOLDER, "disk", Some(json!(0))),
        ("python", LARGE_FILE, "disk", Some(json!(153))),
    ];
    // Without cgroups these two are not known for certain.
    if has_cgroups {
        cases.push(("python", HOG, "memory", None));
        cases.push(("python", FORKS, "processes", Some(json!(0))));
    }
    let mut jobs = Vec::new();
    for (language, code, limit, exit_code) in cases {
        jobs.push((ada.job(json!({"language": language, "code": code})).await, limit, exit_code));
    }
    for (job, limit, exit_code) in jobs {
        let ended = ada.finished(&job).await;
        let result = &ended["result"];
        assert_eq!((&ended["status"], &result["limit_hit"]), (&json!("failed"), &json!(limit)), "{ended}");
        assert!(exit_code.is_none_or(|expected| result["exit_code"] == expected), "{limit}: {ended}");
        assert_eq!(result["truncated"], limit == "output", "{limit}: {ended}");
    }
    let within = ada.finished(&ada.run_python("print('x' * 900_000)", None).await).await;
    let told = (&within["status"], &within["result"]["limit_hit"], &within["result"]["truncated"]);
    assert_eq!(told, (&json!("completed"), &Value::Null, &json!(true)), "less than the limit");
}
