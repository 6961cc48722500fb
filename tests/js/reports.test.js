import assert from "node:assert/strict";
import { test } from "node:test";

import { buildReport, MAX_REPORT_WORDS, REPORT_REASONS } from "../../static/chat/js/reports.js";

const PEER = "usr-bbbbbbbbbbbb";

test("a person is reported by their id, a message by its id and as it stands here", () => {
  assert.deepEqual(buildReport({ peerId: PEER, message: null }, "Something else", ""), {
    user_id: PEER,
    reason: "Something else",
  });
  const message = { message_id: "msg-0000000000000001", content: "buy my pills" };
  assert.deepEqual(buildReport({ peerId: PEER, message }, "Spam or advertising", "every day"), {
    message_id: "msg-0000000000000001",
    content: "buy my pills",
    reason: "Spam or advertising: every day",
  });
});

test("reason and words together have no more characters than the server takes", () => {
  for (const reason of REPORT_REASONS) {
    const report = buildReport({ peerId: PEER, message: null }, reason, "x".repeat(MAX_REPORT_WORDS));
    assert.ok(report.reason.length <= 500);
  }
});
