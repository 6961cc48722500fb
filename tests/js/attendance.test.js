import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { ApiError } from "../../static/chat/js/api.js";
import { ASK_EVERY_MS, Attendance, MOST_ASKED, NEWCOMER_MS } from "../../static/chat/js/attendance.js";
import { newConversation } from "../../static/chat/js/conversations.js";
import { CONNECTION, ChatState } from "../../static/chat/js/state.js";

const [ME, PEER, OTHER] = ["usr-aaaaaaaaaaaa", "usr-bbbbbbbbbbbb", "usr-cccccccccccc"];
let state, attendance, calls, online, failure, isVisible;

beforeEach(() => {
  calls = [];
  online = new Set([PEER]);
  failure = null;
  isVisible = true;
  state = new ChatState({ user_id: ME });
  state.set({ connection: CONNECTION.CONNECTED });
  list(PEER, OTHER);
  const listPresence = async (userIds) => {
    calls.push(userIds);
    if (failure) throw failure;
    return userIds.map((user_id) => ({ user_id, online: online.has(user_id), last_seen: null }));
  };
  attendance = new Attendance({ api: { listPresence }, state, isVisible: () => isVisible });
});

afterEach(() => attendance.stop());

/** Put people into the list, the first one on top. */
function list(...peerIds) {
  const lines = peerIds.map((peerId, index) => ({ ...newConversation(peerId), last: {}, last_at: 1000 - index }));
  state.mergeConversations(lines);
}

/** Let promises that wait for nothing come to their end. */
const settle = () => new Promise((resolve) => setImmediate(resolve));
const shown = () => [PEER, OTHER].filter((userId) => state.isOnline(userId));

async function tick(context, ms) {
  context.mock.timers.tick(ms);
  await settle();
}

test("all in the list are asked for in one call, at the start and every minute", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  attendance.start();
  await settle();
  assert.deepEqual(calls, [[PEER, OTHER]]);
  assert.deepEqual(shown(), [PEER]);
  online = new Set([OTHER]);
  await tick(context, ASK_EVERY_MS - 1);
  assert.equal(calls.length, 1);
  await tick(context, 1);
  assert.equal(calls.length, 2);
  assert.deepEqual(shown(), [OTHER]);
});

test("nothing is asked while the page is in the back, and at once when it comes to the front", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  attendance.start();
  await settle();
  isVisible = false;
  attendance.showScreen();
  await tick(context, 10 * ASK_EVERY_MS);
  attendance.takeNewcomers();
  await tick(context, ASK_EVERY_MS);
  assert.equal(calls.length, 1);
  isVisible = true;
  attendance.showScreen();
  await settle();
  await tick(context, ASK_EVERY_MS);
  assert.equal(calls.length, 3);
});

test("a call that fails is made again at the next turn, and no sooner", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  failure = new ApiError("network", "The server cannot be reached.");
  attendance.start();
  await settle();
  await tick(context, ASK_EVERY_MS - 1);
  assert.equal(calls.length, 1);
  failure = null;
  await tick(context, 1);
  assert.deepEqual(shown(), [PEER]);
});

test("a new connection asks again where the last answer is old or never came", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  failure = new ApiError("network", "The server cannot be reached.");
  attendance.start();
  await settle();
  failure = null;
  attendance.catchUp();
  await settle();
  attendance.catchUp();
  await settle();
  assert.equal(calls.length, 2);
});

test("who is new in the list is asked for soon, once", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  attendance.start();
  await settle();
  list("usr-dddddddddddd", "usr-eeeeeeeeeeee");
  attendance.takeNewcomers();
  attendance.takeNewcomers();
  await tick(context, NEWCOMER_MS);
  attendance.takeNewcomers();
  await tick(context, NEWCOMER_MS);
  assert.equal(calls.length, 2);
  assert.equal(calls[1].length, 4);
});

test("of a long list the newest conversations are asked for, and without one nobody", async () => {
  state = new ChatState({ user_id: ME });
  attendance = new Attendance({
    api: { listPresence: async (userIds) => calls.push(userIds) && [] },
    state,
    isVisible: () => true,
  });
  attendance.start();
  await settle();
  assert.deepEqual(calls, []);
  const many = Array.from({ length: MOST_ASKED + 1 }, (_, index) => `usr-${index.toString(16).padStart(12, "0")}`);
  list(...many);
  attendance.showScreen();
  await settle();
  assert.deepEqual(calls, [many.slice(0, MOST_ASKED)]);
});

test("what the server tells of the chat on screen wins over what was asked", async () => {
  attendance.start();
  state.set({ presence: { user_id: PEER, online: false } });
  await settle();
  assert.deepEqual(shown(), []);
  attendance.takePresence({ user_id: PEER, online: true });
  assert.deepEqual(shown(), [PEER]);
});

test("without a connection nobody is shown as online", async () => {
  attendance.start();
  await settle();
  state.set({ connection: CONNECTION.RECONNECTING });
  assert.deepEqual(shown(), []);
});
