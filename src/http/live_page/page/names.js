/**
 * @module The names of a project's members.
 *
 * Names come from the service and not from what others show of themselves: nobody can appear under another's name.
 */

const MOST_PAGES = 10;
/** Longer names are cut: a list of them must stay a list. */
const LONGEST = 48;

export class Names {
  #names = new Map();
  #asked = new Set();
  #loading = null;
  #workroom;
  #path;
  #onChange;
  #isOver = false;

  constructor(workroom, projectId, me, onChange) {
    this.#workroom = workroom;
    this.#path = `/projects/${projectId}/members`;
    this.#onChange = onChange;
    this.me = me.id;
    this.#names.set(me.id, cut(me.full_name ?? me.username));
  }

  /** What to call an account, or a part of the service. Who has left is not in the list: their name is not known. */
  of(id) {
    if (!id || id.startsWith("system:")) return "Workroom";
    const name = this.#names.get(id);
    if (name !== undefined) return name;
    this.#expect(id);
    return `Somebody (${id.slice(-4)})`;
  }

  /** Reads the list; once more, if it is asked for again meanwhile. */
  refresh() {
    if (this.#isOver) return;
    if (this.#loading) {
      this.#loading.again = true;
      return;
    }
    const loading = { again: false };
    this.#loading = loading;
    this.#load().catch((error) => console.warn("names cannot be read:", error.code ?? error)).finally(() => {
      this.#loading = null;
      if (loading.again) this.refresh();
    });
  }

  /** Somebody was added: who was not found before may be found now. */
  added() {
    this.#asked.clear();
    this.refresh();
  }

  close() {
    this.#isOver = true;
  }

  /** Who is not found once is not asked for again, until somebody is added. */
  #expect(id) {
    if (this.#asked.has(id)) return;
    this.#asked.add(id);
    this.refresh();
  }

  async #load() {
    let cursor;
    let hasChanged = false;
    for (let page = 0; page < MOST_PAGES && !this.#isOver; page++) {
      const { items, next_cursor: next } = await this.#workroom.get(this.#path, { query: { limit: 100, cursor } });
      for (const { user_id: id, full_name: full, username } of items) {
        const name = cut(full ?? username ?? "Former member");
        hasChanged ||= this.#names.get(id) !== name;
        this.#names.set(id, name);
      }
      cursor = next;
      if (!cursor) break;
    }
    if (hasChanged && !this.#isOver) this.#onChange();
  }
}

function cut(name) {
  const points = [...name];
  return points.length > LONGEST ? `${points.slice(0, LONGEST - 1).join("")}…` : name;
}
