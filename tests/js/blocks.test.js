import "fake-indexeddb/auto";

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { ApiError } from "../../static/chat/js/api.js";
import { Blocks, CHECK_EVERY_MS } from "../../static/chat/js/blocks.js";
import { Notebook } from "../../static/chat/js/notebook.js";
import { ChatState } from "../../static/chat/js/state.js";
import { Store } from "../../static/chat/js/store.js";

const [ME, PEER, OTHER] = ["usr-aaaaaaaaaaaa", "usr-bbbbbbbbbbbb", "usr-cccccccccccc"];
let store, state, blocks, server, failure;

beforeEach(async () => {
  store = await Store.open(ME);
  server = new Set();
  failure = null;
  loadPage();
});

afterEach(() => store.destroy(ME));

function loadPage() {
  state = new ChatState({ user_id: ME });
  const answer = (work) => async (userId) => {
    if (failure) throw failure;
    return work(userId);
  };
  const api = {
    listBlocked: answer(() => [...server].map((user_id) => ({ user_id }))),
    block: answer((userId) => server.add(userId)),
    unblock: answer((userId) => {
      if (!server.delete(userId)) throw new ApiError("not_found", "There is no such block.", 404);
    }),
  };
  blocks = new Blocks({ api, notebook: new Notebook(store, state), state });
}

const shown = () => [...state.blocked];

test("who is blocked is so at once, and after a reload before the server was asked", async () => {
  await blocks.block(PEER);
  assert.deepEqual(shown(), [PEER]);
  loadPage();
  assert.deepEqual(shown(), []);
  await blocks.load();
  assert.deepEqual(shown(), [PEER]);
  await blocks.unblock(PEER);
  assert.deepEqual([shown(), [...server]], [[], []]);
});

test("what another device blocked is known with the next connection, at most once a minute", async (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  await blocks.check();
  server.add(OTHER);
  await blocks.check();
  assert.deepEqual(shown(), []);
  context.mock.timers.setTime(1_000_000 + CHECK_EVERY_MS);
  await blocks.check();
  assert.deepEqual(shown(), [OTHER]);
});

test("an answer that is older than what was done here changes nothing", async () => {
  server.add(OTHER);
  await Promise.all([blocks.check(), blocks.block(PEER)]);
  assert.ok(state.blocked.has(PEER));
});

test("unblocking whom another device has unblocked is no failure", async () => {
  await blocks.block(PEER);
  server.delete(PEER);
  await blocks.unblock(PEER);
  assert.deepEqual(shown(), []);
});

test("what the server could not do is not shown as done, and a check that fails harms nothing", async () => {
  await blocks.block(PEER);
  failure = new ApiError("network", "The server cannot be reached.");
  await assert.rejects(blocks.unblock(PEER), ApiError);
  await assert.rejects(blocks.block(OTHER), ApiError);
  await blocks.check();
  assert.deepEqual(shown(), [PEER]);
});
