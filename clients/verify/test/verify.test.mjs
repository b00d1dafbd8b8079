import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { Failure, verify } from "../verify.mjs";
import { Log, sha256, story } from "./log.mjs";

const PROGRAM = fileURLToPath(new URL("../verify.mjs", import.meta.url));
const file = (lines) => Buffer.from(lines.map((line) => `${line}\n`).join(""));
const check = (lines, options) => verify(Readable.from([file(lines)]), options);

/** What is said where another key signed than the one that counts. */
const another = (what, than) => new RegExp(`^${what} is signed by another key than ${than}: after a rotation, give ` +
  "the current key first and the retired one after it .*; if the key was not rotated, somebody else has signed it$");

async function fails(promise, why) {
  const error = await promise.then(() => assert.fail(`verified, not: ${why}`), (error) => error);
  assert(error instanceof Failure, error.stack);
  assert.match(error.message, why);
  return error;
}

test("every kind of export is verified, with the file's key and with a given one", async () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const { log, exports } = story(seed * 7919);
    for (const [name, asked] of Object.entries(exports)) {
      const lines = log.export(asked);
      const report = await check(lines);
      assert.equal(report.events, lines.length - 2, name);
      assert.equal(report.keys_are, "the file's own");
      const given = await check(lines, { keys: [log.signer.text] });
      const [key, id] = log.signer.text.split("+");
      assert.deepEqual([given.keys_are, given.signed_by, report.signed_by], ["given", `${key}+${id}`, `${key}+${id}`]);
    }
  }
});

test("any way to cut the bytes into pieces is the same", async () => {
  const { log, exports } = story(5);
  const bytes = file(log.export(exports.project));
  for (const size of [1, 2, 7, 4096]) {
    const length = Math.ceil(bytes.length / size);
    const pieces = Array.from({ length }, (_, n) => bytes.subarray(n * size, (n + 1) * size));
    assert((await verify(Readable.from(pieces, { objectMode: false }))).ok);
  }
  const packed = gzipSync(bytes);
  assert((await verify(Readable.from([packed], { objectMode: false }))).ok);
  await fails(verify(Readable.from([packed.subarray(0, -20)], { objectMode: false })), /unexpected end/);
  await fails(verify(Readable.from([])), /empty/);
  const blank = "^an empty line \\(take it away: sed '\\$d'\\) follows the end$";
  for (const [more, why] of [["\n", blank], ["\n\n", blank], ["{}\n", "^something follows the end$"]]) {
    const all = Buffer.concat([bytes, Buffer.from(more)]);
    for (const pieces of [[all], [all.subarray(0, -1), all.subarray(-1)]]) {
      await fails(verify(Readable.from(pieces, { objectMode: false })), new RegExp(why));
    }
  }
});

test("an older checkpoint of each size is the beginning, and another is not", async () => {
  const { log, exports } = story(11);
  const size = log.leaves.length;
  for (let from = 1; from <= size; from += 1) {
    const older = log.checkpoint(from);
    const lines = log.export({ ...exports.project, consistencyFrom: from });
    assert((await check(lines, { older })).ok, from);
    assert((await check(log.export(exports.all), { older })).ok, from);
    const other = log.note(`workroom/${log.id}\n${from}\n${Buffer.alloc(32, from).toString("base64")}\n`);
    await fails(check(lines, { older: other }), /beginning|consistency/);
    await fails(check(log.export(exports.all), { older: other }), /beginning/);
    if (from === size) continue;
    const past = log.export({ ...exports.all, size: from });
    await fails(check(past, { older: log.checkpoint() }), /roll-back/);
  }
  await fails(check(log.export(exports.nothing), { older: log.checkpoint(9) }), /--consistency-from 9/);
});

