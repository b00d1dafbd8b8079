// What happens live, against the service.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { again, closeAll, needsServer, next, person, project } from "./support/server.js";

after(closeAll);

test("history comes first, then what happens; and reads show what events told", needsServer, async () => {
  const ada = await person("ada");
  const bob = await person("bob");
  const id = await project(ada, [bob, "collaborator"]);
  const subscription = bob.subscribe({ projectId: id, since: { seq: 0 } });
  const seqs = [];
  const caughtUp = next(subscription, "caughtUp");
  for await (const event of subscription) {
    seqs.push(event.seq);
    if (event.seq === 1) await ada.post(`/projects/${id}/tasks`, { title: "live" });
    if (event.event_type !== "TaskCreated") continue;
    const tasks = (await bob.get(`/projects/${id}/tasks`)).items;
    assert.equal(tasks.length, 1, "the read waited for the event's position");
    break;
  }
  assert.deepEqual(seqs, seqs.map((_, at) => at + 1));
  await caughtUp;
  assert.deepEqual([subscription.role, subscription.state], ["collaborator", "live"]);
});

test("a role that changes is told; a right that is lost ends it, and no more is tried", needsServer, async () => {
  const ada = await person("ada");
  const bob = await person("bob");
  const id = await project(ada, [bob, "viewer"]);
  const subscription = bob.subscribe({ projectId: id });
  await subscription.ready();
  const role = next(subscription, "role");
  await ada.patch(`/projects/${id}/members/${bob.id}`, { role: "collaborator" });
  assert.equal(await role, "collaborator");
  const ended = next(subscription, "unsubscribed");
  const idle = next(bob, "status", ({ state }) => state === "offline");
  await ada.delete(`/projects/${id}/members/${bob.id}`);
  assert.deepEqual(await ended, { reason: "access_revoked" });
  assert.equal((await idle).reason, "idle");
  const again = bob.subscribe({ projectId: id });
  again.on("error", () => {});
  await assert.rejects(again.ready(), { code: "not_found" });
});

test("presence, cursors and messages between two", needsServer, async () => {
  const ada = await person("ada");
  const bob = await person("bob");
  const id = await project(ada, [bob, "collaborator"]);
  const here = ada.subscribe({ projectId: id, presence: true, cursors: true });
  const joined = next(here, "presence", ({ type, user_id }) => type === "presence.joined" && user_id === bob.id);
  await next(here, "presence", ({ type }) => type === "presence.state");
  const there = bob.subscribe({ projectId: id, presence: true, cursors: true });
  there.setPresence({ file: "main.rs" });
  await joined;
  if (!here.members.get(bob.id).state) await next(here, "presence", ({ state }) => state);
  assert.deepEqual(here.members.get(bob.id).state, { file: "main.rs" });
  assert.deepEqual([...here.members.keys()].sort(), [ada.id, bob.id].sort());

  const last = next(here, "cursor", ({ x }) => x === 99);
  for (let x = 0; x < 100; x++) there.moveCursor({ x, y: 1 });
  const { connection_id: connection } = await last;
  assert.equal(here.cursors.get(connection).x, 99);
  const gone = next(here, "cursor", ({ x }) => x === undefined);
  there.moveCursor(null);
  await gone;
  assert.equal(here.cursors.size, 0);

  const message = next(here, "message");
  await there.publish("saved", { n: 1 });
  assert.deepEqual(((one) => [one.name, one.data, one.from])(await message), ["saved", { n: 1 }, bob.id]);
  const both = Promise.all([next(here, "message"), next(there, "message")]);
  await ada.publish(id, { name: "built", data: null });
  assert.deepEqual((await both).map(({ name }) => name), ["built", "built"]);
  const refused = next(there, "error");
  await there.publish("", null);
  assert.equal((await refused).code, "bad_request");

  const left = next(here, "presence", ({ type }) => type === "presence.left");
  bob.close();
  assert.equal((await left).user_id, bob.id);
  assert.equal(here.members.has(bob.id), false);
});

test("a workspace is a room of its own; organizations and the account have feeds", needsServer, async () => {
  const ada = await person("ada");
  const id = await project(ada);
  const workspace = (await ada.post(`/projects/${id}/workspaces`, { name: "Lab" })).id;
  const [outside, inside] = [ada.subscribe({ projectId: id }), ada.subscribe({ projectId: id, workspaceId: workspace, presence: true })];
  const account = ada.subscribe({ account: true });
  const { id: team } = await ada.post("/organizations", { name: "Team" });
  const organization = ada.subscribe({ organizationId: team });
  await Promise.all([outside, inside, account, organization].map((one) => one.ready()));
  const events = Promise.all([outside, inside].map((one) => next(one, "event")));
  await ada.post(`/projects/${id}/tasks`, { title: "both see it" });
  assert.deepEqual((await events).map(({ event_type: type }) => type), ["TaskCreated", "TaskCreated"]);
  const elsewhere = [];
  outside.on("message", (message) => elsewhere.push(message));
  const message = next(inside, "message");
  await ada.publish(id, { name: "hi", data: 1, workspaceId: workspace });
  assert.equal((await message).workspace_id, workspace);
  const profile = next(account, "event");
  await ada.patch("/auth/me", { full_name: "Ada L." });
  assert.match((await profile).event_type, /Profile/);
  const added = next(organization, "event");
  await ada.patch(`/organizations/${team}`, { name: "Crew" });
  assert.equal((await added).event_type, "OrganizationUpdated");
  const ended = next(inside, "unsubscribed");
  await ada.delete(`/projects/${id}/workspaces/${workspace}`);
  assert.deepEqual([(await ended).reason, outside.state, elsewhere], ["workspace_deleted", "live", []]);
});

