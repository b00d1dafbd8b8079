// Connections that are dropped, stalled, and cut in the middle of a frame, while others write: nothing is lost, doubled, or out of order.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { proxy } from "./support/proxy.js";
import { again, closeAll, needsServer, next, person, project } from "./support/server.js";

after(closeAll);

const EVENTS = 500;
const WRITERS = 4;

/** A number from 0 on below `below`; the same sequence with each run. */
function generator(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Damages sockets after a random number of chunks, in turn by each of the ways. */
function mischief(random) {
  const done = { dropped: 0, stalled: 0, cut: 0 };
  const plans = new WeakMap();
  const onDown = (chunk, connection) => {
    if (done.isOver || !/upgrade: websocket|events\/stream/i.test(connection.up)) return chunk;
    const plan = plans.get(connection) ?? { chunks: 2 + random(25), way: random(10) };
    plans.set(connection, plan);
    if (plan.chunks-- > 0) return chunk;
    if (plan.way < 5) {
      done.dropped++;
      return connection.cut();
    }
    if (plan.way < 9) {
      done.cut++;
      setTimeout(() => connection.cut(), random(5));
      connection.isStalled = true;
      return chunk.subarray(0, 1 + random(chunk.length - 1));
    }
    done.stalled++;
    return connection.stall();
  };
  return { done, onDown };
}

async function write(writers, id) {
  const each = EVENTS / writers.length;
  const post = (writer, number) => writer.post(`/projects/${id}/tasks`, { title: `task ${number}` });
  await Promise.all(writers.map(async (writer) => {
    for (let number = 0; number < each; number++) await post(writer, number);
  }));
}

async function check({ seed, options, live }) {
  const ada = await person("ada");
  const id = await project(ada);
  const { done, onDown } = mischief(generator(seed));
  const bad = await proxy({ onDown });
  const reader = await again(ada, { url: bad.url, live: { backoff: { min: 5, max: 40 }, pingInterval: 100, connectTimeout: 400, ...live }, ...options });
  let connections = 0;
  const transports = new Set();
  reader.on("status", ({ state, transport }) => {
    if (state !== "online") return;
    connections++;
    transports.add(transport);
  });
  const listened = [];
  const subscription = reader.subscribe({ projectId: id, since: { seq: 0 } });
  subscription.on("event", ({ seq }) => listened.push(seq));
  const looped = [];
  const last = EVENTS + 2;
  const loop = (async () => {
    for await (const { seq } of subscription) {
      looped.push(seq);
      if (seq >= last) return;
    }
  })();
  const writers = await Promise.all(Array.from({ length: WRITERS }, () => again(ada)));
  await write(writers, id);
  done.isOver = true;
  for (const one of bad.connections) if (one.isStalled) one.cut();
  await loop;
  reader.close();
  bad.close();
  const expected = Array.from({ length: last }, (_, at) => at + 1);
  for (const seqs of [listened, looped]) {
    const lost = expected.filter((seq) => !seqs.includes(seq)).length;
    const doubled = seqs.length - new Set(seqs).size;
    const disordered = seqs.filter((seq, at) => at > 0 && seq < seqs[at - 1]).length;
    assert.deepEqual({ lost, doubled, disordered }, { lost: 0, doubled: 0, disordered: 0 });
  }
  assert.deepEqual(listened, expected);
  return { connections, transports, done };
}

for (const seed of [1, 2, 3]) {
  test(`500 events over a WebSocket that keeps breaking (${seed})`, { ...needsServer, timeout: 20_000 }, async (t) => {
    const { connections, done, transports } = await check({ seed, live: { fallbackAfter: Infinity } });
    assert.ok(connections > 5, `only ${connections} connections`);
    assert.deepEqual([...transports], ["websocket"]);
    t.diagnostic(`0 lost, 0 doubled, 0 out of order, over ${connections} connections: ${JSON.stringify(done)}`);
  });
}

test("500 events over a stream that keeps breaking", { ...needsServer, timeout: 20_000 }, async (t) => {
  const { connections, done, transports } = await check({ seed: 4, options: { WebSocket: null } });
  assert.ok(connections > 5, `only ${connections} connections`);
  assert.deepEqual([...transports], ["sse"]);
  t.diagnostic(`0 lost, 0 doubled, 0 out of order, over ${connections} connections: ${JSON.stringify(done)}`);
});

test("presence and cursor are there again after a break, and nobody was told that they had gone", needsServer, async () => {
  const ada = await person("ada");
  const bob = await person("bob");
  const id = await project(ada, [bob, "viewer"]);
  const road = await proxy();
  const far = await again(bob, { url: road.url });
  const here = ada.subscribe({ projectId: id, presence: true, cursors: true });
  const told = [];
  here.on("presence", ({ type, user_id }) => user_id === bob.id && told.push(type));
  await here.ready();
  const there = far.subscribe({ projectId: id, presence: true, cursors: true });
  there.setPresence({ file: "a.rs" });
  there.moveCursor({ line: 1, column: 2 });
  const first = await next(here, "cursor", ({ line }) => line === 1);
  const back = next(here, "cursor", ({ line, connection_id: one }) => line === 1 && one !== first.connection_id);
  road.sockets().forEach((one) => one.cut());
  await back;
  assert.deepEqual(here.members.get(bob.id).state, { file: "a.rs" });
  assert.ok(!told.includes("presence.left"), told.join());
  road.close();
});
