/** @module Who is here, and what they show of themselves. */

import { faceOf } from "./color.js";
import { byId, drawer, element, onSubmit, timeOf } from "./dom.js";

/** People that are shown; the rest are counted. */
const MOST = 100;
const STATES = { here: "here", busy: "busy", away: "away" };
const LONGEST = 60;

export class People {
  #subscription;
  #names;
  #isStale = false;
  #draw = drawer(() => this.#show());

  constructor(subscription, names) {
    this.#subscription = subscription;
    this.#names = names;
    subscription.on("presence", (change) => this.#changed(change));
    const form = byId("state");
    onSubmit(form, ({ status, note }) => subscription.setPresence({ status, note: note.trim() }));
    form.elements.status.addEventListener("change", () => form.requestSubmit());
  }

  /** Without a WebSocket nobody knows who is here: what is shown is how it was. */
  follow({ state, transport }) {
    this.#isStale = state !== "online" || transport !== "websocket";
    byId("people-missing").hidden = !(state === "online" && this.#isStale);
    this.#draw();
  }

  renamed() {
    this.#draw();
  }

  #changed({ type, user_id: who, members }) {
    const mine = type === "presence.state" ? members.find(({ user_id: id }) => id === this.#names.me) : null;
    // Another tab of this account may have said something already: this one says nothing else.
    if (type === "presence.state" && !mine?.state) this.#subscription.setPresence({ status: "here", note: "" });
    if (mine || who === this.#names.me) this.#showOwn();
    this.#draw();
  }

  #showOwn() {
    const form = byId("state");
    const mine = this.#subscription.members.get(this.#names.me);
    if (!form || !mine?.state || form.contains(document.activeElement)) return;
    const { status, note } = read(mine.state);
    form.elements.status.value = status;
    form.elements.note.value = note;
  }

  #show() {
    const list = byId("people");
    if (!list) return;
    const { me } = this.#names;
    const members = [...this.#subscription.members.values()];
    members.sort((one, other) => (other.user_id === me) - (one.user_id === me) || (one.since < other.since ? -1 : 1));
    const lines = members.slice(0, MOST).map((member) => this.#line(member, member.user_id === me));
    if (members.length > MOST) lines.push(element("li", { class: "hint", text: `and ${members.length - MOST} more` }));
    list.replaceChildren(...lines);
    list.classList.toggle("stale", this.#isStale);
    byId("people-count").textContent = this.#isStale ? "as it was" : String(members.length);
  }

  #line({ user_id: id, connections, since, state }, isMe) {
    const name = this.#names.of(id);
    const { status, note } = read(state);
    const line = element("li", { class: "person", "data-user": id, "data-status": status });
    const who = element("p", { class: "line" }, element("strong", { class: "actor", text: name, title: name }));
    if (isMe) who.append(" ", element("span", { class: "you", text: "you" }));
    const facts = element("p", { class: "facts" }, element("span", { class: "status", text: STATES[status] }));
    if (note) facts.append(element("span", { class: "note", text: note, title: note }));
    if (connections > 1) facts.append(element("span", { text: `${connections} connections` }));
    facts.append(element("span", {}, "since ", timeOf(since)));
    line.append(faceOf(id, name), who, facts);
    return line;
  }
}

/** What somebody shows can be anything: only what is known here is shown. */
function read(state) {
  const status = Object.hasOwn(STATES, state?.status) ? state.status : "here";
  return { status, note: typeof state?.note === "string" ? [...state.note].slice(0, LONGEST).join("") : "" };
}
