/** @module Holds what clients have received, and what writers were told, against the log. */

/** How many faults of a kind are shown. */
const SHOWN = 5;

/** What may be wrong with what a client has received. */
const KINDS = ["lost", "doubled", "disordered", "changed", "unknown", "resets", "ends", "epochs", "broken"];

/** What is wrong with something; `counts` of nothing but zeros: all is well. */
class Faults {
  counts;
  examples = [];

  constructor(...kinds) {
    this.counts = Object.fromEntries(kinds.map((kind) => [kind, 0]));
  }

  add(kind, what) {
    if (++this.counts[kind] <= SHOWN) this.examples.push({ kind, ...what });
  }
}

/**
 * What one client has received: each event from 1 to the head of each feed once, in order, and as it is in the log; and
 * on each connection, before the client has looked at them, one after the other.
 * @param {import("./records.js").Truth} truth
 * @param {string[]} feeds those that it follows
 * @param {AsyncIterable<object> | Iterable<object>} records
 */
export async function checkClient(truth, feeds, records) {
  const faults = new Faults(...KINDS);
  const start = (feed) => ({ seen: new Uint8Array(truth.head(feed) + 1), last: 0, epoch: null });
  const followed = new Map(feeds.map((feed) => [feed, start(feed)]));
  let received = 0;
  for await (const { type, feed, ...record } of records) {
    const state = followed.get(feed);
    if (!state) faults.add("unknown", { feed, ...record });
    else if (type === "event") {
      received++;
      checkEvent(faults, truth, state, feed, record);
    } else if (type === "broken") faults.add("broken", { feed, ...record });
    else if (type === "reset") faults.add("resets", { feed, ...record });
    else if (type === "ended") faults.add("ends", { feed, ...record });
    else if (type === "subscribed") checkEpoch(faults, state, feed, record);
  }
  for (const [feed, { seen }] of followed) {
    for (let seq = 1; seq < seen.length; seq++) if (!seen[seq]) faults.add("lost", { feed, seq });
  }
  return { received, faults: faults.counts, examples: faults.examples };
}

function checkEvent(faults, truth, state, feed, { seq, id, digest }) {
  const real = truth.feeds.get(feed)?.[seq - 1];
  if (!real) return faults.add("unknown", { feed, seq, id });
  if (real.id !== id || real.digest !== digest) faults.add("changed", { feed, seq, id, really: real.id });
  if (state.seen[seq]) return faults.add("doubled", { feed, seq });
  state.seen[seq] = 1;
  if (seq < state.last) faults.add("disordered", { feed, seq, after: state.last });
  state.last = Math.max(state.last, seq);
}

/** Nothing that is done here begins another history. */
function checkEpoch(faults, state, feed, { epoch }) {
  if (state.epoch && epoch !== state.epoch) faults.add("epochs", { feed, epoch, before: state.epoch });
  state.epoch = epoch;
}

/**
 * What writers were told: what was acknowledged is in the log once, what was refused is not there, and of what nobody
 * knows there is no second one.
 * @param {import("./records.js").Truth} truth
 * @param {AsyncIterable<object> | Iterable<object>} records with an `id` of an event, or a `title` of a task
 */
export async function checkWriters(truth, records) {
  const faults = new Faults("lost", "doubled", "refused");
  const told = { acknowledged: 0, refused: 0, open: 0 };
  const known = new Set();
  for await (const { state, id, title, ...record } of records) {
    told[state]++;
    if (title !== undefined) known.add(title);
    const count = (title === undefined ? truth.ids.get(id) : truth.titles.get(title)) ?? 0;
    const what = { id, title, count, ...record };
    if (count > 1) faults.add("doubled", what);
    else if (state === "acknowledged" && count === 0) faults.add("lost", what);
    else if (state === "refused" && count > 0) faults.add("refused", what);
  }
  const strangers = [...truth.titles.keys()].filter((title) => !known.has(title)).length;
  return { ...told, strangers, faults: faults.counts, examples: faults.examples };
}

/** Whether nothing is wrong. */
export function isClean({ faults }) {
  return Object.values(faults).every((count) => count === 0);
}
