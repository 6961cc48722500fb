import assert from "node:assert/strict";
import { test } from "node:test";

import { formatDay, formatLastSeen, groupByDay } from "../../static/chat/js/views/times.js";

const at = (text) => new Date(text).getTime(); // local time

test("days are named as people name them", () => {
  const now = at("2026-06-17T00:30");
  assert.equal(formatDay(at("2026-06-17T00:01"), now), "Today");
  assert.equal(formatDay(at("2026-06-16T23:59"), now), "Yesterday");
  assert.equal(formatDay(at("2026-06-11T12:00"), now), "Thursday");
  assert.equal(formatDay(at("2026-06-10T12:00"), now), "June 10");
  assert.equal(formatDay(at("2025-12-31T12:00"), now), "December 31, 2025");
});

test("a device whose clock is slow sees new messages as of today", () => {
  assert.equal(formatDay(at("2026-06-18T12:00"), at("2026-06-17T12:00")), "Today");
});

test("when somebody was last seen is said as people say it", () => {
  const now = at("2026-06-17T00:30");
  assert.match(formatLastSeen(at("2026-06-17T00:01"), now), /^last seen today at \d/);
  assert.match(formatLastSeen(at("2026-06-16T23:59"), now), /^last seen yesterday at \d/);
  assert.equal(formatLastSeen(at("2026-06-11T12:00"), now), "last seen on Thursday");
});

test("messages are grouped where the calendar day changes", () => {
  const messages = ["2026-06-16T22:00", "2026-06-16T23:59", "2026-06-17T00:00"].map((text) => ({
    timestamp: at(text),
  }));
  assert.deepEqual(
    groupByDay(messages).map((group) => group.messages.length),
    [2, 1],
  );
  assert.deepEqual(groupByDay([]), []);
});
