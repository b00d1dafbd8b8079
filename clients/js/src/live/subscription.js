/** @module What somebody follows: its events, its people, its place. */

import { Emitter } from "../emitter.js";
import { WorkroomError, fromFrame } from "../errors.js";
import { EventQueue } from "./event-queue.js";
import { Room } from "./room.js";
import { feedKey, topicKey, topicOf } from "./topic.js";

/** Events that wait for a loop or a listener. */
const MAX_QUEUE = 10_000;
/** The service shows a room 20 cursors a second. */
const CURSOR_INTERVAL = 50;

export class Subscription extends Emitter {
  /** "waiting", "live", or "ended". */
  state = "waiting";
  /** The account's role, where there are roles. */
  role = null;
  /** The last event that was handed over: subscribe with `since` to go on from here. */
  place = null;
  #room = new Room();
  #hub;
  #queues = new Set();
  #backlog = [];
  #maxQueue;
  #ready = null;
  #failure = null;
  #isCaughtUp = false;
  #presence;
  #cursor;
  #cursorTimer = null;
  #cursorSentAt = 0;
  #unfollow;

  /**
   * @internal
   * @param {object} hub what carries it
   */
  constructor(hub, options) {
    super();
    const { since, events = true, presence = false, cursors = false, output = false, signal, maxQueue = MAX_QUEUE } = options;
    this.topic = Object.freeze(topicOf(options));
    this.key = topicKey(this.topic);
    this.feed = feedKey(this.topic);
    if ((presence || cursors) && !this.topic.project_id) throw new TypeError("presence and cursors are of projects");
    if (output && (!this.topic.project_id || this.topic.workspace_id)) throw new TypeError("output is of projects");
    this.wants = Object.freeze({ events, presence, cursors, output });
    if (since !== undefined && since !== null) this.place = { epoch: since.epoch ?? null, seq: since.seq };
    this.#hub = hub;
    this.#maxQueue = maxQueue;
    if (signal) {
      const stop = () => this.end("requested", signal.reason);
      if (signal.aborted) throw signal.reason;
      signal.addEventListener("abort", stop, { once: true });
      this.#unfollow = () => signal.removeEventListener("abort", stop);
    }
  }

  get members() {
    return this.#room.members;
  }

  get cursors() {
    return this.#room.cursors;
  }

