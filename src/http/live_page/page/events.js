/** @module The list of events, newest on top: each once, in order; not more than a page can bear. */

import { describe, note } from "./describe.js";
import { byId, drawer, element, sentence, tell, timeOf } from "./dom.js";
import { faceOf } from "./color.js";

/** Lines that are shown. */
const MOST = 500;
/** Events that are read at a time, before the first that is shown. */
const PAGE = 50;

export class Events {
  /** Newest first: `{event, line}`. */
  #rows = [];
  /** Came since the last picture, oldest first. */
  #fresh = [];
  /** Shown is what lies behind this place. */
  #floor = null;
  #newest = null;
  #holes = 0;
  #isReading = false;
  #workroom;
  #path;
  #names;
  #list = byId("events");
  #draw = drawer(() => this.#drawFresh());

  constructor(workroom, projectId, names) {
    this.#workroom = workroom;
    this.#path = `/projects/${projectId}/events`;
    this.#names = names;
    byId("older").addEventListener("click", () => this.older());
  }

  /** The feed is followed from here: what came last before is read. */
  begin(head) {
    if (this.#floor !== null) return;
    this.#floor = head + 1;
    this.#newest ??= head;
    this.older();
  }

  /** The service has another history: nothing of the old one stays. */
  reset(head) {
    this.#rows = [];
    this.#fresh = [];
    this.#list.replaceChildren();
    this.#floor = this.#newest = null;
    this.#holes = 0;
    this.begin(head);
  }

  /** Takes an event that has just come. */
  add(event) {
    if (this.#newest !== null && event.seq !== this.#newest + 1) this.#holes++;
    this.#newest = event.seq;
    note(event);
    this.#fresh.push(event);
    // A page in the background draws nothing: what would fall off the list anyhow is not kept.
    if (this.#fresh.length > MOST) {
      this.#fresh.shift();
      this.#floor = this.#fresh[0].seq;
    }
    this.#draw();
  }

  /** Reads what lies before the list. */
  async older() {
    if (this.#isReading || this.#floor === null) return;
    this.#isReading = true;
    const [floor, list] = [this.#floor, this.#list];
    list.setAttribute("aria-busy", "true");
    tell(byId("events-problem"), null);
    try {
      const after = Math.max(0, floor - 1 - PAGE);
      const { items } = await this.#workroom.get(this.#path, { query: { after, before: floor, limit: PAGE } });
      // Meanwhile the list may have been emptied, or cut.
      if (!list.isConnected || this.#floor !== floor) return;
      items.forEach(note);
      const rows = items.reverse().map((event) => this.#row(event));
      list.append(...rows.map(({ line }) => line));
      this.#rows.push(...rows);
      this.#floor = after + 1;
      this.#tellRange();
    } catch (error) {
      if (list.isConnected) tell(byId("events-problem"), `Earlier events cannot be read. ${sentence(error)}`);
    } finally {
      this.#isReading = false;
      list.removeAttribute("aria-busy");
    }
  }

  /** Names are known now that were not. */
  renamed() {
    for (const { event, line } of this.#rows) line.replaceChildren(...this.#parts(event));
  }

  #drawFresh() {
    if (!this.#list.isConnected || this.#fresh.length === 0) return;
    const rows = this.#fresh.splice(0).reverse().map((event) => this.#row(event));
    for (const { line } of rows.slice(0, PAGE)) line.classList.add("fresh");
    const isCut = rows.length >= MOST;
    if (isCut) this.#list.replaceChildren();
    this.#list.prepend(...rows.map(({ line }) => line));
    this.#rows = isCut ? rows : [...rows, ...this.#rows];
    for (const { line } of this.#rows.splice(MOST)) line.remove();
    if (this.#rows.length === MOST) this.#floor = this.#rows.at(-1).event.seq;
    this.#tellRange();
  }

  #tellRange() {
    const isFull = this.#rows.length >= MOST;
    byId("older").hidden = isFull || this.#floor === null || this.#floor <= 1;
    byId("events-cap").hidden = !isFull;
    if (this.#rows.length === 0) return;
    const [first, last] = [this.#rows.at(-1).event.seq, this.#rows[0].event.seq];
    const range = byId("events-range");
    range.textContent = `${first}–${last}, ${this.#holes ? `${this.#holes} missing` : "none missing"}`;
    range.classList.toggle("bad", this.#holes > 0);
  }

  #row(event) {
    const line = element("li", { class: "event", "data-seq": event.seq, "data-type": event.event_type });
    line.append(...this.#parts(event));
    return { event, line };
  }

  #parts(event) {
    const name = (id) => this.#names.of(id);
    const actor = name(event.actor);
    const face = faceOf(event.actor ?? "", actor);
    const text = element("p", { class: "line" });
    text.append(element("strong", { class: "actor", text: actor }), " ", describe(event, name));
    const facts = element("p", { class: "facts" });
    facts.append(element("code", { text: event.event_type }), timeOf(event.occurred_at));
    return [element("span", { class: "seq", text: `#${event.seq}` }), face, text, facts];
  }
}
