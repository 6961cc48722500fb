import "fake-indexeddb/auto";

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { applyFrames } from "../../static/chat/js/apply.js";
import { readUpTo } from "../../static/chat/js/conversations.js";
import { statusOf, withError, withNewTry, writeMessage } from "../../static/chat/js/messages.js";
import { Notebook } from "../../static/chat/js/notebook.js";
import { ChatState } from "../../static/chat/js/state.js";
import { Store } from "../../static/chat/js/store.js";

const ME = "usr-aaaaaaaaaaaa";
const PEER = "usr-bbbbbbbbbbbb";
let store, state, notebook;

beforeEach(async () => {
  store = await Store.open(ME);
  state = new ChatState({ user_id: ME, device_id: "dev-aaaaaaaaaaaa" });
  notebook = new Notebook(store, state);
  await notebook.openChat(PEER);
});

afterEach(() => store.destroy(ME));

const apply = (...frames) => notebook.change((ledger) => applyFrames(ledger, { user_id: ME, username: "ann" }, frames));
const write = (client_id, now = 1) =>
  notebook.change((ledger) =>
    ledger.putMessage(writeMessage({ client_id, sender_id: ME, peer_id: PEER, content: client_id, now })),
  );
const incoming = (sequence, fields = {}) => ({
  action: "incoming_message",
  message_id: `msg-${sequence}`,
  sender_id: PEER,
  content: `text ${sequence}`,
  timestamp: 1000 + sequence,
  sequence,
  ...fields,
});
const received = (message_id_by_client, sequence) => ({
  action: "message_received",
  message_id: `msg-${sequence}`,
  message_id_by_client,
  timestamp: 1000 + sequence,
  sequence,
});
const delivered = (sequence, fields = {}) => ({
  action: "message_delivered",
  message_id: `msg-${sequence}`,
  timestamp: 1,
  ...fields,
});
const read = (sequence, reader_id) => ({ action: "message_read", message_id: `msg-${sequence}`, reader_id });

/** What is on screen, in short. */
const shown = () =>
  state.chat.messages.map((message) => {
    const status = message.sender_id === ME ? ` ${statusOf(message, conversation())}` : "";
    return `${message.content}${status}`;
  });
const conversation = () => state.conversation(PEER);

test("a message that comes twice is shown once and confirmed twice", async () => {
  assert.deepEqual((await apply(incoming(1))).confirm, ["msg-1"]);
  assert.deepEqual((await apply(incoming(1), incoming(1))).confirm, ["msg-1", "msg-1"]);
  assert.deepEqual(shown(), ["text 1"]);
  assert.equal(conversation().unread, 1);
});

test("a message that was deleted here does not come back", async () => {
  await apply(incoming(1));
  await notebook.change(async (ledger) => ledger.removeMessage(await ledger.findMessage("msg-1")));
  await apply(incoming(1));
  assert.deepEqual(shown(), []);
});

test("messages stand in the order of their sequence, however they come", async () => {
  await apply(incoming(3), incoming(1));
  await apply(incoming(2));
  assert.deepEqual(shown(), ["text 1", "text 2", "text 3"]);
  assert.equal(conversation().last.content, "text 3");
});

test("a message waits at the end, and takes its place with ✓", async () => {
  await write("mine");
  await apply(incoming(2));
  assert.deepEqual(shown(), ["text 2", "mine waiting"]);
  const { settled } = await apply(received("mine", 1));
  assert.deepEqual(settled, ["mine"]);
  assert.deepEqual(shown(), ["mine sent", "text 2"]);
  assert.deepEqual(await store.listWaiting(), []);
});

test("✓ may come again with another id and sequence; the last one stands", async () => {
  await write("mine");
  await apply(received("mine", 1), received("mine", 5), incoming(3));
  assert.deepEqual(shown(), ["text 3", "mine sent"]);
  await apply(delivered(5));
  assert.deepEqual(shown(), ["text 3", "mine delivered"]);
});

test("✓✓ before ✓ shows as delivered, and the message is sent again until its sequence is known", async () => {
  await write("mine");
  const { settled } = await apply(delivered(1, { message_id_by_client: "mine" }));
  assert.deepEqual(settled, []);
  assert.deepEqual(shown(), ["mine delivered"]);
  assert.equal((await store.listWaiting()).length, 1);
  await apply(received("mine", 1), incoming(2));
  assert.deepEqual(shown(), ["mine delivered", "text 2"]);
});

test("a repeated ✓ after ✓✓ takes nothing back", async () => {
  await write("mine");
  await apply(received("mine", 1), delivered(1), received("mine", 1));
  assert.deepEqual(shown(), ["mine delivered"]);
});

test("the peer has read a message and all before it, never fewer than before", async () => {
  await write("one", 1);
  await write("two", 2);
  await write("three", 3);
  await apply(received("one", 1), received("two", 2), received("three", 3), delivered(3));
  await apply(read(2, PEER), read(1, PEER));
  assert.deepEqual(shown(), ["one read", "two read", "three delivered"]);
});

test("what another device of mine has read counts as read here", async () => {
  await apply(incoming(1), incoming(2), incoming(3), read(2, ME));
  assert.equal(conversation().unread, 1);
  await apply(read(1, ME));
  assert.equal(conversation().unread, 1);
});

test("reading is reported until it is known to have arrived", async () => {
  await apply(incoming(1));
  await notebook.change(async (ledger) => {
    const last = await ledger.findLastIncoming(PEER);
    await ledger.putConversation(readUpTo(await ledger.getConversation(PEER), last));
  });
  assert.equal(conversation().unread, 0);
  assert.equal(conversation().read_message_id, "msg-1");
  assert.equal(conversation().read_reported_id, null);
});

