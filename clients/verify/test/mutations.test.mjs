// Changes an export in every way that comes to mind, by chance: the verifier finds each, and passes what is unchanged.
// WORKROOM_MUTATIONS sets how many; WORKROOM_SEED which.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { Failure, verify } from "../verify.mjs";
import { randomness, sha256, story } from "./log.mjs";

const COUNT = Number(process.env.WORKROOM_MUTATIONS ?? 13_000);
const SEED = Number(process.env.WORKROOM_SEED ?? Date.now() % 1_000_000);

const random = randomness(SEED);
const { below, pick } = random;
const other = (value, all) => pick(all.filter((one) => one !== value));
/** Another byte than this one. */
const flipped = (byte) => byte ^ (1 + below(255));
const events = (lines) => lines.length - 2;
const event = (lines) => 1 + below(events(lines));

/** Changes a field of an event, keeps its form, and writes the line anew. */
function field(lines, change) {
  const at = event(lines);
  const split = lines[at].indexOf(',"data":');
  const value = JSON.parse(`${lines[at].slice(0, split)}}`);
  change(value);
  return lines.with(at, JSON.stringify(value).slice(0, -1) + lines[at].slice(split));
}

const headed = (lines, change) => {
  const header = JSON.parse(lines[0]);
  change(header);
  return lines.with(0, JSON.stringify(header));
};

