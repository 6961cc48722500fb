import assert from "node:assert/strict";
import { test } from "node:test";

import { reconnectDelay } from "../../static/chat/js/backoff.js";

const lowest = (options) => reconnectDelay({ ...options, random: () => 0 });
const highest = (options) => reconnectDelay({ ...options, random: () => 0.999999 });

test("delays double from 1 s, with jitter, and end at 30 s", () => {
  const ranges = Array.from({ length: 8 }, (_, attempt) => [
    Math.round(lowest({ attempt, closeCode: 1006 })),
    Math.round(highest({ attempt, closeCode: 1006 })),
  ]);
  assert.deepEqual(ranges.slice(0, 4), [
    [1000, 2000],
    [1000, 3000],
    [2000, 6000],
    [4000, 12000],
  ]);
  for (const [shortest, longest] of ranges) {
    assert.ok(shortest >= 1000 && longest <= 30_000);
    assert.ok(longest - shortest >= 500, "there is jitter");
  }
});

test("after a restart of the server the first try comes within 2 s, the next by the rule", () => {
  assert.equal(lowest({ attempt: 0, closeCode: 1012 }), 0);
  assert.ok(highest({ attempt: 0, closeCode: 1012 }) < 2000);
  assert.equal(lowest({ attempt: 1, closeCode: 1012 }), 1000);
});

test("after too many connections the client waits 15 s at least", () => {
  assert.equal(lowest({ attempt: 0, closeCode: 4429 }), 15_000);
  assert.ok(highest({ attempt: 9, closeCode: 4429 }) <= 30_000);
});
