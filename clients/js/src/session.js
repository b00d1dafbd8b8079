/** @module Who the client is signed in as: tokens, and their refresh. */

import { Emitter } from "./emitter.js";
import { WorkroomError } from "./errors.js";
import { backoff, sleep } from "./timing.js";

/** The service hands out the same pair again for ten seconds; after that, the use of an old token ends the session. */
const REFRESH_WITHIN = 8_000;
const REFRESH_ATTEMPT = 3_000;
/** How long the token at hand is used on after an exchange has failed. */
const PAUSE = 5_000;
/** How long before its end a token is exchanged: a part of its life, not more than a minute. */
const EARLY_PART = 0.2;
const EARLY_MOST = 60_000;

/** Emits "tokens" (the new pair) and "ended" (why). */
export class Session extends Emitter {
  #tokens = null;
  #staticToken = null;
  #refreshAt = Infinity;
  #refreshing = null;
  #exchange;

  /**
   * @param {object} options
   * @param {(refreshToken: string, timeout: number) => Promise<object>} options.exchange asks the service for a new pair
   */
  constructor({ exchange, tokens, token }) {
    super();
    this.#exchange = exchange;
    if (token) this.#staticToken = token;
    else if (tokens) this.#keep(tokens);
  }

  get isSignedIn() {
    return Boolean(this.#staticToken ?? this.#tokens);
  }

  get tokens() {
    return this.#tokens && { ...this.#tokens };
  }

  /** Whether there is anything to exchange for a new access token. */
  get canRefresh() {
    return Boolean(this.#tokens?.refresh_token);
  }

  /** Takes over a new pair. */
  set(tokens) {
    this.#staticToken = null;
    this.#keep(tokens);
    this.emit("tokens", this.tokens);
  }

  /** Forgets all of it. */
  clear(why) {
    if (!this.isSignedIn) return;
    this.#tokens = this.#staticToken = null;
    this.#refreshAt = Infinity;
    this.emit("ended", why);
  }

  /** Milliseconds until a new access token is due. */
  get refreshDueIn() {
    return this.canRefresh ? Math.max(0, this.#refreshAt - Date.now()) : Infinity;
  }

  /** An access token that holds; null, when nobody is signed in. */
  async accessToken() {
    if (this.#staticToken || !this.#tokens) return this.#staticToken;
    if (this.canRefresh && Date.now() >= this.#refreshAt) {
      try {
        await this.refresh();
      } catch (error) {
        // It is asked for early: the token at hand may hold a little longer. Who finds that it does not, refreshes again.
        if (error.status === 401 || !this.#tokens) throw error;
        this.#refreshAt = Date.now() + PAUSE;
      }
    }
    return this.#tokens?.access_token ?? null;
  }

  /**
   * A new pair, by one request at a time however many wait for it.
   * @param {string} [stale] the access token that was refused: when it is not the current one, another has refreshed already
   */
  refresh(stale) {
    if (stale !== undefined && this.#tokens && this.#tokens.access_token !== stale) return Promise.resolve();
    if (!this.canRefresh) {
      return Promise.reject(new WorkroomError({ status: 401, code: "credentials-missing", detail: "sign in first" }));
    }
    this.#refreshing ??= this.#refresh(this.#tokens.refresh_token).finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #refresh(refreshToken) {
    const end = Date.now() + REFRESH_WITHIN;
    for (let attempt = 0; ; attempt++) {
      try {
        const tokens = await this.#exchange(refreshToken, Math.min(REFRESH_ATTEMPT, end - Date.now()));
        // Signed out, or in again, meanwhile: nobody wants this pair.
        if (this.#tokens?.refresh_token === refreshToken) this.set(tokens);
        return;
      } catch (error) {
        if (error.status === 401 && this.#tokens?.refresh_token === refreshToken) this.clear(error.code);
        const wait = Math.max(backoff(attempt, { min: 200, max: 2_000 }), (error.retryAfter ?? 0) * 1000);
        const isPassing = error.status === 0 || error.status === 429 || error.status >= 502;
        if (!isPassing || Date.now() + wait + 500 > end) throw error;
        await sleep(wait);
      }
    }
  }

  #keep(tokens) {
    if (typeof tokens.access_token !== "string") throw new TypeError("tokens have an access_token");
    this.#tokens = { access_token: tokens.access_token, refresh_token: tokens.refresh_token };
    const { lifetime, left } = lifeOf(tokens);
    const early = Math.min(EARLY_MOST, lifetime * EARLY_PART);
    this.#refreshAt = Date.now() + left - early;
  }
}

/** How long a token holds, and how long it still does, in milliseconds. A pair just given says so; else the token itself does. */
function lifeOf({ access_token: token, expires_in: seconds }) {
  if (typeof seconds === "number") return { lifetime: seconds * 1000, left: seconds * 1000 };
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    if (typeof claims.exp !== "number") throw new TypeError("no end");
    const left = claims.exp * 1000 - Date.now();
    return { lifetime: typeof claims.iat === "number" ? (claims.exp - claims.iat) * 1000 : Math.max(0, left), left };
  } catch {
    // Not to be read: a 401 tells when it is over.
    return { lifetime: Infinity, left: Infinity };
  }
}
