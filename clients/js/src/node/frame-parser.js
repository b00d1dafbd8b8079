/** @module WebSocket frames (RFC 6455, 5): bytes to messages and back, in whatever pieces they come. */

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** A breach of the protocol, with the code to close with. */
export class ProtocolError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Takes bytes, gives whole messages. */
export class FrameParser {
  #chunks = [];
  #length = 0;
  #parts = [];
  #partsLength = 0;
  #opcode = 0;

  constructor(maxLength) {
    this.maxLength = maxLength;
  }

  /**
   * @param {Buffer} chunk
   * @returns {Generator<{opcode: number, payload: Buffer}>}
   */
  *push(chunk) {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    for (;;) {
      const frame = this.#frame();
      if (!frame) return;
      const message = this.#assemble(frame);
      if (message) yield message;
    }
  }

  #frame() {
    if (this.#length < 2) return null;
    const head = this.#peek(Math.min(this.#length, 10));
    if (head[0] & 0x70) throw new ProtocolError(1002, "a reserved bit is set");
    if (head[1] & 0x80) throw new ProtocolError(1002, "a server does not mask");
    const opcode = head[0] & 0x0f;
    const isFinal = (head[0] & 0x80) !== 0;
    let length = head[1] & 0x7f;
    let headLength = 2;
    if (length === 126) {
      headLength = 4;
      if (this.#length < headLength) return null;
      length = head.readUInt16BE(2);
    } else if (length === 127) {
      headLength = 10;
      if (this.#length < headLength) return null;
      length = Number(head.readBigUInt64BE(2));
    }
    if (opcode >= 8 && (length > 125 || !isFinal)) throw new ProtocolError(1002, "a control frame is short and whole");
    if (length + this.#partsLength > this.maxLength) throw new ProtocolError(1009, "the message is too big");
    if (this.#length < headLength + length) return null;
    this.#take(headLength);
    return { opcode, isFinal, payload: this.#take(length) };
  }

  #assemble({ opcode, isFinal, payload }) {
    if (opcode >= 8) {
      if (opcode > 10) throw new ProtocolError(1002, `there is no opcode ${opcode}`);
      return { opcode, payload };
    }
    if (opcode > 2) throw new ProtocolError(1002, `there is no opcode ${opcode}`);
    if ((opcode === OPCODE.continuation) !== this.#opcode > 0) throw new ProtocolError(1002, "a fragment is out of place");
    if (opcode) this.#opcode = opcode;
    this.#parts.push(payload);
    this.#partsLength += payload.length;
    if (!isFinal) return null;
    const whole = { opcode: this.#opcode, payload: this.#parts.length === 1 ? payload : Buffer.concat(this.#parts) };
    this.#parts = [];
    this.#partsLength = this.#opcode = 0;
    return whole;
  }

  /** The first bytes, which stay. */
  #peek(length) {
    if (this.#chunks[0].length < length) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0];
  }

  #take(length) {
    if (length === 0) return Buffer.alloc(0);
    const first = this.#peek(length);
    this.#length -= length;
    if (first.length === length) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(length);
    return first.subarray(0, length);
  }
}

/** One frame of a client: masked, whole. */
export function encode(opcode, payload, mask) {
  const { length } = payload;
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const frame = Buffer.allocUnsafe(6 + extra + length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (extra === 0 ? length : extra === 2 ? 126 : 127);
  if (extra === 2) frame.writeUInt16BE(length, 2);
  if (extra === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  mask.copy(frame, 2 + extra);
  for (let at = 0; at < length; at++) frame[6 + extra + at] = payload[at] ^ mask[at & 3];
  return frame;
}
