/** @module Events between who brings them and a loop that takes them: bounded. */

import { WorkroomError } from "../errors.js";

export class EventQueue {
  #items = [];
  #waiting = [];
  #end = null;
  #limit;
  #onReturn;

  constructor(limit, onReturn) {
    this.#limit = limit;
    this.#onReturn = onReturn;
  }

  /** Puts one in. More than the limit: the loop gets what is here, then an error. */
  push(item) {
    if (this.#end) return;
    const taker = this.#waiting.shift();
    if (taker) return taker.resolve({ value: item, done: false });
    if (this.#items.length >= this.#limit) {
      const detail = `the loop is ${this.#limit} events behind; subscribe again with since, or set maxQueue`;
      return this.end(new WorkroomError({ code: "reader-too-slow", detail }));
    }
    this.#items.push(item);
  }

  /** No more will come; with an error, the loop throws it. */
  end(error) {
    if (this.#end) return;
    this.#end = { error };
    for (const taker of this.#waiting.splice(0)) this.#finish(taker);
  }

  next() {
    return new Promise((resolve, reject) => {
      const taker = { resolve, reject };
      if (this.#items.length) resolve({ value: this.#items.shift(), done: false });
      else if (this.#end) this.#finish(taker);
      else this.#waiting.push(taker);
    });
  }

  return() {
    this.#items = [];
    this.end();
    this.#onReturn(this);
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  #finish({ resolve, reject }) {
    const { error } = this.#end;
    // It is thrown once.
    this.#end = {};
    if (error) reject(error);
    else resolve({ value: undefined, done: true });
  }
}
