import "fake-indexeddb/auto";

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { ApiError } from "../../static/chat/js/api.js";
import { applyFrames } from "../../static/chat/js/apply.js";
import { pollDelay } from "../../static/chat/js/backoff.js";
import { GroupPoll } from "../../static/chat/js/group-poll.js";
import { hasMore, newGroup } from "../../static/chat/js/group-records.js";
import { writeMessage } from "../../static/chat/js/messages.js";
import { Notebook } from "../../static/chat/js/notebook.js";
import { ChatState } from "../../static/chat/js/state.js";
import { Store } from "../../static/chat/js/store.js";

const [ME, ANN] = ["usr-aaaaaaaaaaaa", "usr-bbbbbbbbbbbb"];
const GROUP = "grp-000000000001";
const PAGE = 2;
let store, state, notebook, poll, kept, asked, isVisible, failure, refused;

beforeEach(async () => {
  store = await Store.open(ME);
  state = new ChatState({ user_id: ME, username: "me" });
  notebook = new Notebook(store, state);
  [kept, asked, isVisible, failure, refused] = [[], [], true, null, []];
  poll = new GroupPoll({
    api: { pollGroup },
    notebook,
    state,
    isVisible: () => isVisible,
    onMessages: () => null,
    onRefused: (groupId) => refused.push(groupId),
    random: () => 0,
  });
});

afterEach(async () => {
  poll.stop();
  await store.destroy(ME);
});

/** As the server does it: by time, and the one of just then again; then by cursor. */
async function pollGroup(_groupId, { since, cursor }) {
  asked.push(cursor ? `after ${cursor}` : `since ${since}`);
  if (failure) throw failure;
  const found = kept.filter(({ sequence, timestamp }) => (cursor ? sequence > cursor : timestamp >= since));
  return { results: found.slice(0, PAGE), next: found.length > PAGE ? found[PAGE - 1].sequence : null };
}

const message = (sequence, sender_id = ANN) => ({
  message_id: `msg-${sequence}`,
  sender_id,
  content: `text ${sequence}`,
  timestamp: 1000 + sequence,
  sequence,
});

/** As the list of groups tells of it. */
function know(facts) {
  return notebook.change(async (ledger) => {
    await ledger.putGroup({ ...newGroup(GROUP), ...facts });
    await ledger.putConversation(await ledger.getConversation(GROUP));
  });
}

async function open(delivery = "poll") {
  await know({ delivery });
  await notebook.openChat(GROUP);
  poll.showScreen();
}

async function until(condition, what) {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `waited too long for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const shown = () => state.chat.messages.map(({ content }) => content);

test("a group that is opened is polled at once, page by page, and next from where that ended", async () => {
  kept = [1, 2, 3, 4, 5].map((sequence) => message(sequence));
  await open();
  await until(() => shown().length === 5, "five messages");
  assert.deepEqual(asked, ["since 0", "after 2", "after 4"]);
  kept.push(message(6));
  await until(() => state.group(GROUP).polled_at === 1005, "the end of it");
  poll.hear(GROUP);
  await until(() => shown().length === 6, "the sixth");
  assert.equal(asked[3], "since 1005");
  assert.equal(state.conversation(GROUP).unread, 6);
});

test("a group that is not on screen is looked into, a page at a time, and says what is unread", async () => {
  kept = [1, 2, 3].map((sequence) => message(sequence));
  await know({ delivery: "poll" });
  await poll.lookAround();
  const unread = () => [state.conversation(GROUP).unread, hasMore(state.group(GROUP))];
  assert.deepEqual(asked, ["since 0"]);
  assert.deepEqual(unread(), [2, true]);
  await poll.lookAround();
  assert.deepEqual(unread(), [3, false]);
  kept = [];
  await poll.lookAround();
  assert.deepEqual(asked, ["since 0", "since 1002", "since 1003"]);
  assert.deepEqual(unread(), [3, false]);
});

test("a group that is opened while it is looked into comes whole", async () => {
  kept = [1, 2, 3, 4, 5].map((sequence) => message(sequence));
  await know({ delivery: "poll" });
  await notebook.openChat(GROUP);
  const looking = poll.lookAround();
  poll.showScreen();
  await looking;
  assert.equal(shown().length, 5);
  assert.ok(!hasMore(state.group(GROUP)));
});

test("looking around leaves out what is pushed, what is on screen and what one has left", async () => {
  await know({ delivery: "push" });
  await poll.lookAround();
  await know({ delivery: "poll", ended: { kind: "left", by: ME, version: 1 } });
  await poll.lookAround();
  assert.deepEqual(asked, []);
  await open();
  await until(() => asked.length === 1, "the poll of what is open");
  await poll.lookAround();
  assert.deepEqual(asked, ["since 0"]);
});

test("nothing is polled that is pushed, hidden or not open", async () => {
  await open("push");
  isVisible = false;
  await open();
  poll.hear(GROUP);
  poll.catchUp();
  assert.deepEqual(asked, []);
  isVisible = true;
  poll.showScreen();
  assert.deepEqual(asked, ["since 0"]);
});

test("where the way of delivery changes, what was polled and what is pushed are each there once", async () => {
  await open();
  kept = [message(1)];
  poll.hear(GROUP);
  await until(() => shown().length === 1, "the first");
  kept.push(message(2));
  const pushed = { ...message(3), action: "incoming_message", group_id: GROUP };
  await notebook.change((ledger) => applyFrames(ledger, state.me, [pushed]));
  await notebook.change(async (ledger) => ledger.putGroup({ ...(await ledger.findGroup(GROUP)), delivery: "push" }));
  await poll.takeChange(GROUP);
  assert.deepEqual(shown(), ["text 1", "text 2", "text 3"]);
});

test("what this device sent and a poll brings before its ✓ is there once", async () => {
  await open();
  const mine = writeMessage({ client_id: "mine", sender_id: ME, peer_id: GROUP, content: "text 1", now: 1 });
  await notebook.change((ledger) => ledger.putMessage(mine));
  kept = [message(1, ME)];
  poll.hear(GROUP);
  await until(() => shown().length === 2, "the copy");
  const received = {
    action: "message_received",
    message_id: "msg-1",
    message_id_by_client: "mine",
    timestamp: 1001,
    sequence: 1,
  };
  await notebook.change((ledger) => applyFrames(ledger, state.me, [received]));
  assert.deepEqual(shown(), ["text 1"]);
  assert.equal(state.chat.messages[0].key, "mine");
});

test("who is no member any more is told so, and a line that fails is tried again", async () => {
  failure = new ApiError("network", "The server cannot be reached.");
  await open();
  await until(() => asked.length === 1, "the poll");
  assert.deepEqual(refused, []);
  failure = new ApiError("not_found", "There is no such group.", 404);
  poll.hear(GROUP);
  await until(() => refused.length === 1, "the refusal");
});

test("polls come every 2 s, and less and less often up to 30 s while nothing comes", () => {
  const delays = [0, 1, 2, 3, 4, 20].map((quietPolls) => pollDelay({ quietPolls, random: () => 0 }));
  assert.deepEqual(delays, [2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  assert.equal(pollDelay({ quietPolls: 0, random: () => 0.99 }), 2_000);
  assert.ok(pollDelay({ quietPolls: 9, random: () => 0.99 }) >= 24_000);
});
