// A log with its trees and keys, and exports of it: made here from the description of the format, slowly and plainly.
import { createHash, generateKeyPairSync, sign } from "node:crypto";

export const sha256 = (...parts) => {
  const bytes = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return createHash("sha256").update(bytes).digest();
};
const node = (left, right) => sha256([1], left, right);

/** The root of a tree over leaves, as RFC 6962 defines it: from the top. */
export function root(leaves) {
  if (leaves.length < 2) return leaves[0] ?? sha256();
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return node(root(leaves.slice(0, split)), root(leaves.slice(split)));
}

/** The hashes of the fewest complete subtrees over a range. */
function cover(leaves, start, end) {
  if (start >= end) return [];
  let width = 1;
  while (start % (width * 2) === 0 && start + width * 2 <= end) width *= 2;
  return [root(leaves.slice(start, start + width)), ...cover(leaves, start + width, end)];
}

/** RFC 6962, 2.1.2: SUBPROOF. */
function consistency(from, leaves, isWhole = true) {
  if (from === leaves.length) return isWhole ? [] : [root(leaves)];
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  if (from <= split) return [...consistency(from, leaves.slice(0, split), isWhole), root(leaves.slice(split))];
  return [...consistency(from - split, leaves.slice(split), false), root(leaves.slice(0, split))];
}

/** Numbers from a seed, so that a failure can be seen again (xorshift32). */
export function randomness(seed) {
  let state = seed | 1;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  return {
    below: (end) => next() % end,
    pick: (list) => list[next() % list.length],
    bytes: (length) => Buffer.from(Array.from({ length }, () => next() & 255)),
  };
}

export class Log {
  events = [];
  leaves = [];
  epochs = [{ first_position: 1, epoch: "00000000-0000-4000-8000-0000000000e1" }];
  #places = new Map();

  constructor(seed = 1) {
    this.random = randomness(seed);
    this.id = this.uuid();
    this.signer = this.newKey();
  }

  uuid() {
    const hex = this.random.bytes(16).toString("hex");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  }

  newKey(name = `workroom/${this.id}`) {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const bytes = Buffer.concat([Buffer.of(1), publicKey.export({ format: "der", type: "spki" }).subarray(12)]);
    const id = sha256(`${name}\n`, bytes).subarray(0, 4);
    return { name, id, privateKey, text: `${name}+${id.toString("hex")}+${bytes.toString("base64")}` };
  }

  note(text, { name, id, privateKey } = this.signer) {
    const signature = Buffer.concat([id, sign(null, Buffer.from(text), privateKey)]);
    return `${text}\n— ${name} ${signature.toString("base64")}\n`;
  }

  checkpoint(size = this.leaves.length, signer = this.signer) {
    return this.note(`workroom/${this.id}\n${size}\n${root(this.leaves.slice(0, size)).toString("base64")}\n`, signer);
  }

  feedCheckpoint(feed, logSize) {
    const leaves = this.ofFeed(feed, logSize).map(({ leaf }) => leaf);
    const origin = `workroom/${this.id}/feed/${feed}`;
    return this.note(`${origin}\n${leaves.length}\n${root(leaves).toString("base64")}\nlog ${logSize}\n`);
  }

  headerSignature(header, others, size) {
    const log = `workroom/${this.id}/export\n${size}\n${root(this.leaves.slice(0, size)).toString("base64")}\n`;
    const digest = sha256(JSON.stringify(header)).toString("hex");
    return this.note(`${log}header ${digest}\ncontext ${others.length} ${root(others).toString("base64")}\n`);
  }

  ofFeed(feed, logSize) {
    return this.events.slice(0, logSize).filter(({ feedid }) => feedid === feed);
  }

