// The examples run, in order; the types fit.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { closeAll, needsServer, person, url } from "./support/server.js";

after(closeAll);

const run = promisify(execFile);
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

test("the examples of README.md work", needsServer, async () => {
  const text = readFileSync(here("../README.md"), "utf8");
  const ada = await person("ada");
  const code = [...text.matchAll(/```js\n([\s\S]*?)```/g)].map(([, block]) => block).join("\n")
    .replaceAll('"@workroom/client"', JSON.stringify(new URL("../src/index.js", import.meta.url).href))
    .replaceAll('"https://workroom.example"', JSON.stringify(url))
    .replaceAll("ada@example.com", ada.email);
  const { stdout, stderr } = await run(process.execPath, ["--input-type=module", "-e", code], { timeout: 15_000 });
  assert.equal(stderr, "");
  for (const line of ["Compute the trajectory!", "422 invalid /name", "1 ProjectCreated", "3 TaskCreated"]) assert.ok(stdout.split("\n").includes(line), stdout);
});

const compiler = [process.env.TSC, here("../../../.workroom/clients/typescript/node_modules/typescript/bin/tsc")].find((path) => path && existsSync(path));

test("the types fit what people write", { skip: compiler ? false : "there is no compiler", timeout: 30_000 }, async () => {
  const options = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable"];
  await run(process.execPath, [compiler, ...options, here("types.ts")]).catch(({ stdout }) => assert.fail(stdout));
});

test("a page loads no module of Node", () => {
  const seen = new Set();
  const follow = (address) => {
    if (seen.has(address.href)) return;
    seen.add(address.href);
    for (const [, name] of readFileSync(address, "utf8").matchAll(/^(?:import|export) .*?from "([^"]+)";$/gm)) {
      assert.ok(name.startsWith("."), `${address} imports ${name}`);
      follow(new URL(name, address));
    }
  };
  follow(new URL("../src/index.js", import.meta.url));
  assert.ok(seen.size > 10 && ![...seen].some((one) => one.includes("/node/")), [...seen].join("\n"));
});
