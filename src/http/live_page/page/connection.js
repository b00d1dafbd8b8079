/** @module The sign of the connection, and what is said when it is lost and when it is back. */

import { byId, tell, timeText } from "./dom.js";

const TRANSPORTS = { websocket: "WebSocket", sse: "server-sent events" };
const COUNT = 250;

export class Connection {
  #status = null;
  #wasOnline = false;
  #lostAt = null;
  #isTold = false;
  /** Whether it was there before it was lost. */
  #isSecond = false;
  #nextAt = null;
  #timer = null;
  #stop;

  constructor(workroom) {
    this.#stop = workroom.on("status", (status) => this.#changed(status));
    byId("notice-close").onclick = () => this.#notice(null);
    byId("connection").hidden = false;
    this.#changed(workroom.status);
  }

  get isOnline() {
    return this.#status.state === "online";
  }

  /** All that happened meanwhile has come. */
  caughtUp(count) {
    if (this.#isTold && this.#isSecond) {
      const seconds = Math.max(1, Math.round((Date.now() - this.#lostAt) / 1000));
      const events = count === 1 ? "1 event" : `${count} events`;
      const what = count ? `${events} caught up, none missing.` : "Nothing has happened meanwhile.";
      this.#notice("back", `The connection is back after ${seconds} s. ${what}`);
    } else if (this.#isTold) this.#notice(null);
    this.#lostAt = null;
    this.#isTold = false;
  }

  /** The service has been set back to another history. */
  reset() {
    this.#notice("lost", "The service has another history now: the list begins anew.");
    this.#lostAt = null;
    this.#isTold = false;
  }

  /** Something else that should be known. */
  warn(text) {
    if (!this.#isTold) this.#notice("lost", text);
  }

  close() {
    this.#stop();
    clearInterval(this.#timer);
    byId("connection").hidden = true;
    this.#notice(null);
  }

  #changed(status) {
    this.#status = status;
    const { state, transport, reason, retryIn } = status;
    const isIdle = state === "offline" && reason === "idle";
    this.#nextAt = retryIn === null ? null : Date.now() + retryIn;
    if (state === "online") this.#wasOnline = true;
    else if (!isIdle) this.#lostAt ??= Date.now();
    const texts = { online: `Online · ${TRANSPORTS[transport]}`, connecting: "Connecting…", offline: "Offline" };
    const sign = byId("connection");
    byId("connection-text").textContent = isIdle ? "Not connected" : texts[state];
    sign.dataset.state = isIdle ? "idle" : state;
    sign.dataset.transport = transport ?? "";
    if (state === "offline" && !isIdle && !this.#isTold) this.#lost();
    this.#count();
  }

  #lost() {
    this.#isTold = true;
    this.#isSecond = this.#wasOnline;
    const since = timeText(this.#lostAt);
    const text = this.#isSecond
      ? `The connection was lost at ${since}. What happens meanwhile comes when it is back.`
      : `No connection since ${since}.`;
    this.#notice("lost", text);
  }

  /** The time until the next attempt. It is not read out: it changes too often. */
  #count() {
    clearInterval(this.#timer);
    const show = () => {
      if (!this.#isTold || this.isOnline) return tell(byId("countdown"), null);
      const left = this.#nextAt === null ? 0 : Math.ceil((this.#nextAt - Date.now()) / 1000);
      tell(byId("countdown"), left > 0 ? `Next attempt in ${left} s.` : "Trying now…");
    };
    show();
    if (this.#isTold && !this.isOnline) this.#timer = setInterval(show, COUNT);
  }

  #notice(kind, text) {
    const notice = byId("notice");
    notice.hidden = !kind;
    notice.dataset.kind = kind ?? "";
    byId("notice-text").textContent = text ?? "";
    if (kind !== "lost") tell(byId("countdown"), null);
  }
}