  /** Appends an event, and returns its position. */
  append(feed, kind, aggregate, payload, actor = "system:operator") {
    const next = (key) => this.#places.set(key, (this.#places.get(key) ?? 0) + 1).get(key);
    const position = this.events.length + 1;
    const micros = 1_790_000_000_000_000n + BigInt(position) * 1_000_017n;
    const metadata = JSON.stringify({ actor, occurred_at: "2026-09-21T14:13:20Z", correlation_id: this.uuid() });
    const salt = this.random.bytes(16).toString("hex");
    const event = { id: this.uuid(), type: payload.type, kind, aggregate, micros, position, feedid: feed };
    Object.assign(event, { metadata, salt, seq: next(feed), sequence: next(`${kind}/${aggregate}`) });
    event.data = JSON.stringify(payload);
    event.commitment = sha256(Buffer.from(salt, "hex"), event.data).toString("hex");
    this.events.push(event);
    this.seal(event);
    return position;
  }

  /** Hashes an event, with all that it says by now. */
  seal(event) {
    const { id, feedid, position, seq, kind, aggregate, sequence, type, micros, metadata, commitment } = event;
    const epoch = this.epochs.findLast((epoch) => epoch.first_position <= position).epoch;
    const entry = ["workroom.event/1", this.id, epoch, position, id, feedid, seq, kind, aggregate,
      sequence, type, "1", micros, sha256(metadata).toString("hex"), commitment];
    event.leaf = this.leaves[position - 1] = sha256([0], entry.map((part) => `${part}\n`).join(""));
  }

  /** Takes the texts out of an event's data. */
  strip(position) {
    const event = this.events[position - 1];
    const data = JSON.parse(event.data, (name, value) => (name === "title" ? "[redacted]" : value));
    return Object.assign(event, { salt: undefined, data: JSON.stringify(data) });
  }

  /** Redacts an event, and returns the position of the event that says so. `wrong` is what it says otherwise. */
  redact(position, actor, wrong = {}) {
    const { id, type, kind, aggregate, feedid, data } = this.strip(position);
    const said = { type: "PayloadRedacted", position, event_id: id, event_type: type, reason: "It is a secret.",
      remains: sha256(data).toString("hex"), fields: ["title"], ...wrong };
    return this.append(feedid, kind, aggregate, said, actor);
  }

  #line(event, from) {
    const skipped = Buffer.concat(cover(this.leaves, from, event.position - 1)).toString("base64");
    const seconds = new Date(Number(event.micros / 1000n)).toISOString().slice(0, 20);
    const time = seconds + String(event.micros % 1_000_000n).padStart(6, "0");
    const fields = { specversion: "1.0", id: event.id, source: `workroom/${this.id}`, type: event.type,
      subject: `${event.kind}/${event.aggregate}`, time: `${time}Z`, datacontenttype: "application/json",
      position: `${event.position}`, feedid: event.feedid, feedseq: `${event.seq}`, sequence: `${event.sequence}`,
      eventversion: "1", metadata: event.metadata, leaf: event.leaf.toString("base64") };
    Object.assign(fields, event.salt ? { salt: event.salt } : { commitment: event.commitment }, skipped && { skipped });
    return `${JSON.stringify(fields).slice(0, -1)},"data":${event.data}}`;
  }

  /** The lines of an export. `feeds` are complete; `context` chooses events of others. */
  export({ scope, feeds = [], context = () => false, from = 0, consistencyFrom, size = this.leaves.length, edit }) {
    const base64 = (hashes) => hashes.map((hash) => hash.toString("base64"));
    const header = { format: "workroom.audit/1", log_id: this.id, scope };
    if (from > 0 || scope.all) header.from_position = from;
    Object.assign(header, { exported_at: "2026-11-01T00:00:00.000000Z", keys: [this.signer.text] });
    header.checkpoint = this.checkpoint(size);
    header.feeds = feeds.map((feed) => {
      const after = this.ofFeed(feed, from).length;
      const leaves = this.ofFeed(feed, size).map(({ leaf }) => leaf);
      const head = { feed_id: feed, after, checkpoint: this.feedCheckpoint(feed, size) };
      return after > 0 ? { ...head, frontier: base64(cover(leaves, 0, after)) } : head;
    });
    header.epochs = this.epochs;
    if (from > 0) header.frontier = base64(cover(this.leaves, 0, from));
    if (consistencyFrom) {
      const hashes = consistency(consistencyFrom, this.leaves.slice(0, size));
      header.consistency = { from: consistencyFrom, hashes: base64(hashes) };
    }
    const chosen = this.events.slice(from, size)
      .filter((event) => scope.all || feeds.includes(event.feedid) || context(event));
    edit?.(header);
    const others = scope.all ? [] : chosen.filter(({ feedid }) => !feeds.includes(feedid)).map(({ leaf }) => leaf);
    header.signature = this.headerSignature(header, others, size);
    const lines = [JSON.stringify(header)];
    let last = from;
    for (const event of chosen) {
      lines.push(this.#line(event, last));
      last = event.position;
    }
    const skipped = Buffer.concat(cover(this.leaves.slice(0, size), last, size)).toString("base64");
    lines.push(JSON.stringify({ end: true, events: `${chosen.length}`, ...(skipped && { skipped }) }));
    return lines;
  }
}

