import assert from "node:assert/strict";
import { test } from "node:test";

import { Workroom } from "../src/index.js";
import { fakeFetch, json, networkError, problem } from "./support/fakes.js";

const quick = { timeout: 10_000 };

/** A service whose access tokens are numbered; those below `oldest` have expired. */
function service({ oldest = 1, delay = 5 } = {}) {
  let number = 0;
  const state = { oldest, refreshes: 0, spent: new Set() };
  state.fetch = fakeFetch(async (call) => {
    await new Promise((resolve) => setTimeout(resolve, delay));
    if (call.url.pathname.endsWith("/auth/refresh")) {
      const { refresh_token: token } = JSON.parse(call.body);
      state.refreshes++;
      if (state.spent.has(token)) return problem(401, "session-ended");
      state.spent.add(token);
      number++;
      return json(200, { access_token: `a${number}`, refresh_token: `r${number}`, expires_in: 900, token_type: "bearer" });
    }
    const token = Number(call.headers.get("authorization")?.slice("Bearer a".length));
    return token >= state.oldest ? json(200, { token }) : problem(401, "token-expired");
  });
  return state;
}

test("however many wait, one request refreshes", quick, async () => {
  const { fetch, ...state } = service();
  const given = [];
  const workroom = new Workroom({ url: "http://x", fetch, tokens: { access_token: "a0", refresh_token: "r0" }, onTokens: (pair) => given.push(pair) });
  const replies = await Promise.all(Array.from({ length: 50 }, () => workroom.get("/projects")));
  assert.ok(replies.every(({ token }) => token === 1));
  const refreshes = fetch.calls.filter(({ url }) => url.pathname.endsWith("/auth/refresh")).length;
  assert.deepEqual([refreshes, given.length, state.spent.size], [1, 1, 1]);
  assert.deepEqual(given[0], { access_token: "a1", refresh_token: "r1" });
  workroom.close();
});

test("a token is exchanged before it ends", quick, async () => {
  const { fetch } = service();
  const claims = (life) => {
    const now = Math.floor(Date.now() / 1000);
    return `x.${btoa(JSON.stringify({ iat: now - 895, exp: now + life }))}.y`;
  };
  const workroom = new Workroom({ url: "http://x", fetch, tokens: { access_token: claims(5), refresh_token: "r0" } });
  assert.deepEqual(await workroom.get("/projects"), { token: 1 });
  assert.match(fetch.calls[0].url.pathname, /refresh$/, "no request has gone with the old one");
  workroom.close();
});

test("a lost reply to a refresh is asked for again with the same token, and soon", quick, async () => {
  let attempts = 0;
  const fetch = fakeFetch((call) => {
    if (!call.url.pathname.endsWith("/auth/refresh")) return call.headers.get("authorization") === "Bearer a1" ? json(200, {}) : problem(401, "token-expired");
    if (++attempts < 3) throw networkError();
    assert.equal(JSON.parse(call.body).refresh_token, "r0");
    return json(200, { access_token: "a1", refresh_token: "r1", expires_in: 900 });
  });
  const workroom = new Workroom({ url: "http://x", fetch, tokens: { access_token: "a0", refresh_token: "r0" } });
  await workroom.get("/projects");
  assert.equal(attempts, 3);
  workroom.close();
});

test("a session that has ended is told, once, and is over", quick, async () => {
  const fetch = fakeFetch((call) => problem(401, call.url.pathname.endsWith("/auth/refresh") ? "refresh-token-invalid" : "token-expired"));
  const told = [];
  const workroom = new Workroom({ url: "http://x", fetch, tokens: { access_token: "a0", refresh_token: "r0" }, onTokens: (pair) => told.push(pair) });
  workroom.on("signedOut", (reason) => told.push(reason));
  const all = await Promise.allSettled([1, 2, 3].map(() => workroom.get("/projects")));
  for (const { reason } of all) assert.deepEqual([reason.status, reason.code, reason.requestId], [401, "refresh-token-invalid", "r1"]);
  assert.deepEqual(told, [null, "refresh-token-invalid"]);
  assert.equal(workroom.isSignedIn, false);
  assert.equal(fetch.calls.filter(({ url }) => url.pathname.endsWith("/auth/refresh")).length, 1);
  workroom.close();
});

test("a personal access token is sent as it is", quick, async () => {
  const fetch = fakeFetch((call) => (call.headers.get("authorization") === "Bearer wrp_1" ? json(200, []) : problem(401, "token-invalid")));
  const workroom = new Workroom({ url: "http://x", fetch, token: "wrp_1" });
  await workroom.get("/projects");
  const other = new Workroom({ url: "http://x", fetch, token: "wrp_2" });
  await assert.rejects(other.get("/projects"), { name: "WorkroomError", status: 401, code: "token-invalid" });
  assert.equal(fetch.calls.length, 2);
});
