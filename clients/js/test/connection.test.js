// What the client does about each end of a connection, and about frames that cannot be right; with sockets that do what is asked.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Workroom } from "../src/index.js";
import { fakeFetch, fakeSockets, json, problem } from "./support/fakes.js";
import { next } from "./support/server.js";

const quick = { timeout: 10_000 };
const live = { backoff: { min: 5, max: 20 } };
const isPong = () => json(200, {});

function follow(WebSocket, { fetch = fakeFetch(isPong), tokens = { access_token: "a0", refresh_token: "r0" }, options, more = {} } = {}) {
  const workroom = new Workroom({ url: "http://x", fetch, WebSocket, tokens, live: { ...live, ...more } });
  const subscription = workroom.subscribe({ projectId: "p", ...options });
  const seqs = [];
  const errors = [];
  subscription.on("event", ({ seq }) => seqs.push(seq));
  subscription.on("error", (error) => errors.push(error.code));
  return { workroom, subscription, seqs, errors };
}

test("the token goes in the first frame, and never in the address", quick, async () => {
  const Sockets = fakeSockets();
  const { workroom, subscription } = follow(Sockets);
  await subscription.ready();
  const [{ url, sent }] = Sockets.all;
  assert.deepEqual([url, sent[0]], ["ws://x/api/v1/realtime", { type: "hello", token: "a0" }]);
  workroom.close();
});

test("after each of these it comes back and goes on from where it was", quick, async () => {
  for (const code of [4508, 1012, 1006, 1001, 1011, 1000, 4408, 1005]) {
    const Sockets = fakeSockets();
    const { workroom, subscription, seqs } = follow(Sockets);
    await subscription.ready();
    [1, 2].forEach((seq) => Sockets.all[0].event(seq));
    const again = next(subscription, "subscribed");
    Sockets.all[0].drop(code);
    await again;
    const { since } = Sockets.all[1].sent.find(({ type }) => type === "subscribe");
    assert.deepEqual(since, { epoch: "e1", seq: 2 }, String(code));
    [1, 2, 3].forEach((seq) => Sockets.all[1].event(seq));
    assert.deepEqual(seqs, [1, 2, 3], "what comes again is passed over");
    workroom.close();
  }
});

test("cursors in a file's own room, and those that point into the file from the workspace's, are kept apart", quick, async () => {
  const Sockets = fakeSockets((socket) => {
    socket.answer = (frame) => {
      const { type, id: ref, project_id, workspace_id, file_id } = frame;
      if (type !== "subscribe") return socket.standard(frame);
      socket.say({ type: "subscribed", project_id, workspace_id, file_id, epoch: "e1", head: 0, role: "owner", ref });
    };
  });
  const { workroom, subscription: room } = follow(Sockets, { options: { workspaceId: "w", cursors: true } });
  const subscribe = (options) => workroom.subscribe({ projectId: "p", cursors: true, ...options });
  const document = subscribe({ workspaceId: "w", fileId: "f" });
  const other = subscribe({ workspaceId: "v" });
  const beside = subscribe({ workspaceId: "w" });
  await Promise.all([room, document, other, beside].map((one) => one.ready()));
  const [socket] = Sockets.all;
  const place = { type: "cursor", project_id: "p", workspace_id: "w", file_id: "f", user_id: "u", connection_id: "c" };
  socket.say({ ...place, line: 1 });
  socket.say({ ...place, line: 2, document: true });
  const lines = () => [room, document, other].map(({ cursors }) => [...cursors.values()].map(({ line }) => line));
  assert.deepEqual(lines(), [[1], [2], []]);
  socket.say({ ...place, file_id: undefined });
  assert.deepEqual(lines(), [[], [2], []]);
  socket.say({ ...place, document: true });
  assert.deepEqual(lines(), [[], [], []]);
  room.moveCursor({ file_id: "f", line: 3 });
  document.moveCursor({ line: 4 });
  // Nobody follows that file: a service that knows no rooms of files is told nothing of them.
  other.moveCursor({ file_id: "g", line: 5 });
  // It was given up, but the service has not been told of it yet.
  document.unsubscribe();
  beside.moveCursor({ file_id: "f", line: 6 });
  const sent = socket.sent.filter(({ type }) => type === "cursor").map((one) => [one.workspace_id, one.file_id, one.line, one.document]);
  assert.deepEqual(sent, [["w", "f", 3, false], ["w", "f", 4, true], ["v", "g", 5, undefined], ["w", "f", 6, false]]);
  assert.throws(() => workroom.subscribe({ projectId: "p", fileId: "f" }), TypeError);
  workroom.close();
});

