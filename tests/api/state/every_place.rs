//! What a project was at each place of its history is what the lists told then.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::head;
use crate::support::{Person, World};

/// What the lists tell of a project, by kind and id.
type Told = BTreeMap<(&'static str, String), Value>;

/// Numbers that look like chance, the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

fn id(item: &Value) -> String {
    item["id"].as_str().or(item["user_id"].as_str()).expect("an id").to_owned()
}

async fn told(ada: &Person, project: &str) -> Told {
    let path = format!("/projects/{project}");
    let mut told = Told::new();
    let mut add = |kind, items: &[Value]| {
        told.extend(items.iter().map(|item| ((kind, id(item)), item.clone())));
    };
    add("project", &[ada.get(&path).await.is(200).json]);
    add("members", ada.get(&format!("{path}/members?limit=100")).await.is(200).items());
    let tasks = ada.get(&format!("{path}/tasks?limit=100")).await.is(200);
    add("tasks", tasks.items());
    for task in tasks.items() {
        let comments = format!("{path}/tasks/{}/comments?limit=100", id(task));
        add("comments", ada.get(&comments).await.is(200).items());
    }
    let workspaces = ada.get(&format!("{path}/workspaces?limit=100")).await.is(200);
    add("workspaces", workspaces.items());
    for workspace in workspaces.items() {
        let files = format!("{path}/workspaces/{}/files?limit=100", id(workspace));
        add("files", ada.get(&files).await.is(200).items());
    }
    add("jobs", ada.get(&format!("/jobs?project_id={project}&limit=100")).await.is(200).items());
    add("schedules", ada.get(&format!("/schedules?project_id={project}&limit=100")).await.is(200).items());
    told
}

/// Insists that a state is what the lists told: of each field that both have, the same.
fn assert_same(state: &Value, told: &Told, at: &str) {
    let mut found = 0;
    for list in ["project", "members", "tasks", "comments", "workspaces", "files", "jobs", "schedules"] {
        let one = [state[list].clone()];
        let items = state[list].as_array().map_or(&one[..], Vec::as_slice);
        for item in items {
            let live = told.get(&(list, id(item))).unwrap_or_else(|| panic!("{at}: {list} has {item}"));
            for (name, value) in item.as_object().expect("an object") {
                if let Some(then) = live.get(name).filter(|_| name != "role" || list == "members") {
                    assert_eq!(value, then, "{at}: {list}, {name} of {item}");
                }
            }
            found += 1;
        }
    }
    assert_eq!(found, told.len(), "{at}: {state}");
}

/// Does something in a project, by chance.
async fn act(ada: &Person, grace: &Person, project: &str, dice: &mut Dice, now: &Told) {
    let path = format!("/projects/{project}");
    let all = |kind: &str| now.iter().filter(|((of, _), _)| *of == kind).map(|(_, item)| item).collect::<Vec<_>>();
    let (tasks, comments, rooms, files) = (all("tasks"), all("comments"), all("workspaces"), all("files"));
    let number = dice.roll(1000);
    let text = format!("Text {number}");
    match dice.roll(14) {
        0 => drop(ada.patch(&path, json!({"name": text, "end_date": "2026-12-24"})).await.is(200)),
        1 => drop(ada.patch(&path, json!({"end_date": null, "priority": "high"})).await.is(200)),
        2 if all("members").len() == 1 => drop(ada.invite(project, grace, "collaborator").await),
        2 => drop(ada.delete(&format!("{path}/members/{}", grace.id)).await.is(204)),
        3 | 4 if !tasks.is_empty() => {
            let task = format!("{path}/tasks/{}", id(tasks[dice.roll(tasks.len())]));
            let change = json!({"title": text, "assignee_id": ada.id, "due_at": "2026-12-01T10:00:00+02:00"});
            ada.patch(&task, change).await.is(200);
        }
        5 if !tasks.is_empty() => {
            let task = format!("{path}/tasks/{}", id(tasks[dice.roll(tasks.len())]));
            ada.patch(&task, json!({"assignee_id": null, "due_at": null, "status": "done"})).await.is(200);
        }
        6 if !tasks.is_empty() => {
            let comments = format!("{path}/tasks/{}/comments", id(tasks[dice.roll(tasks.len())]));
            ada.post(&comments, json!({"body": text})).await.is(201);
        }
        7 if !comments.is_empty() => {
            let comment = comments[dice.roll(comments.len())];
            let task = comment["task_id"].as_str().expect("a task");
            ada.delete(&format!("{path}/tasks/{task}/comments/{}", id(comment))).await.is(204);
        }
        8 if !tasks.is_empty() => {
            ada.delete(&format!("{path}/tasks/{}", id(tasks[dice.roll(tasks.len())]))).await.is(204);
        }
        9 => drop(ada.post(&format!("{path}/workspaces"), json!({"name": text})).await.is(201)),
        10 if !rooms.is_empty() => {
            let files = format!("{path}/workspaces/{}/files", id(rooms[dice.roll(rooms.len())]));
            let file = json!({"path": format!("{number}-{}.txt", now.len()), "content": text});
            assert!([201, 409].contains(&ada.post(&files, file).await.status));
        }
        11 if !files.is_empty() => {
            let file = files[dice.roll(files.len())];
            let room = file["workspace_id"].as_str().expect("a workspace");
            let content = format!("{path}/workspaces/{room}/files/{}/content", id(file));
            ada.with_header("content-type", "text/plain").send(Method::PUT, &content, Some(text)).await.is(200);
        }
        12 => drop(
            ada.job(json!({"language": "bash", "code": "true", "project_id": project, "priority": 1 + number % 5}))
                .await,
        ),
        13 => {
            let schedule = json!({"project_id": project, "cron": "@yearly", "job": {"type": "noop"}});
            ada.post("/schedules", schedule).await.is(201);
        }
        _ => drop(ada.post(&format!("{path}/tasks"), json!({"title": text})).await.is(201)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_place_the_state_is_what_the_lists_told() {
    let world = World::new().await;
    // Nothing happens but what is asked for.
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let pool = world.pool().await;
    for seed in 1..=2 {
        let project = ada.project("Apollo").await;
        let mut dice = Dice(seed);
        let mut now = told(&ada, &project).await;
        let mut recorded = BTreeMap::from([(head(&pool, &project).await, now.clone())]);
        for _ in 0..40 {
            act(&ada, &grace, &project, &mut dice, &now).await;
            now = told(&ada, &project).await;
            recorded.insert(head(&pool, &project).await, now.clone());
        }
        let path = format!("/projects/{project}");
        for (seq, told) in &recorded {
            let state = ada.get(&format!("{path}/state?as_of={seq}")).await.is(200).json;
            assert_eq!(state["seq"], *seq);
            assert_same(&state, told, &format!("seed {seed}, place {seq}"));
        }
        // Between two moments, exactly that differs which the states tell apart.
        let places: Vec<_> = recorded.keys().collect();
        for pair in places.windows(6) {
            let (from, to) = (pair[0], pair[5]);
            let diff = ada.get(&format!("{path}/diff?from={from}&to={to}")).await.is(200).json;
            let back = ada.get(&format!("{path}/diff?from={to}&to={from}")).await.is(200).json;
            assert_eq!((&diff["from"]["seq"], &diff["to"]["seq"]), (&json!(from), &json!(to)));
            let changes = diff["changes"].as_array().expect("changes");
            assert_eq!(changes.len(), back["changes"].as_array().expect("changes").len());
            let (before, after) = (&recorded[from], &recorded[to]);
            for list in ["tasks", "comments", "workspaces", "files"] {
                let kind = list.trim_end_matches('s');
                let of = |told: &Told| -> BTreeMap<String, Value> {
                    told.iter()
                        .filter(|((of, _), _)| *of == list)
                        .map(|((_, id), item)| (id.clone(), item.clone()))
                        .collect()
                };
                let (before, after) = (of(before), of(after));
                for change in changes.iter().filter(|change| change["kind"] == kind) {
                    let id = change["id"].as_str().expect("an id");
                    let is = (before.contains_key(id), after.contains_key(id));
                    let expected = match is {
                        (false, true) => "created",
                        (true, false) => "deleted",
                        _ => "changed",
                    };
                    assert_eq!(change["change"], expected, "{change}");
                    for (name, values) in change["fields"].as_object().expect("fields") {
                        let value =
                            |of: &BTreeMap<String, Value>| of.get(id).map_or(Value::Null, |item| item[name].clone());
                        assert_eq!((&values["from"], &values["to"]), (&value(&before), &value(&after)), "{change}");
                    }
                }
                let differing = before.keys().chain(after.keys()).filter(|id| {
                    before.get(*id).map(|item| &item["version"]) != after.get(*id).map(|item| &item["version"])
                });
                for id in differing {
                    assert!(changes.iter().any(|change| change["id"] == **id), "{kind} {id} differs");
                }
            }
        }
    }
}
