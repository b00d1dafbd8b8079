// The checker finds what is planted.
import assert from "node:assert/strict";
import { test } from "node:test";

import { checkClient, checkWriters, isClean } from "./check.js";
import { generator } from "./random.js";
import { Truth, digest } from "./records.js";

const HEAD = 1_000;
const FEEDS = ["a", "b"];

function log() {
  const random = generator(7);
  const place = (feed, at) => ({
    feed, seq: at + 1, position: random(1e9), event_id: `${feed}${at + 1}`,
    event_type: "TaskCreated", data: { title: `${feed} ${at + 1}` },
  });
  return FEEDS.flatMap((feed) => Array.from({ length: HEAD }, (_, at) => place(feed, at)));
}

/** What a client receives when nothing goes wrong: both feeds, interleaved. */
function received(events) {
  const record = ({ feed, seq, event_id: id, ...event }) => ({ type: "event", feed, seq, id, digest: digest(event) });
  const records = events.map(record);
  const [one, two] = [records.slice(0, HEAD), records.slice(HEAD)];
  const subscribed = FEEDS.map((feed) => ({ type: "subscribed", feed, epoch: "e" }));
  return [...subscribed, ...one.flatMap((record, at) => [record, two[at]])];
}

/** What the checker finds after a change of what was received. */
async function found(change) {
  const events = log();
  const records = received(events);
  change?.(records);
  const result = await checkClient(await Truth.of(events), FEEDS, records);
  const faults = Object.entries(result.faults).filter(([, count]) => count > 0);
  return { clean: isClean(result), ...Object.fromEntries(faults) };
}

/** The place of an event among the records. */
function place(records, feed, seq) {
  return records.findIndex((record) => record.feed === feed && record.seq === seq);
}

test("nothing wrong", async () => {
  assert.deepEqual(await found(), { clean: true });
});

for (const seq of [1, 500, HEAD]) {
  test(`a loss: ${seq}`, async () => {
    assert.deepEqual(await found((all) => all.splice(place(all, "b", seq), 1)), { clean: false, lost: 1 });
  });

  test(`a duplicate, at once: ${seq}`, async () => {
    const twice = (all) => all.splice(place(all, "a", seq), 0, all[place(all, "a", seq)]);
    assert.deepEqual(await found(twice), { clean: false, doubled: 1 });
  });

  test(`a duplicate, at the end: ${seq}`, async () => {
    assert.deepEqual(await found((all) => all.push(all[place(all, "a", seq)])), { clean: false, doubled: 1 });
  });
}

test("two events in the wrong order", async () => {
  const swap = (all) => {
    const [one, two] = [place(all, "a", 41), place(all, "a", 42)];
    [all[one], all[two]] = [all[two], all[one]];
  };
  assert.deepEqual(await found(swap), { clean: false, disordered: 1 });
});

test("an event that comes late counts as out of order, not as lost", async () => {
  const late = (all) => all.push(all.splice(place(all, "b", 3), 1)[0]);
  assert.deepEqual(await found(late), { clean: false, disordered: 1 });
});

test("a client that ends early", async () => {
  assert.deepEqual(await found((all) => all.splice(all.length - 20)), { clean: false, lost: 20 });
});

test("another event in the place of one", async () => {
  const other = (all) => {
    all[place(all, "a", 9)] = { ...all[place(all, "a", 9)], digest: "another" };
  };
  assert.deepEqual(await found(other), { clean: false, changed: 1 });
});

test("an event that the log does not have, and one of a feed that nobody has asked for", async () => {
  const more = (all) => all.push({ ...all.at(-1), seq: HEAD + 1 }, { ...all.at(-1), feed: "c" });
  assert.deepEqual(await found(more), { clean: false, unknown: 2 });
});

test("a reset, an end, another epoch, a connection with a hole", async () => {
  const types = ["reset", "ended", "subscribed", "broken"];
  const odd = (all) => all.push(...types.map((type) => ({ type, feed: "a", epoch: "other" })));
  assert.deepEqual(await found(odd), { clean: false, resets: 1, ends: 1, epochs: 1, broken: 1 });
});

test("a log with a hole is no truth", async () => {
  await assert.rejects(Truth.of(log().filter(({ seq }) => seq !== 5)), /hole/);
});

test("what writers were told", async () => {
  const events = log();
  const twin = { ...events.at(-1), seq: HEAD + 1, event_id: "twin" };
  const truth = await Truth.of([...events, twin]);
  const told = [
    { state: "acknowledged", title: "a 1" },
    { state: "acknowledged", id: "a2" },
    { state: "acknowledged", title: "never" },
    { state: "acknowledged", id: "never" },
    { state: "acknowledged", title: twin.data.title },
    { state: "refused", title: "a 3" },
    { state: "refused", title: "not there" },
    { state: "open", title: "a 4" },
    { state: "open", title: "nor there" },
  ];
  const { examples, ...result } = await checkWriters(truth, told);
  const faults = { lost: 2, doubled: 1, refused: 1 };
  assert.deepEqual(result, { acknowledged: 5, refused: 2, open: 2, strangers: 2 * HEAD - 4, faults });
  assert.equal(examples.length, 4);
  assert.equal(isClean(result), false);
  assert.ok(isClean(await checkWriters(truth, told.slice(0, 2))));
});
