//! Which events of a history are listed, and what is no way to say so.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::{seqs, story, time, types};
use crate::{
    jobs::lifecycle::moment,
    organizations::{add, organization},
    support::{Client, Person, World},
};

/// A query parameter, and which events it leaves.
type Condition = (String, Box<dyn Fn(&Value) -> bool>);

fn seq(event: &Value) -> i64 {
    event["seq"].as_i64().expect("a place")
}

fn condition(parameter: String, leaves: impl Fn(&Value) -> bool + 'static) -> Condition {
    (parameter, Box::new(leaves))
}

fn after(place: i64) -> Condition {
    condition(format!("after={place}"), move |event| seq(event) > place)
}

fn before(place: i64) -> Condition {
    condition(format!("before={place}"), move |event| seq(event) < place)
}

/// Only events that have this in a field.
fn having(parameter: &str, field: &'static str, value: &Value) -> Condition {
    let value = value.clone();
    let text = value.as_str().expect("a text").to_owned();
    condition(format!("{parameter}={text}"), move |event| event[field] == value)
}

/// Only events since another one.
fn from(event: &Value) -> Condition {
    let at: OffsetDateTime = moment(&event["recorded_at"]);
    condition(format!("from={}", time(event)), move |event| moment(&event["recorded_at"]) >= at)
}

/// Only events before another one.
fn to(event: &Value) -> Condition {
    let at: OffsetDateTime = moment(&event["recorded_at"]);
    condition(format!("to={}", time(event)), move |event| moment(&event["recorded_at"]) < at)
}

/// What most events have in a field.
fn most<'e>(events: &'e [Value], field: &str) -> &'e Value {
    let count = |value: &Value| events.iter().filter(|event| event[field] == *value).count();
    events.iter().map(|event| &event[field]).max_by_key(|value| count(value)).expect("an event")
}

/// Insists that all these conditions together give what they leave of the whole history, on one page and on a small one.
async fn assert_narrowed(
    reader: &Client,
    (feed, whole): (&str, &[Value]),
    conditions: &[&Condition],
    limit: usize,
) -> usize {
    let leave = |event: &Value| conditions.iter().all(|(_, leaves)| leaves(event));
    let expected: Vec<&Value> = whole.iter().filter(|event| leave(event)).collect();
    for limit in [100, limit] {
        let mut query = format!("{feed}?limit={limit}");
        for (parameter, _) in conditions {
            query += &format!("&{parameter}");
        }
        let page = reader.get(&query).await.is(200);
        let first = &expected[..limit.min(expected.len())];
        assert_eq!(page.items().iter().collect::<Vec<_>>(), first, "{query}");
        let next = (first.len() < expected.len()).then(|| seq(first[limit - 1]));
        assert_eq!(page.json["next_after"], json!(next), "{query}");
        assert_eq!(page.json["next_cursor"], json!(next.map(|seq| seq.to_string())), "{query}");
    }
    expected.len()
}