test("a gap is not passed on: it connects again", quick, async () => {
  const Sockets = fakeSockets();
  const { workroom, subscription, seqs } = follow(Sockets);
  await subscription.ready();
  Sockets.all[0].event(1);
  const again = next(subscription, "subscribed");
  Sockets.all[0].event(3);
  await again;
  assert.equal(Sockets.all[1].sent.find(({ type }) => type === "subscribe").since.seq, 1);
  [2, 3].forEach((seq) => Sockets.all[1].event(seq));
  assert.deepEqual(seqs, [1, 2, 3]);
  workroom.close();
});

test("another history is told, and followed from its head", quick, async () => {
  const Sockets = fakeSockets(undefined, { epoch: "e2", head: 9 });
  const { workroom, subscription, seqs } = follow(Sockets, { options: { since: { epoch: "e1", seq: 5 } } });
  const resets = [];
  subscription.on("reset", (reset) => resets.push(reset));
  await subscription.ready();
  Sockets.all[0].say({ type: "reset", project_id: "p", epoch: "e2", head: 9 });
  [10, 11].forEach((seq) => Sockets.all[0].event(seq));
  assert.deepEqual([resets, seqs, subscription.place], [[{ epoch: "e2", head: 9 }], [10, 11], { epoch: "e2", seq: 11 }]);
  // Lost before `reset`: the old place is sent again.
  const late = follow(Sockets, { options: { since: { epoch: "e1", seq: 5 } } });
  await late.subscription.ready();
  const again = next(late.subscription, "subscribed");
  Sockets.all.at(-1).drop(1006);
  await again;
  assert.deepEqual(Sockets.all.at(-1).sent[1].since, { epoch: "e1", seq: 5 });
  workroom.close();
  late.workroom.close();
});

test("bad credentials are refreshed once, and then it waits for a sign-in", quick, async () => {
  for (const code of [4401, 4403]) {
    let refreshes = 0;
    const fetch = fakeFetch(() => json(200, { access_token: `a${++refreshes}`, refresh_token: `r${refreshes}`, expires_in: 900 }));
    const Sockets = fakeSockets();
    Sockets.prototype.standard = function ({ type }) {
      if (type === "hello") this.drop(code, "no");
    };
    const { workroom, errors } = follow(Sockets, { fetch });
    const status = await next(workroom, "status", ({ state }) => state === "offline");
    assert.deepEqual([status.code, refreshes, Sockets.all.length, errors], [code, 1, 2, ["unauthenticated"]]);
    const online = next(workroom, "status", ({ state }) => state === "online");
    Sockets.prototype.standard = fakeSockets().prototype.standard;
    workroom.setTokens({ access_token: "b", refresh_token: "b" });
    await online;
    workroom.close();
  }
});

