/** @module Keeps one connection for all subscriptions, for as long as there are any: chooses it, loses it, gets it back. */

import { WorkroomError } from "../errors.js";
import { backoff, signalOf, sleep } from "../timing.js";
import { OWN } from "./link.js";
import { Past, isOfCredentials } from "./past.js";
import { SocketLink } from "./socket-link.js";
import { MOST, StreamLink } from "./stream-link.js";
import { Subscription } from "./subscription.js";
import { Wire } from "./wire.js";

const DEFAULTS = {
  backoff: { min: 250, max: 30_000 },
  connectTimeout: 10_000,
  /** Attempts without a welcome after which events go another way. */
  fallbackAfter: 3,
  /** How often the WebSocket is tried from there, in the end. */
  retryWebSocket: 60_000,
};
/** How soon it is tried first: a service that was away looks like one that WebSockets do not reach. */
const FIRST_PROBE = 1_000;

export class Hub {
  #subscriptions = new Set();
  #lacking = new Set();
  #wire;
  #link = null;
  #isRunning = false;
  #isDue = false;
  #wake = new AbortController();
  #parts;
  #options;
  #past;

  /** @param {object} parts `http`, `session`, `fetch`, `webSocket` (how to get one), `closed`, `options`, `onStatus`, `onError` */
  constructor(parts) {
    this.#parts = parts;
    this.#options = { ...DEFAULTS, ...parts.options };
    this.#past = new Past(this.#options);
    this.onError = parts.onError;
    const { http, session } = parts;
    this.#wire = new Wire(this.#subscriptions, {
      saw: (position) => http.saw(position),
      reset: () => http.forgetPosition(),
      onError: parts.onError,
    });
    session.on("tokens", () => this.#wakeUp());
  }

  subscribe(options) {
    if (this.#parts.closed.aborted) throw this.#parts.closed.reason;
    const subscription = new Subscription(this, options);
    this.#subscriptions.add(subscription);
    this.#changed();
    return subscription;
  }

  /** A subscription has ended. */
  left(subscription) {
    this.#lacking.delete(subscription);
    if (this.#subscriptions.delete(subscription)) this.#changed();
  }

  send(subscription, frame) {
    return this.#wire.send(subscription, frame);
  }

  /** Whether the service takes this connection for one that follows that room, by what it was sent until now. */
  hasAskedFor(key) {
    return this.#wire.hasAskedFor(key);
  }

  publish({ project_id, workspace_id, file_id }, name, data) {
    return this.#parts.http.request("POST", `/projects/${project_id}/realtime`, { body: { name, data, workspace_id, file_id } });
  }

  endAll(reason) {
    for (const one of [...this.#subscriptions]) one.end(reason);
    // At once: a script may end now.
    this.#update();
  }

  /** Once for all that changes in one go. */
  #changed() {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      this.#update();
    });
  }

  #update() {
    if (this.#subscriptions.size === 0) {
      this.#wire.sync();
      this.#link?.finish(OWN.done, "idle");
      this.#wakeUp();
    } else if (!this.#isRunning) {
      this.#isRunning = true;
      this.#run().catch((error) => this.onError(error)).finally(() => this.#ended());
    } else if (this.#link instanceof StreamLink) {
      const { follows } = this.#link;
      const isOther = [...this.#subscriptions].some((one) => one.topic.project_id && !follows.has(one) && !this.#lacking.has(one));
      if (isOther) this.#link.finish(OWN.renew, "other things are wanted");
      else if (this.#link.isWelcome) this.#tellLacking(this.#link);
    } else this.#wire.sync();
  }

  #ended() {
    this.#isRunning = false;
    if (this.#subscriptions.size) this.#changed();
  }

  async #run() {
    const online = () => this.#wakeUp();
    globalThis.addEventListener?.("online", online);
    try {
      while (this.#subscriptions.size) {
        const link = this.#choose();
        this.#link = link;
        this.#tell("connecting", { transport: link.transport });
        const end = await link.run();
        this.#link = null;
        clearTimeout(this.probeTimer);
        this.probe?.finish(OWN.done, "not needed");
        this.#wire.detach();
        if (this.#subscriptions.size) await this.#recover(link, end);
      }
    } finally {
      globalThis.removeEventListener?.("online", online);
      this.#tell("offline", { reason: "idle" });
    }
  }

  #choose() {
    const places = new Map();
    const follows = new Set();
    for (const one of this.#subscriptions) {
      const project = one.topic.project_id;
      if (!project || (!places.has(project) && places.size === MOST)) continue;
      places.set(project, this.#wire.placeOf(one.feed));
      follows.add(one);
    }
    if (!this.#past.needsStream || places.size === 0) return this.#socket((link) => this.#online(link));
    const { http, fetch } = this.#parts;
    const link = new StreamLink({
      ...this.#common(() => this.#online(link)),
      fetch,
      places,
      address: (path, query) => http.address(path, query),
      onRefused: (project, error) => this.#wire.refuse(project, error),
    });
    link.follows = follows;
    return link;
  }

  #socket(onWelcome) {
    const address = this.#parts.http.address("/realtime");
    address.protocol = address.protocol.replace("http", "ws");
    const link = new SocketLink({ ...this.#common(() => onWelcome(link)), WebSocket: this.#parts.webSocket, address: address.href });
    return link;
  }

  #common(onWelcome) {
    const { session } = this.#parts;
    return { session, options: this.#options, onWelcome, onFrame: (frame) => this.#wire.take(frame) };
  }

  #online(link) {
    this.#tell("online", { transport: link.transport });
    this.#wire.attach(link);
    if (link.transport !== "sse") return this.#lacking.clear();
    this.#tellLacking(link);
    this.#probeLater();
  }

  /** Tells, once, who has to do without something. */
  #tellLacking(link) {
    for (const one of [...this.#subscriptions]) {
      if (this.#lacking.has(one) || (link.follows.has(one) && !one.wants.presence && !one.wants.cursors && !one.wants.output)) continue;
      this.#lacking.add(one);
      const what = link.follows.has(one) ? "presence, cursors and output are" : "this feed is";
      one.fail(new WorkroomError({ code: "needs-websocket", detail: `${what} not there until a WebSocket can be opened again` }));
    }
  }

  /** Tries the WebSocket beside the stream, and goes back to it when it works. */
  #probeLater(attempt = 0) {
    const stream = this.#link;
    const wait = backoff(attempt, { min: FIRST_PROBE, max: this.#options.retryWebSocket });
    this.probeTimer = setTimeout(async () => {
      let works = false;
      this.probe = this.#socket((link) => {
        works = true;
        link.finish(OWN.done, "it works");
      });
      await this.probe.run();
      // Another stream has its own probes.
      if (this.#link !== stream) return;
      if (!works) return this.#probeLater(attempt + 1);
      this.#past.socketWorks();
      stream.finish(OWN.renew, "a WebSocket can be opened again");
    }, wait);
  }

  /** After a connection: what to do before the next one. */
  async #recover(link, end) {
    const { session } = this.#parts;
    this.#past.note(link, end);
    if (end.code === OWN.missing || (end.code === OWN.renew && end.isWelcome)) return;
    if (isOfCredentials(end.code)) {
      if (!this.#past.mayRefresh(end.code) || !session.canRefresh) return this.#halt(end);
      const error = await session.refresh(end.token).catch((one) => one);
      if (error?.status === 401) return this.#halt(end);
      // At once; but whoever is welcomed and shown out in turn takes time over it.
      if (!error && (end.code === 4501 || !end.isWelcome)) return;
    }
    const wait = this.#past.wait(end.code);
    this.#tell("offline", { code: end.code, reason: end.reason, retryIn: wait });
    await this.#sleep(wait);
  }

  /** Nothing helps but another sign-in. */
  async #halt({ code, reason }) {
    this.#tell("offline", { code, reason });
    const error = new WorkroomError({ status: code === 4403 ? 403 : 401, code: "unauthenticated", detail: `sign in again: ${reason}` });
    for (const one of [...this.#subscriptions]) one.fail(error);
    await this.#sleep(Infinity);
    this.#past.forgive();
  }

  /** Waits, until somebody signs in, the network is back, or nothing is wanted any more. */
  async #sleep(milliseconds) {
    if (!this.#subscriptions.size) return;
    const { signal } = this.#wake;
    const time = signalOf([signal]);
    const woken = new Promise((resolve) => time.signal.addEventListener("abort", resolve));
    await (milliseconds === Infinity ? woken : sleep(milliseconds, time.signal).catch(() => {}));
    time.release();
  }

  #wakeUp() {
    this.#wake.abort();
    this.#wake = new AbortController();
  }

  #tell(state, { transport = null, reason = null, code = null, retryIn = null }) {
    this.#parts.onStatus({ state, transport, reason, code, retryIn });
  }
}