/// The three histories that there are. Each has been made by more than one.
async fn feeds(ada: &Person, grace: &Person) -> [String; 3] {
    let project = story(ada, grace).await;
    let acme = organization(ada, "Acme").await;
    add(ada, &acme, grace, "admin").await;
    let path = format!("/organizations/{acme}");
    for (person, name) in [(grace, "One"), (ada, "Two"), (grace, "Three"), (ada, "Four")] {
        person.patch(&path, json!({"name": name})).await.is(200);
    }
    for name in ["Ada", "Ada L.", "Ada Lovelace"] {
        ada.patch("/auth/me", json!({"full_name": name})).await.is(200);
        // What the worker tells of it is in the same history.
        let job = ada.job(json!({"type": "noop"})).await;
        ada.finished(&job).await;
    }
    [format!("/projects/{project}/events"), format!("{path}/events"), "/auth/me/events".to_owned()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_can_be_narrowed() {
    let world = World::new().await;
    let server = world.server().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let feeds = feeds(&ada, &grace).await;
    let only = async |query: &str| ada.get(&format!("{}?{query}", feeds[0])).await.is(200);
    assert_eq!(seqs(only("type=ProjectUpdated").await.items()), [4, 5, 6, 7]);
    assert_eq!(seqs(only(&format!("actor={}", grace.id)).await.items()), [4, 6]);
    assert_eq!(seqs(only("from=2000-01-01T00:00:00%2B01:00").await.items()).len(), 7);

    for feed in &feeds {
        let whole = ada.get(&format!("{feed}?limit=100")).await.is(200).items().clone();
        assert!(whole.len() >= 6 && whole.len() < 100, "{feed}: {whole:?}");
        assert_eq!(seqs(&whole), (1..).take(whole.len()).collect::<Vec<_>>(), "{feed}");
        let (first, last) = (&whole[0], &whole[whole.len() - 1]);
        // Who did most, and what they did most.
        let actor = most(&whole, "actor");
        let theirs: Vec<Value> = whole.iter().filter(|event| event["actor"] == *actor).cloned().collect();
        let of_type = having("type", "event_type", most(&theirs, "event_type"));
        let by_actor = having("actor", "actor", actor);
        let conditions = [after(1), before(seq(last)), of_type, by_actor, from(&whole[1]), to(last)];
        let (mut found, limits) = (Vec::new(), [1, 2, 3]);
        for chosen in 0..1_usize << conditions.len() {
            let some: Vec<&Condition> = conditions
                .iter()
                .enumerate()
                .filter(|(place, _)| (chosen >> place) & 1 == 1)
                .map(|(_, condition)| condition)
                .collect();
            found.push(assert_narrowed(&ada, (feed, &whole[..]), &some, limits[chosen % limits.len()]).await);
        }
        let all_of_them = found[found.len() - 1];
        assert!(all_of_them > 0 && all_of_them < whole.len() - 1, "{feed}: {found:?}");

        // Places and times, and each type and actor, by themselves.
        let mut single = vec![after(0), before(0), after(i64::MAX), before(i64::MAX)];
        for event in [first, &whole[whole.len() / 2], last] {
            single.extend([after(seq(event)), before(seq(event)), from(event), to(event)]);
        }
        for kind in types(&whole).into_iter().chain(["NeverHeardOf"]) {
            single.push(having("type", "event_type", &json!(kind)));
        }
        for actor in [&first["actor"], &last["actor"], &json!("system:worker"), &json!(grace.id), &json!("nobody")] {
            single.push(having("actor", "actor", actor));
        }
        single.sort_by(|(one, _), (other, _)| one.cmp(other));
        single.dedup_by(|(one, _), (other, _)| one == other);
        for condition in &single {
            assert_narrowed(&ada, (feed, &whole[..]), &[condition], 2).await;
        }
        let nothing = format!("{feed}?from=2000-01-01T00:00:00Z&to=2001-01-01T00:00:00Z");
        assert!(ada.get(&nothing).await.is(200).items().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_not_read_by_wrong_parameters() {
    let world = World::new().await;
    let server = world.server().await;
    let ada = server.person("ada").await;
    let project = ada.project("Apollo").await;
    let acme = organization(&ada, "Acme").await;
    let feeds =
        [format!("/projects/{project}/events"), format!("/organizations/{acme}/events"), "/auth/me/events".to_owned()];
    for feed in feeds {
        for wrong in [
            "limit=0",
            "limit=101",
            "limit=x",
            "skip=-1",
            "after=x",
            "after=-1",
            "before=-1",
            "after=9223372036854775808",
            "before=1.5",
            "from=yesterday",
            "to=2026-11-20",
            "from=2026-11-20T10:00:00",
            "seq=1",
            "type=%00",
            "actor=a%00b",
            "cursor=x",
            "after=1&after=2",
            "min_position=-1",
        ] {
            let reply = ada.get(&format!("{feed}?{wrong}")).await.refused("invalid");
            let name = wrong.split_once('=').expect("a parameter").0;
            let errors = reply.json["errors"].as_array().expect("errors");
            assert_eq!(errors.len(), 1, "{}", reply.text);
            let detail = errors[0]["detail"].as_str().expect("a sentence");
            let is_named = errors[0]["pointer"] == format!("/{name}")
                || [format!(" {name}: "), format!("`{name}`")].iter().any(|named| detail.contains(named.as_str()));
            assert!(is_named, "{wrong}: {}", reply.text);
        }
        // The ends of time are no harm.
        for end in ["from=-9999-01-01T00:00:00Z", "to=9999-12-31T23:59:59Z", "after=9223372036854775807", "before=0"] {
            let reply = ada.get(&format!("{feed}?{end}")).await;
            assert!(matches!(reply.status, 200 | 422), "{end}: {}", reply.text);
        }
    }
}
