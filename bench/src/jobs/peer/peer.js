// What both peers of `./dev bench jobs` share: they take one order a line, and answer each with one line.
//   {"order": "flow", "jobs": 5000, "adders": 64}  -> {"jobs": 5000, "seconds": 2.1}     added while others are done
//   {"order": "drain", "jobs": 20000}              -> {"jobs": 20000, "seconds": 4.2}    added before
//   {"order": "paced", "jobs": 400, "rate": 20}    -> {"latencies_us": [812, 790]}      from adding each to its start
"use strict";

const { createInterface } = require("node:readline");
const { performance } = require("node:perf_hooks");
const { setTimeout: pause } = require("node:timers/promises");

/** Counts jobs, and the time from the first beginning that it is told of to the last end. */
function tally(jobs) {
  const { promise, resolve } = withResolvers();
  let [first, ended] = [undefined, 0];
  return {
    begun: () => {
      first ??= performance.now();
    },
    ended: () => {
      ended += 1;
      if (ended === jobs) resolve((performance.now() - first) / 1000);
      if (ended > jobs) giveUp(new Error("a job has ended twice"));
    },
    seconds: promise,
  };
}

/** Adds jobs one after the other, so many at a time. */
async function flow({ jobs, adders }, add) {
  let added = 0;
  const adding = async () => {
    while (added < jobs) {
      added += 1;
      await add();
    }
  };
  await Promise.all(Array.from({ length: adders }, adding));
}

/** Adds jobs at a fixed rate, whatever adding takes; returns how long each took to be started, in microseconds. */
async function pace({ jobs, rate }, add) {
  const begun = performance.now();
  const waiting = [];
  for (let number = 0; number < jobs; number += 1) {
    await pause(Math.max(0, begun + (number * 1000) / rate - performance.now()));
    waiting.push(measure(number, add));
  }
  return { latencies_us: await Promise.all(waiting) };
}

// Those whose start is waited for, by their number.
const starts = new Map();

async function measure(number, add) {
  const { promise, resolve } = withResolvers();
  starts.set(number, resolve);
  const begun = performance.now();
  await add(number);
  const started = await promise;
  starts.delete(number);
  return Math.round((started - begun) * 1000);
}

/** Tells that a job of `pace` has started. */
function started(number) {
  starts.get(number)?.(performance.now());
}

function withResolvers() {
  const resolvers = {};
  resolvers.promise = new Promise((resolve) => Object.assign(resolvers, { resolve }));
  return resolvers;
}

/** Ends the process: what it would answer from here on says nothing. */
function giveUp(error) {
  console.error(error);
  process.exit(1);
}

/** Says that the peer is ready, and follows orders until there are no more. */
async function serve(name, orders) {
  console.log(`${name} on Node ${process.version} is ready`);
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    console.log(JSON.stringify(await orders[order.order](order)));
  }
  // It ends with the benchmark, also when that is killed.
  process.exit();
}

module.exports = { flow, giveUp, pace, serve, started, tally };