  /** Resolves once the service has accepted it; rejects when it refuses. */
  ready() {
    if (this.state === "live") return Promise.resolve(this);
    if (this.state === "ended") return Promise.reject(this.#failure ?? ended());
    this.#ready ??= {};
    this.#ready.promise ??= new Promise((resolve, reject) => Object.assign(this.#ready, { resolve, reject }));
    return this.#ready.promise;
  }

  on(name, listener) {
    const stop = super.on(name, listener);
    if (name === "event") this.#flush((event) => this.emit("event", event));
    return stop;
  }

  [Symbol.asyncIterator]() {
    const queue = new EventQueue(this.#maxQueue, () => this.#queues.delete(queue));
    this.#flush((event) => queue.push(event));
    if (this.state === "ended") queue.end(this.#failure);
    else this.#queues.add(queue);
    return queue;
  }

  /** What the others are shown of this account, from now on, over lost connections. */
  setPresence(state) {
    if (!this.wants.presence) throw new TypeError("subscribe with presence: true");
    this.#presence = { state };
    this.#tellPresence();
  }

  /** Where this connection points; `null`: nowhere. Places in between are left out. */
  moveCursor(cursor) {
    if (!this.wants.cursors) throw new TypeError("subscribe with cursors: true");
    this.#cursor = cursor ?? {};
    if (this.#cursorTimer || this.state === "ended") return;
    const wait = this.#cursorSentAt + CURSOR_INTERVAL - Date.now();
    if (wait <= 0) return this.#tellCursor();
    this.#cursorTimer = setTimeout(() => {
      this.#cursorTimer = null;
      this.#tellCursor();
    }, wait);
  }

  /** Says something to everybody else in the room. Without a socket it goes by a request, and comes back to oneself. */
  async publish(name, data) {
    if (!this.topic.project_id) throw new TypeError("messages are of projects");
    const sent = this.state === "live" && this.#hub.send(this, { type: "publish", ...this.topic, name, data });
    if (!sent) await this.#hub.publish(this.topic, name, data);
  }

  /** Ends it. */
  unsubscribe() {
    this.end("requested");
  }

  /** @internal It stands, on a new connection. */
  joined({ epoch, head, role, isCaughtUp = false }) {
    this.state = "live";
    this.role = role ?? this.role;
    this.#isCaughtUp = isCaughtUp;
    this.#room.enter();
    this.place ??= { epoch, seq: head };
    // A place in no named history: this one. Of another history it stays, until `reset` has come.
    this.place.epoch ??= epoch;
    this.emit("subscribed", { epoch, head, role: this.role });
    this.#tellPresence();
    if (this.#cursor) this.#tellCursor();
    this.#ready?.resolve?.(this);
    this.#ready = null;
  }

  /** @internal The connection is lost. */
  lost() {
    if (this.state === "live") this.state = "waiting";
  }

  /**
   * @internal Takes an event. In order, each once: what is known is passed over.
   * @returns {boolean} whether events between are missing
   */
  take(event) {
    if (!this.wants.events || !this.place || event.seq <= this.place.seq) return false;
    if (event.seq !== this.place.seq + 1) return true;
    this.place = { epoch: this.place.epoch, seq: event.seq };
    if (!this.listens("event") && this.#queues.size === 0) this.#keep(event);
    else this.emit("event", event);
    for (const queue of this.#queues) queue.push(event);
    return false;
  }

  /** @internal Takes whatever else comes. */
  tell(frame) {
    const { type } = frame;
    if (type === "caught_up") {
      if (!this.#isCaughtUp) this.emit("caughtUp", { seq: frame.seq });
      this.#isCaughtUp = true;
    } else if (type === "reset") {
      this.place = { epoch: frame.epoch, seq: frame.head };
      this.emit("reset", { epoch: frame.epoch, head: frame.head });
    } else if (type === "role") {
      this.role = frame.role;
      this.emit("role", frame.role);
    } else if (type === "head") this.emit("head", frame.seq);
    else if (type === "message") this.emit("message", frame);
    else if (type === "cursor" && this.wants.cursors) {
      this.#room.cursor(frame);
      this.emit("cursor", frame);
    } else if (type.startsWith("presence.") && this.wants.presence) {
      this.#room.presence(frame);
      this.emit("presence", frame);
    } else if (type === "job.output" && this.wants.output) this.emit("output", frame);
    else if (type === "job.output.skipped" && this.wants.output) this.emit("outputSkipped", frame);
    else if (type === "error") this.fail(fromFrame(frame));
  }

  /** @internal Something did not work; the subscription goes on. */
  fail(error) {
    if (!this.emit("error", error)) this.#hub.onError(error);
  }

  /** @internal It is over; with an error, loops throw it. */
  end(reason, error) {
    if (this.state === "ended") return;
    this.state = "ended";
    this.#failure = error ?? null;
    clearTimeout(this.#cursorTimer);
    this.#unfollow?.();
    this.#hub.left(this);
    this.#ready?.promise?.catch(() => {});
    this.#ready?.reject?.(error ?? ended());
    if (error instanceof WorkroomError && !this.emit("error", error) && this.#queues.size === 0) this.#hub.onError(error);
    this.emit("unsubscribed", { reason });
    for (const queue of this.#queues) queue.end(error);
    this.#queues.clear();
  }

  /** @protected */
  onListenerError(error) {
    this.#hub.onError(error);
  }

  /** Events that come before anybody listens wait. */
  #keep(event) {
    if (!this.#backlog) return;
    this.#backlog.push(event);
    if (this.#backlog.length <= this.#maxQueue) return;
    this.#backlog = null;
    const detail = `nobody has listened for ${this.#maxQueue} events; they are dropped. Subscribe with events: false if you want none`;
    this.fail(new WorkroomError({ code: "reader-too-slow", detail }));
  }

  #flush(give) {
    const events = this.#backlog ?? [];
    this.#backlog = [];
    events.forEach(give);
  }

  #tellPresence() {
    if (this.#presence && this.state === "live") this.#hub.send(this, { type: "presence", ...this.topic, state: this.#presence.state });
  }

  #tellCursor() {
    if (this.state !== "live") return;
    this.#cursorSentAt = Date.now();
    const frame = { ...this.#cursor, ...this.topic };
    // The file's own room may be followed by the same connection: then it has to be said which one is meant.
    const isFollowed = frame.workspace_id && frame.file_id && this.#hub.hasAskedFor(topicKey(frame));
    this.#hub.send(this, { ...frame, type: "cursor", ...(isFollowed && { document: Boolean(this.topic.file_id) }) });
  }
}

function ended() {
  return new WorkroomError({ code: "unsubscribed", detail: "the subscription has ended" });
}
