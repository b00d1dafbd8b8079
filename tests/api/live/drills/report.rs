//! What the checker has found.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::Value;

/// The whole of it.
#[derive(Debug, Deserialize)]
pub struct Report {
    /// Whether nothing is wrong with any client or writer.
    pub clean: bool,
    /// Events that the log holds of the projects.
    pub events: i64,
    pub clients: Vec<Client>,
    pub writers: Writers,
    /// What was done to connections, and how often.
    pub proxy: BTreeMap<String, u64>,
}

/// One client.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    pub way: Value,
    /// Connections, by transport.
    pub transports: BTreeMap<String, u64>,
    /// How often connections that stood were ended with which code.
    pub ends: BTreeMap<String, u64>,
    /// The same of attempts.
    pub failures: BTreeMap<String, u64>,
    pub errors: BTreeMap<String, u64>,
    /// In milliseconds.
    longest_gap: u64,
    pub received: i64,
    pub faults: BTreeMap<String, u64>,
    /// The first faults of each kind.
    pub examples: Vec<Value>,
}

impl Client {
    /// The longest time without a connection.
    pub fn longest_gap(&self) -> Duration {
        Duration::from_millis(self.longest_gap)
    }

    fn connections(&self) -> u64 {
        self.transports.values().sum()
    }
}

/// All writers together.
#[derive(Debug, Deserialize)]
pub struct Writers {
    pub acknowledged: u64,
    pub refused: u64,
    /// Of which nobody was told what became of them.
    pub open: u64,
    /// Tasks in the log that nobody has created.
    pub strangers: u64,
    pub faults: BTreeMap<String, u64>,
    pub examples: Vec<Value>,
}

/// Adds up by name.
fn sum<'a>(all: impl Iterator<Item = &'a BTreeMap<String, u64>>) -> BTreeMap<&'a str, u64> {
    let mut sums = BTreeMap::new();
    for (name, count) in all.flatten() {
        *sums.entry(name.as_str()).or_default() += count;
    }
    sums
}

impl Report {
    /// Says what was found.
    pub fn print(&self) {
        let clients = &self.clients;
        let received: i64 = clients.iter().map(|client| client.received).sum();
        let connections: u64 = clients.iter().map(Client::connections).sum();
        let longest = clients.iter().map(Client::longest_gap).max().unwrap_or_default();
        let (count, events) = (clients.len(), self.events);
        eprintln!("{count} clients over {connections} connections received {received} events; the log holds {events}");
        eprintln!("faults of clients: {:?}", sum(clients.iter().map(|client| &client.faults)));
        eprintln!("connections ended: {:?}", sum(clients.iter().map(|client| &client.ends)));
        eprintln!("attempts failed: {:?}", sum(clients.iter().map(|client| &client.failures)));
        eprintln!("errors: {:?}", sum(clients.iter().map(|client| &client.errors)));
        eprintln!("longest time without a connection: {longest:.1?}");
        eprintln!("the proxy: {:?}", self.proxy);
        let Writers { acknowledged, refused, open, strangers, faults, examples } = &self.writers;
        eprintln!("writers: {acknowledged} acknowledged, {refused} refused, {open} open; {strangers} tasks of nobody");
        eprintln!("faults of writers: {faults:?} {examples:?}");
        for Client { way, examples, .. } in clients.iter().filter(|client| !client.examples.is_empty()) {
            eprintln!("a client over {way}: {examples:?}");
        }
    }
}
