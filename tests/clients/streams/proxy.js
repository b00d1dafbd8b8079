/** @module A TCP proxy before instances: passes over those that are away, and damages connections if told to. */

import { once } from "node:events";
import net from "node:net";

/** How long a connection is left alone, in milliseconds. */
const CALM = { least: 1_000, most: 20_000 };
/** How long a stalled connection stays, if nobody gives it up. */
const STALL = 15_000;
/** How long a slow reader takes nothing. */
const SLOW = { least: 1_000, most: 4_000 };
/** Requests are not stalled: their time-out is longer than what there is time for. */
const LIVE = /^GET \S*\/(realtime|events\/stream)/;

export class Proxy {
  /** What was done to connections. */
  done = { dropped: 0, cut: 0, stalled: 0, slowed: 0 };
  #targets;
  #random;
  #isBad = false;
  #connections = new Set();
  #server = net.createServer({ pauseOnConnect: true, noDelay: true }, (near) => this.#accept(near));

  /** @param {{targets: string[], random: (below: number) => number}} options */
  constructor({ targets, random }) {
    this.#targets = targets;
    this.#random = random;
  }

  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Where new connections go from now on. */
  turnTo(targets) {
    this.#targets = targets;
  }

  /** Whether connections are damaged. Those that are stalled end with it. */
  beBad(yes) {
    this.#isBad = yes;
    for (const one of this.#connections) yes ? one.plan() : one.spare();
  }

  close() {
    for (const one of this.#connections) one.end();
    this.#server.close();
  }

  async #accept(near) {
    near.on("error", () => {});
    const far = await this.#connect();
    if (!far || near.destroyed) {
      near.destroy();
      return far?.destroy();
    }
    const connection = new Connection(near, far, this.#random, this.done);
    this.#connections.add(connection);
    near.once("close", () => {
      connection.end();
      this.#connections.delete(connection);
    });
    if (this.#isBad) connection.plan();
  }

  /** A connection to any instance that takes one. */
  async #connect() {
    const targets = [...this.#targets];
    while (targets.length) {
      const [host, port] = targets.splice(this.#random(targets.length), 1)[0].split(":");
      const far = net.connect({ host, port: Number(port), noDelay: true });
      const connected = await once(far, "connect").then(() => true, () => false);
      if (connected) return far;
    }
    return null;
  }
}

/** What a client and an instance say to each other. */
class Connection {
  #near;
  #far;
  #random;
  #done;
  #head = "";
  #timer;
  #isHalted = false;
  #cutsNext = false;

  constructor(near, far, random, done) {
    this.#near = near;
    this.#far = far;
    this.#random = random;
    this.#done = done;
    this.#join(near, far, (chunk) => {
      if (this.#head.length < 256) this.#head += chunk.toString("latin1");
      far.write(chunk);
    });
    this.#join(far, near, (chunk) => this.#down(chunk));
    near.resume();
  }

  #join(from, to, pass) {
    from.on("data", (chunk) => {
      pass(chunk);
      if (to.writableNeedDrain) from.pause();
    });
    to.on("drain", () => this.#isHalted || from.resume());
    from.on("end", () => to.end());
    from.on("error", () => this.end());
    from.on("close", () => to.destroySoon());
  }

  /** Chooses what is done to it, and when. */
  plan() {
    const ways = [this.#drop, this.#drop, this.#cut, this.#cut, this.#stall, this.#slow];
    const way = ways[this.#random(ways.length)];
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => way.call(this), CALM.least + this.#random(CALM.most - CALM.least));
  }

  spare() {
    clearTimeout(this.#timer);
    if (this.#isHalted) this.end();
  }

  end() {
    clearTimeout(this.#timer);
    this.#near.destroy();
    this.#far.destroy();
  }

  #drop() {
    this.#done.dropped++;
    this.end();
  }

  /** The next bytes to the client are passed on in part, and nothing after them. */
  #cut() {
    this.#cutsNext = true;
  }

  #stall() {
    if (!LIVE.test(this.#head)) return this.#drop();
    this.#done.stalled++;
    this.#halt();
    this.#timer = setTimeout(() => this.end(), STALL);
  }

  #slow() {
    this.#done.slowed++;
    this.#halt();
    this.#timer = setTimeout(() => {
      this.#isHalted = false;
      this.#near.resume();
      this.#far.resume();
      this.plan();
    }, SLOW.least + this.#random(SLOW.most - SLOW.least));
  }

  #halt() {
    this.#isHalted = true;
    this.#near.pause();
    this.#far.pause();
  }

  #down(chunk) {
    if (!this.#cutsNext || chunk.length < 2) return void this.#near.write(chunk);
    this.#done.cut++;
    this.#far.destroy();
    this.#near.write(chunk.subarray(0, 1 + this.#random(chunk.length - 1)));
    this.#near.destroySoon();
  }
}
