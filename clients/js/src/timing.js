/** @module Waiting: for a time, for a signal, and not too long. */

/** The longest time that timers take. */
const LONGEST = 2 ** 31 - 1;

/** What an aborted signal rejects with. */
export function aborted(signal) {
  return signal.reason ?? new DOMException("This operation was aborted", "AbortError");
}

/** Waits, until `signal` is aborted: then it rejects. */
export function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(aborted(signal));
    const stop = () => {
      clearTimeout(timer);
      reject(aborted(signal));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, Math.min(milliseconds, LONGEST));
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/**
 * A signal that follows others, and ends by itself after some time. `release` lets go of them; call it always.
 * (`AbortSignal.any` and `AbortSignal.timeout` are too new for some browsers, and the latter's timer cannot be ended.)
 */
export function signalOf(signals, milliseconds) {
  const controller = new AbortController();
  const given = signals.filter(Boolean);
  let timedOut = false;
  const follow = (event) => controller.abort(event.target.reason);
  for (const signal of given) {
    if (signal.aborted) controller.abort(signal.reason);
    else signal.addEventListener("abort", follow, { once: true });
  }
  const timer = milliseconds === undefined ? undefined : setTimeout(() => {
    timedOut = true;
    controller.abort(new DOMException("The operation timed out", "TimeoutError"));
  }, Math.min(milliseconds, LONGEST));
  const release = () => {
    clearTimeout(timer);
    for (const signal of given) signal.removeEventListener("abort", follow);
  };
  return { signal: controller.signal, release, timedOut: () => timedOut };
}

/** The end of a client, as a signal. One that any number may listen to: of an `AbortSignal`, Node warns from eleven on. */
export class Ending {
  aborted = false;
  reason;
  #listeners = new Set();

  abort(reason) {
    this.aborted = true;
    this.reason = reason;
    for (const listener of this.#listeners) listener({ target: this });
    this.#listeners.clear();
  }

  addEventListener(_, listener) {
    this.#listeners.add(listener);
  }

  removeEventListener(_, listener) {
    this.#listeners.delete(listener);
  }
}

/**
 * How long to wait before the next attempt: doubled each time, and spread, so that clients that lost the same server do not come back
 * at one moment.
 */
export function backoff(attempt, { min, max }) {
  const ceiling = Math.min(max, min * 2 ** Math.min(attempt, 30));
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}
