#!/usr/bin/env node
// Verifies an export of the history that Workroom keeps (format workroom.audit/1), offline and without Workroom.
// Written from the description of the format (docs/auditing.md), and shares no code with `workroom audit verify`.
import { createHash, createPublicKey, verify as isSignedBy } from "node:crypto";
import { createReadStream, readFileSync, realpathSync } from "node:fs";
import { createGunzip } from "node:zlib";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const HEADER = ["format", "log_id", "scope", "from_position", "exported_at", "keys", "checkpoint", "feeds", "epochs",
  "frontier", "consistency", "signature"];
const FIELDS = ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "position", "feedid",
  "feedseq", "sequence", "eventversion", "metadata", "leaf", "salt", "commitment", "skipped"];
/** The types of events that hold texts: no other is redacted, and none of them decides rights. What stands for one. */
export const TEXTS = new RegExp("^((Project|Task|Organization|Workspace|Schedule)(Created|Updated)|SlugClaimed|" +
  "Comment(Posted|Edited)|File(Created|Moved|Deleted|ContentWritten)|Job(Requested|RuleChanged))$");
const PLACEHOLDER = /"(\[redacted\](-\d+)?|0{64}|https:\/\/redacted\.invalid\/)"/;
/** What does not hold. `at` is the place: line, and position, seq and id of the event, as far as they are known. */
export class Failure extends Error {}
const need = (holds, why) => { if (!holds) throw new Failure(why); };
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
const nodeHash = (left, right) => sha256(Buffer.of(1), left, right);
const EMPTY = sha256();
function base64(text, length) {
  const bytes = Buffer.from(String(text), "base64");
  need(bytes.toString("base64") === text, "a hash, key or signature is not in base64");
  need(length === undefined || bytes.length === length, `a hash or key does not have ${length} bytes`);
  return bytes;
}
const hashes = (texts = []) => texts.map((text) => base64(text, 32));
/** A whole number that can be counted with, as a number or as its digits. */
function whole(value, what) {
  const number = typeof value === "string" && /^(0|[1-9]\d*)$/.test(value) ? Number(value) : value;
  need(Number.isSafeInteger(number) && number >= 0, `${what} is not a whole number`);
  return number;
}
/** A JSON object in which every byte counts: the same in other words (spaces, escapes, a field twice) is refused. */
function parse(bytes, names) {
  const value = JSON.parse(bytes.toString());
  for (const name of Object.keys(value)) need(names.includes(name), `the field ${name} is not known`);
  need(Buffer.from(JSON.stringify(value)).equals(bytes), "the line is not in its canonical form");
  return value;
}
/** The right edge of a Merkle tree (RFC 6962) that grows. `marks` gets its roots at the sizes that stand in it. */
class Tree {
  size = 0;
  peaks = [];
  marks = new Map();
  add(level, value) {
    this.size += 2 ** level;
    for (; this.peaks.at(-1)?.level === level; level += 1) value = nodeHash(this.peaks.pop().value, value);
    this.peaks.push({ level, value });
    if (this.marks.has(this.size)) this.marks.set(this.size, this.root());
  }
  /** Adds the fewest complete subtrees that cover what lies before the leaf `end`: their hashes, in order. */
  skip(end, bytes, what) {
    let at = 0;
    while (this.size < end && at < bytes.length) {
      let level = 0;
      while (this.size % 2 ** (level + 1) === 0 && this.size + 2 ** (level + 1) <= end) level += 1;
      this.add(level, bytes.subarray(at, (at += 32)));
    }
    need(this.size === end && at === bytes.length, `${what} does not have the hashes of what is left out`);
  }
  root() {
    return this.peaks.reduceRight((right, { value }) => (right ? nodeHash(value, right) : value), null) ?? EMPTY;
  }
}
/** The roots at two sizes that a proof of consistency leads to (RFC 6962, 2.1.2), whose hashes are used up. */
function rootsOf(from, to, proof, known) {
  if (from === to) return known ? [known, known] : Array(2).fill(proof.pop());
  let split = 1;
  while (split * 2 < to) split *= 2;
  const side = proof.pop();
  const [older, newer] = from <= split ? rootsOf(from, split, proof, known) : rootsOf(from - split, to - split, proof);
  return from <= split ? [older, nodeHash(newer, side)] : [nodeHash(side, older), nodeHash(side, newer)];
}
/** Reads a key: `<name>+<8 hex digits>+<base64>`. */
function parseKey(text) {
  const [, name, id, encoded] = /^([^\s+]+)\+([0-9a-f]{8})\+(A[Q-Za-f]\S+)$/.exec(text) ?? [];
  need(name, `this is not an Ed25519 key: ${text}`);
  const bytes = base64(encoded, 33);
  need(sha256(`${name}\n`, bytes).toString("hex", 0, 4) === id, `the key does not have the id ${id}`);
  const key = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), bytes.subarray(1)]);
  return { text, name, id, public: createPublicKey({ key, format: "der", type: "spki" }) };
}
const ROTATED = "after a rotation, give the current key first and the retired one after it " +
  "(--key CURRENT --key RETIRED); if the key was not rotated, somebody else has signed it";
