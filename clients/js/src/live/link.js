/** @module What the two ways to the live service share: sign-in that is kept fresh, silence that is noticed, one end. */

/** Codes of ends that are the client's own. */
export const OWN = {
  /** Connect again at once, from where each subscription is. */
  renew: 4900,
  /** What came cannot be right: connect again. */
  broken: 4901,
  /** Nothing came for too long. */
  silent: 4902,
  /** It is not needed any more. */
  done: 4903,
  /** There is no such way here. */
  missing: 4904,
};

/** Of the service's intervals, how many may pass in silence. */
const PATIENCE = 2.5;

export class Link {
  isWelcome = false;
  epoch = null;
  #handlers;
  #session;
  #options;
  #resolve = null;
  #timers = new Set();
  #lastHeard = 0;
  #unlisten = null;

  /** @param {{session: object, options: object, onWelcome: Function, onFrame: Function}} parts */
  constructor({ session, options, onWelcome, onFrame }) {
    this.#session = session;
    this.#options = options;
    this.#handlers = { onWelcome, onFrame };
  }

  /**
   * Connects, and lasts until the connection ends. Never rejects.
   * @returns {Promise<{code: number, reason: string, isWelcome: boolean, upFor: number, token: ?string, error?: Error}>}
   */
  run() {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      const patience = this.#options.connectTimeout;
      this.after(patience, () => this.finish(OWN.silent, "no welcome in time"));
      this.#open().catch((error) => this.finish(error.status === 401 ? 4401 : 1006, error.message, error));
    });
  }

  async #open() {
    this.token = await this.#session.accessToken();
    if (!this.token) return this.finish(4401, "nobody is signed in");
    if (this.#resolve) await this.connect(this.token);
  }

  /** Ends it, once. */
  finish(code, reason, error) {
    if (!this.#resolve) return;
    const resolve = this.#resolve;
    this.#resolve = null;
    this.#timers.forEach(clearTimeout);
    this.#timers.clear();
    this.#unlisten?.();
    this.disconnect(code);
    const upFor = this.isWelcome ? Date.now() - this.welcomedAt : 0;
    resolve({ code, reason, isWelcome: this.isWelcome, upFor, token: this.token, error });
  }

  get isOver() {
    return !this.#resolve;
  }

  /** Something came, whatever it is. */
  heard() {
    this.#lastHeard = Date.now();
  }

  /** A frame came. */
  received(text) {
    if (this.isOver) return;
    this.heard();
    try {
      const frame = JSON.parse(text);
      if (frame.type === "welcome") this.#welcome(frame);
      else if (frame.type === "error" && frame.code === "token_expiring") this.#refresh();
      else if (frame.type === "close") this.finish(frame.code, frame.reason);
      else if (frame.type !== "pong") this.#handlers.onFrame(frame);
    } catch (error) {
      this.finish(OWN.broken, `a frame cannot be taken: ${error.message}`, error);
    }
  }

  #welcome(frame) {
    this.#timers.forEach(clearTimeout);
    this.#timers.clear();
    this.isWelcome = true;
    this.welcomedAt = Date.now();
    this.epoch = frame.epoch;
    this.connectionId = frame.connection_id;
    const interval = this.#options.pingInterval ?? Math.max(1, frame.ping_interval) * 1000;
    this.#watch(interval);
    this.#unlisten = this.#session.on("tokens", ({ access_token: token }) => {
      this.token = token;
      this.fresh(token);
      this.#keepFresh();
    });
    this.#keepFresh();
    this.#handlers.onWelcome(frame);
  }

  /** Pings after silence, and gives up after more of it. (Browsers do not show the service's own pings.) */
  #watch(interval) {
    const look = () => {
      const silence = Date.now() - this.#lastHeard;
      if (silence >= PATIENCE * interval) return this.finish(OWN.silent, "nothing came for too long");
      if (silence >= interval) this.ping();
      this.after(interval / 2, look);
    };
    this.after(interval / 2, look);
  }

  /** Exchanges the access token before it ends. */
  #keepFresh() {
    clearTimeout(this.freshTimer);
    this.#timers.delete(this.freshTimer);
    const wait = this.#session.refreshDueIn;
    if (wait !== Infinity) this.freshTimer = this.after(Math.max(wait, 100), () => this.#refresh());
  }

  #refresh() {
    if (!this.#session.canRefresh) return;
    this.#session.refresh(this.token).catch((error) => {
      if (error.status === 401) this.finish(4401, error.detail, error);
      else this.freshTimer = this.after(2_000, () => this.#refresh());
    });
  }

  /** @protected A timer that ends with the link. */
  after(milliseconds, then) {
    if (this.isOver) return undefined;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      then();
    }, Math.min(milliseconds, 2 ** 31 - 1));
    this.#timers.add(timer);
    return timer;
  }

  /** @abstract */ async connect() {}
  /** @abstract */ disconnect() {}
  /** @abstract */ ping() {}
  /** @abstract A new access token is there. */ fresh() {}
  /** @abstract */ send() {
    return false;
  }
}
