/** @module Requests: signed in, sent again where that is safe, and never a reply from before what was seen. */

import { WorkroomError } from "./errors.js";
import { isRepeatable, judge, mayHaveArrived, takesKey, takesPosition } from "./operations.js";
import { backoff, signalOf, sleep } from "./timing.js";

/** A little longer than the service itself takes before it gives up. */
const ATTEMPT = 35_000;
const DEADLINE = 60_000;
const BACKOFF = { min: 200, max: 10_000 };

export class Http {
  /** The highest position in the log that was seen: reads wait for it. */
  position = 0;
  #base;
  #fetch;
  #session;
  #closed;

  constructor({ url, fetch, session, closed }) {
    this.#base = `${String(url).replace(/\/+$/, "")}/api/v1`;
    this.#fetch = fetch;
    this.#session = session;
    this.#closed = closed;
  }

  /** The address of a path, with `http` for `ws`. */
  address(path, query) {
    const local = path.startsWith("/api/v1/") ? path.slice("/api/v1".length) : path;
    if (!local.startsWith("/") || local.startsWith("//")) throw new TypeError(`a path begins with one slash: ${path}`);
    const url = new URL(this.#base + local);
    for (const [name, value] of Object.entries(query ?? {})) {
      for (const one of Array.isArray(value) ? value : [value]) {
        if (one === undefined || one === null) continue;
        url.searchParams.append(name, one instanceof Date ? one.toISOString() : String(one));
      }
    }
    return url;
  }

  /** Something was seen at this position. */
  saw(position) {
    if (Number.isSafeInteger(position) && position > this.position) this.position = position;
  }

  /** The history has changed: positions of the old one mean nothing. */
  forgetPosition() {
    this.position = 0;
  }

  /**
   * Sends a request until it has an answer that stays, or the time is up.
   * @returns {Promise<{status: number, data: any, headers: Headers, etag: ?string, location: ?string, position: ?number, replayed: boolean}>}
   */
  async request(method, path, options = {}) {
    const call = this.#prepare(method.toUpperCase(), path, options);
    const end = Date.now() + (options.timeout ?? DEADLINE);
    let uncertain = false;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#attempt(call, Math.min(ATTEMPT, end - Date.now()));
      } catch (error) {
        if (!(error instanceof WorkroomError)) throw error;
        if (await this.#isMended(call, error)) {
          attempt--;
          continue;
        }
        const verdict = error.code === "closed" ? { retry: false, uncertain: true } : judge(error, call.repeatable);
        error.uncertain = uncertain ||= verdict.uncertain && call.method !== "GET";
        const wait = Math.max(backoff(attempt, BACKOFF), (error.retryAfter ?? 0) * 1000);
        if (!verdict.retry || options.retry === false || Date.now() + wait >= end) throw error;
        await this.#pause(wait, call.signal);
      }
    }
  }

  #prepare(method, path, options) {
    const { body, query = {}, idempotencyKey, ifMatch, minPosition, signal, anonymous = false } = options;
    const headers = new Headers(options.headers);
    if (!headers.has("accept")) headers.set("accept", "application/json, application/problem+json, */*;q=0.5");
    if (ifMatch !== undefined) headers.set("if-match", ifMatch);
    const key = idempotencyKey ?? (method === "POST" && takesKey(path) ? newKey() : undefined);
    if (key !== undefined) headers.set("idempotency-key", key);
    const isRaw = typeof body === "string" || body instanceof Uint8Array || body instanceof ArrayBuffer || isBlob(body);
    if (body !== undefined && !headers.has("content-type")) {
      headers.set("content-type", isRaw ? "text/plain; charset=utf-8" : "application/json");
    }
    const asked = method === "GET" && minPosition !== undefined && query.min_position === undefined;
    const asks = asked && minPosition ? { ...query, min_position: minPosition } : query;
    const call = { method, path, headers, signal, anonymous, query: asks };
    call.body = body === undefined || isRaw ? body : JSON.stringify(body);
    // By itself only where it is taken, and where nobody has said otherwise.
    call.waits = method === "GET" && minPosition === undefined && query.min_position === undefined && takesPosition(path);
    call.repeatable = isRepeatable(method, path, { ifMatch });
    call.refreshed = false;
    return call;
  }

  async #attempt(call, milliseconds) {
    const time = signalOf([call.signal, this.#closed], milliseconds);
    let sent = false;
    try {
      const token = call.anonymous ? null : await this.#session.accessToken();
      call.token = token;
      if (token) call.headers.set("authorization", `Bearer ${token}`);
      const wait = call.waits && this.position > 0 ? { min_position: this.position } : undefined;
      call.waited = Boolean(wait);
      const address = this.address(call.path, { ...call.query, ...wait });
      if (time.signal.aborted) throw time.signal.reason;
      sent = true;
      const { method, headers, body } = call;
      const response = await this.#fetch(address, { method, headers, body, signal: time.signal });
      return await this.#read(response);
    } catch (error) {
      if (error instanceof WorkroomError) throw error;
      if (call.signal?.aborted) throw call.signal.reason;
      if (this.#closed.aborted) throw this.#closed.reason;
      if (time.timedOut()) {
        throw new WorkroomError({ code: "timeout", detail: "the service did not reply in time", uncertain: sent, cause: error });
      }
      if (!sent) throw error;
      throw WorkroomError.network(error, mayHaveArrived(error));
    } finally {
      time.release();
    }
  }

  async #read(response) {
    const { status, headers } = response;
    if (!response.ok && status !== 304) throw await WorkroomError.fromResponse(response);
    const position = headers.has("workroom-position") ? Number(headers.get("workroom-position")) : null;
    const type = headers.get("content-type") ?? "";
    const text = await response.text();
    this.saw(position);
    return {
      status,
      headers,
      data: text === "" && !type.startsWith("text/") ? undefined : type.includes("json") ? JSON.parse(text) : text,
      etag: headers.get("etag"),
      location: headers.get("location"),
      position,
      replayed: headers.get("idempotent-replayed") === "true",
    };
  }

  /** Whether what was wrong is right now: then the request is sent once more. */
  async #isMended(call, error) {
    if (error.status === 401 && call.token && !call.anonymous && !call.refreshed && this.#session.canRefresh) {
      if (!["token-expired", "token-invalid", "session-ended"].includes(error.code)) return false;
      call.refreshed = true;
      await this.#session.refresh(call.token);
      return true;
    }
    if (error.status === 422 && call.waited) {
      const isOurs = error.errors.some(({ pointer, detail }) => pointer === "/min_position" || detail.includes("`min_position`"));
      if (!isOurs) return false;
      // Either a history that was restored from before, or an operation that has lost the parameter.
      if (error.errors.some(({ code }) => code === "out-of-range")) this.forgetPosition();
      call.waits = false;
      return true;
    }
    return false;
  }

  async #pause(milliseconds, signal) {
    const time = signalOf([signal, this.#closed]);
    try {
      await sleep(milliseconds, time.signal);
    } finally {
      time.release();
    }
  }
}

function isBlob(body) {
  return typeof Blob === "function" && body instanceof Blob;
}

/** A UUIDv4. (`crypto.randomUUID` is not there on pages without TLS.) */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