test("a file is a room of its own", needsServer, async () => {
  const ada = await person("ada");
  const bob = await person("bob");
  const id = await project(ada, [bob, "viewer"]);
  const { id: workspaceId } = await ada.post(`/projects/${id}/workspaces`, { name: "Lab" });
  const files = `/projects/${id}/workspaces/${workspaceId}/files`;
  const { id: fileId } = await ada.post(files, { path: "main.rs" });
  const wanted = { projectId: id, workspaceId, presence: true, cursors: true };
  const [around, here] = [ada.subscribe(wanted), ada.subscribe({ ...wanted, fileId })];
  await Promise.all([around, here].map((one) => next(one, "presence", ({ type }) => type === "presence.state")));
  const joined = next(here, "presence", ({ type, user_id }) => type === "presence.joined" && user_id === bob.id);
  const there = bob.subscribe({ ...wanted, fileId });
  const seen = [];
  for (const name of ["message", "cursor"]) around.on(name, (frame) => seen.push(frame));
  await joined;
  there.setPresence({ mode: "reading" });
  const cursor = next(here, "cursor");
  there.moveCursor({ line: 3 });
  assert.deepEqual((({ file_id, document, line }) => [file_id, document, line])(await cursor), [fileId, true, 3]);
  const message = next(there, "message");
  await here.publish("saved", 1);
  assert.equal((await message).file_id, fileId);
  const both = Promise.all([here, there].map((one) => next(one, "message")));
  await ada.publish(id, { name: "built", data: null, workspaceId, fileId });
  assert.deepEqual((await both).map(({ name }) => name), ["built", "built"]);
  assert.deepEqual([[...here.members.keys()].sort(), [...around.members.keys()]], [[ada.id, bob.id].sort(), [ada.id]]);
  const ended = Promise.all([here, there].map((one) => next(one, "unsubscribed")));
  await ada.delete(`${files}/${fileId}`);
  assert.deepEqual([await ended, around.state, seen], [[{ reason: "file_deleted" }, { reason: "file_deleted" }], "live", []]);
});

test("a later subscription from further back gets all of it, and the first nothing twice", needsServer, async () => {
  const ada = await person("ada");
  const id = await project(ada);
  const first = ada.subscribe({ projectId: id });
  const seqs = [];
  first.on("event", ({ seq }) => seqs.push(seq));
  await first.ready();
  await ada.post(`/projects/${id}/tasks`, { title: "a" });
  const second = ada.subscribe({ projectId: id, since: { seq: 0 } });
  const all = [];
  second.on("event", ({ seq }) => all.push(seq));
  await next(second, "caughtUp");
  const both = Promise.all([first, second].map((one) => next(one, "event")));
  await ada.post(`/projects/${id}/tasks`, { title: "b" });
  await both;
  assert.deepEqual([seqs, all], [[3, 4], [1, 2, 3, 4]]);
});

test("another history is told", needsServer, async () => {
  const ada = await person("ada");
  const id = await project(ada);
  const subscription = ada.subscribe({ projectId: id, since: { epoch: "00000000-0000-0000-0000-000000000001", seq: 1 } });
  assert.equal((await next(subscription, "reset")).head, 2);
  const event = next(subscription, "event");
  await ada.post(`/projects/${id}/tasks`, { title: "a" });
  assert.equal((await event).seq, 3);
});

test("two clients of one person; a session that ends stops the one", needsServer, async () => {
  const ada = await person("ada");
  const other = await again(ada);
  const id = await project(ada);
  const [one, two] = [ada.subscribe({ projectId: id }), other.subscribe({ projectId: id })];
  await Promise.all([one.ready(), two.ready()]);
  const over = next(other, "signedOut");
  const theirs = new Set();
  for await (const { id: session, current } of ada.list("/auth/sessions")) if (!current) theirs.add(session);
  assert.equal(theirs.size, 1);
  for (const session of theirs) await ada.delete(`/auth/sessions/${session}`);
  assert.match(await over, /session-ended|refresh-token-invalid/);
  assert.equal(one.state, "live");
});
