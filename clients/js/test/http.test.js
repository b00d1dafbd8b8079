import assert from "node:assert/strict";
import { test } from "node:test";

import { Workroom, WorkroomError } from "../src/index.js";
import { fakeFetch, json, networkError, problem } from "./support/fakes.js";

const quick = { timeout: 10_000 };
const workroom = (fetch) => new Workroom({ url: "http://x/", fetch, token: "t" });

test("what may be sent again is, under one key; nothing else", quick, async () => {
  const cases = [
    // method, path, options, what fails first, attempts
    ["GET", "/projects", {}, () => { throw networkError(); }, 2],
    ["PUT", "/projects/1", {}, () => { throw networkError(); }, 2],
    ["DELETE", "/projects/1", {}, () => { throw networkError(); }, 2],
    ["POST", "/projects", {}, () => { throw networkError(); }, 2],
    ["POST", "/projects", {}, () => problem(503, "outcome-unknown"), 2],
    ["POST", "/projects", {}, () => problem(409, "request-in-progress"), 2],
    ["POST", "/projects/1/realtime", {}, () => { throw networkError(); }, 1],
    ["POST", "/projects/1/realtime", {}, () => { throw networkError("ECONNREFUSED"); }, 2],
    ["POST", "/projects/1/realtime", {}, () => problem(503, "outcome-unknown"), 1],
    ["POST", "/projects/1/realtime", {}, () => problem(503, "overloaded"), 2],
    ["POST", "/projects/1/realtime", {}, () => problem(429, "too-many-requests"), 2],
    ["POST", "/auth/login", {}, () => problem(429, "too-many-attempts"), 1],
    ["PATCH", "/projects/1", {}, () => { throw networkError(); }, 1],
    ["PATCH", "/projects/1", { ifMatch: '"1"' }, () => { throw networkError(); }, 2],
    ["PATCH", "/projects/1", {}, () => problem(409, "contended"), 2],
    ["GET", "/projects", {}, () => problem(500, "internal"), 1],
    ["GET", "/projects", { retry: false }, () => { throw networkError(); }, 1],
    ["GET", "/projects", {}, () => new Response("bad gateway", { status: 502 }), 2],
  ];
  for (const [method, path, options, fail, attempts] of cases) {
    const fetch = fakeFetch((_, number) => (number === 1 ? fail() : json(200, {})));
    const sent = workroom(fetch).request(method, path, options);
    await (attempts === 1 ? assert.rejects(sent, WorkroomError) : sent);
    assert.equal(fetch.calls.length, attempts, `${method} ${path} ${fail}`);
    const keys = new Set(fetch.calls.map(({ headers }) => headers.get("idempotency-key")));
    assert.equal(keys.size, 1);
    assert.equal([...keys][0] !== null, method === "POST" && path === "/projects", `${method} ${path}`);
  }
});

test("whether it may have been carried out is told", quick, async () => {
  const once = (fail) => workroom(fakeFetch(fail)).request("POST", "/projects/1/realtime").catch((error) => error);
  assert.equal((await once(() => { throw networkError(); })).uncertain, true);
  assert.equal((await once(() => problem(403, "forbidden"))).uncertain, false);
  const lost = fakeFetch((_, number) => { if (number === 1) throw networkError(); return problem(404, "not-found"); });
  const error = await workroom(lost).delete("/projects/1").catch((one) => one);
  assert.deepEqual([error.code, error.uncertain], ["not-found", true], "gone, perhaps by the first attempt");
});

test("Retry-After is heeded, and the deadline", quick, async () => {
  const began = Date.now();
  const later = fakeFetch((_, number) => (number === 1 ? problem(503, "overloaded", {}, { "retry-after": "1" }) : json(200, {})));
  await workroom(later).get("/projects");
  assert.ok(Date.now() - began >= 990);
  const never = fakeFetch(() => problem(503, "overloaded", {}, { "retry-after": "3600" }));
  await assert.rejects(workroom(never).get("/projects"), { code: "overloaded", retryAfter: 3600 });
  assert.equal(never.calls.length, 1);
  const silent = fakeFetch(({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))));
  await assert.rejects(workroom(silent).get("/projects", { timeout: 50 }), { code: "timeout", status: 0 });
});

test("a signal ends a request, and the wait between two", quick, async () => {
  for (const fetch of [
    fakeFetch(({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))),
    fakeFetch(() => problem(503, "overloaded", {}, { "retry-after": "30" })),
  ]) {
    const controller = new AbortController();
    const sent = workroom(fetch).get("/projects", { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 20);
    await assert.rejects(sent, /enough/);
  }
  const closed = workroom(fakeFetch(() => problem(503, "overloaded", {}, { "retry-after": "30" })));
  const sent = closed.get("/projects");
  setTimeout(() => closed.close(), 20);
  await assert.rejects(sent, { code: "closed" });
});

test("reads wait for what was seen, where they can", quick, async () => {
  const fetch = fakeFetch(({ method }) => json(200, {}, method === "POST" ? { "workroom-position": "7" } : {}));
  const one = workroom(fetch);
  await one.get("/projects");
  await one.post("/projects", {});
  await one.get("/projects/1?include=x");
  await one.get("/health");
  await one.get("/projects", { minPosition: 3 });
  await one.get("/projects", { minPosition: 0 });
  const asked = fetch.calls.map(({ url }) => url.searchParams.get("min_position"));
  assert.deepEqual(asked, [null, null, "7", null, "3", null]);
});

test("a history from before does not stop reads for ever", quick, async () => {
  const fetch = fakeFetch(({ url, method }) => {
    if (method === "POST") return json(201, {}, { "workroom-position": "70" });
    return url.searchParams.has("min_position") ? problem(422, "invalid", { errors: [{ pointer: "/min_position", code: "out-of-range", detail: "" }] }) : json(200, {});
  });
  const one = workroom(fetch);
  await one.post("/projects", {});
  await one.get("/projects");
  assert.deepEqual([fetch.calls.length, one.position], [3, 0]);
  await assert.rejects(one.get("/projects", { minPosition: 70 }), { status: 422 });
});

test("errors carry what the service said", quick, async () => {
  const errors = [{ pointer: "/name", code: "empty", detail: "is empty" }];
  const fetch = fakeFetch(() => problem(422, "invalid", { errors, detail: "the request is not valid" }));
  await assert.rejects(workroom(fetch).post("/projects", {}), { name: "WorkroomError", status: 422, code: "invalid", detail: "the request is not valid", requestId: "r1", errors });
  const page = fakeFetch(() => new Response("<html>", { status: 403 }));
  await assert.rejects(workroom(page).get("/projects"), { status: 403, code: "unknown" });
});

test("a token goes nowhere else", quick, async () => {
  const fetch = fakeFetch(() => json(200, {}));
  for (const path of ["http://evil.example/", "//evil.example/", "projects"]) await assert.rejects(workroom(fetch).get(path), TypeError);
  await workroom(fetch).get("/api/v1/projects/1");
  assert.deepEqual(fetch.calls.map(({ url }) => url.href), ["http://x/api/v1/projects/1"]);
});

test("what is sent has its own type", quick, async () => {
  const fetch = fakeFetch(() => new Response("hello", { headers: { "content-type": "text/plain" } }));
  const one = workroom(fetch);
  assert.equal(await one.put("/projects/1/workspaces/2/files/3/content", "print(1)"), "hello");
  await one.put("/projects/1", { name: "x" });
  assert.deepEqual(fetch.calls.map(({ headers, body }) => [headers.get("content-type"), body]), [["text/plain; charset=utf-8", "print(1)"], ["application/json", '{"name":"x"}']]);
});
