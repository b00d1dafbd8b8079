/** @module Listeners. What one of them throws is reported, and stops nothing. */

export class Emitter {
  #listeners = new Map();

  /**
   * @param {string} name
   * @param {(value: any) => void} listener
   * @returns {() => void} what takes the listener away again
   */
  on(name, listener) {
    if (typeof listener !== "function") throw new TypeError("a listener is a function");
    const list = this.#listeners.get(name) ?? [];
    this.#listeners.set(name, [...list, listener]);
    return () => this.off(name, listener);
  }

  /** Listens once. */
  once(name, listener) {
    const stop = this.on(name, (value) => {
      stop();
      return listener(value);
    });
    return stop;
  }

  off(name, listener) {
    const list = this.#listeners.get(name) ?? [];
    const place = list.indexOf(listener);
    // A new list: the old one may be gone through at this moment.
    if (place >= 0) this.#listeners.set(name, list.filter((_, at) => at !== place));
  }

  /** @protected Returns whether anybody listens. */
  emit(name, value) {
    const list = this.#listeners.get(name) ?? [];
    for (const listener of list) {
      try {
        const result = listener(value);
        if (typeof result?.then === "function") result.then(undefined, (error) => this.onListenerError(error));
      } catch (error) {
        this.onListenerError(error);
      }
    }
    return list.length > 0;
  }

  /** @protected */
  listens(name) {
    return (this.#listeners.get(name)?.length ?? 0) > 0;
  }

  /** @protected Where errors of listeners go. */
  onListenerError(error) {
    console.error("an error in a listener of Workroom:", error);
  }
}
