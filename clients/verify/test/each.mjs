// Verifies each `*.ndjson` of a folder, against the checkpoint in `*.older` if there is one.
// Prints a line of JSON for each.
import { createReadStream, existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { verify } from "../verify.mjs";

const folder = process.argv[2];
for (const name of readdirSync(folder).filter((name) => name.endsWith(".ndjson")).sort()) {
  const kept = join(folder, name.replace(".ndjson", ".older"));
  const older = existsSync(kept) ? readFileSync(kept, "utf8") : null;
  const failed = (error) => (error.at ? { ok: false, why: error.message, ...error.at } : Promise.reject(error));
  const said = await verify(createReadStream(join(folder, name)), { older }).catch(failed);
  console.log(JSON.stringify({ name, ...said }));
}
