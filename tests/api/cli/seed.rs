//! `workroom-dev seed`: an organization that one can sign in to and work in, as often as one likes.

use std::{collections::HashSet, time::Duration};

use serde_json::{Value, json};

use super::process::{assert_one_sentence, dev, run};
use crate::support::{Client, Server, World};

const WITHIN: Duration = Duration::from_secs(60);
const PEOPLE: [&str; 8] = [
    "ingrid.solheim",
    "amara.okafor",
    "tomas.ferreira",
    "jonas.weber",
    "priya.raman",
    "leila.haddad",
    "marek.novak",
    "hana.sato",
];

/// What a run printed.
struct Seeded(String);

impl Seeded {
    async fn by(server: &Server) -> Self {
        let url = format!("http://{}", server.address);
        let output = run(dev(&["seed", "--url", &url]), WITHIN).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        Self(text)
    }

    /// The address that was printed for somebody.
    fn address(&self, local_part: &str) -> String {
        let start = format!("{local_part}.");
        let mut words = self.0.split_whitespace();
        let address = words.find(|word| word.starts_with(&start) && word.ends_with("@example.com"));
        address.unwrap_or_else(|| panic!("no address of {local_part}: {}", self.0)).to_owned()
    }

    /// Signs somebody in, with what was printed.
    async fn sign_in(&self, server: &Server, local_part: &str) -> Client {
        let (_, rest) = self.0.split_once("the password of all is “").expect("a password");
        let (password, _) = rest.split_once('”').expect("a password");
        let credentials = json!({"email": self.address(local_part), "password": password});
        let client = server.client();
        let tokens = client.post("/auth/login", credentials).await.is(200).json;
        client.with_token(tokens["access_token"].as_str().expect("an access token"))
    }
}

async fn items(client: &Client, path: &str) -> Vec<Value> {
    let separator = if path.contains('?') { '&' } else { '?' };
    let list = client.get(&format!("{path}{separator}limit=100")).await.is(200);
    assert!(list.json["next_cursor"].is_null(), "{path} has more than a page");
    list.items().clone()
}

fn values(items: &[Value], pointer: &str) -> HashSet<String> {
    items.iter().filter_map(|item| item.pointer(pointer)).map(|value| value.to_string().replace('"', "")).collect()
}

fn of_name<'a>(items: &'a [Value], name: &str) -> &'a Value {
    items.iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("no {name}: {items:?}"))
}

fn path_of(project: &Value) -> String {
    format!("/projects/{}", project["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn people_find_their_organization_with_everything_in_it() {
    let world = World::new().await;
    let server = world.server().await;
    let seeded = Seeded::by(&server).await;
    let amara = seeded.sign_in(&server, "amara.okafor").await;
    let organizations = items(&amara, "/organizations").await;
    let organization = of_name(&organizations, "Lantern Software");
    assert_eq!(organization["member_count"], 8);
    assert_eq!(organization["role"], "admin");
    let projects =
        items(&amara, &format!("/organizations/{}/projects", organization["id"].as_str().expect("an id"))).await;
    assert_eq!(projects.len(), 3);
    assert_eq!(values(&projects, "/status").len(), 3);
    assert_eq!(values(&projects, "/priority").len(), 3);
    let berthline = of_name(&projects, "Berthline bookings");
    assert_eq!(berthline["edit_policy"], "lead");
    assert!(berthline["team_lead"].is_string());

    let (mut tasks, mut comments, mut invitations) = (Vec::new(), Vec::new(), Vec::new());
    for project in &projects {
        let path = path_of(project);
        for task in items(&amara, &format!("{path}/tasks")).await {
            let said = items(&amara, &format!("{path}/tasks/{}/comments", task["id"].as_str().expect("an id"))).await;
            assert_eq!(task["comment_count"], said.len());
            comments.extend(said);
            tasks.push(task);
        }
        invitations.extend(items(&amara, &format!("{path}/invitations")).await);
    }
    assert_eq!(tasks.len(), 40);
    assert_eq!(values(&tasks, "/status").len(), 3);
    assert_eq!(values(&tasks, "/type").len(), 5);
    assert_eq!(values(&tasks, "/assignee/email").len(), PEOPLE.len());
    assert!(tasks.iter().any(|task| task["due_at"].is_null()) && values(&tasks, "/due_at").len() > 20);
    assert!(comments.len() >= 30 && values(&comments, "/author/email").len() >= 6, "{}", comments.len());
    assert_eq!(invitations.len(), 1);
    assert_eq!(invitations[0]["email"], seeded.address("amara.okafor").replace("amara.okafor", "rowan.ellis"));
}

#[tokio::test]
async fn the_source_can_be_read_and_the_program_has_run() {
    let world = World::new().await;
    let server = world.server().await;
    let seeded = Seeded::by(&server).await;
    let priya = seeded.sign_in(&server, "priya.raman").await;
    let projects = items(&priya, "/projects").await;
    let tidetable = of_name(&projects, "tidetable");
    assert_eq!(tidetable["is_public"], true);
    let path = path_of(tidetable);
    let workspaces = items(&priya, &format!("{path}/workspaces")).await;
    let files = format!("{path}/workspaces/{}/files", of_name(&workspaces, "Source")["id"].as_str().expect("an id"));
    let listed = items(&priya, &files).await;
    assert!((6..=10).contains(&listed.len()), "{listed:?}");
    for file in &listed {
        let content = priya.get(&format!("{files}/{}/content", file["id"].as_str().expect("an id"))).await.is(200);
        assert_eq!(file["size"], content.text.len());
        assert!(content.text.len() > 100, "{file}");
    }
    let paths = values(&listed, "/path");
    for file in ["README.md", "src/tidetable/predict.py", "tests/test_predict.py"] {
        assert!(paths.contains(file), "{paths:?}");
    }
    let jobs = items(&priya, &format!("/jobs?project_id={}", tidetable["id"].as_str().expect("an id"))).await;
    assert_eq!(values(&jobs, "/status"), HashSet::from(["completed".to_owned()]));
    let printed = jobs[0]["result"]["stdout"].as_str().expect("an output");
    assert!(printed.starts_with("Port Elin") && printed.contains("high"), "{printed}");
    assert!(seeded.0.contains(printed.lines().last().expect("a line")), "{}", seeded.0);
}

#[tokio::test]
async fn it_can_be_run_again_even_where_no_code_can_be_run() {
    let world = World::new().await;
    let server = world.server_with(&[], &[("WORKROOM_SANDBOX_FOLDER", "/nowhere")]).await;
    let first = Seeded::by(&server).await;
    let second = Seeded::by(&server).await;
    let mut seen = HashSet::new();
    for seeded in [&first, &second] {
        assert!(seeded.0.contains("No job was submitted") && seeded.0.contains("sandbox"), "{}", seeded.0);
        for local_part in PEOPLE {
            let person = seeded.sign_in(&server, local_part).await;
            let organizations = items(&person, "/organizations").await;
            seen.insert(of_name(&organizations, "Lantern Software")["slug"].to_string());
        }
    }
    assert_eq!(seen.len(), 2, "each run has an organization of its own: {seen:?}");
}

#[tokio::test]
async fn without_an_instance_it_says_so() {
    for url in ["http://127.0.0.1:9", "https://example.com", "nonsense"] {
        assert_one_sentence(&run(dev(&["seed", "--url", url]), WITHIN).await, &[url]);
    }
}
