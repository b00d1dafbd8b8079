/** @module What the last connections were like, and what that means for the next. */

import { backoff } from "../timing.js";
import { OWN } from "./link.js";

/** A connection that has lasted so long was a good one. */
const STABLE = 5_000;
/** How long to stay away after too many messages or connections. */
const COOL_DOWN = 5_000;
const REFUSED = new Set([4401, 4403]);

export class Past {
  /** Attempts since the last good connection. */
  #attempt = 0;
  /** Sockets in a row that were not welcomed. */
  #failures = 0;
  #isRefused = false;
  #options;

  constructor(options) {
    this.#options = options;
  }

  /** Whether WebSockets do not pass here, as far as is known. */
  get needsStream() {
    return this.#failures >= this.#options.fallbackAfter;
  }

  /** A WebSocket works (again). */
  socketWorks() {
    this.#failures = 0;
  }

  forgive() {
    this.#attempt = 0;
    this.#isRefused = false;
  }

  /** A connection has ended. */
  note({ transport }, { code, isWelcome, upFor }) {
    if (upFor >= STABLE) this.#attempt = 0;
    if (isWelcome) this.#isRefused = false;
    const isOurs = REFUSED.has(code) || code === OWN.renew || code === OWN.done;
    if (isWelcome && transport === "websocket") this.#failures = 0;
    else if (code === OWN.missing) this.#failures = this.#options.fallbackAfter;
    else if (isOurs || isWelcome) return;
    // When neither way works, both are tried in turn.
    else this.#failures = transport === "websocket" ? this.#failures + 1 : this.#options.fallbackAfter - 1;
  }

  /** Whether other credentials may help: new ones when they have expired, and once when they were refused. */
  mayRefresh(code) {
    const isFirst = code === 4501 || !this.#isRefused;
    this.#isRefused ||= code !== 4501;
    return isFirst;
  }

  /** How long to wait now. */
  wait(code) {
    return Math.max(code === 4429 ? COOL_DOWN : 0, backoff(this.#attempt++, this.#options.backoff));
  }
}

/** Whether a connection ended for its credentials. */
export function isOfCredentials(code) {
  return REFUSED.has(code) || code === 4501;
}
