//! Figures of ours beside those of peers, round by round; the ratio is the median of the rounds' ratios.

use serde_json::{Map, Value, json};

use super::peer::Peers;
use crate::{
    report::{bar, line},
    samples::{Figures, median},
};

/// What was measured in each round.
pub struct Beside<T> {
    ours: Vec<T>,
    theirs: Vec<(&'static str, String, Vec<T>)>,
}

impl<T> Beside<T> {
    /// Nothing yet.
    pub fn new(peers: &Peers) -> Self {
        let theirs = peers.names().into_iter().map(|(key, name)| (key, name, Vec::new()));
        Self { ours: Vec::new(), theirs: theirs.collect() }
    }

    /// Keeps a round of ours.
    pub fn keep(&mut self, ours: T) {
        self.ours.push(ours);
    }

    /// Keeps a round of theirs: one for each peer, in their order.
    pub fn keep_theirs(&mut self, theirs: Vec<T>) {
        for ((.., rounds), one) in self.theirs.iter_mut().zip(theirs) {
            rounds.push(one);
        }
    }
}

impl Beside<f64> {
    /// Prints jobs a second, and returns them; there should be so many at least.
    pub fn show(&self, what: &str, least: f64) -> Value {
        let ours = median(self.ours.iter().copied());
        bar(ours >= least, &format!("{what}: {ours:.0} jobs a second (bar {least:.0})"));
        let mut json = json!({"per_second": ours});
        for (key, name, rounds) in &self.theirs {
            let theirs = median(rounds.iter().copied());
            let ratio = median(self.ours.iter().zip(rounds).map(|(ours, theirs)| ours / theirs));
            line(&format!("    beside {name}: {theirs:.0} a second; ratio {ratio:.2}"));
            json[*key] = json!({"name": name, "per_second": theirs, "ratio": ratio});
        }
        json
    }
}

impl Beside<Figures> {
    /// Prints how long the peers take until a job starts, and returns that by what each is called in the figures.
    pub fn show(&self) -> Map<String, Value> {
        let mut json = Map::new();
        for (key, name, rounds) in &self.theirs {
            let theirs = Figures::median(rounds);
            let ratio =
                |of: fn(&Figures) -> f64| median(self.ours.iter().zip(rounds).map(|(own, one)| of(own) / of(one)));
            let [p50, p99] = [ratio(|figures| figures.p50_us), ratio(|figures| figures.p99_us)];
            line(&format!(
                "    beside {name}, from adding to the start: {}; ours until seen, ratio {p50:.2} / {p99:.2}",
                milliseconds(theirs)
            ));
            let mut value = theirs.json();
            value["p50_ratio"] = json!(p50);
            value["p99_ratio"] = json!(p99);
            value["name"] = json!(name);
            json.insert((*key).to_owned(), value);
        }
        json
    }
}

/// Median and 99th percentile.
pub fn milliseconds(figures: Figures) -> String {
    format!("{:.2} / {:.2} ms", figures.p50_us / 1000.0, figures.p99_us / 1000.0)
}
