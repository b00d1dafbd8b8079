/** @module One client that follows some projects, and writes down what it gets. */

import { NodeWebSocket } from "../../../clients/js/src/node/websocket.js";
import { Workroom } from "../../../clients/js/src/index.js";
import { Recorder, digest } from "./records.js";

/** Quick to notice what is done to it, and quick to come back. */
export const QUICK = {
  backoff: { min: 20, max: 1_000 },
  connectTimeout: 4_000,
  pingInterval: 1_000,
  retryWebSocket: 5_000,
};

/** An event's frame; the service writes the type first. */
const EVENT = /^{"type":"event","project_id":"([^"]+)","seq":(\d+)/;

export class Follower {
  /** Feed → the last place. */
  places = new Map();
  received = 0;
  movedAt = Date.now();
  isClosed = false;
  /**
   * Connections by transport; close codes of those that stood, and of attempts; errors; and the longest time without a
   * connection, in milliseconds.
   */
  stats = { transports: {}, ends: {}, failures: {}, errors: {}, longestGap: 0 };
  #client;
  #recorder;
  #socket = null;
  #isOnline = false;
  #lostAt = null;
  #subscriptions = [];

  /**
   * @param {object} options `url`; the `path` of the file to write to; `way`: which transport, and whether it loops or
   *   listens; `live` for the client, and its credentials
   */
  constructor({ url, path, way, live, ...credentials }) {
    this.#recorder = new Recorder(path);
    this.way = way;
    const opened = (socket) => this.#opened(socket);
    class Socket extends NodeWebSocket {
      constructor(...args) {
        super(...args);
        opened(this);
      }
    }
    const WebSocket = way.transport === "sse" ? null : Socket;
    this.#client = new Workroom({ url, live, WebSocket, ...credentials });
    this.#client.on("status", (status) => this.#noteStatus(status));
    this.#client.on("error", (error) => this.#noteError(error));
  }

  /** Follows feeds from their beginning on; resolves when each stands. */
  async follow(feeds) {
    for (const feed of feeds) {
      this.places.set(feed, 0);
      const subscription = this.#client.subscribe({ projectId: feed, since: { seq: 0 } });
      this.#subscriptions.push(subscription);
      this.#record(feed, subscription);
    }
    await Promise.all(this.#subscriptions.map((one) => one.ready()));
  }

  /** Tears the connection, as a network that is gone does. */
  tear() {
    this.#socket?.terminate();
  }

  /** Whether it has come so far. */
  isAt(heads) {
    return [...this.places].every(([feed, seq]) => seq >= (heads.get(feed) ?? 0));
  }

  /** What a client looks like that does not go on. */
  describe() {
    const { status } = this.#client;
    const states = this.#subscriptions.map(({ state }) => state);
    return { way: this.way, status, places: Object.fromEntries(this.places), states, ...this.stats };
  }

  close() {
    this.isClosed = true;
    this.#client.close();
    this.#recorder.close();
  }

  /** Looks at what the service sends itself: the client passes over duplicates, and nobody would hear of them. */
  #opened(socket) {
    this.#socket = socket;
    const places = new Map();
    socket.addEventListener("message", ({ data }) => {
      const [, feed, text] = EVENT.exec(data) ?? [];
      const [seq, before] = [Number(text), places.get(feed)];
      if (!feed) return;
      if (before !== undefined && seq !== before + 1) this.#write("broken", feed, { seq, before });
      places.set(feed, seq);
    });
  }

  #write(type, feed, what) {
    if (!this.isClosed) this.#recorder.write({ type, feed, ...what });
  }

  #record(feed, subscription) {
    const write = (type, what) => this.#write(type, feed, what);
    subscription.on("subscribed", ({ epoch, head }) => write("subscribed", { epoch, head }));
    subscription.on("reset", ({ epoch, head }) => write("reset", { epoch, head }));
    subscription.on("unsubscribed", ({ reason }) => write("ended", { reason }));
    subscription.on("error", (error) => this.#noteError(error));
    const take = (event) => {
      if (event.project_id !== feed) throw new Error(`an event of ${event.project_id} came to ${feed}`);
      write("event", { seq: event.seq, id: event.event_id, digest: digest(event) });
      this.places.set(feed, Math.max(event.seq, this.places.get(feed)));
      this.received++;
      this.movedAt = Date.now();
    };
    if (!this.way.loops) return subscription.on("event", take);
    this.#loop(subscription, take).catch((error) => write("ended", { reason: String(error) }));
  }

  async #loop(subscription, take) {
    for await (const event of subscription) take(event);
  }

  #noteStatus({ state, transport, code }) {
    const wasOnline = this.#isOnline;
    this.#isOnline = state === "online";
    if (!this.#isOnline) {
      this.#lostAt ??= Date.now();
      if (code) count(wasOnline ? this.stats.ends : this.stats.failures, code);
      return;
    }
    count(this.stats.transports, transport);
    if (this.#lostAt) this.stats.longestGap = Math.max(this.stats.longestGap, Date.now() - this.#lostAt);
    this.#lostAt = null;
  }

  #noteError(error) {
    count(this.stats.errors, error?.code ?? String(error));
  }
}

function count(object, key) {
  object[key] = (object[key] ?? 0) + 1;
}
