/** @module The client: requests, lists, sign-in, and what is followed live. */

import { Emitter } from "./emitter.js";
import { WorkroomError } from "./errors.js";
import { Http } from "./http.js";
import { Hub } from "./live/hub.js";
import { Session } from "./session.js";
import { Ending } from "./timing.js";

const PAGE = 100;

export class Workroom extends Emitter {
  /** How the live connection is. */
  status = { state: "offline", transport: null, reason: "idle", code: null, retryIn: null };
  #session;
  #http;
  #hub;
  #closing = new Ending();
  #isReporting = false;

  /** @param {import("./index.js").WorkroomOptions} options */
  constructor({ url, fetch = globalThis.fetch, WebSocket, tokens, token, onTokens, live } = {}) {
    super();
    if (!url) throw new TypeError("give the url of the service");
    // Browsers refuse to call `fetch` as a method of something else.
    const send = (...args) => fetch(...args);
    const closed = this.#closing;
    const exchange = async (refreshToken, timeout) => {
      const body = { refresh_token: refreshToken };
      return (await this.#http.request("POST", "/auth/refresh", { body, timeout, anonymous: true, retry: false })).data;
    };
    this.#session = new Session({ exchange, tokens, token });
    this.#http = new Http({ url, fetch: send, session: this.#session, closed });
    this.#hub = new Hub({
      http: this.#http,
      session: this.#session,
      fetch: send,
      webSocket: () => findWebSocket(WebSocket),
      closed,
      options: live,
      onStatus: (status) => {
        this.status = status;
        this.emit("status", status);
      },
      onError: (error) => this.onListenerError(error),
    });
    if (onTokens) this.on("tokens", onTokens);
    this.#session.on("tokens", (pair) => this.emit("tokens", pair));
    this.#session.on("ended", (reason) => {
      this.emit("tokens", null);
      this.emit("signedOut", reason);
    });
  }

  get isSignedIn() {
    return this.#session.isSignedIn;
  }

  /** The current pair of tokens, to be kept for the next time. */
  get tokens() {
    return this.#session.tokens;
  }

  /** The highest position in the log that was seen; reads wait for it. */
  get position() {
    return this.#http.position;
  }

  /** Signs in; returns the account. */
  async signIn({ email, password }, { signal } = {}) {
    const { data } = await this.#http.request("POST", "/auth/login", { body: { email, password }, anonymous: true, signal });
    this.#session.set(data);
    return data.user;
  }

  /** Takes over tokens that somebody else has got. */
  setTokens(tokens) {
    this.#session.set(tokens);
  }

  /** Ends the session, and all subscriptions. The tokens are forgotten also when the service cannot be reached. */
  async signOut() {
    this.#hub.endAll("signed_out");
    if (!this.isSignedIn) return;
    try {
      await this.#http.request("POST", "/auth/logout");
    } catch (error) {
      if (error.status !== 401) throw error;
    } finally {
      this.#session.clear("signed-out");
    }
  }

  /** Sends a request; returns the whole reply. */
  request(method, path, options) {
    return this.#http.request(method, path, options);
  }

  async get(path, options) {
    return (await this.request("GET", path, options)).data;
  }

  async post(path, body, options) {
    return (await this.request("POST", path, { ...options, body })).data;
  }

  async patch(path, body, options) {
    return (await this.request("PATCH", path, { ...options, body })).data;
  }

  async put(path, body, options) {
    return (await this.request("PUT", path, { ...options, body })).data;
  }

  async delete(path, options) {
    return (await this.request("DELETE", path, options)).data;
  }

  /** All items of a list, page by page. */
  async *list(path, { query, ...options } = {}) {
    let cursor;
    do {
      const page = await this.get(path, { ...options, query: { limit: PAGE, ...query, cursor } });
      yield* page.items;
      cursor = page.next_cursor;
    } while (cursor);
  }

  /** Follows a project, an organization, or the account itself. */
  subscribe(options) {
    return this.#hub.subscribe(options);
  }

  /** Says something to everybody who is in a room now, oneself included. */
  async publish(projectId, { name, data, workspaceId, fileId }) {
    await this.#hub.publish({ project_id: projectId, workspace_id: workspaceId, file_id: fileId }, name, data);
  }

  /** Ends everything: subscriptions, the connection, requests under way. Tokens and session stay as they are. */
  close() {
    if (this.#closing.aborted) return;
    this.#hub.endAll("closed");
    this.#closing.abort(new WorkroomError({ code: "closed", detail: "the client was closed" }));
  }

  /** @protected */
  onListenerError(error) {
    // A listener for errors that fails itself is not called again for that.
    if (this.#isReporting || !this.listens("error")) return super.onListenerError(error);
    this.#isReporting = true;
    this.emit("error", error);
    this.#isReporting = false;
  }
}

/** The one given, the platform's, or this package's own for Node. `null` given: none. */
async function findWebSocket(given) {
  if (given !== undefined) return given;
  if (globalThis.WebSocket) return globalThis.WebSocket;
  if (!globalThis.process?.versions?.node) return null;
  return (await import("./node/websocket.js")).NodeWebSocket;
}
