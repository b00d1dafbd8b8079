/** @module A WebSocket client (RFC 6455) for Node without one: the part of the browsers' interface that this client uses. */

import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import https from "node:https";

import { FrameParser, OPCODE, ProtocolError, encode } from "./frame-parser.js";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const HANDSHAKE = 15_000;
/** How long the peer has to answer a close. */
const GOODBYE = 2_000;
const LARGEST = 64 * 1024 * 1024;

class SocketEvent extends Event {
  constructor(type, fields) {
    super(type);
    Object.assign(this, fields);
  }
}

export class NodeWebSocket extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;

  readyState = NodeWebSocket.CONNECTING;
  protocol = "";
  onopen = null;
  onmessage = null;
  onerror = null;
  onclose = null;
  #request;
  #socket = null;
  #parser = new FrameParser(LARGEST);
  #timer;
  /** What the close event will tell; without a close frame the connection was lost. */
  #closing = { code: 1006, reason: "", wasClean: false };

  /**
   * @param {string | URL} url
   * @param {string | string[]} [protocols]
   */
  constructor(url, protocols = []) {
    super();
    this.url = String(url);
    const target = new URL(this.url.replace(/^ws/, "http"));
    const asked = [protocols].flat();
    const key = randomBytes(16).toString("base64");
    const headers = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key };
    if (asked.length) headers["Sec-WebSocket-Protocol"] = asked.join(", ");
    const { request } = target.protocol === "https:" ? https : http;
    // A connection of its own: it never goes back to a pool.
    this.#request = request(target, { headers, agent: false });
    this.#request.on("upgrade", (response, socket, rest) => this.#upgraded(response, socket, rest, key, asked));
    this.#request.on("response", (response) => {
      response.resume();
      this.#lost(new Error(`the service does not speak WebSocket here: ${response.statusCode}`));
    });
    this.#request.on("error", (error) => this.#lost(error));
    this.#request.end();
    this.#timer = setTimeout(() => this.#lost(new Error("the handshake took too long")), HANDSHAKE);
  }

  get bufferedAmount() {
    return this.#socket?.writableLength ?? 0;
  }

  /** @param {string | Uint8Array} data */
  send(data) {
    if (this.readyState === NodeWebSocket.CONNECTING) throw new DOMException("the socket is not open yet", "InvalidStateError");
    if (this.readyState !== NodeWebSocket.OPEN) return;
    this.#write(typeof data === "string" ? OPCODE.text : OPCODE.binary, Buffer.from(data));
  }

  close(code, reason = "") {
    if (this.readyState >= NodeWebSocket.CLOSING) return;
    if (this.readyState === NodeWebSocket.CONNECTING) return this.#lost(new Error("closed before it was open"));
    const payload = code === undefined ? Buffer.alloc(0) : Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]);
    this.#sayGoodbye(payload);
  }

  /** Ends it at once, whatever the peer does. Not of the standard. */
  terminate() {
    if (this.readyState !== NodeWebSocket.CLOSED) this.#lost();
  }

  #upgraded(response, socket, rest, key, asked) {
    clearTimeout(this.#timer);
    if (this.readyState === NodeWebSocket.CLOSED) return socket.destroy();
    this.#socket = socket;
    const accept = createHash("sha1").update(key + GUID).digest("base64");
    const protocol = response.headers["sec-websocket-protocol"] ?? "";
    if (response.headers["sec-websocket-accept"] !== accept || (protocol !== "" && !asked.includes(protocol))) {
      return this.#lost(new Error("the handshake does not hold"));
    }
    this.protocol = protocol;
    this.readyState = NodeWebSocket.OPEN;
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#received(chunk));
    socket.on("error", (error) => this.#lost(error));
    socket.on("end", () => this.#lost());
    socket.on("close", () => this.#lost());
    this.#dispatch("open");
    if (rest.length) this.#received(rest);
  }

  #received(chunk) {
    if (this.readyState === NodeWebSocket.CLOSED) return;
    try {
      for (const { opcode, payload } of this.#parser.push(chunk)) {
        this.#take(opcode, payload);
        if (this.readyState === NodeWebSocket.CLOSED) return;
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#closing = { code: error.code, reason: error.message, wasClean: false };
      this.#lost(error);
    }
  }

  #take(opcode, payload) {
    if (opcode === OPCODE.ping) this.#write(OPCODE.pong, payload);
    else if (opcode === OPCODE.text) this.#dispatch("message", { data: decode(payload) });
    else if (opcode === OPCODE.binary) this.#dispatch("message", { data: Uint8Array.from(payload).buffer });
    else if (opcode === OPCODE.close) {
      const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      this.#closing = { code, reason: decode(payload.subarray(2)), wasClean: true };
      if (this.readyState === NodeWebSocket.OPEN) this.#sayGoodbye(payload.subarray(0, 2));
      this.#socket.end();
    }
  }

  #sayGoodbye(payload) {
    this.readyState = NodeWebSocket.CLOSING;
    this.#write(OPCODE.close, payload);
    this.#timer = setTimeout(() => this.#lost(), GOODBYE);
    // Nobody waits for the answer: a script may end.
    this.#timer.unref();
    this.#socket.unref();
  }

  #write(opcode, payload) {
    if (this.#socket?.writable) this.#socket.write(encode(opcode, payload, randomBytes(4)));
  }

  /** The end, once, for whatever reason. */
  #lost(error) {
    if (this.readyState === NodeWebSocket.CLOSED) return;
    this.readyState = NodeWebSocket.CLOSED;
    clearTimeout(this.#timer);
    this.#request.destroy();
    this.#socket?.destroy();
    // Not before whoever called has gone on: listeners may not be there yet.
    queueMicrotask(() => {
      if (error) this.#dispatch("error", { error, message: error.message });
      this.#dispatch("close", this.#closing);
    });
  }

  #dispatch(type, fields) {
    const event = new SocketEvent(type, fields);
    this[`on${type}`]?.(event);
    this.dispatchEvent(event);
  }
}

function decode(payload) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload);
  } catch {
    throw new ProtocolError(1007, "the text is not UTF-8");
  }
}
