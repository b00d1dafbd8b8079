/** @module One client that creates tasks, each under a key of its own, and writes down what it was told. */

import { WorkroomError } from "../../../clients/js/src/index.js";

/** The longest text that a task takes; one in so many has one. */
const LONG = 20_000;
const LONG_EACH = 50;

export class Writer {
  acknowledged = 0;
  replayed = 0;
  #client;
  #feeds;
  #recorder;
  #random;
  #name;
  #isOver = false;

  /** @param {object} options `client`, `name`, `feeds` to write to, `recorder` for what it is told, and `random` */
  constructor({ client, name, feeds, recorder, random }) {
    this.#client = client;
    this.#name = name;
    this.#feeds = feeds;
    this.#recorder = recorder;
    this.#random = random;
  }

  /** Writes, until it is stopped. */
  async run() {
    for (let number = 0; !this.#isOver; number++) {
      const title = `${this.#name} ${number}`;
      const feed = this.#feeds[this.#random(this.#feeds.length)];
      this.#recorder.write({ title, feed, ...(await this.#create(feed, title)) });
    }
  }

  /** What is under way is waited for. */
  stop() {
    this.#isOver = true;
  }

  async #create(feed, title) {
    const description = this.#random(LONG_EACH) === 0 ? "x".repeat(LONG) : "a task";
    try {
      const request = { body: { title, description }, idempotencyKey: title };
      const { position, replayed } = await this.#client.request("POST", `/projects/${feed}/tasks`, request);
      this.acknowledged++;
      if (replayed) this.replayed++;
      return { state: "acknowledged", position };
    } catch (error) {
      if (!(error instanceof WorkroomError)) throw error;
      return { state: error.uncertain ? "open" : "refused", code: error.code, status: error.status };
    }
  }
}
