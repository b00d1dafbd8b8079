/** @module Subscriptions on one connection: what was asked for, and who gets what comes. */

import { WorkroomError, fromFrame } from "../errors.js";
import { OWN } from "./link.js";
import { feedKey, topicKey } from "./topic.js";

/** Refusals that pass: the service is asked again. */
const PASSING = new Set(["unavailable", "internal"]);
const AGAIN = 1_000;
/** Messages whose refusal is still told to who sent them. */
const REMEMBERED = 256;

export class Wire {
  #subscriptions;
  #link = null;
  #handlers;
  /** Topic → what was asked of the service, and what it said. */
  #topics = new Map();
  /** Feed → how far it has come on this connection. */
  #feeds = new Map();
  #sent = new Map();
  #timers = new Set();
  #lastId = 0;

  /** @param {Set<import("./subscription.js").Subscription>} subscriptions */
  constructor(subscriptions, handlers) {
    this.#subscriptions = subscriptions;
    this.#handlers = handlers;
  }

  /** A connection stands. */
  attach(link) {
    this.#link = link;
    if (link.transport === "websocket") this.sync();
  }

  /** It is gone. */
  detach() {
    this.#link = null;
    for (const map of [this.#topics, this.#feeds, this.#sent]) map.clear();
    this.#timers.forEach(clearTimeout);
    this.#timers.clear();
    for (const one of this.#subscriptions) one.lost();
  }

  /** Makes the service's subscriptions what is wanted here. */
  sync() {
    const link = this.#link;
    if (!link || link.transport !== "websocket") return;
    const wanted = groupBy(this.#subscriptions);
    for (const [key, { topic }] of this.#topics) {
      if (wanted.has(key)) continue;
      this.#forget(key);
      link.send({ type: "unsubscribe", ...topic });
    }
    const flowing = new Set(this.#feeds.keys());
    for (const [key, subscriptions] of wanted) {
      if (this.#changes(key, subscriptions, flowing)) return link.finish(OWN.renew, "other things are wanted");
      const known = this.#topics.get(key);
      if (!known) this.#subscribe(key, subscriptions);
      else if (known.answer) subscriptions.filter((one) => one.state === "waiting").forEach((one) => this.#join(one, known.answer));
    }
  }

  #forget(key) {
    const feed = feedKey(this.#topics.get(key)?.topic ?? {});
    this.#topics.delete(key);
    const flows = [...this.#topics.values()].some(({ topic, asked }) => feedKey(topic) === feed && asked.events);
    if (!flows) this.#feeds.delete(feed);
  }

  /** Whether what is wanted cannot be had without starting over: the service sends a feed's history once. */
  #changes(key, subscriptions, flowing) {
    const { feed } = subscriptions[0];
    const known = this.#topics.get(key);
    if (known && JSON.stringify(known.asked) !== JSON.stringify(union(subscriptions))) return true;
    const isBehind = (one) => one.state === "waiting" && one.wants.events && one.place && one.place.seq !== this.#feeds.get(feed)?.seq;
    return flowing.has(feed) && subscriptions.some((one) => !known?.newcomers?.has(one) && isBehind(one));
  }

  #subscribe(key, subscriptions) {
    const { topic, feed } = subscriptions[0];
    const asked = union(subscriptions);
    const since = asked.events ? this.placeOf(feed) : null;
    // Who was there when it was asked: their places are heeded.
    this.#topics.set(key, { topic, asked, answer: null, newcomers: new Set(subscriptions) });
    if (asked.events && !this.#feeds.has(feed)) this.#feeds.set(feed, { seq: null, isCaughtUp: false });
    this.#send({ type: "subscribe", ...topic, ...(since && { since: plain(since) }), ...asked }, { key });
  }

  /** From where a feed has to begin, so that nobody who follows it misses anything. */
  placeOf(feed) {
    const places = [...this.#subscriptions].filter((one) => one.feed === feed && one.wants.events && one.place).map((one) => one.place);
    // One in another history has to be told so first.
    const foreign = places.find(({ epoch }) => epoch && this.#link?.epoch && epoch !== this.#link.epoch);
    return foreign ?? places.reduce((least, one) => (least && least.seq <= one.seq ? least : one), null);
  }

  /** Whether the service was asked for that on this connection. What was given up a moment ago is, until the service is told so. */
  hasAskedFor(key) {
    return this.#topics.has(key);
  }

  /** Sends something of a subscription. Whether it was sent. */
  send(subscription, frame) {
    return Boolean(this.#link?.transport === "websocket" && this.#topics.has(subscription.key) && this.#send(frame, { subscription }));
  }

  #send(frame, about) {
    const id = ++this.#lastId;
    this.#sent.set(id, about);
    if (this.#sent.size > REMEMBERED) this.#sent.delete(this.#sent.keys().next().value);
    return this.#link.send({ ...frame, id });
  }

  /** Takes a frame of the service. */
  take(frame) {
    const { type } = frame;
    if (type === "event") this.#event(frame);
    else if (type === "subscribed") this.#subscribed(frame);
    else if (type === "error") this.#error(frame);
    else if (type === "reset") this.#reset(frame);
    else if (type === "unsubscribed") this.#unsubscribed(frame);
    else {
      const feed = this.#feeds.get(feedKey(frame));
      if (type === "caught_up" && feed) feed.isCaughtUp = true;
      const isOfFeed = ["caught_up", "head", "role"].includes(type);
      for (const one of this.#meant(frame, isOfFeed)) if (one.state === "live") one.tell(frame);
    }
  }

  #meant(frame, isOfFeed) {
    const key = isOfFeed ? feedKey(frame) : topicKey(frame);
    return [...this.#subscriptions].filter((one) => (isOfFeed ? one.feed : one.key) === key);
  }

  #event(frame) {
    this.#handlers.saw(frame.position);
    const feed = this.#feeds.get(feedKey(frame));
    if (feed) feed.seq = frame.seq;
    let isGap = false;
    for (const one of this.#meant(frame, true)) isGap = one.take(frame) || isGap;
    if (isGap) this.#link?.finish(OWN.broken, `events before ${frame.seq} are missing`);
  }

  #subscribed(frame) {
    const isStream = this.#link.transport === "sse";
    const feed = feedKey(frame);
    if (isStream) this.#feeds.set(feed, { seq: null, isCaughtUp: false });
    const answer = { epoch: frame.epoch, head: frame.head, role: frame.role };
    const known = this.#topics.get(topicKey(frame));
    if (known) known.answer = answer;
    for (const one of this.#meant(frame, isStream)) if (one.state === "waiting") this.#join(one, answer, known?.newcomers.has(one));
    if (known) known.newcomers.clear();
  }

  /** @param {boolean} isNew whether the answer is to it; else others have had it, and more has come since */
  #join(one, answer, isNew = false) {
    const feed = this.#feeds.get(one.feed);
    const head = Math.max(answer.head, feed?.seq ?? 0);
    one.joined({ ...answer, head });
    if (!isNew && feed?.isCaughtUp) one.tell({ type: "caught_up", seq: head });
  }

  #reset(frame) {
    this.#handlers.reset();
    let isGap = false;
    for (const one of this.#meant(frame, true).filter(({ wants, place }) => wants.events && place)) {
      if (one.place.epoch !== frame.epoch || one.place.seq > frame.head) one.tell(frame);
      else isGap ||= one.place.seq < frame.head;
    }
    if (isGap) this.#link?.finish(OWN.renew, "another subscription was in another history");
  }

  #unsubscribed(frame) {
    if (frame.reason === "requested") return;
    this.#forget(topicKey(frame));
    for (const one of this.#meant(frame, this.#link.transport === "sse")) one.end(frame.reason);
  }

  #error(frame) {
    const about = this.#sent.get(frame.ref);
    const error = fromFrame(frame);
    if (about?.subscription) return about.subscription.fail(error);
    const known = this.#topics.get(about?.key);
    if (!known) {
      const meant = this.#meant(frame, false);
      return meant.length ? meant.forEach((one) => one.fail(error)) : this.#handlers.onError(error);
    }
    if (frame.code === "already_subscribed" || frame.code === "unauthenticated") return this.#link.finish(OWN.broken, frame.detail);
    this.#forget(about.key);
    if (PASSING.has(frame.code)) {
      const timer = setTimeout(() => this.sync(), AGAIN);
      return this.#timers.add(timer);
    }
    for (const one of [...this.#subscriptions].filter(({ key }) => key === about.key)) one.end("refused", error);
  }

  /** A project that a stream may not follow. */
  refuse(projectId, { status, code, detail }) {
    const error = new WorkroomError({ status, code, detail });
    for (const one of this.#meant({ project_id: projectId }, true)) one.end("refused", error);
  }
}

/** What the service is asked for, so that each has what it wants. */
function union(subscriptions) {
  const any = (name) => subscriptions.some((one) => one.wants[name]);
  // Named only where it is wanted: a service that does not know it refuses it.
  return { events: any("events"), presence: any("presence"), cursors: any("cursors"), ...(any("output") && { output: true }) };
}

function plain({ epoch, seq }) {
  return epoch ? { epoch, seq } : { seq };
}

function groupBy(subscriptions) {
  const groups = new Map();
  for (const one of subscriptions) groups.set(one.key, [...(groups.get(one.key) ?? []), one]);
  return groups;
}
