// People and projects of the service that WORKROOM_URL names.
import { randomUUID } from "node:crypto";

import { Workroom } from "../../src/index.js";

export const url = process.env.WORKROOM_URL;
/** Options of tests that need the service. */
export const needsServer = { skip: url ? false : "set WORKROOM_URL", timeout: 30_000 };
export const password = "an analytical engine";
/** Quick to come back: tests have little time. */
export const live = { backoff: { min: 10, max: 100 } };

const clients = new Set();

/** A client; `closeAll` ends it. */
export function client(options) {
  const one = new Workroom({ url, live, ...options });
  one.on("error", () => {});
  clients.add(one);
  return one;
}

export function closeAll() {
  for (const one of clients) one.close();
  clients.clear();
}

/** Somebody new, signed in. `options` are those of the client. */
export async function person(name, options) {
  const one = client(options);
  one.email = `${name}-${randomUUID()}@example.com`;
  one.id = (await one.post("/auth/register", { email: one.email, password, full_name: name })).id;
  await one.signIn({ email: one.email, password });
  return one;
}

/** The same person with another client, which goes through `to`. */
export async function again(someone, options) {
  const one = client(options);
  await one.signIn({ email: someone.email, password });
  one.id = someone.id;
  return one;
}

export async function project(owner, ...others) {
  const { id } = await owner.post("/projects", { name: "Apollo" });
  for (const [other, role] of others) await owner.post(`/projects/${id}/members`, { email: other.email, role });
  return id;
}

/** Waits for an event of an emitter that fits. */
export function next(emitter, name, fits = () => true) {
  return new Promise((resolve) => {
    const stop = emitter.on(name, (value) => {
      if (!fits(value)) return;
      stop();
      resolve(value);
    });
  });
}
