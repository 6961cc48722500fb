import "fake-indexeddb/auto";

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { ApiError } from "../../static/chat/js/api.js";
import { Notebook } from "../../static/chat/js/notebook.js";
import { ChatState } from "../../static/chat/js/state.js";
import { Store } from "../../static/chat/js/store.js";
import { CHECK_EVERY_MS, Warnings } from "../../static/chat/js/warnings.js";

const ME = "usr-aaaaaaaaaaaa";
const FIRST = { note: "Be kind.", created_at: 1000 };
const SECOND = { note: "Be kinder.", created_at: 2000 };
let store, state, warnings, written, calls, failure;

beforeEach(async () => {
  store = await Store.open(ME);
  written = [FIRST, SECOND];
  calls = 0;
  failure = null;
  loadPage();
});

afterEach(() => store.destroy(ME));

function loadPage() {
  state = new ChatState({ user_id: ME });
  const listWarnings = async () => {
    calls += 1;
    if (failure) throw failure;
    return [...written];
  };
  warnings = new Warnings({ api: { listWarnings }, notebook: new Notebook(store, state), state });
}

test("what moderators wrote is shown one after the other, each until it is dismissed", async () => {
  await warnings.check();
  assert.deepEqual(state.warning, FIRST);
  await warnings.dismiss();
  assert.deepEqual(state.warning, SECOND);
  await warnings.dismiss();
  assert.equal(state.warning, null);
  await warnings.dismiss();
});

test("what was dismissed stays so after a reload, and a new warning is shown", async () => {
  await warnings.check();
  await warnings.dismiss();
  await warnings.dismiss();
  const third = { note: "Last time.", created_at: 3000 };
  written.push(third);
  loadPage();
  await warnings.check();
  assert.deepEqual(state.warning, third);
});

test("a warning leaves the screen when this browser remembers that it was read", async () => {
  await warnings.check();
  await warnings.dismiss();
  const last = new Promise((resolve) => {
    state.addEventListener("change", () => state.warning === null && resolve(store.getMeta("dismissed_warnings")));
  });
  const dismissing = warnings.dismiss();
  assert.deepEqual(state.warning, SECOND, "it is not written yet");
  assert.deepEqual(await last, [FIRST.created_at, SECOND.created_at]);
  await dismissing;
});

test("connections that come often ask once a minute, also after a failure", async (context) => {
  context.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  failure = new ApiError("network", "The server cannot be reached.");
  await warnings.check();
  failure = null;
  await warnings.check();
  assert.deepEqual([calls, state.warning], [1, null]);
  context.mock.timers.setTime(1_000_000 + CHECK_EVERY_MS);
  await warnings.check();
  assert.deepEqual([calls, state.warning], [2, FIRST]);
});
