//! What a project was at each place of its history is what its views were then, and what differs between two places is what the
//! views tell apart.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use workroom_domain::redaction::PLACEHOLDER;
use workroom_projections::state::NOUNS;

use super::{
    acts::{ACTS, Act, Dice, ONE_OF_EACH, Story, TOLD},
    shown::{assert_shows, differences, shown},
    told::assert_told,
    views::{Replay, assert_same_rows, at_rest},
};
use crate::support::{World, rounds_of};

/// How many events of a history are redacted, where any is.
const REDACTIONS: usize = 5;
/// How many pairs of places are compared, beside the ends.
const PAIRS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn at_every_place_the_state_is_what_the_views_were() {
    let world = World::new().await;
    // Nothing happens but what is asked for, and what follows from that.
    let server = world.server_without_worker().await;
    let (ada, grace) = (server.person("ada").await, server.person("grace").await);
    let pool = world.pool().await;
    let mut types = BTreeSet::new();
    for seed in 1..=u64::try_from(rounds_of(8)).unwrap() {
        let redacts = seed % 2 == 0;
        let redactions = if redacts { REDACTIONS } else { 0 };
        let name = ada.project("Apollo").await;
        let (project, path) = (name.parse().expect("an id"), format!("/projects/{name}"));
        let mut story = Story { ada: &ada, grace: &grace, pool: &pool, project, dice: Dice(seed), count: 0 };
        let mut acts = story.dice.shuffled(ACTS);
        for _ in 0..redactions {
            acts.insert(story.dice.roll(acts.len()), Act::Redact);
        }
        acts.extend(ONE_OF_EACH);

        // The views follow what happens: as if each event had been alone.
        let mut follower = Replay::begin(&world, project).await;
        let mut recorded = BTreeMap::new();
        let mut alive = 0;
        for act in acts.into_iter().chain([Act::DeleteProject]) {
            if let Act::DeleteProject = act {
                let state = ada.get(&format!("{path}/state")).await.is(200).json;
                alive = state["seq"].as_i64().expect("a place");
                assert_told(&ada, &name, &state, &format!("seed {seed}, place {alive}")).await;
            }
            story.perform(act).await;
            let moment = at_rest(&pool, project).await;
            follower.read(moment.position).await;
            while follower.step().await.is_some() {}
            let at = format!("seed {seed}, place {}, {act:?}", moment.seq);
            assert_same_rows(&follower.rows().await, &moment.rows, &at);
            recorded.insert(moment.seq, moment.rows);
        }

        // From now on the log is what it is: what was redacted has been taken out of it from the beginning.
        let end = at_rest(&pool, project).await;
        let mut replay = Replay::begin(&world, project).await;
        replay.read(end.position).await;
        let mut states = BTreeMap::new();
        while let Some(event) = replay.step().await {
            let (seq, rows) = (event.feed_seq, replay.rows().await);
            let at = format!("seed {seed}, place {seq}");
            if let Some(then) = recorded.get(&seq).filter(|_| !redacts) {
                assert_same_rows(&rows, then, &at);
            }
            let state = ada.get(&format!("{path}/state?as_of={seq}")).await.is(200).json;
            assert_eq!((&state["seq"], &state["position"]), (&json!(seq), &json!(event.position)));
            let expected = shown(&rows);
            assert_shows(&state, &expected, &at);
            states.insert(seq, expected);
            types.insert(event.event.event_type());
        }
        assert_same_rows(&replay.rows().await, &end.rows, &format!("seed {seed}, at the end"));
        assert_eq!(states.keys().copied().collect::<Vec<_>>(), (1..=end.seq).collect::<Vec<_>>());
        let is_redacted = states.values().any(|state| json!(state).to_string().contains(PLACEHOLDER));
        assert_eq!(is_redacted, redacts, "seed {seed}");

        // Between two moments, exactly that differs which the states tell apart.
        let mut any = || 1 + i64::try_from(story.dice.roll(states.len())).unwrap();
        let mut pairs = vec![(1, alive), (alive, 1), (alive, end.seq), (end.seq, 1)];
        pairs.extend((0..PAIRS).map(|_| (any(), any())));
        let mut kinds = BTreeSet::new();
        for (from, to) in pairs {
            let expected = differences(&states[&from], &states[&to]);
            let diff = ada.get(&format!("{path}/diff?from={from}&to={to}")).await.is(200).json;
            let at = format!("seed {seed}, from {from} to {to}");
            assert_eq!((&diff["from"]["seq"], &diff["to"]["seq"]), (&json!(from), &json!(to)));
            let changes = diff["changes"].as_array().expect("changes");
            for (change, expected) in changes.iter().zip(&expected) {
                assert_eq!(change, expected, "{at}");
            }
            assert_eq!(changes.len(), expected.len(), "{at}: {diff}");
            kinds.extend(expected.iter().map(|change| change["kind"].as_str().expect("a kind").to_owned()));
        }
        let every: BTreeSet<String> = NOUNS.iter().map(|noun| noun.kind.to_owned()).collect();
        assert_eq!(kinds, every, "seed {seed}: something of each kind differs");
    }
    let missing: Vec<_> = TOLD.iter().filter(|event_type| !types.contains(**event_type)).collect();
    assert!(missing.is_empty(), "what did not happen proves nothing: {missing:?}");
}