test("a stream that came first after the service was away gives way to a WebSocket soon", quick, async () => {
  let isAway = true;
  const Sockets = fakeSockets((socket) => isAway && socket.drop(1006));
  const fetch = fakeFetch(() => {
    isAway = false;
    const frames = [
      { type: "welcome", connection_id: "c", user_id: "u", ping_interval: 20, epoch: "e1" },
      { type: "subscribed", project_id: "p", epoch: "e1", head: 0, role: "owner" },
    ];
    const body = new ReadableStream({
      start: (stream) => frames.forEach((frame) => stream.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(frame)}\n\n`))),
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  });
  const { workroom } = follow(Sockets, { fetch, options: { presence: true } });
  await next(workroom, "status", ({ state, transport }) => state === "online" && transport === "sse");
  await next(workroom, "status", ({ state, transport }) => state === "online" && transport === "websocket");
  workroom.close();
});

test("an expired token is exchanged, and a session that has ended stops it", quick, async () => {
  const Sockets = fakeSockets((socket, number) => number === 1 && queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => socket.drop(4501)))));
  let isOver = false;
  const fetch = fakeFetch(() => (isOver ? problem(401, "session-ended") : json(200, { access_token: "a1", refresh_token: "r1", expires_in: 900 })));
  const { workroom, subscription } = follow(Sockets, { fetch });
  await subscription.ready();
  while (Sockets.all.length < 2) await next(subscription, "subscribed");
  assert.equal(Sockets.all[1].sent[0].token, "a1");
  isOver = true;
  const ended = next(workroom, "signedOut");
  const offline = next(workroom, "status", ({ state }) => state === "offline");
  Sockets.all[1].drop(4401);
  assert.equal(await ended, "session-ended");
  assert.equal((await offline).code, 4401);
  assert.equal(Sockets.all.length, 2);
  workroom.close();
});

test("a live socket gets the new token before the old one ends", quick, async () => {
  const fetch = fakeFetch(() => json(200, { access_token: "a1", refresh_token: "r1", expires_in: 900 }));
  const Sockets = fakeSockets();
  const refreshed = new Promise((resolve) => {
    Sockets.prototype.answer = function (frame) {
      if (frame.type === "refresh") resolve(frame.token);
      this.standard(frame);
    };
  });
  const { workroom } = follow(Sockets, { fetch, tokens: { access_token: "a0", refresh_token: "r0", expires_in: 0.5 } });
  assert.equal(await refreshed, "a1");
  assert.equal(Sockets.all.length, 1);
  workroom.close();
});

test("silence is noticed: it pings, then connects again", quick, async () => {
  const Sockets = fakeSockets();
  Sockets.prototype.answer = function (frame) {
    // The first goes dead after a while.
    if (Sockets.all[0] === this && this.sent.filter(({ type }) => type === "ping").length > 2) return;
    this.standard(frame);
  };
  const { workroom, subscription } = follow(Sockets, { more: { pingInterval: 30 } });
  await subscription.ready();
  await next(subscription, "subscribed");
  assert.ok(Sockets.all[0].sent.filter(({ type }) => type === "ping").length > 2);
  assert.equal(Sockets.all.length, 2);
  workroom.close();
});

test("presence and cursor are set again, by the latest; cursors are spaced", quick, async () => {
  const Sockets = fakeSockets();
  const { workroom, subscription } = follow(Sockets, { options: { presence: true, cursors: true } });
  subscription.setPresence({ file: "a" });
  await subscription.ready();
  for (let x = 0; x < 100; x++) subscription.moveCursor({ x, y: 0 });
  await new Promise((resolve) => setTimeout(resolve, 120));
  const cursors = Sockets.all[0].sent.filter(({ type }) => type === "cursor");
  assert.deepEqual(cursors.map(({ x }) => x), [0, 99]);
  subscription.setPresence({ file: "b" });
  const again = next(subscription, "subscribed");
  Sockets.all[0].drop(1006);
  await again;
  const [, , presence, cursor] = Sockets.all[1].sent;
  assert.deepEqual([presence.state, cursor.x], [{ file: "b" }, 99]);
  workroom.close();
});

test("a refused subscription ends; one that passes is asked for again", quick, async () => {
  const Sockets = fakeSockets();
  let refusals = 0;
  Sockets.prototype.answer = function (frame) {
    const { type, id: ref, project_id } = frame;
    if (type === "subscribe" && project_id === "gone") return this.say({ type: "error", code: "not_found", detail: "no", project_id, ref });
    if (type === "subscribe" && refusals++ === 0) return this.say({ type: "error", code: "unavailable", detail: "busy", project_id, ref });
    this.standard(frame);
  };
  const { workroom, subscription } = follow(Sockets);
  const gone = workroom.subscribe({ projectId: "gone" });
  gone.on("error", () => {});
  await assert.rejects(gone.ready(), { status: 404, code: "not_found" });
  await assert.rejects(gone[Symbol.asyncIterator]().next(), { code: "not_found" });
  await subscription.ready();
  assert.deepEqual([gone.state, refusals, Sockets.all.length], ["ended", 2, 1]);
  workroom.close();
});

test("listeners that throw, and loops that lag, harm nobody else", quick, async () => {
  const Sockets = fakeSockets();
  const { workroom, subscription, seqs } = follow(Sockets, { options: { maxQueue: 3 } });
  const errors = [];
  workroom.on("error", (error) => errors.push(error.message));
  workroom.on("error", () => { throw new Error("the listener of errors, too"); });
  console.error = () => {};
  subscription.on("event", () => { throw new Error("oops"); });
  subscription.on("event", async () => { throw new Error("later"); });
  const loop = subscription[Symbol.asyncIterator]();
  await subscription.ready();
  for (let seq = 1; seq <= 5; seq++) Sockets.all[0].event(seq);
  assert.deepEqual(seqs, [1, 2, 3, 4, 5]);
  const got = [];
  await assert.rejects(async () => { for await (const { seq } of loop) got.push(seq); }, { code: "reader-too-slow" });
  assert.deepEqual(got, [1, 2, 3]);
  assert.deepEqual([errors.filter((one) => one === "oops").length, errors.filter((one) => one === "later").length], [5, 5]);
  workroom.close();
});

test("events wait for the first who listens; a signal ends a subscription", quick, async () => {
  const Sockets = fakeSockets();
  const workroom = new Workroom({ url: "http://x", fetch: fakeFetch(isPong), WebSocket: Sockets, token: "t", live });
  const controller = new AbortController();
  const subscription = workroom.subscribe({ projectId: "p", signal: controller.signal });
  await subscription.ready();
  [1, 2].forEach((seq) => Sockets.all[0].event(seq));
  const got = [];
  await assert.rejects(async () => {
    for await (const { seq } of subscription) {
      got.push(seq);
      if (seq === 2) controller.abort(new Error("enough"));
    }
  }, /enough/);
  assert.deepEqual([got, subscription.state], [[1, 2], "ended"]);
  workroom.close();
});

test("subscriptions of one feed share what comes, each from its own place", quick, async () => {
  const Sockets = fakeSockets(undefined, { head: 2 });
  Sockets.prototype.answer = function (frame) {
    this.standard(frame);
    if (frame.type === "subscribe") for (let seq = (frame.since?.seq ?? 2) + 1; seq <= 4; seq++) this.event(seq);
  };
  const { workroom, subscription, seqs } = follow(Sockets);
  await subscription.ready();
  const all = [];
  const second = workroom.subscribe({ projectId: "p", since: { seq: 0 } });
  second.on("event", ({ seq }) => all.push(seq));
  await second.ready();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual([seqs, all], [[3, 4], [1, 2, 3, 4]]);
  const third = workroom.subscribe({ projectId: "p" });
  await third.ready();
  assert.deepEqual([Sockets.all.length, third.place.seq], [2, 4], "who wants only what comes needs no other connection");
  subscription.unsubscribe();
  second.unsubscribe();
  third.unsubscribe();
  await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(Sockets.all[1].readyState, 3, "closed with the last");
  assert.equal(workroom.status.reason, "idle");
  workroom.close();
});
