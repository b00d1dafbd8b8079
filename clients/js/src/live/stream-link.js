/** @module One stream of server-sent events, for where WebSockets do not pass: events and messages of projects, one way. */

import { WorkroomError } from "../errors.js";
import { Link, OWN } from "./link.js";
import { SseParser } from "./sse-parser.js";

/** Projects that one stream follows. */
export const MOST = 32;

export class StreamLink extends Link {
  transport = "sse";
  #fetch;
  #address;
  #places;
  #onRefused;
  #controller = new AbortController();

  /**
   * @param {object} parts
   * @param {Map<string, ?{epoch: ?string, seq: number}>} parts.places the projects, and where each was
   * @param {(projectId: string, error: WorkroomError) => void} parts.onRefused a project cannot be followed
   */
  constructor({ fetch, address, places, onRefused, ...parts }) {
    super(parts);
    this.#fetch = fetch;
    this.#address = address;
    this.#places = places;
    this.#onRefused = onRefused;
  }

  async connect(token) {
    const response = await this.#ask([...this.#places.keys()], token);
    if (!response.ok) return this.#refused(await WorkroomError.fromResponse(response), token);
    const parser = new SseParser();
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return this.finish(1006, "the stream has ended");
      this.heard();
      for (const data of parser.push(decoder.decode(value, { stream: true }))) this.received(data);
    }
  }

  /** `since` goes in the address: browsers ask before they send `Last-Event-ID` elsewhere, and not each server allows it. */
  #ask(projects, token) {
    const since = {};
    for (const project of projects) {
      const place = this.#places.get(project);
      if (place) since[project] = place.epoch ? `${place.epoch}.${place.seq}` : String(place.seq);
    }
    const query = { project_id: projects, since: JSON.stringify(since) };
    const headers = { authorization: `Bearer ${token}`, accept: "text/event-stream" };
    return this.#fetch(this.#address("/events/stream", query), { headers, signal: this.#controller.signal, cache: "no-store" });
  }

  /** One project that is refused refuses the whole stream: finds out which. */
  async #refused(error, token) {
    const projects = [...this.#places.keys()];
    if (![403, 404].includes(error.status)) return this.finish(error.status === 401 ? 4401 : 1006, error.detail, error);
    for (const project of projects) {
      const response = projects.length === 1 ? null : await this.#ask([project], token);
      const isRefused = !response || [403, 404].includes(response.status);
      await response?.body?.cancel();
      if (isRefused) this.#onRefused(project, error);
    }
    return this.finish(OWN.renew, error.detail);
  }

  disconnect() {
    this.#controller.abort();
  }

  /** A stream keeps the token that it was opened with. */
  fresh() {
    this.finish(OWN.renew, "a new access token");
  }
}
