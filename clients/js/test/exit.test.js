// A script ends when it has closed the client, whatever was under way.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, test } from "node:test";
import { promisify } from "node:util";

import { closeAll, needsServer, person, project, url } from "./support/server.js";

after(closeAll);

const run = promisify(execFile);
const index = new URL("../src/index.js", import.meta.url).href;

async function script(body) {
  const code = `import { Workroom } from ${JSON.stringify(index)};\n${body}\nprocess.stdout.write(String(performance.now()));\nprocess.on("exit", () => console.log("", performance.now()));`;
  const { stdout, stderr } = await run(process.execPath, ["--input-type=module", "-e", code], { timeout: 10_000 });
  assert.equal(stderr, "");
  const [closed, ended] = stdout.trim().split(" ").map(Number);
  assert.ok(ended - closed < 1500, `it took ${ended - closed} ms to end`);
}

test("with live subscriptions", needsServer, async () => {
  const ada = await person("ada");
  const id = await project(ada);
  await script(`
    const workroom = new Workroom({ url: ${JSON.stringify(url)}, tokens: ${JSON.stringify(ada.tokens)} });
    const subscription = workroom.subscribe({ projectId: ${JSON.stringify(id)}, presence: true, cursors: true });
    await subscription.ready();
    for (let x = 0; x < 10; x++) subscription.moveCursor({ x });
    workroom.subscribe({ projectId: ${JSON.stringify(id)}, since: { seq: 0 } });
    workroom.close();`);
  await script(`
    const workroom = new Workroom({ url: ${JSON.stringify(url)}, tokens: ${JSON.stringify(ada.tokens)} });
    const subscription = workroom.subscribe({ projectId: ${JSON.stringify(id)} });
    await subscription.ready();
    subscription.unsubscribe();`);
});

test("while it tries to connect, and while a request waits", { timeout: 15_000 }, async () => {
  await script(`
    const workroom = new Workroom({ url: "http://127.0.0.1:9", token: "t", live: { fallbackAfter: 1, backoff: { min: 5, max: 5 } } });
    workroom.subscribe({ projectId: "p" });
    workroom.get("/projects").catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 300));
    workroom.close();`);
});