test("keys and checkpoints of others are refused", async () => {
  const [{ log, exports }, { log: other }] = [story(3), story(4)];
  const lines = log.export(exports.project);
  const foreign = `the keys that were given are of another log: of workroom/${other.id}, and the file is of workroom/`;
  await fails(check(lines, { keys: [other.signer.text] }), new RegExp(foreign + log.id));
  assert((await check(lines, { keys: [other.signer.text, log.signer.text] })).ok);
  await fails(check(lines, { keys: [log.newKey().text] }), another("the file", "the first one given"));
  // A file that was made by who has another log's key: nobody believes it, whether that key is given or not.
  const made = story(3).log;
  const signer = made.signer;
  made.signer = other.signer;
  const stolen = made.export(exports.project);
  const mine = [signer.text, other.signer.text];
  for (const keys of [mine, mine.toReversed()]) {
    await fails(check(stolen, { keys }), /the checkpoint is signed by no key that is given or in the file/);
  }
  await fails(check(stolen), /the file names no key of its log, workroom/);
  // Another log has another key, too: which log it is, is told whatever keys are given.
  const ofOther = `the older checkpoint is of another log or feed: of workroom/${other.id}, not of workroom/${log.id}`;
  for (const keys of [[], [log.signer.text], [log.signer.text, other.signer.text]]) {
    await fails(check(lines, { keys, older: other.checkpoint(5) }), new RegExp(ofOther));
    const nobody = /older checkpoint is signed by no key (in the file: give|that is given or in the file)/;
    await fails(check(lines, { keys, older: log.checkpoint(5, log.newKey()) }), nobody);
    for (const older of ["", "\n", " \n\n"]) await fails(check(lines, { keys, older }), /older checkpoint is empty/);
    const whole = log.checkpoint(5);
    for (const older of ["{}\n", file(lines).toString(), whole.split("\n\n")[0], whole.replaceAll("\n", "\r\n")]) {
      await fails(check(lines, { keys, older }), /older checkpoint is not a signed note/);
    }
  }
  // An older note of a feed of the same log is no checkpoint of the log.
  const [feed] = exports.project.feeds;
  const ofFeed = `is of another log or feed: of workroom/${log.id}/feed/${feed}, not of workroom/${log.id}`;
  await fails(check(lines, { older: log.feedCheckpoint(feed, 9) }), new RegExp(ofFeed));
  // A witness's signature is passed over.
  const witness = (header) => (header.checkpoint += other.note("", other.newKey("witness.example")).slice(1));
  assert((await check(log.export({ ...exports.project, edit: witness }), { keys: [log.signer.text] })).ok);
  await fails(check(lines.with(0, JSON.stringify(JSON.parse(lines[0]), (name, value) =>
    name === "exported_at" ? "2026-11-02T00:00:00.000000Z" : value))), /not the one that was signed/);
});

