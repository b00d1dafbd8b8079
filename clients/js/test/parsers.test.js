// Frames and server-sent events, cut anywhere.
import assert from "node:assert/strict";
import { test } from "node:test";

import { SseParser } from "../src/live/sse-parser.js";
import { FrameParser, OPCODE, encode } from "../src/node/frame-parser.js";

/** A frame of a server: not masked. */
function frame(opcode, payload, { isFinal = true } = {}) {
  const body = Buffer.from(payload);
  const { length } = body;
  const head = length < 126 ? Buffer.from([0, length]) : length < 65_536 ? Buffer.from([0, 126, length >> 8, length & 255]) : Buffer.alloc(10);
  if (head.length === 10) {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  head[0] = (isFinal ? 0x80 : 0) | opcode;
  return Buffer.concat([head, body]);
}

function parse(bytes, size, limit = 1 << 20) {
  const parser = new FrameParser(limit);
  const messages = [];
  for (let at = 0; at < bytes.length; at += size) messages.push(...parser.push(bytes.subarray(at, at + size)));
  return messages.map(({ opcode, payload }) => [opcode, payload.length > 200 ? payload.length : payload.toString()]);
}

test("messages come out whole, wherever the bytes were cut", () => {
  const bytes = Buffer.concat([
    frame(OPCODE.text, "one"),
    frame(OPCODE.text, ""),
    frame(OPCODE.text, "a", { isFinal: false }),
    frame(OPCODE.ping, "between"),
    frame(OPCODE.continuation, "b", { isFinal: false }),
    frame(OPCODE.continuation, "c"),
    frame(OPCODE.text, "x".repeat(300)),
    frame(OPCODE.binary, "y".repeat(70_000)),
    frame(OPCODE.close, "\x03\xe8"),
  ]);
  const expected = parse(bytes, bytes.length);
  assert.deepEqual(expected.map(([opcode]) => opcode), [1, 1, 9, 1, 1, 2, 8]);
  assert.deepEqual(expected.slice(0, 6).map(([, text]) => text), ["one", "", "between", "abc", 300, 70_000]);
  for (const size of [1, 2, 3, 7, 126, 4096]) assert.deepEqual(parse(bytes, size), expected, `pieces of ${size}`);
});

test("what breaks the protocol is told by its code", () => {
  const codes = [
    [Buffer.from([0xc1, 0]), 1002],
    [Buffer.from([0x81, 0x80, 0, 0, 0, 0]), 1002],
    [Buffer.from([0x83, 0]), 1002],
    [Buffer.from([0x80, 0]), 1002],
    [Buffer.from([0x09, 0]), 1002],
    [Buffer.concat([frame(1, "a", { isFinal: false }), frame(1, "b")]), 1002],
    [frame(1, "x".repeat(2000)), 1009],
  ];
  for (const [bytes, code] of codes) assert.throws(() => parse(bytes, bytes.length, 1000), { code });
});

test("a client's frames are masked", () => {
  for (const length of [0, 5, 125, 126, 65_535, 65_536]) {
    const mask = Buffer.from([1, 2, 3, 4]);
    const bytes = encode(OPCODE.text, Buffer.alloc(length, "z"), mask);
    assert.equal(bytes[1] & 0x80, 0x80);
    const body = bytes.subarray(bytes.length - length).map((byte, at) => byte ^ mask[at & 3]);
    assert.ok(body.every((byte) => byte === 122));
  }
});

test("server-sent events come out whole, with any end of line", () => {
  for (const end of ["\n", "\r\n", "\r"]) {
    const text = ["\uFEFF: ping", "", "id: 1", "data: a", "", "event: x", "data:b", "data: c", "", "retry: 5", "", "data", "", ""].join(end);
    for (const size of [1, 2, 5, 1000]) {
      const parser = new SseParser();
      const events = [];
      for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)));
      assert.deepEqual(events, ["a", "b\nc"], `${JSON.stringify(end)} ${size}`);
    }
  }
});
