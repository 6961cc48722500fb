import assert from "node:assert/strict";
import { test } from "node:test";

import { FrameIntake } from "../../static/chat/js/frame-intake.js";

/** An intake whose batches wait until the test lets them go. */
function makeIntake() {
  const batches = [];
  const failures = [];
  const intake = new FrameIntake({
    process: (frames) => new Promise((resolve, reject) => batches.push({ frames, resolve, reject })),
    onFailure: (error) => failures.push(error.message),
  });
  return { intake, batches, failures };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("while one batch is under way the next gathers", async () => {
  const { intake, batches } = makeIntake();
  for (const frame of [1, 2, 3]) intake.add(frame);
  assert.deepEqual(
    batches.map(({ frames }) => frames),
    [[1]],
  );
  batches[0].resolve();
  await settled();
  assert.deepEqual(batches[1].frames, [2, 3]);
});

test("what came after a batch that failed does not overtake it", async () => {
  const { intake, batches, failures } = makeIntake();
  for (const frame of [1, 2]) intake.add(frame);
  batches[0].reject(new Error("no room"));
  await settled();
  assert.deepEqual(failures, ["no room"]);
  assert.equal(batches.length, 1);
  intake.add(3);
  assert.deepEqual(batches[1].frames, [3]);
});
