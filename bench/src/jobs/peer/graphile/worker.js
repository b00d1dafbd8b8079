// A peer of `./dev bench jobs`: graphile-worker by its default settings: one job at a time, told by Postgres when one
// comes.
"use strict";

const { EventEmitter } = require("node:events");
const { Logger, makeWorkerUtils, run } = require("graphile-worker");
const { version } = require("graphile-worker/package.json");
const { flow, giveUp, pace, serve, started, tally } = require("./peer.js");

// Jobs that are added at a time before a drain.
const CHUNK = 1000;

const connectionString = process.argv[2];
// Only what went wrong: a line for each job would cost it time, and stand among the answers.
const logger = new Logger(() => (level, message) => {
  if (level === "error") console.error(message);
});

/** Works on jobs while something is done. */
async function working(noop, ended, use) {
  const events = new EventEmitter();
  events.on("job:complete", ended).on("job:error", ({ error }) => giveUp(error));
  const runner = await run({ connectionString, logger, events, noHandleSignals: true, taskList: { noop } });
  const answer = await use();
  await runner.stop();
  return answer;
}

function flowing(order, utils) {
  const { begun, ended, seconds } = tally(order.jobs);
  return working(async () => {}, ended, async () => {
    begun();
    await flow(order, () => utils.addJob("noop", {}));
    return { jobs: order.jobs, seconds: await seconds };
  });
}

async function drain({ jobs }, utils) {
  for (let added = 0; added < jobs; added += CHUNK) {
    await utils.addJobs(Array(Math.min(CHUNK, jobs - added)).fill({ identifier: "noop", payload: {} }));
  }
  const { begun, ended, seconds } = tally(jobs);
  return working(async () => begun(), ended, async () => ({ jobs, seconds: await seconds }));
}

function paced(order, utils) {
  const noop = async ({ number }) => started(number);
  return working(noop, () => {}, () => pace(order, (number) => utils.addJob("noop", { number })));
}

async function main() {
  const utils = await makeWorkerUtils({ connectionString, logger });
  await utils.migrate();
  const order = (follow) => (order) => follow(order, utils);
  await serve(`graphile-worker ${version}`, { flow: order(flowing), drain: order(drain), paced: order(paced) });
}

main().catch(giveUp);
