/** @module What a client has received, line by line in a file; and what the log holds, read from another. */

import { createHash } from "node:crypto";
import fs from "node:fs";
import readline from "node:readline";

/** Characters that are kept before they are written. */
const BUFFER = 64 * 1024;

/** What tells an event from another one at the same place. */
export function digest({ position, event_type: type, data }) {
  return createHash("sha1").update(`${position} ${type} ${JSON.stringify(data)}`).digest("base64").slice(0, 16);
}

export class Recorder {
  #file;
  #lines = "";

  constructor(path) {
    this.#file = fs.openSync(path, "w");
  }

  write(value) {
    this.#lines += `${JSON.stringify(value)}\n`;
    if (this.#lines.length >= BUFFER) this.flush();
  }

  flush() {
    fs.writeSync(this.#file, this.#lines);
    this.#lines = "";
  }

  close() {
    this.flush();
    fs.closeSync(this.#file);
  }
}

/** The lines of a file, as values. */
export async function* read(path) {
  const lines = readline.createInterface({ input: fs.createReadStream(path), crlfDelay: Infinity });
  for await (const line of lines) if (line) yield JSON.parse(line);
}

/** What the log holds of some feeds, for the checker. */
export class Truth {
  /** Feed → its events, that of `seq` 1 first: `{id, digest}`. */
  feeds = new Map();
  /** Event id → how often it is there; title of a task → the same. */
  ids = new Map();
  titles = new Map();

  /** @param {AsyncIterable<object> | Iterable<object>} events by feed, in order */
  static async of(events) {
    const truth = new Truth();
    for await (const event of events) truth.#add(event);
    return truth;
  }

  #add(event) {
    const { feed, seq, event_id: id, event_type: type, data } = event;
    const list = this.feeds.get(feed) ?? [];
    if (seq !== list.length + 1) throw new Error(`the log has a hole: ${seq} after ${list.length} in ${feed}`);
    list.push({ id, digest: digest(event) });
    this.feeds.set(feed, list);
    count(this.ids, id);
    if (type === "TaskCreated") count(this.titles, data.title);
  }

  head(feed) {
    return this.feeds.get(feed)?.length ?? 0;
  }
}

function count(map, key) {
  map.set(key, (map.get(key) ?? 0) + 1);
}
