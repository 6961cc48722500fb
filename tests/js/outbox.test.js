import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Outbox } from "../../static/chat/js/outbox.js";

const DAY = 86_400_000;
let sent, expired, outbox, hasConnection;

beforeEach(() => {
  sent = [];
  expired = [];
  hasConnection = true;
  outbox = new Outbox({
    send: ({ client_id }) => {
      if (hasConnection) sent.push(client_id);
      return hasConnection;
    },
    onExpired: ({ client_id }) => expired.push(client_id),
  });
});

const entry = (client_id, peer_id = "usr-b", queued_at = Date.now()) => ({ client_id, peer_id, queued_at });

/** Timers and clock in the test's hands. */
function useFakeTime(context) {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 100 * DAY });
}

test("a conversation's messages go out one after the other, in order", (context) => {
  useFakeTime(context);
  outbox.open();
  for (const id of ["1", "2", "3"]) outbox.add(entry(id));
  assert.deepEqual(sent, ["1"]);
  outbox.settle("1");
  outbox.settle("2");
  outbox.settle("3");
  assert.deepEqual(sent, ["1", "2", "3"]);
});

test("conversations do not wait for each other", (context) => {
  useFakeTime(context);
  outbox.open();
  outbox.add(entry("1", "usr-b"));
  outbox.add(entry("2", "usr-c"));
  assert.deepEqual(sent, ["1", "2"]);
});

test("what was written offline goes out on the connection, what had no answer again with the same id", (context) => {
  useFakeTime(context);
  outbox.add(entry("1"));
  outbox.add(entry("2"));
  assert.deepEqual(sent, []);
  outbox.open();
  outbox.close();
  outbox.open();
  assert.deepEqual(sent, ["1", "1"]);
  outbox.settle("1");
  assert.deepEqual(sent, ["1", "1", "2"]);
});

test("a message to be tried again is not overtaken by a newer one of its conversation", (context) => {
  useFakeTime(context);
  outbox.open();
  outbox.add(entry("1"));
  outbox.postpone("1", 500);
  outbox.add(entry("2"));
  outbox.add(entry("other", "usr-c"));
  assert.deepEqual(sent, ["1", "other"]);
  context.mock.timers.tick(499);
  assert.deepEqual(sent, ["1", "other"]);
  context.mock.timers.tick(1);
  assert.deepEqual(sent, ["1", "other", "1"]);
  outbox.settle("1");
  assert.deepEqual(sent, ["1", "other", "1", "2"]);
});

test("the wait that the server asked for holds on the next connection too", (context) => {
  useFakeTime(context);
  outbox.open();
  outbox.add(entry("1"));
  outbox.postpone("1", 5000);
  outbox.close();
  outbox.open();
  assert.deepEqual(sent, ["1"]);
  context.mock.timers.tick(5000);
  assert.deepEqual(sent, ["1", "1"]);
});

test("without any answer for 20 s the message goes out again", (context) => {
  useFakeTime(context);
  outbox.open();
  outbox.add(entry("1"));
  context.mock.timers.tick(20_000);
  assert.deepEqual(sent, ["1", "1"]);
});

test("an answer for a message that was not sent last changes nothing", (context) => {
  useFakeTime(context);
  outbox.open();
  outbox.add(entry("1"));
  outbox.add(entry("2"));
  outbox.postpone("2", 100);
  outbox.settle("unknown");
  assert.deepEqual(sent, ["1"]);
  outbox.settle("2");
  outbox.settle("1");
  context.mock.timers.tick(60_000);
  assert.deepEqual(sent, ["1"]);
});

test("the same client id is queued once", (context) => {
  useFakeTime(context);
  outbox.add(entry("1"));
  outbox.add(entry("1"));
  outbox.open();
  outbox.settle("1");
  assert.deepEqual(sent, ["1"]);
});

test("what waited for over 7 days is not sent, but handed back", (context) => {
  useFakeTime(context);
  outbox.load([entry("old", "usr-b", 93 * DAY - 1), entry("new", "usr-b", 93 * DAY)]);
  outbox.open();
  assert.deepEqual(expired, ["old"]);
  assert.deepEqual(sent, ["new"]);
});

test("a connection that takes nothing leaves the message waiting", (context) => {
  useFakeTime(context);
  outbox.open();
  hasConnection = false;
  outbox.add(entry("1"));
  hasConnection = true;
  outbox.open();
  assert.deepEqual(sent, ["1"]);
});
