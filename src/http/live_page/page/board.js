/** @module The board: where each points. Places are parts of its width and height, so that boards of any size agree. */

import { paint } from "./color.js";
import { byId, element } from "./dom.js";

/** Cursors that are shown. */
const MOST = 50;
/** In this time a cursor does two thirds of its way. */
const GLIDE = 60;
/** Nearer than this it is there. */
const THERE = 0.0005;
/** A part of the board for each press of an arrow key. */
const STEP = 0.02;

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const within = (value) => Math.min(1, Math.max(0, value));

export class Board {
  /** By connection: `{shape, x, y, to: {x, y}}`. */
  #cursors = new Map();
  #own = null;
  #subscription;
  #names;
  #board = byId("board");
  #frame = null;
  #last = 0;
  #stills = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(subscription, names) {
    this.#subscription = subscription;
    this.#names = names;
    subscription.on("cursor", (frame) => this.#moved(frame));
    // On a new connection the service tells all cursors anew.
    subscription.on("subscribed", () => this.clear());
    this.#listen();
  }

  /** Nobody's place is known. */
  clear() {
    for (const { shape } of this.#cursors.values()) shape.remove();
    this.#cursors.clear();
  }

  /** Who has left points nowhere. */
  left(userId) {
    for (const [connection, { user }] of this.#cursors) if (user === userId) this.#remove(connection);
  }

  renamed() {
    for (const { shape, user } of this.#cursors.values()) shape.lastChild.textContent = this.#label(user);
  }

  close() {
    cancelAnimationFrame(this.#frame);
    this.#frame = null;
  }

  #listen() {
    const board = this.#board;
    const point = ({ clientX, clientY }) => {
      const { left, top, width, height } = board.getBoundingClientRect();
      this.#point({ x: within((clientX - left) / width), y: within((clientY - top) / height) });
    };
    board.addEventListener("pointermove", point);
    board.addEventListener("pointerdown", point);
    for (const end of ["pointerleave", "pointercancel"]) board.addEventListener(end, () => this.#point(null));
    board.addEventListener("blur", () => this.#point(null));
    board.addEventListener("keydown", (event) => {
      if (event.key === "Escape") return this.#point(null);
      const way = KEYS[event.key];
      if (!way || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      const { x, y } = this.#own?.at ?? { x: 0.5, y: 0.5 };
      const step = event.shiftKey ? STEP * 5 : STEP;
      this.#point({ x: within(x + way[0] * step), y: within(y + way[1] * step) }, true);
    });
  }

  /** Tells where this one points. Whoever has no pointer to see it by is shown it. */
  #point(at, isShown = false) {
    if (at === null && this.#own === null) return;
    const rounded = at && { x: Math.round(at.x * 10_000) / 10_000, y: Math.round(at.y * 10_000) / 10_000 };
    this.#subscription.moveCursor(rounded);
    this.#own ??= { shape: this.#shape(this.#names.me, "you") };
    const { shape } = this.#own;
    if (at) Object.assign(this.#own, { at });
    shape.hidden = !at || !isShown;
    if (!shape.isConnected) this.#board.append(shape);
    if (at) place(shape, at);
    else {
      shape.remove();
      this.#own = null;
    }
  }

  #moved({ connection_id: connection, user_id: user, x, y }) {
    if (!Number.isFinite(x) || !Number.isFinite(y)) return this.#remove(connection);
    const to = { x: within(x), y: within(y) };
    const known = this.#cursors.get(connection);
    if (known) known.to = to;
    else if (this.#cursors.size < MOST) this.#add(connection, user, to);
    this.#run();
  }

  #add(connection, user, to) {
    const shape = this.#shape(user, this.#label(user));
    shape.dataset.connection = connection;
    this.#cursors.set(connection, { shape, user, ...to, to });
    place(shape, to);
    this.#board.append(shape);
  }

  #remove(connection) {
    this.#cursors.get(connection)?.shape.remove();
    this.#cursors.delete(connection);
  }

  #shape(user, label) {
    const shape = paint(element("div", { class: "cursor", "data-user": user }), user);
    shape.append(element("span", { class: "arrow", "aria-hidden": "true" }));
    shape.append(element("span", { class: "label", text: label }));
    return shape;
  }

  #label(user) {
    return user === this.#names.me ? "you, elsewhere" : this.#names.of(user);
  }

  #run() {
    if (this.#frame !== null) return;
    this.#last = performance.now();
    this.#frame = requestAnimationFrame((now) => this.#glide(now));
  }

  /** One picture: each goes a part of its way, however often pictures are drawn. */
  #glide(now) {
    const part = this.#stills.matches ? 1 : 1 - Math.exp(-Math.max(0, now - this.#last) / GLIDE);
    this.#last = now;
    let isMoving = false;
    for (const cursor of this.#cursors.values()) {
      const { to } = cursor;
      const isThere = Math.abs(to.x - cursor.x) < THERE && Math.abs(to.y - cursor.y) < THERE;
      if (cursor.x === to.x && cursor.y === to.y) continue;
      cursor.x = isThere ? to.x : cursor.x + (to.x - cursor.x) * part;
      cursor.y = isThere ? to.y : cursor.y + (to.y - cursor.y) * part;
      isMoving ||= !isThere;
      place(cursor.shape, cursor);
    }
    this.#frame = isMoving ? requestAnimationFrame((next) => this.#glide(next)) : null;
  }
}

/** (Percentages of the board: they hold when it changes its size.) */
function place(shape, { x, y }) {
  shape.style.left = `${x * 100}%`;
  shape.style.top = `${y * 100}%`;
  shape.classList.toggle("flip", x > 0.75);
}
