// A service of one's own: replies from a list, and sockets that do what a test says.

/** A `fetch` that calls `answer(call)` for each request; `calls` holds them. */
export function fakeFetch(answer) {
  const calls = [];
  const fetch = async (address, init) => {
    const call = { url: new URL(address), method: init.method ?? "GET", headers: new Headers(init.headers), body: init.body, signal: init.signal };
    calls.push(call);
    return answer(call, calls.length);
  };
  fetch.calls = calls;
  return fetch;
}

export function json(status, body, headers) {
  const text = status === 204 ? null : JSON.stringify(body);
  const type = status < 400 ? "application/json" : "application/problem+json";
  return new Response(text, { status, headers: { "content-type": type, ...headers } });
}

export function problem(status, code, more, headers) {
  return json(status, { type: `urn:workroom:problem:${code}`, title: code, status, code, detail: code, instance: "r1", ...more }, headers);
}

/** What `fetch` of Node throws when the connection is lost. */
export function networkError(code = "ECONNRESET") {
  return new TypeError("fetch failed", { cause: Object.assign(new Error(code), { code }) });
}

/** A `WebSocket` class; `opened(socket)` is called with each new one. It answers `hello` and `subscribe` by itself. */
export function fakeSockets(opened, { epoch = "e1", head = 0 } = {}) {
  return class FakeSocket {
    static all = [];
    readyState = 0;
    sent = [];
    constructor(url) {
      this.url = url;
      FakeSocket.all.push(this);
      queueMicrotask(() => {
        this.readyState = 1;
        this.onopen?.();
        opened?.(this, FakeSocket.all.length);
      });
    }
    send(text) {
      const frame = JSON.parse(text);
      this.sent.push(frame);
      queueMicrotask(() => (this.answer ?? this.standard).call(this, frame));
    }
    standard(frame) {
      const { type, id: ref, project_id } = frame;
      if (type === "hello") this.say({ type: "welcome", connection_id: "c", user_id: "u", ping_interval: 20, epoch });
      if (type === "subscribe") this.say({ type: "subscribed", project_id, epoch, head, role: "owner", ref });
      if (type === "ping") this.say({ type: "pong" });
    }
    say(frame) {
      this.onmessage?.({ data: JSON.stringify(frame) });
    }
    event(seq) {
      this.say({ type: "event", project_id: "p", seq, position: seq, event_type: "X", data: {} });
    }
    drop(code, reason = "") {
      this.readyState = 3;
      this.onclose?.({ code, reason });
    }
    close() {
      this.readyState = 3;
    }
  };
}