test("the copy of what another device of mine sent is mine, and gets its ✓✓", async () => {
  await apply(incoming(1, { sender_id: ME, receiver_id: PEER }));
  assert.deepEqual(shown(), ["text 1 sent"]);
  assert.equal(conversation().unread, 0);
  await apply(delivered(1));
  assert.deepEqual(shown(), ["text 1 delivered"]);
});

test("a retryable error asks for another try and leaves the message waiting", async () => {
  await write("mine");
  const frame = { action: "error", code: "rate_limited", message_id_by_client: "mine", retry_after_ms: 700 };
  const { postponed, settled } = await apply(frame);
  assert.deepEqual(postponed, [{ client_id: "mine", retry_after_ms: 700 }]);
  assert.deepEqual(settled, []);
  assert.deepEqual(shown(), ["mine waiting"]);
});

test("a permanent error ends the sending", async () => {
  await write("mine");
  const { settled } = await apply({ action: "error", code: "forbidden", message_id_by_client: "mine" });
  assert.deepEqual(settled, ["mine"]);
  assert.deepEqual(shown(), ["mine failed"]);
  assert.deepEqual(await store.listWaiting(), []);
});

test("a late error withdraws the message, also after ✓✓, and no repeated frame brings it back", async () => {
  await write("mine");
  await apply(received("mine", 1), delivered(1));
  const withdrawal = { action: "error", code: "forbidden", message_id: "msg-1" };
  await apply(withdrawal, withdrawal, received("mine", 1));
  assert.deepEqual(shown(), ["mine failed"]);
});

test("an error that names no message changes nothing", async () => {
  await apply({ action: "error", code: "invalid_json" }, { action: "error", code: "overloaded" });
  assert.deepEqual(shown(), []);
});

test("frames of unknown messages and unknown actions change nothing", async () => {
  await apply(received("nobody", 1), delivered(2), read(3, PEER), { action: "presence" }, { action: "typing" });
  assert.deepEqual(shown(), []);
  assert.deepEqual(state.conversations, []);
});

test("any frame may come twice at any place: the end is the same", async () => {
  const frames = [
    incoming(1),
    received("one", 2),
    delivered(2, { message_id_by_client: "one" }),
    incoming(3, { sender_id: ME, receiver_id: PEER }),
    { action: "error", code: "forbidden", message_id_by_client: "two" },
    read(2, PEER),
    incoming(4),
    read(1, ME),
    delivered(3),
  ];
  await write("one", 1);
  await write("two", 2);
  await apply(...frames);
  const once = [shown(), conversation().unread];
  for (let repeated = 0; repeated < frames.length; repeated += 1) {
    await apply(...frames.slice(repeated), ...frames.slice(0, repeated).reverse());
    assert.deepEqual([shown(), conversation().unread], once);
  }
  await notebook.openChat(PEER);
  assert.deepEqual([shown(), conversation().unread], once, "the store says the same as the screen");
});

test("a new try is the newest message; only after its 7 days it keeps its client id", () => {
  const message = writeMessage({ client_id: "old", sender_id: ME, peer_id: PEER, content: "x", now: 1 });
  const expired = withNewTry(withError(message, { code: "expired" }), "new", 9);
  assert.deepEqual([expired.client_id, expired.outbox_at, expired.error], ["old", 9, null]);
  const refused = withNewTry(withError(message, { code: "conflict" }), "new", 9);
  assert.deepEqual([refused.client_id, refused.key], ["new", "new"]);
});

test("a change that fails leaves nothing behind", async () => {
  const failing = notebook.change(async (ledger) => {
    await applyFrames(ledger, { user_id: ME }, [incoming(1)]);
    throw new Error("no room");
  });
  await assert.rejects(failing, /no room/);
  assert.deepEqual(await store.listMessages(PEER, { limit: 10 }), []);
  assert.deepEqual(shown(), []);
});

test("older messages come page by page, without gap or repetition", async () => {
  await apply(...Array.from({ length: 450 }, (_, index) => incoming(index + 1)));
  await notebook.openChat(PEER);
  assert.equal(state.chat.messages.length, 200);
  assert.ok(state.chat.hasOlder);
  await notebook.loadOlder();
  await notebook.loadOlder();
  await notebook.loadOlder();
  assert.ok(!state.chat.hasOlder);
  const sequences = state.chat.messages.map(({ sequence }) => sequence);
  assert.deepEqual(
    sequences,
    Array.from({ length: 450 }, (_, index) => index + 1),
  );
});

test("a change of a message above the loaded page leaves no gap on screen", async () => {
  await write("early");
  await apply(received("early", 1), ...Array.from({ length: 300 }, (_, index) => incoming(index + 2)));
  await notebook.openChat(PEER);
  await apply(delivered(1));
  assert.equal(state.chat.messages.length, 200);
  await notebook.loadOlder();
  assert.equal(state.chat.messages.length, 301);
  assert.equal(shown()[0], "early delivered");
});

test("of two chats opened at once the last one is shown", async () => {
  const OTHER = "usr-cccccccccccc";
  await apply(incoming(1), incoming(2, { sender_id: OTHER }));
  await Promise.all([notebook.openChat(OTHER), notebook.openChat(PEER)]);
  assert.deepEqual(shown(), ["text 1"]);
  await Promise.all([notebook.openChat(OTHER), notebook.closeChat()]);
  assert.equal(state.chat, null);
});