// Each gives other lines, or bytes, or lines with an older checkpoint.
const MUTATIONS = {
  byte: (lines) => {
    const at = below(lines.length);
    const bytes = Buffer.from(lines[at]);
    const place = below(bytes.length);
    bytes[place] = flipped(bytes[place]);
    return lines.with(at, bytes);
  },
  insertedByte: (lines) => {
    const at = below(lines.length);
    const bytes = Buffer.from(lines[at]);
    const place = below(bytes.length);
    return lines.with(at, Buffer.concat([bytes.subarray(0, place), random.bytes(1), bytes.subarray(place)]));
  },
  removedByte: (lines) => {
    const at = below(lines.length);
    const bytes = Buffer.from(lines[at]);
    const place = below(bytes.length);
    return lines.with(at, Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + 1)]));
  },
  letter: (lines) => {
    const at = event(lines);
    const places = [...lines[at].matchAll(/[0-9a-f]/g)].map(({ index }) => index);
    const place = pick(places);
    const digit = other(lines[at][place], [..."0123456789abcdef"]);
    return lines.with(at, lines[at].slice(0, place) + digit + lines[at].slice(place + 1));
  },
  deleted: (lines) => lines.toSpliced(below(lines.length), 1),
  deletedRange: (lines) => lines.toSpliced(event(lines), 1 + below(5)),
  duplicated: (lines) => lines.toSpliced(below(lines.length + 1), 0, pick(lines)),
  swapped: (lines) => {
    const [a, b] = [event(lines), event(lines)];
    return lines.with(a, lines[b]).with(b, lines[a]);
  },
  inserted: (lines, { foreign }) => lines.toSpliced(event(lines), 0, foreign[event(foreign)]),
  replaced: (lines, { foreign }) => lines.with(event(lines), foreign[event(foreign)]),
  truncated: (lines) => lines.slice(0, below(lines.length)),
  truncatedBytes: (lines) => {
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
    return bytes.subarray(0, below(bytes.length));
  },
  appended: (lines) => [...lines, pick(["", " ", "{}", pick(lines)])],
  otherFeed: (lines) => field(lines, (value) => {
    const feeds = lines.slice(1, -1).map((line) => /"feedid":"([^"]+)/.exec(line)[1]);
    value.feedid = pick(feeds);
  }),
  feedsSwapped: (lines) => {
    // Two events change places in their feeds.
    const [a, b] = [event(lines), event(lines)];
    const place = (line) => /"feedid":"[^"]+","feedseq":"\d+"/.exec(line)[0];
    const [first, second] = [place(lines[a]), place(lines[b])];
    return lines.with(a, lines[a].replace(first, second)).with(b, lines[b].replace(second, first));
  },
  metadata: (lines) => field(lines, (value) => {
    const metadata = JSON.parse(value.metadata);
    const actor = () => (metadata.actor = "system:worker");
    pick([actor, () => (metadata.trace_id = "0"), () => delete metadata.actor])();
    value.metadata = JSON.stringify(metadata);
  }),
  time: (lines) => field(lines, (value) => {
    const micros = Number(value.time.slice(20, 26));
    value.time = value.time.slice(0, 20) + String((micros + 1 + below(999_999)) % 1_000_000).padStart(6, "0") + "Z";
  }),
  number: (lines) => field(lines, (value) => {
    const name = pick(["position", "feedseq", "sequence", "eventversion"]);
    value[name] = String(Math.max(0, Number(value[name]) + pick([-2, -1, 1, 2, 1000])));
  }),
  type: (lines) => field(lines, (value) => (value.type = pick(["MemberAdded", "ProjectDeleted", "X", ""]))),
  subject: (lines) => field(lines, (value) => (value.subject = pick([`${value.subject}0`, "task/1", "task", ""]))),
  leaf: (lines) => field(lines, (value) => (value.leaf = random.bytes(32).toString("base64"))),
  salt: (lines) => field(lines, (value) => {
    if (value.salt) value.salt = random.bytes(16).toString("hex");
    else value.commitment = random.bytes(32).toString("hex");
  }),
  redacted: (lines) => {
    const at = event(lines);
    const line = lines[at].replace(/"data":.*/, '"data":{"redacted":true}}');
    return lines.with(at, line.replace(/"salt":"([0-9a-f]+)"/, '"commitment":"$1$1"'));
  },
  forgedRedaction: (lines) => {
    // The commitment is the right one: whoever has the file can compute it.
    const at = event(lines);
    const [, salt, data] = /"salt":"([0-9a-f]+)".*?,"data":(.*)\}$/s.exec(lines[at]) ?? [];
    if (!salt) return lines;
    const commitment = sha256(Buffer.from(salt, "hex"), data).toString("hex");
    const value = { ...JSON.parse(data), name: "[redacted]", role: "owner" };
    const tied = lines[at].replace(`"salt":"${salt}"`, `"commitment":"${commitment}"`);
    return lines.with(at, `${tied.slice(0, tied.indexOf(',"data":'))},"data":${JSON.stringify(value)}}`);
  },
  tombstone: (lines) => {
    const at = lines.findIndex((line) => line.includes('"commitment":'));
    if (at < 0) return lines;
    return lines.with(at, lines[at].replace("[redacted]", pick(["a secret", "", "[redacted] "])));
  },
  redaction: (lines) => {
    const at = lines.findIndex((line) => line.includes('"type":"PayloadRedacted"'));
    if (at < 0) return lines;
    return pick([lines.toSpliced(at, 1), lines.with(at, lines[at].replace(/"remains":"./, '"remains":"g'))]);
  },
  data: (lines) => {
    const at = event(lines);
    return lines.with(at, lines[at].replace(/"data":.*/, '"data":{"type":"TaskCreated"}}'));
  },
  spaces: (lines) => {
    const at = below(lines.length);
    const places = [...lines[at].matchAll(/[,:{}]/g)].map(({ index }) => index + 1);
    const place = pick(places);
    return lines.with(at, lines[at].slice(0, place) + pick([" ", "\t", "\r", "  "]) + lines[at].slice(place));
  },
  escapes: (lines) => {
    const at = below(lines.length - 1);
    const places = [...lines[at].matchAll(/[a-zA-Z/]/g)].map(({ index }) => index);
    const place = pick(places);
    const code = lines[at].charCodeAt(place).toString(16).padStart(4, "0");
    return lines.with(at, `${lines[at].slice(0, place)}\\u${code}${lines[at].slice(place + 1)}`);
  },
  fieldTwice: (lines) => {
    const at = event(lines);
    return lines.with(at, lines[at].replace(/("type":"[^"]+",)/, "$1$1"));
  },
  skipped: (lines) => field(lines, (value) => (value.skipped = random.bytes(32 * below(3)).toString("base64"))),
  checkpoint: (lines, { log }) => headed(lines, (header) => {
    const size = 1 + below(log.leaves.length);
    const root = random.bytes(32).toString("base64");
    header.checkpoint = pick([
      log.note(`workroom/${log.id}\n${size}\n${root}\n`),
      header.checkpoint.replace(/\n\d+\n/, `\n${log.leaves.length + 1}\n`),
      header.checkpoint.split("\n\n")[0],
      log.checkpoint(log.leaves.length, log.newKey()),
      size < log.leaves.length ? log.checkpoint(size) : "",
    ]);
  }),
  feedCheckpoint: (lines, { log }) => headed(lines, (header) => {
    if (header.feeds.length === 0) return void (header.epochs = []);
    const head = pick(header.feeds);
    pick([
      () => (head.checkpoint = header.checkpoint),
      () => (head.after += 1),
      () => (head.frontier = [random.bytes(32).toString("base64")]),
      () => (head.checkpoint = log.feedCheckpoint(head.feed_id, log.leaves.length - 1)),
      () => (head.feed_id = log.uuid()),
    ])();
  }),
  header: (lines, { log, signer }) => headed(lines, (header) => {
    const changes = [
      () => (header.log_id = log.uuid()),
      () => (header.keys = []),
      () => (header.keys = [signer.text]),
      () => (header.more = 1),
      () => (header.format = "workroom.audit/2"),
      () => (header.scope = { project_id: log.uuid() }),
      () => (header.from_position = 1 + below(100) + (header.from_position ?? 0)),
      () => delete header.epochs,
      () => (header.exported_at = "yesterday"),
      () => (header.exported_at = "2026-11-02T00:00:00.000000Z"),
    ];
    // What is resumed may have no event of the first epoch.
    if (!header.from_position) changes.push(() => (header.epochs[0].epoch = log.uuid()));
    pick(changes)();
  }),
  foreignKey: (lines, { signer }) => ({ lines, keys: [signer.text] }),
  rolledBack: (lines, { log, asked }) => {
    const size = (asked.from ?? 0) + below(log.leaves.length - (asked.from ?? 0));
    return { lines: log.export({ ...asked, size }), older: log.checkpoint(size + 1 + below(log.leaves.length - size)) };
  },
  otherPast: (lines, { log, asked }) => {
    const from = 1 + below(log.leaves.length);
    const older = log.note(`workroom/${log.id}\n${from}\n${random.bytes(32).toString("base64")}\n`);
    return { lines: log.export({ ...asked, consistencyFrom: from }), older };
  },
  olderByte: (lines, { log, asked }) => {
    const from = 1 + below(log.leaves.length);
    const older = Buffer.from(log.checkpoint(from));
    const at = below(older.length);
    older[at] = flipped(older[at]);
    return { lines: log.export({ ...asked, consistencyFrom: from }), older: older.toString() };
  },
  consistency: (lines, { log, asked }) => {
    const from = 1 + below(log.leaves.length);
    const changed = headed(log.export({ ...asked, consistencyFrom: from }), ({ consistency }) => {
      const { hashes } = consistency;
      const hash = random.bytes(32).toString("base64");
      if (hashes.length === 0 || below(4) === 0) hashes.push(hash);
      else if (below(2) === 0) hashes.pop();
      else hashes[below(hashes.length)] = hash;
    });
    return { lines: changed, older: log.checkpoint(from) };
  },
};

const ended = (line) => Buffer.concat([Buffer.from(line), Buffer.from("\n")]);
const toBytes = (lines) => (Buffer.isBuffer(lines) ? lines : Buffer.concat(lines.map(ended)));

test(`${COUNT} mutations (seed ${SEED}) are all found`, { timeout: 600_000 }, async (context) => {
  const stories = [1, 2, 3].map((n) => story(SEED + n));
  const exported = (log) => (asked) => ({ log, asked, lines: log.export(asked) });
  const files = stories.flatMap(({ log, exports }) => Object.values(exports).map(exported(log)));
  const counts = {};
  for (let n = 0; n < COUNT; n += 1) {
    const { log, asked, lines } = pick(files);
    const foreign = pick(files.filter((file) => file.log !== log && file.lines.length > 2));
    const name = pick(Object.keys(MUTATIONS));
    const ofAny = ["truncated", "truncatedBytes", "foreignKey", "spaces", "appended"];
    if (events(lines) === 0 && !ofAny.includes(name)) continue;
    const made = MUTATIONS[name](lines, { log, asked, foreign: foreign.lines, signer: foreign.log.signer });
    const isPlain = Array.isArray(made) || Buffer.isBuffer(made);
    const { lines: changed, older = null, keys = [] } = isPlain ? { lines: made } : made;
    const bytes = toBytes(changed);
    if (older === null && keys.length === 0 && bytes.equals(toBytes(lines))) continue;
    const found = await verify(Readable.from([bytes]), { older, keys }).then(() => null, (error) => error);
    assert(found instanceof Failure, `${n}: ${name} was not found: ${found?.stack ?? "verified"}\n${bytes}`);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  assert(all > COUNT * 0.8 && Object.keys(counts).length === Object.keys(MUTATIONS).length, JSON.stringify(counts));
  context.diagnostic(`${all} found: ${JSON.stringify(counts)}`);
  for (const { lines, log } of files) {
    assert((await verify(Readable.from([toBytes(lines)]), { keys: [log.signer.text] })).ok);
  }
});
