/**
 * @module Clients that follow projects through a bad proxy, writers beside them, and a checker at the end.
 *
 * `node main.js '{"seed": …, "folder": …, "targets": ["host:port"], "feeds": [id], "account": {email, password},
 * "followers": 20, "writers": 4, "quick": true, "patience": 60000}'`
 *
 * It is told what to do by lines of JSON on stdin, and tells what happens in the same way on stdout:
 *
 * - `{"do": "targets", "targets": […]}`: where the instances are now;
 * - `{"do": "mistreat", "on": true}`: the proxy damages connections, and clients lose theirs;
 * - `{"do": "settle"}`: damage and writers end; answered with `settled`;
 * - `{"do": "finish", "truth": path, "told": [path]}`: waits until all clients have what the log holds, checks, and
 *   ends; answered with `report`. The first file holds the events of all feeds, the others what further writers were
 *   told.
 */

import path from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import readline from "node:readline";

import { Workroom } from "../../../clients/js/src/index.js";
import { checkClient, checkWriters, isClean } from "./check.js";
import { Follower, QUICK } from "./follower.js";
import { Proxy } from "./proxy.js";
import { generator } from "./random.js";
import { Recorder, Truth, read } from "./records.js";
import { Writer } from "./writer.js";

const PROGRESS = 250;
/** The code with which a client ends a connection that cannot be right. */
const HOLE = 4901;
/** How long the connection of one of the clients is left alone. */
const CALM = 2_000;

const options = JSON.parse(process.argv[2]);
const { seed, folder, feeds, account, patience } = options;
const random = generator(seed);
const proxy = new Proxy({ targets: options.targets, random: generator(seed + 1) });
const url = await proxy.listen();
const pathOf = (number) => path.join(folder, `client-${number}.ndjson`);
const toldPath = path.join(folder, "told.ndjson");
const told = new Recorder(toldPath);
let isBad = false;
let isDone = false;

function say(type, what) {
  process.stdout.write(`${JSON.stringify({ type, ...what })}\n`);
}

async function signIn() {
  const client = new Workroom({ url });
  await client.signIn(account);
  return client;
}

/** Most have a session, some an access token; most use WebSockets, some server-sent events; some listen, some loop. */
async function follower(number) {
  const client = await signIn();
  const way = { transport: number % 5 === 4 ? "sse" : "websocket", loops: number % 4 === 3 };
  const script = { name: "script", scopes: ["read"] };
  const credentials = number % 3 === 2 ? await client.post("/auth/tokens", script) : { tokens: client.tokens };
  client.close();
  const live = options.quick ? QUICK : {};
  return new Follower({ url, path: pathOf(number), way, live, tokens: credentials.tokens, token: credentials.token });
}

async function writer(number) {
  const client = await signIn();
  return new Writer({ client, name: `${seed}.${number}`, feeds, recorder: told, random: generator(seed + 2 + number) });
}

async function many(count, make) {
  const all = [];
  for (let number = 0; number < count; number++) all.push(await make(number));
  return all;
}

const followers = await many(options.followers, follower);
const writers = await many(options.writers, writer);
await Promise.all(followers.map((one) => one.follow(feeds)));
say("ready", { url });
const writing = Promise.all(writers.map((one) => one.run()));

/** Clients that have not moved for too long, though others are further. */
function stuck() {
  const most = new Map(feeds.map((feed) => [feed, Math.max(...followers.map(({ places }) => places.get(feed)))]));
  return followers.filter((one) => !one.isAt(most) && Date.now() - one.movedAt > patience);
}

/** How late timers are: clients that share a busy process are slow themselves, and that is no fault of the service. */
const lag = monitorEventLoopDelay();
lag.enable();

const progress = setInterval(() => {
  const received = followers.map((one) => one.received);
  const written = writers.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  const [least, most] = [Math.min(...received), Math.max(...received)];
  say("progress", { least, most, written, lag: Math.round(lag.max / 1e6), proxy: proxy.done });
  lag.reset();
  const still = stuck();
  if (still.length) fail("clients do not go on", still.map((one) => one.describe()));
}, PROGRESS);

const tears = setInterval(() => {
  if (isBad) followers[random(followers.length)].tear();
}, CALM);

function fail(what, details) {
  say("failed", { what, details });
  process.exit(1);
}

async function settle() {
  isBad = false;
  proxy.beBad(false);
  for (const one of writers) one.stop();
  await writing;
  told.flush();
  const sum = (name) => writers.reduce((all, one) => all + one[name], 0);
  say("settled", { acknowledged: sum("acknowledged"), replayed: sum("replayed") });
}

/** Waits until all clients have come to the heads; whoever does not in time is a client that hangs. */
async function arrive(heads) {
  const since = Date.now();
  while (!followers.every((one) => one.isAt(heads))) {
    if (Date.now() - since > patience) {
      const late = followers.filter((one) => !one.isAt(heads)).map((one) => one.describe());
      return fail("clients did not arrive", { heads: Object.fromEntries(heads), late });
    }
    await new Promise((resolve) => setTimeout(resolve, PROGRESS));
  }
}

async function* readAll(paths) {
  for (const one of paths) yield* read(one);
}

async function finish({ truth: truthPath, told: more = [] }) {
  const truth = await Truth.of(read(truthPath));
  await arrive(new Map(feeds.map((feed) => [feed, truth.head(feed)])));
  clearInterval(progress);
  clearInterval(tears);
  for (const one of followers) one.close();
  told.close();
  const clients = [];
  for (const [number, { way, stats }] of followers.entries()) {
    const result = await checkClient(truth, feeds, read(pathOf(number)));
    // The client itself has found a hole, or a frame that is none.
    result.faults.holes = stats.ends[HOLE] ?? 0;
    clients.push({ way, ...stats, ...result });
  }
  const wrote = await checkWriters(truth, readAll([toldPath, ...more]));
  const events = feeds.reduce((sum, feed) => sum + truth.head(feed), 0);
  const clean = clients.every(isClean) && isClean(wrote) && wrote.strangers === 0;
  say("report", { clean, events, clients, writers: wrote, proxy: proxy.done });
  proxy.close();
  // What keeps the process alive now is a defect of a client that was closed.
  process.exitCode = clean ? 0 : 1;
  isDone = true;
  commands.close();
  process.stdin.destroy();
}

const orders = {
  targets: ({ targets }) => proxy.turnTo(targets),
  mistreat({ on }) {
    isBad = on;
    proxy.beBad(on);
  },
  settle,
  finish,
};

const commands = readline.createInterface({ input: process.stdin });
for await (const line of commands) {
  const order = JSON.parse(line);
  // One after the other would keep a later order waiting.
  Promise.resolve(orders[order.do](order)).catch((error) => fail("an order failed", { order, error: error.stack }));
}
// Who has started this is gone.
if (!isDone) process.exit(1);
