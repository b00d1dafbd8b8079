// Where WebSockets do not pass.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { proxy } from "./support/proxy.js";
import { again, closeAll, needsServer, next, person, project } from "./support/server.js";

after(closeAll);

/** A proxy that refuses upgrades for as long as `state.refuses`. */
async function refusing(state) {
  return proxy({
    onUp(chunk, connection, near) {
      if (!state.refuses || !/upgrade: websocket/i.test(connection.up)) return chunk;
      near.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    },
  });
}

test("events and messages come over a stream, and the WebSocket is taken again when it works", needsServer, async () => {
  const ada = await person("ada");
  const bob = await person("bob");
  const [one, two] = [await project(ada, [bob, "collaborator"]), await project(ada, [bob, "collaborator"])];
  const state = { refuses: true };
  const road = await refusing(state);
  const reader = await again(bob, { url: road.url, live: { backoff: { min: 5, max: 20 }, retryWebSocket: 300 } });
  const onStream = next(reader, "status", ({ state: now, transport }) => now === "online" && transport === "sse");
  const first = reader.subscribe({ projectId: one, since: { seq: 0 }, presence: true });
  const lacks = next(first, "error");
  const second = reader.subscribe({ projectId: two });
  await Promise.all([first.ready(), second.ready(), onStream]);
  assert.equal((await lacks).code, "needs-websocket");
  const seqs = [];
  first.on("event", ({ seq }) => seqs.push(seq));
  const events = [next(first, "event", ({ event_type: type }) => type === "TaskCreated"), next(second, "event")];
  for (const id of [one, two]) await ada.post(`/projects/${id}/tasks`, { title: "over a stream" });
  const [task] = await Promise.all(events);
  assert.equal((await reader.get(`/projects/${one}/tasks`)).items.length, 1);
  const message = next(first, "message");
  await first.publish("hello", 1);
  assert.deepEqual([(await message).from, (await message).data], [bob.id, 1]);

  const account = reader.subscribe({ account: true });
  assert.equal((await next(account, "error")).code, "needs-websocket");
  const back = next(reader, "status", ({ state: now, transport }) => now === "online" && transport === "websocket");
  const shown = next(first, "presence", ({ type }) => type === "presence.state");
  first.setPresence({ now: "here" });
  state.refuses = false;
  await back;
  await Promise.all([shown, account.ready(), first.ready()]);
  const after = next(first, "event", ({ seq }) => seq > task.seq);
  await ada.post(`/projects/${one}/tasks`, { title: "over the socket" });
  await after;
  assert.deepEqual(seqs, seqs.map((_, at) => at + 1));
  road.close();
});

test("a project that may not be followed ends alone", needsServer, async () => {
  const ada = await person("ada");
  const bob = await person("bob");
  const [mine, theirs] = [await project(bob), await project(ada)];
  const reader = await again(bob, { WebSocket: null });
  const hidden = reader.subscribe({ projectId: theirs });
  hidden.on("error", () => {});
  const open = reader.subscribe({ projectId: mine });
  await assert.rejects(hidden.ready(), { status: 404, code: "not-found" });
  await open.ready();
  const event = next(open, "event");
  await bob.post(`/projects/${mine}/tasks`, { title: "still" });
  await event;
});

test("a right that is lost ends a stream", needsServer, async () => {
  const ada = await person("ada");
  const bob = await person("bob");
  const id = await project(ada, [bob, "viewer"]);
  const reader = await again(bob, { WebSocket: null });
  const subscription = reader.subscribe({ projectId: id });
  await subscription.ready();
  const ended = next(subscription, "unsubscribed");
  await ada.delete(`/projects/${id}/members/${bob.id}`);
  assert.deepEqual(await ended, { reason: "access_revoked" });
});

test("a stream is opened anew with a new token, and loses nothing", needsServer, async () => {
  const ada = await person("ada");
  const id = await project(ada);
  // Tokens that seem to hold for two seconds.
  const hasty = async (...args) => {
    const reply = await fetch(...args);
    if (!/auth\/(login|refresh)$/.test(args[0].pathname ?? args[0])) return reply;
    return new Response(JSON.stringify({ ...(await reply.json()), expires_in: 1 }), { status: reply.status, headers: reply.headers });
  };
  for (const WebSocket of [null, undefined]) {
    let refreshes = 0;
    let online = 0;
    const reader = await again(ada, { WebSocket, fetch: hasty });
    reader.on("tokens", () => refreshes++);
    reader.on("status", ({ state }) => state === "online" && online++);
    const seqs = [];
    const subscription = reader.subscribe({ projectId: id, since: { seq: 0 } });
    subscription.on("event", ({ seq }) => seqs.push(seq));
    await subscription.ready();
    while (refreshes < 2) {
      await ada.post(`/projects/${id}/tasks`, { title: "now and then" });
      await next(reader, "tokens");
    }
    const last = await ada.request("POST", `/projects/${id}/tasks`, { body: { title: "last" } });
    if (!seqs.length || subscription.place.seq < 5) await next(subscription, "event", ({ position }) => position >= last.position);
    assert.deepEqual(seqs.slice(0, 3), [1, 2, 3]);
    assert.ok(WebSocket === null ? online > 1 : online === 1, `${online} connections`);
    reader.close();
  }
});
