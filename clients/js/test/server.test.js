// Requests against the service.
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { isRepeatable, takesKey, takesPosition } from "../src/operations.js";
import { proxy } from "./support/proxy.js";
import { again, client, closeAll, needsServer, person, project } from "./support/server.js";

after(closeAll);

test("what the client knows of operations is what the document says", needsServer, async () => {
  const { paths } = await client().get("/openapi.json");
  let seen = 0;
  for (const [pattern, item] of Object.entries(paths)) {
    const path = pattern.replace(/\{[^}]+\}/g, "01a2054e-910a-7302-a74e-fb725319f601");
    const takes = (method, name) => (item[method].parameters ?? []).some((one) => one.name === name);
    if (item.get) assert.equal(takesPosition(path), takes("get", "min_position"), `GET ${pattern}`);
    if (item.post) assert.equal(takesKey(path), takes("post", "Idempotency-Key"), `POST ${pattern}`);
    if (item.post) assert.equal(isRepeatable("POST", path), takes("post", "Idempotency-Key"), pattern);
    seen++;
  }
  assert.ok(seen > 30, String(seen));
});

test("sign in, read, refresh, sign out", needsServer, async () => {
  const told = [];
  const ada = await person("ada", { onTokens: (tokens) => told.push(tokens) });
  assert.equal((await ada.get("/auth/me")).email, ada.email);
  const { tokens } = ada;
  // A token that does not hold any more is exchanged, and the request sent again.
  const other = client({ tokens: { ...tokens, access_token: `${tokens.access_token}x` } });
  assert.equal((await other.get("/auth/me")).email, ada.email);
  assert.notEqual(other.tokens.refresh_token, tokens.refresh_token);
  await other.signOut();
  assert.equal(other.isSignedIn, false);
  await assert.rejects(other.get("/auth/me"), { status: 401, code: "credentials-missing" });
  await assert.rejects(ada.get("/auth/me"), { status: 401 }, "it was the same session");
  assert.deepEqual([told.length, told.at(-1)], [2, null]);
  await assert.rejects(ada.signIn({ email: ada.email, password: "wrong password" }), { status: 401, code: "wrong-credentials" });
});

test("a personal access token works", needsServer, async () => {
  const ada = await person("ada");
  const { token } = await ada.post("/auth/tokens", { name: "script", scopes: ["read"] });
  const script = client({ token });
  assert.deepEqual((await script.get("/projects")).items, []);
  await assert.rejects(script.post("/projects", { name: "x" }), { status: 403, code: "scope-missing" });
});

test("a reply that is cut after the commit makes one task, not two", needsServer, async () => {
  const ada = await person("ada");
  const id = await project(ada);
  const cuts = { none: 0, some: 0 };
  const cutting = await proxy({
    onDown(chunk, connection) {
      if (!connection.up.includes("/tasks HTTP") || !/^HTTP\/1.1 201/.test(chunk.toString("latin1"))) return chunk;
      // The first time nothing of it arrives, the second a part.
      if (cuts.none++ === 0) return connection.cut();
      if (cuts.some++ === 0) {
        setTimeout(() => connection.cut(), 5);
        return chunk.subarray(0, chunk.length - 20);
      }
      return chunk;
    },
  });
  const ada2 = client({ url: cutting.url, tokens: ada.tokens });
  const reply = await ada2.request("POST", `/projects/${id}/tasks`, { body: { title: "once" } });
  assert.deepEqual([reply.status, reply.replayed, cuts.some], [201, true, 2]);
  const tasks = [];
  for await (const task of ada.list(`/projects/${id}/tasks`)) tasks.push(task.id);
  assert.deepEqual(tasks, [reply.data.id]);
  cutting.close();
});

test("lists are walked to their end", needsServer, async () => {
  const ada = await person("ada");
  const id = await project(ada);
  await Promise.all(Array.from({ length: 25 }, (_, number) => ada.post(`/projects/${id}/tasks`, { title: `task ${number}` })));
  const titles = new Set();
  for await (const { title } of ada.list(`/projects/${id}/tasks`, { query: { limit: 10 } })) titles.add(title);
  assert.equal(titles.size, 25);
  let events = 0;
  for await (const _ of ada.list(`/projects/${id}/events`, { query: { limit: 10 } })) events++;
  assert.equal(events, 27);
});

test("changes take If-Match; replies tell version, place and position", needsServer, async () => {
  const ada = await person("ada");
  const created = await ada.request("POST", "/projects", { body: { name: "Apollo" } });
  assert.ok(created.position > 0 && ada.position >= created.position);
  const { data, etag } = await ada.request("GET", created.location);
  assert.equal(data.name, "Apollo");
  await ada.patch(created.location, { name: "Gemini" }, { ifMatch: etag });
  await assert.rejects(ada.patch(created.location, { name: "Mercury" }, { ifMatch: etag }), { status: 412, code: "stale" });
  assert.equal((await ada.get(created.location)).name, "Gemini");
  const bob = await again(ada);
  assert.equal((await bob.get(created.location, { minPosition: ada.position })).name, "Gemini");
  await ada.delete(created.location);
  await assert.rejects(ada.get(created.location), { status: 404, code: "not-found" });
});
