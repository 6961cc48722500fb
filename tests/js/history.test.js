import "fake-indexeddb/auto";

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { ApiError } from "../../static/chat/js/api.js";
import { History } from "../../static/chat/js/history.js";
import { Notebook } from "../../static/chat/js/notebook.js";
import { ChatState } from "../../static/chat/js/state.js";
import { Store } from "../../static/chat/js/store.js";

const [ME, PEER, OTHER] = ["usr-aaaaaaaaaaaa", "usr-bbbbbbbbbbbb", "usr-cccccccccccc"];
let store, state, notebook, history, server;

/** What the server keeps: messages by peer, oldest first; and what it was asked. */
class Server {
  calls = [];
  isOn = true;
  isDown = false;
  unread = {};
  kept = {};

  async getSettings() {
    this.#answer("settings");
    return { history_days: this.isOn ? 90 : 0 };
  }

  async listConversations() {
    this.#answer("conversations");
    return Object.entries(this.kept).map(([participant_id, messages]) => ({
      participant_id,
      last_message: messages.at(-1),
      unread_count: this.unread[participant_id] ?? 0,
    }));
  }

  async listHistory(peerId, { before = Infinity, limit }) {
    this.#answer(`history ${peerId} ${before}`);
    const found = this.kept[peerId].filter(({ timestamp }) => timestamp <= before).reverse();
    return { results: found.slice(0, limit), next: found.length > limit ? "more" : null };
  }

  #answer(call) {
    this.calls.push(call);
    if (this.isDown) throw new ApiError("network", "The server cannot be reached.");
  }
}

const message = (number, sender_id, peerId = PEER) => ({
  message_id: `msg-${peerId}-${number}`,
  sender_id,
  receiver_id: sender_id === ME ? peerId : ME,
  content: `text ${number}`,
  timestamp: 1000 + number,
  sequence: number,
  delivered: true,
});

const talk = (count) => Array.from({ length: count }, (_, index) => message(index + 1, index % 2 ? ME : PEER));

beforeEach(async () => {
  store = await Store.open(ME);
  server = new Server();
  beginAnew();
});

afterEach(() => store.destroy(ME));

/** The app is opened again on the same device. */
function beginAnew() {
  state = new ChatState({ user_id: ME, device_id: "dev-aaaaaaaaaaaa" });
  notebook = new Notebook(store, state);
  history = new History({ api: server, notebook, state });
}

const shown = () => state.chat.messages.map(({ content }) => content);

test("a new device begins with the conversations, their messages and what is unread", async () => {
  server.kept = { [PEER]: talk(6), [OTHER]: [message(1, OTHER, OTHER)] };
  server.unread = { [PEER]: 1, [OTHER]: 1 };
  await history.begin();
  assert.deepEqual(
    state.conversations.map(({ peer_id, unread, last }) => [peer_id, unread, last.content]),
    [
      [PEER, 1, "text 6"],
      [OTHER, 1, "text 1"],
    ],
  );
  await notebook.openChat(PEER);
  assert.deepEqual(
    shown(),
    talk(6).map(({ content }) => content),
  );
  assert.equal(state.chat.messages[1].delivered, true);
});

test("what was taken over once is not fetched again", async () => {
  server.kept = { [PEER]: talk(2) };
  await history.begin();
  beginAnew();
  server.calls = [];
  await history.begin();
  await history.begin();
  assert.deepEqual(server.calls, ["settings"]);
});

test("without a history nothing is asked for", async () => {
  server.isOn = false;
  server.kept = { [PEER]: talk(2) };
  await history.begin();
  await history.fetchOlder(PEER, undefined);
  assert.deepEqual(server.calls, ["settings"]);
});

test("older messages come page by page to the end, and then no more", async () => {
  server.kept = { [PEER]: talk(120) };
  await history.begin();
  await notebook.openChat(PEER);
  assert.equal(shown().length, 50);
  for (let page = 0; page < 4; page += 1) await history.fetchOlder(PEER, state.chat.messages[0]);
  assert.deepEqual(
    shown(),
    talk(120).map(({ content }) => content),
  );
  const calls = server.calls.length;
  await history.fetchOlder(PEER, state.chat.messages[0]);
  assert.equal(server.calls.length, calls);
});

test("a message that was deleted on this device does not come back", async () => {
  server.kept = { [PEER]: talk(3) };
  await history.begin();
  await notebook.openChat(PEER);
  await notebook.change(async (ledger) => ledger.removeMessage(await ledger.findMessageById(`msg-${PEER}-2`)));
  await history.fetchOlder(PEER, state.chat.messages[0]);
  assert.deepEqual(shown(), ["text 1", "text 3"]);
});

test("a server that is away is asked again at the next connection", async () => {
  server.kept = { [PEER]: talk(2) };
  server.isDown = true;
  await history.begin();
  assert.deepEqual(state.conversations, []);
  server.isDown = false;
  await history.begin();
  assert.equal(state.conversations.length, 1);
});

test("a history that is switched on later is there from then on", async () => {
  server.isOn = false;
  await history.begin();
  server.isOn = true;
  server.kept = { [PEER]: talk(2) };
  await history.restart();
  assert.equal(state.conversations.length, 1);
});
