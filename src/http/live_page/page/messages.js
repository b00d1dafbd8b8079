/** @module Messages to who is here now. The service passes them on and keeps none. */

import { faceOf } from "./color.js";
import { byId, element, onSubmit, timeOf } from "./dom.js";

/** Lines that are shown. */
const MOST = 200;
const NAME = "chat";
const LONGEST = 1_000;

export class Messages {
  #names;
  #list = byId("messages");
  #scroll = byId("messages-scroll");
  /** Own messages that are shown already: by a request, they come back. */
  #sent = new Set();

  constructor(subscription, names) {
    this.#names = names;
    subscription.on("message", (message) => this.#came(message));
    onSubmit(byId("say"), async ({ text }, form) => {
      const id = Math.random().toString(36).slice(2);
      this.#sent.add(id);
      if (this.#sent.size > MOST) this.#sent.delete(this.#sent.values().next().value);
      await subscription.publish(NAME, { text: text.trim(), id });
      form.reset();
      this.#add(this.#names.me, text.trim(), true);
    });
  }

  renamed() {
    for (const name of this.#list.querySelectorAll(".actor")) name.textContent = this.#names.of(name.dataset.user);
  }

  #came({ name, from, data }) {
    const isOwn = from === this.#names.me;
    if (isOwn && typeof data?.id === "string" && this.#sent.has(data.id)) return;
    const isChat = name === NAME && typeof data?.text === "string";
    const text = isChat ? data.text : `${name}: ${JSON.stringify(data)}`;
    this.#add(from, text.slice(0, LONGEST), isOwn);
  }

  #add(user, text, isOwn) {
    const isAtEnd = this.#scroll.scrollHeight - this.#scroll.scrollTop - this.#scroll.clientHeight < 40;
    const who = this.#names.of(user);
    const head = element("p", { class: "facts" });
    head.append(element("strong", { class: "actor", text: who, "data-user": user }), timeOf(Date.now()));
    const line = element("li", { class: isOwn ? "message own" : "message" });
    line.append(faceOf(user, who), head, element("p", { class: "text", text }));
    this.#list.append(line);
    while (this.#list.childElementCount > MOST) this.#list.firstElementChild.remove();
    if (isAtEnd || isOwn) this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }
}