/** Opens a checkpoint in a signed note. Only the trusted keys that signed it stay trusted. Witnesses may sign, too. */
function openCheckpoint(note, origin, ring, what) {
  const [, text, signatures] = /^([^]*?\n)\n((?:— [^\s+]+ \S+\n)+)$/.exec(note) ?? [];
  need(text, `${what} is ${/\S/.test(note) ? "not a signed note" : "empty"}`);
  const [its, size, root, ...extensions] = text.slice(0, -1).split("\n");
  need(its === origin, `${what} is of another log or feed: of ${its}, not of ${origin}`);
  const signers = new Set();
  for (const [, name, encoded] of signatures.matchAll(/— (\S+) (\S+)\n/g)) {
    const [id, signature] = [base64(encoded).toString("hex", 0, 4), base64(encoded).subarray(4)];
    for (const key of ring.known.filter((key) => key.name === name && key.id === id)) {
      need(isSignedBy(null, Buffer.from(text), key.public, signature), `${what} has a false signature`);
      signers.add(key);
    }
  }
  need(signers.size > 0, `${what} is signed by ${ring.none}`);
  ring.trusted = ring.trusted.filter((key) => signers.has(key));
  need(ring.trusted.length > 0, `${ring.what} is signed by another key than ${ring.than}: ${ROTATED}`);
  return { size: whole(size, `size of ${what}`), root: base64(root, 32), extensions: extensions.join("\n") };
}
/** A part of law 9: whose account is closed, who was removed from which project, who was ever an admin. */
function rights() {
  const [closed, removed, admins] = [new Set(), new Set(), new Set()];
  return ({ kind, type, feedid, subject }, { account_id, admin_id, role, to }, actor) => {
    const account = actor.startsWith("account:") ? actor.slice(8) : null;
    need(!closed.has(account), `${actor} acts after it was closed or erased`);
    // Who was removed may come back, by an invitation; admins and auditors of the organization are not members.
    const isFree = ["invitation", "audit_trail"].includes(kind) || type === "MemberAdded" || admins.has(account);
    need(isFree || !removed.has(`${feedid}/${account}`), `${actor} acts in a project after the removal from it`);
    if (/^Account(Erased|Deactivated)$/.test(type)) closed.add(subject);
    if (type === "AccountReactivated") closed.delete(subject);
    if (type === "MemberRemoved") removed.add(`${feedid}/${account_id}`);
    if (type === "MemberAdded") removed.delete(`${feedid}/${account_id}`);
    if (kind === "organization" && (admin_id || [role, to].includes("admin"))) admins.add(admin_id ?? account_id);
  };
}
/** Takes an export piece by piece. Signed by the first of `keys`, or else by its own; `older` is a checkpoint. */
function verifier({ keys = [], older = null } = {}) {
  const [given, judge] = [keys.map(parseKey), rights()];
  const [log, others, feeds, seqs, sequences, redacted] = [Tree, Tree, Map, Map, Map, Map].map((Kind) => new Kind());
  let [at, from, count, lastMicros, parts, held] = [{ line: 0 }, 0, 0, 0n, [], 0];
  let header, isEnded, origin, ring, head, past, proof, epochs;

  function readHeader(bytes) {
    header = parse(bytes, HEADER);
    need(header.format === "workroom.audit/1", `the format ${header.format} is not known: workroom.audit/1 is`);
    need(UUID.test(header.log_id) && Date.parse(header.exported_at) > 0, "log_id or exported_at is not one");
    origin = `workroom/${header.log_id}`;
    // A key of another log counts for nothing. Those behind the first are retired: for the older checkpoint alone.
    const known = [...new Set([...keys, ...header.keys])].map(parseKey).filter(({ name }) => name === origin);
    const [isOwn, mine] = [keys.length === 0, known.filter(({ text }) => keys.length === 0 || keys.includes(text))];
    const other = `the keys that were given are of another log: of ${given[0]?.name}, and the file is of ${origin}`;
    need(mine.length > 0, isOwn ? `the file names no key of its log, ${origin}` : other);
    const none = isOwn ? "no key in the file: give the log's key with --key" : "no key that is given or in the file";
    ring = { known, none, trusted: mine, what: "the older checkpoint", than: "those given" };
    past = older === null ? null : openCheckpoint(older, origin, ring, ring.what);
    const isOne = !past || !isOwn || ring.trusted.length === 1;
    need(isOne, "more than one key in the file has signed the older checkpoint: give the log's key with --key");
    Object.assign(ring, { what: "the file", than: past ? ring.what : "its checkpoint" });
    if (!isOwn) Object.assign(ring, { than: "the first one given", trusted: mine.slice(0, 1) });
    head = openCheckpoint(header.checkpoint, origin, ring, "the checkpoint");
    need(!past || past.size <= head.size, "the file is older than the checkpoint that was kept: a roll-back");
    const { signature, ...unsigned } = header;
    const { root, extensions: seal } = openCheckpoint(signature, `${origin}/export`, ring, "the header");
    const digest = `header ${sha256(JSON.stringify(unsigned)).toString("hex")}\n`;
    need(root.equals(head.root) && seal.startsWith(digest), "the header is not the one that was signed");
    header.context = seal.slice(digest.length);
    proof = header.consistency ?? {};
    if (past) log.marks.set(past.size, past.size === 0 ? EMPTY : null);
    from = whole(header.from_position ?? 0, "from_position");
    log.skip(from, Buffer.concat(hashes(header.frontier)), "the frontier");
    for (const { feed_id: id, after, checkpoint, frontier, ...rest } of header.feeds) {
      const feed = { after: whole(after, "after"), tree: new Tree() };
      need(UUID.test(id) && !feeds.has(id) && !Object.keys(rest).length, "a feed cannot be read");
      feed.head = openCheckpoint(checkpoint, `${origin}/feed/${id}`, ring, `the checkpoint of the feed ${id}`);
      need(feed.head.extensions === `log ${head.size}`, `the feed ${id} was not signed at this size of the log`);
      feed.tree.skip(feed.after, Buffer.concat(hashes(frontier)), `the frontier of the feed ${id}`);
      feeds.set(id, feed);
    }
    const [[kind, of], ...more] = Object.entries(header.scope);
    header.isAll = kind === "all" && of === true && feeds.size === 0;
    need((header.isAll || feeds.has(of)) && more.length === 0, "the feeds are not those of the scope");
    epochs = header.epochs.map(({ first_position, epoch }) => ({ first: whole(first_position, "an epoch"), epoch }));
    need(epochs[0].first === 1, "the first epoch does not begin at 1");
  }
  function readEvent(line) {
    const split = line.indexOf(',"data":');
    need(split > 0 && line.at(-1) === 0x7d, "the line is not a whole event");
    const event = parse(Buffer.concat([line.subarray(0, split), Buffer.from("}")]), FIELDS);
    const [payload, { position, feedseq: seq, id, salt, commitment }] = [line.subarray(split + 8, -1), event];
    at = { ...at, position, seq, id };
    const names = FIELDS.filter((name, n) => n < 14 || Object.hasOwn(event, name));
    need(Object.keys(event).join() === names.join(), "a field is missing, or not in its place");
    need(Object.values(event).every((value) => value && typeof value === "string"), "a field is not a text");
    const form = [event.specversion, event.datacontenttype, event.source].join();
    need(form === `1.0,application/json,${origin}`, `it is not a CloudEvent 1.0 of ${origin}`);
    need(UUID.test(id) && UUID.test(event.feedid), "an id is not a UUID");
    need(/^([0-9a-f]{32},|,[0-9a-f]{64})$/.test([salt, commitment]), "what ties the data to the log is missing");
    [, event.kind, event.subject] = /^([^/]*)\/?(.*)$/s.exec(event.subject);
    readPlace(event, salt ? sha256(Buffer.from(salt, "hex"), payload).toString("hex") : commitment);
    need(salt || (TEXTS.test(event.type) && PLACEHOLDER.test(payload)), "what is left of it is no tombstone");
    const [data, { actor }] = [JSON.parse(payload.toString()), JSON.parse(event.metadata)];
    const key = (...named) => [event.feedid, event.kind, event.subject, ...named].join();
    if (commitment) redacted.set(key(position, id, event.type, sha256(payload).toString("hex")), at);
    else if (event.type === "PayloadRedacted")
      redacted.delete(key(data.position, data.event_id, data.event_type, data.remains));
    judge(event, data, actor);
  }
  /** Where the event stands: in the log, in time, in its feed, in its aggregate. */
  function readPlace({ id, feedid, kind, subject, type, time, eventversion, metadata, skipped, ...its }, commitment) {
    const [position, seq, sequence] = ["position", "feedseq", "sequence"].map((name) => whole(its[name], name));
    need(position > log.size && position <= head.size, "the positions do not ascend to the checkpoint");
    while (epochs[1]?.first <= position) epochs.shift();
    const [, seconds, micros] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})Z$/.exec(time) ?? [];
    const recorded = BigInt(Date.parse(`${seconds}Z`)) * 1000n + BigInt(micros);
    const isDate = new Date(`${seconds}Z`).toISOString().startsWith(seconds);
    need(isDate && recorded >= lastMicros, "the time is not one, or runs backwards");
    lastMicros = recorded;
    const entry = ["workroom.event/1", header.log_id, epochs[0].epoch, position, id, feedid, seq, kind, subject,
      sequence, type, eventversion, recorded, sha256(metadata).toString("hex"), commitment, ""].join("\n");
    need(entry.split("\n").length === 16, "a field has two lines");
    const leaf = sha256(Buffer.of(0), entry);
    need(leaf.equals(base64(its.leaf, 32)), "it is not what was hashed: something of it was changed");
    log.skip(position - 1, base64(skipped ?? ""), "skipped");
    [count] = [count + 1, log.add(0, leaf)];
    const feed = feeds.get(feedid);
    if (!feed && !header.isAll) return others.add(0, leaf);
    const isFromStart = (feed?.after ?? from) === 0;
    const lastSeq = feed?.tree.size ?? seqs.get(feedid) ?? (isFromStart ? 0 : seq - 1);
    need(seq === lastSeq + 1, `after ${lastSeq} comes ${lastSeq + 1} in the feed`);
    feed ? feed.tree.add(0, leaf) : seqs.set(feedid, seq);
    // The events of such an aggregate are spread over the feeds of several projects or organizations.
    const isGapless = header.isAll || !["organization_slug", "organization_projects"].includes(kind);
    const last = sequences.get(`${kind}/${subject}`) ?? (isFromStart && isGapless ? 0 : sequence - 1);
    need(isGapless ? sequence === last + 1 : sequence > last, `after ${last} comes ${last + 1} in ${kind}/${subject}`);
    sequences.set(`${kind}/${subject}`, sequence);
  }
  function readEnd(bytes) {
    const { end, events, skipped } = parse(bytes, ["end", "events", "skipped"]);
    need(end === true && events === String(count) && skipped !== "", "the end does not count the events of the file");
    log.skip(head.size, base64(skipped ?? ""), "the end");
    need(!header.isAll || count === head.size - from, "events are left out of an export of everything");
    need(log.root().equals(head.root), "the events are not those of the signed log");
    for (const [id, feed] of feeds) {
      const isSame = feed.tree.size === feed.head.size && feed.tree.root().equals(feed.head.root);
      need(isSame, `the events are not those of the signed feed ${id}`);
    }
    const context = `context ${others.size} ${others.root().toString("base64")}`;
    need(header.context === context, "the events of other feeds are not those that were signed");
    for (at of redacted.values()) need(false, "it was redacted, and no later event of its stream says what is left");
    const [start, path] = [past && log.marks.get(past.size), hashes(proof.hashes)];
    const isLed = !past || start || proof.from === past.size;
    need(isLed, `nothing leads from the older checkpoint to here: export with --consistency-from ${past?.size}`);
    const [before, now] = past && !start ? rootsOf(past.size, head.size, path, past.root) : [start, head.root];
    const holds = !past || (before.equals(past.root) && now.equals(head.root) && (start || path.length === 0));
    need(holds, "the log of the older checkpoint is not the beginning of this");
    isEnded = true;
  }
  function push(chunk) {
    let start = 0;
    for (let to; (to = chunk.indexOf(10, start)) >= 0; [start, parts, held, at] = [to + 1, [], 0, { line: at.line }]) {
      at = { line: at.line + 1 };
      need(!isEnded, `${held + to > start ? "something" : "an empty line (take it away: sed '$d')"} follows the end`);
      const line = Buffer.concat([...parts, chunk.subarray(start, to)]);
      (!header ? readHeader : line.indexOf('{"end":') === 0 ? readEnd : readEvent)(line);
    }
    need((held += chunk.length - start) < 2 ** 28, "a line is too long");
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
  function finish() {
    need(isEnded && parts.length === 0, header ? "the file was cut: it has no end" : "the file is empty");
    return { ok: true, log_id: header.log_id, scope: header.scope, from_position: from, events: count,
      size: head.size, root: head.root.toString("hex"), signed_by: `${ring.trusted[0].name}+${ring.trusted[0].id}`,
      keys_are: given.length > 0 ? "given" : "the file's own",
      ...(past && given.length === 0 && { but: "a retired key, which may be stolen, cannot be told without --key" }),
      law_9: "in part: nobody acts while closed or erased, nor in a project after the removal from it" };
  }
  return { push, finish, place: () => at };
}
/** Verifies an export that is streamed, compressed or not. Rejects with a Failure where something does not hold. */
export async function verify(input, options) {
  const verifying = verifier(options);
  try {
    await new Promise((resolve, reject) => input.once("readable", resolve).once("error", reject));
    const first = input.read();
    if (first) input.unshift(first);
    for await (const chunk of first?.[0] === 0x1f ? input.pipe(createGunzip()) : input) verifying.push(chunk);
    return verifying.finish();
  } catch (error) {
    // Only what comes from the machine, or from the compression, has an errno.
    if (error.errno !== undefined && error.code !== "Z_BUF_ERROR") throw error;
    const failure = error instanceof Failure ? error : new Failure(`it cannot be read: ${error.message}`);
    throw Object.assign(failure, { at: verifying.place() });
  }
}
async function main(args) {
  const [options, files, isJson] = [{ keys: [], older: null }, [], args.includes("--json")];
  process.exitCode = 2;
  while (args.length > 0) {
    const arg = args.shift();
    if (arg === "--key") options.keys.push(parseKey(args.shift()).text);
    else if (arg === "--checkpoint") options.older = readFileSync(String(args.shift()), "utf8");
    else if (arg !== "--json") files.push(arg);
  }
  need(files.length === 1, "Usage: verify.mjs [--key KEY [--key RETIRED]...] [--checkpoint FILE] [--json] FILE (or -)");
  const failed = (error) => (error.at ? { ok: false, why: error.message, ...error.at } : Promise.reject(error));
  const said = await verify(files[0] === "-" ? process.stdin : createReadStream(files[0]), options).catch(failed);
  const text = ([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`;
  console.log(isJson ? JSON.stringify(said) : Object.entries(said).map(text).join("\n"));
  process.exitCode = said.ok ? 0 : 1;
}
if (process.argv[1] && realpathSync(process.argv[1]) === realpathSync(new URL(import.meta.url))) {
  main(process.argv.slice(2)).catch((error) => console.error(`verify: ${error.message}`));
}