test("after a rotation the current key signs files, and the retired one counts for what was kept alone", async () => {
  const { log, exports } = story(13);
  const [old, older, size] = [log.signer, log.checkpoint(9), log.leaves.length];
  const asked = { ...exports.project, consistencyFrom: 9 };
  const current = log.newKey();
  const edit = (header) => (header.keys = [current.text, old.text]);
  const thiefs = log.export({ ...asked, edit });
  log.signer = current;
  const lines = log.export({ ...asked, edit });
  const [right, wrong] = [[current.text, old.text], [old.text, current.text]];
  const { signed_by: by, but } = await check(lines, { keys: right, older });
  assert.deepEqual([by, but], [current.text.split("+", 2).join("+"), undefined]);
  assert((await check(lines, { keys: [current.text] })).ok);
  // Whoever has the retired key can sign all of a file.
  for (const kept of [older, null]) {
    await fails(check(thiefs, { keys: right, older: kept }), another("the file", "the first one given"));
  }
  await fails(check(lines, { keys: wrong, older }), another("the file", "the first one given"));
  await fails(check(lines, { keys: [old.text], older }), another("the file", "the first one given"));
  await fails(check(lines, { keys: [current.text], older }), another("the older checkpoint", "those given"));
  // Without a key that is known from elsewhere, the file's others could be anybody's.
  await fails(check(lines, { older }), another("the file", "the older checkpoint"));
  assert.match((await check(thiefs, { older })).but, /a retired key, .* cannot be told without --key/);
  assert.equal((await check(thiefs)).but, undefined);
  const unsigned = log.export({ ...asked, edit: (header) => (header.keys = [log.newKey().text]) });
  await fails(check(unsigned), /the checkpoint is signed by no key in the file: give the log's key with --key/);
  // Somebody who adds a signature to what was kept, and names their key in the file, is not believed for it.
  const added = log.note(log.checkpoint(9).split("\n\n")[0] + "\n", current).split("\n\n")[1];
  const many = /more than one key in the file has signed the older checkpoint: give the log's key with --key/;
  await fails(check(lines, { older: older + added }), many);
  assert((await check(lines, { keys: right, older: older + added })).ok);
  const twice = log.export({ ...asked, edit: (header) => (header.keys = [current.text, current.text]) });
  assert((await check(twice, { older: log.checkpoint(9) })).ok);
  assert((await check(twice, { keys: [current.text, current.text], older: log.checkpoint(size) })).ok);
});

test("nothing can be left out by who hands the file on", async () => {
  const { log, exports } = story(9);
  const [project, organization] = [log.export(exports.project), log.export(exports.organization)];
  const fewer = ({ type }) => type === "AccountRegistered";
  const forged = log.export({ ...exports.project, context: fewer });
  assert(forged.length < project.length);
  await fails(check(forged.with(0, project[0])), /of other feeds are not those that were signed/);
  const without = log.export({ ...exports.organization, feeds: exports.organization.feeds.slice(0, -1) });
  const { signature } = JSON.parse(organization[0]);
  const header = JSON.stringify({ ...JSON.parse(without[0]), signature });
  await fails(check(without.with(0, header)), /header is not the one/);
  const { signature: none, ...unsigned } = JSON.parse(project[0]);
  await fails(check(project.with(0, JSON.stringify(unsigned))), /is not a signed note/);
});

test("the place of the first failure is told", async () => {
  const { log, exports } = story(8);
  const lines = log.export(exports.project);
  const { position, feedseq, id } = JSON.parse(lines[9]);
  const error = await fails(check(lines.with(9, lines[9].replace('"1.0"', '"1.1"'))), /CloudEvent/);
  assert.deepEqual(error.at, { line: 10, position, seq: feedseq, id });
  const gap = await fails(check(lines.toSpliced(9, 1)), /left out/);
  assert.equal(gap.at.line, 10);
});

test("a log that was signed and breaks the rules is found", async () => {
  const breaks = async (seed, why, add) => {
    const told = story(seed);
    const position = add(told);
    for (const name of ["all", "project", "organization"]) {
      const error = await fails(check(told.log.export(told.exports[name])), why);
      assert.equal(error.at.position, String(position), name);
    }
  };
  const task = (log) => log.uuid();
  await breaks(21, /after the removal/, ({ log, apollo, actors }) =>
    log.append(apollo, "task", task(log), { type: "TaskCreated" }, actors.grace));
  await breaks(22, /closed or erased/, ({ log, apollo, actors }) =>
    log.append(apollo, "task", task(log), { type: "TaskCreated" }, actors.eve));
  const secret = ({ log, apollo, actors }) =>
    log.append(apollo, "task", task(log), { type: "TaskCreated", title: "a secret" }, actors.ada);
  await breaks(23, /no later event/, (told) => {
    const position = secret(told);
    told.log.strip(position);
    return position;
  });
  const another = [{ remains: "0".repeat(64) }, { position: 7 }, { event_id: "x" }, { event_type: "TaskUpdated" }];
  for (const wrong of another) {
    await breaks(26, /no later event/, (told) => {
      const position = secret(told);
      told.log.redact(position, told.actors.ada, wrong);
      return position;
    });
  }
  // What is said in another stream, or before, or by what was itself redacted, explains nothing.
  await breaks(27, /no later event/, (told) => {
    const [position, other] = [secret(told), secret(told)];
    const { id, type, data } = told.log.strip(position);
    const remains = sha256(data).toString("hex");
    const said = { type: "PayloadRedacted", position, event_id: id, event_type: type, remains };
    const { aggregate } = told.log.events[other - 1];
    told.log.append(told.apollo, "task", aggregate, said, told.actors.ada);
    return position;
  });
  await breaks(28, /no tombstone/, (told) => {
    const position = told.log.redact(secret(told), told.actors.ada);
    told.log.strip(position);
    return position;
  });
  // What decides rights holds no texts, so it cannot be forged as what is left; and what is left shows a placeholder.
  const forgeries = [{ type: "MemberRoleChanged", to: "owner", title: "a secret" }, { type: "X", title: "a secret" },
    { type: "TaskUpdated", status: "done" }, { type: "TaskCreatedX", title: "a secret" }];
  for (const payload of forgeries) {
    await breaks(30, /no tombstone/, ({ log, apollo, actors }) => {
      const position = log.append(apollo, "membership", apollo, payload, actors.ada);
      log.redact(position, actors.ada);
      return position;
    });
  }
  for (const title of ["[redacted]-7", "0".repeat(64), "https://redacted.invalid/"]) {
    const { log, apollo, actors, exports } = story(32);
    log.redact(log.append(apollo, "file", log.uuid(), { type: "FileDeleted", title: "a/b" }, actors.ada), actors.ada);
    log.events.at(-2).data = JSON.stringify({ type: "FileDeleted", path: title });
    const said = log.events.at(-1);
    said.data = said.data.replace(/"remains":"[^"]+"/, `"remains":"${sha256(log.events.at(-2).data).toString("hex")}"`);
    said.commitment = sha256(Buffer.from(said.salt, "hex"), said.data).toString("hex");
    log.seal(said);
    assert((await check(log.export(exports.project))).ok, title);
  }
  const cameBack = story(25);
  const { apollo, grace, actors } = cameBack;
  cameBack.log.append(apollo, "invitation", cameBack.log.uuid(), { type: "InvitationAccepted" }, actors.grace);
  const joins = { type: "MemberAdded", account_id: grace, role: "viewer" };
  cameBack.log.append(apollo, "membership", apollo, joins, actors.grace);
  cameBack.log.append(apollo, "task", cameBack.log.uuid(), { type: "TaskCreated" }, actors.grace);
  assert((await check(cameBack.log.export(cameBack.exports.project))).ok);
});

test("what is left of redacted data counts to the byte", async () => {
  const { log, exports, secret } = story(29);
  for (const name of ["all", "project", "organization"]) {
    const lines = log.export(exports[name]);
    assert((await check(lines)).ok);
    const at = lines.findIndex((line) => line.includes(`"position":"${secret}"`));
    assert.match(lines[at], /"commitment":"[0-9a-f]{64}".*"title":"\[redacted\]"/);
    const changes = [["[redacted]", "[redacted]-7"], ["title", "Title"], ['"title"', ' "title"']];
    for (const [old, other] of changes) {
      const changed = lines.with(at, lines[at].replace(old, other));
      const error = await fails(check(changed), /no later event of its stream/);
      assert.equal(error.at.position, String(secret));
    }
  }
});

test("time, places and feeds have no gaps and do not run backwards, though they were signed", async () => {
  for (const [change, why] of [
    [(event) => (event.micros -= 10_000_000n), /backwards/],
    [(event) => (event.seq += 1), /in the feed/],
    [(event) => (event.sequence += 1), /after 0 comes 1/],
  ]) {
    const log = new Log(31);
    const feed = log.uuid();
    for (let n = 0; n < 5; n += 1) log.append(feed, "task", log.uuid(), { type: "TaskCreated" });
    change(log.events[4]);
    log.seal(log.events[4]);
    const error = await fails(check(log.export({ scope: { project_id: feed }, feeds: [feed] })), why);
    assert.equal(error.at.position, "5");
  }
});

test("the program says it in words or in JSON, with exit codes 0, 1 and 2", () => {
  const { log, exports } = story(2);
  const lines = log.export({ ...exports.project, consistencyFrom: 7 });
  const folder = mkdtempSync(join(tmpdir(), "verify-"));
  const [good, bad, old] = ["good.ndjson", "bad.ndjson", "old"].map((name) => join(folder, name));
  writeFileSync(good, gzipSync(file(lines)));
  writeFileSync(bad, file(lines.slice(0, -1)));
  writeFileSync(old, log.checkpoint(7));
  const run = (args, input) => spawnSync(process.execPath, [PROGRAM, ...args], { input, encoding: "utf8" });
  const passed = run([good, "--key", log.signer.text, "--checkpoint", old, "--json"]);
  assert.equal(passed.status, 0, passed.stderr);
  assert.equal(JSON.parse(passed.stdout).events, lines.length - 2);
  assert.match(run(["-"], file(lines)).stdout, /ok: true[^]*keys_are: the file's own/);
  const cut = run([bad]);
  assert.equal(cut.status, 1);
  assert.match(cut.stdout, /why: the file was cut[^]*line: \d+\n$/);
  assert.equal(JSON.parse(run(["--json", bad]).stdout).ok, false);
  const none = join(folder, "none");
  for (const args of [[], [good, bad], [none], [good, "--key", "x"], [good, "--checkpoint", none], ["--x"]]) {
    const failed = run(args);
    assert.equal(failed.status, 2, args.join(" "));
    assert.match(failed.stderr, /^verify: .+\n$/);
  }
});