/** A log of an organization with two projects, other people's events in between, and a redacted one. */
export function story(seed) {
  const log = new Log(seed);
  const [ada, grace, eve, organization, apollo, gemini] = Array.from({ length: 6 }, () => log.uuid());
  const actors = Object.fromEntries(Object.entries({ ada, grace, eve }).map(([name, id]) => [name, `account:${id}`]));
  for (const id of [ada, grace, eve]) {
    log.append(id, "account", id, { type: "AccountRegistered", personal_organization_id: log.uuid() });
  }
  const founded = { type: "OrganizationCreated", is_personal: false, admin_id: ada, name: "Räume \"x\"\u2028" };
  log.append(organization, "organization", organization, founded, actors.ada);
  for (const project of [apollo, gemini]) {
    const created = { type: "ProjectCreated", organization_id: organization, name: "Zum Mond 🚀" };
    log.append(project, "project", project, created, actors.ada);
    const added = { type: "ProjectAddedToOrganization", organization_id: organization, project_id: project };
    log.append(project, "organization_projects", organization, added, actors.ada);
    log.append(project, "membership", project, { type: "MemberAdded", account_id: ada, role: "owner" }, actors.ada);
  }
  const joins = { type: "MemberAdded", account_id: grace, role: "collaborator" };
  log.append(apollo, "membership", apollo, joins, actors.ada);
  for (let round = 0; round < 30; round += 1) {
    const [feed, task] = [log.random.pick([apollo, apollo, gemini, eve]), log.uuid()];
    if (round === 12) log.epochs.push({ first_position: log.events.length + 1, epoch: log.uuid() });
    if (feed === eve) log.append(eve, "account", eve, { type: "SessionStarted", session_id: task }, actors.eve);
    else log.append(feed, "task", task, { type: "TaskCreated", title: `Task ${round}\n"quoted"` }, actors.ada);
  }
  const secret = log.append(apollo, "task", log.uuid(), { type: "TaskCreated", title: "a secret" }, actors.grace);
  const leaves = { type: "MemberRemoved", account_id: grace, role: "collaborator" };
  log.append(apollo, "membership", apollo, leaves, actors.ada);
  log.redact(secret, actors.ada);
  log.append(eve, "account", eve, { type: "AccountErased" }, actors.eve);
  const context = ({ kind, type }) => kind === "organization" || /^Account/.test(type);
  const exports = {
    all: { scope: { all: true } },
    project: { scope: { project_id: apollo }, feeds: [apollo], context },
    organization: { scope: { organization_id: organization }, feeds: [organization, apollo, gemini], context },
    alone: { scope: { project_id: eve }, feeds: [eve] },
    resumed: { scope: { project_id: apollo }, feeds: [apollo], context, from: 21 },
    resumedAll: { scope: { all: true }, from: 17 },
    nothing: { scope: { project_id: gemini }, feeds: [gemini], from: log.events.length },
  };
  return { log, actors, ada, grace, eve, organization, apollo, gemini, secret, exports };
}
