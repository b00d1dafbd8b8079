/** @module One WebSocket, from its opening to its end. */

import { Link, OWN } from "./link.js";

/** Ends of the client's own that the service need not be told of as errors. */
const NORMAL = 1000;

export class SocketLink extends Link {
  transport = "websocket";
  #socket = null;
  #WebSocket;
  #address;

  constructor({ WebSocket, address, ...parts }) {
    super(parts);
    this.#WebSocket = WebSocket;
    this.#address = address;
  }

  async connect(token) {
    const WebSocket = await this.#WebSocket();
    if (this.isOver) return;
    if (!WebSocket) return this.finish(OWN.missing, "there is no WebSocket here");
    const socket = new WebSocket(this.#address, ["workroom.v1"]);
    this.#socket = socket;
    // The token goes in the first frame: addresses are written to logs.
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", token }));
    socket.onmessage = ({ data }) => this.received(data);
    socket.onclose = ({ code, reason }) => this.finish(code, reason || "the connection was lost");
    // `close` follows at once, and says more; but some leave it out when the upgrade was refused.
    socket.onerror = () => this.after(100, () => this.finish(1006, "the connection failed"));
  }

  disconnect(code) {
    const socket = this.#socket;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.onerror = () => {};
    this.#socket = null;
    // A peer that is silent, or was cut off, answers no close: who waits for it keeps a script from ending.
    if (code === OWN.done || code === OWN.renew) socket.close(NORMAL);
    else if (socket.terminate) socket.terminate();
    else socket.close();
  }

  ping() {
    this.send({ type: "ping" });
  }

  fresh(token) {
    this.send({ type: "refresh", token });
  }

  /** Whether it was sent. */
  send(frame) {
    if (this.isOver || !this.isWelcome || this.#socket?.readyState !== 1) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }
}
