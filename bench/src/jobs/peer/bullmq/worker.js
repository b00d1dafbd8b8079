// A peer of `./dev bench jobs`: BullMQ, with producer and worker in one process.
"use strict";

const { Queue, Worker } = require("bullmq");
const { version } = require("bullmq/package.json");
const { flow, giveUp, pace, serve, started, tally } = require("./peer.js");

const CONCURRENCY = 64;
// Jobs that are added at a time before a drain.
const CHUNK = 1000;

const connection = { host: "127.0.0.1", port: Number(process.argv[2]) };

/** Does something with a queue, which is empty before and afterwards. */
async function withQueue(use) {
  const queue = new Queue("bench", { connection });
  const answer = await use(queue);
  await queue.obliterate({ force: true });
  await queue.close();
  return answer;
}

/** Works on the queue while something is done. */
async function working(run, ended, use) {
  const worker = new Worker("bench", run, { connection, concurrency: CONCURRENCY, autorun: false });
  worker.on("completed", ended);
  worker.on("failed", (_, error) => giveUp(error)).on("error", giveUp);
  await worker.waitUntilReady();
  worker.run().catch(giveUp);
  const answer = await use();
  await worker.close();
  return answer;
}

function flowing(order) {
  return withQueue((queue) => {
    const { begun, ended, seconds } = tally(order.jobs);
    return working(async () => {}, ended, async () => {
      begun();
      await flow(order, () => queue.add("noop", {}));
      return { jobs: order.jobs, seconds: await seconds };
    });
  });
}

function drain({ jobs }) {
  return withQueue(async (queue) => {
    for (let added = 0; added < jobs; added += CHUNK) {
      await queue.addBulk(Array(Math.min(CHUNK, jobs - added)).fill({ name: "noop", data: {} }));
    }
    const { begun, ended, seconds } = tally(jobs);
    return working(async () => begun(), ended, async () => ({ jobs, seconds: await seconds }));
  });
}

function paced(order) {
  const run = async (job) => started(job.data.number);
  return withQueue((queue) => working(run, () => {}, () => pace(order, (number) => queue.add("noop", { number }))));
}

serve(`BullMQ ${version}`, { flow: flowing, drain, paced });
