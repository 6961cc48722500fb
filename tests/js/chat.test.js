import "fake-indexeddb/auto";

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { ApiError } from "../../static/chat/js/api.js";
import { Chat } from "../../static/chat/js/chat.js";
import { ChatState } from "../../static/chat/js/state.js";
import { Store } from "../../static/chat/js/store.js";
import { connected, FakeNetwork } from "./fake-socket.js";

const ME = "usr-aaaaaaaaaaaa";
const PEER = "usr-bbbbbbbbbbbb";
const GROUP = "grp-000000000001";
let store, network, chats, isVisible, visits, refusal, reports, groupsAsked;

beforeEach(async () => {
  store = await Store.open(ME);
  network = new FakeNetwork();
  chats = [];
  isVisible = true;
  visits = 0;
  refusal = "not_authenticated";
  reports = [];
  groupsAsked = [];
});

afterEach(async () => {
  for (const chat of chats) chat.stop();
  await store.destroy(ME);
});

/** The app as it is after a page was loaded, with its connection open. */
async function loadPage({ device_id = "dev-aaaaaaaaaaaa", isConnected = true } = {}) {
  const api = {
    getPerson: async (user_id) => {
      if (user_id !== PEER) throw new ApiError("not_found", "There is no such person.", 404);
      return { user_id, username: "bob", display_name: "Bob" };
    },
    getMe: async () => {
      throw new ApiError(refusal, `Refused: ${refusal}`, 403);
    },
    getSettings: async () => ({ history_days: 0 }),
    listPresence: async (userIds) => userIds.map((user_id) => ({ user_id, online: true })),
    block: async () => null,
    unblock: async () => null,
    report: async (report) => reports.push(report),
    listWarnings: async () => [],
    listBlocked: async () => [],
    listGroups: async () => [],
    getGroup: async (groupId) => {
      groupsAsked.push(groupId);
      throw new ApiError("not_found", "There is no such group.", 404);
    },
    logOut: async () => null,
  };
  const environment = { isVisible: () => isVisible, isOnline: () => true, goToLogin: () => (visits += 1) };
  const state = new ChatState({ user_id: ME, device_id });
  const chat = new Chat({ state, store, api, socketUrl: "ws://test/", environment, openWebSocket: network.open });
  chats.push(chat);
  await chat.start();
  if (isConnected) network.last.receive(connected);
  return chat;
}

const incoming = (sequence) => ({
  action: "incoming_message",
  message_id: `msg-${sequence}`,
  sender_id: PEER,
  content: `text ${sequence}`,
  timestamp: 1000 + sequence,
  sequence,
});

const sentOf = (action) => network.last.sent.filter((frame) => frame.action === action);

/** Wait until `condition` holds; states change in the database's time. */
async function until(condition, what) {
  const deadline = Date.now() + 5000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `waited too long for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("messages are confirmed after they are stored, many in one frame", async () => {
  await loadPage();
  const change = store.change.bind(store);
  store.change = async (work) => {
    const result = await change(work);
    assert.deepEqual(sentOf("message_delivered"), [], "nothing is confirmed before the transaction is complete");
    return result;
  };
  network.last.receive(incoming(1));
  await until(() => sentOf("message_delivered").length === 1, "the confirmation");
  store.change = change;
  for (let sequence = 2; sequence <= 100; sequence += 1) network.last.receive(incoming(sequence));
  const confirmed = () => sentOf("message_delivered").flatMap(({ message_ids }) => message_ids);
  await until(() => confirmed().length === 100, "100 confirmations");
  assert.ok(sentOf("message_delivered").length < 10);
  assert.equal((await store.listMessages(PEER, { limit: 200 })).length, 100);
});

test("a message that could not be stored is not confirmed, and the connection is made anew", async (context) => {
  context.mock.method(console, "error", () => null);
  const chat = await loadPage();
  const socket = network.last;
  context.mock.method(store, "change", () => Promise.reject(new DOMException("full", "QuotaExceededError")));
  socket.receive(incoming(1));
  await until(() => chat.state.notice !== "", "the notice");
  assert.match(chat.state.notice, /full/);
  assert.deepEqual(socket.sent, []);
  assert.ok(socket.isClosed);
});

test("what was written offline is sent in order after a reload, with the ids it had", async () => {
  const before = await loadPage({ isConnected: false });
  await Promise.all([before.send(PEER, "one"), before.send(PEER, "two"), before.send(PEER, " three ")]);
  const ids = (await store.listWaiting()).map(({ client_id }) => client_id);
  await loadPage();
  for (let index = 0; index < 3; index += 1) {
    await until(() => sentOf("send_message").length === index + 1, "the next message");
    network.last.receive({
      action: "message_received",
      message_id: `msg-${index}`,
      message_id_by_client: ids[index],
      timestamp: 1,
      sequence: index,
    });
  }
  const sent = sentOf("send_message");
  assert.deepEqual(
    sent.map(({ content }) => content),
    ["one", "two", "three"],
  );
  assert.deepEqual(
    sent.map(({ message_id_by_client }) => message_id_by_client),
    ids,
  );
});

test("what was written offline to a group is sent in order after a reload, beside another conversation", async () => {
  const before = await loadPage({ isConnected: false });
  for (const text of ["one", "two"]) await before.send(GROUP, text, "msg-9");
  await before.send(PEER, "hello");
  await loadPage();
  await until(() => sentOf("send_message").length === 2, "the first of each");
  const [toGroup, toPeer] = sentOf("send_message");
  assert.deepEqual([toGroup.group_id, toGroup.content, toGroup.reply_to], [GROUP, "one", "msg-9"]);
  assert.deepEqual([toPeer.receiver_id, toPeer.content], [PEER, "hello"]);
  const { message_id_by_client } = toGroup;
  const again = { action: "error", code: "unavailable", message: "", message_id_by_client, retry_after_ms: 5 };
  network.last.receive(again);
  await until(() => sentOf("send_message").length === 3, "the second try");
  assert.equal(sentOf("send_message")[2].content, "one", "nothing newer goes before it");
});

test("a removed member's message fails with the reason, and the group is asked for", async () => {
  const chat = await loadPage();
  await chat.openChat(GROUP);
  await chat.send(GROUP, "may I?");
  const [{ message_id_by_client }] = sentOf("send_message");
  const asked = groupsAsked.length;
  network.last.receive({ action: "error", code: "not_a_member", message: "", message_id_by_client });
  await until(() => chat.state.chat.messages[0].error, "the refusal");
  assert.equal(chat.state.chat.messages[0].error.code, "not_a_member");
  await until(() => groupsAsked.length > asked, "the question");
});

test("a message from before another login is not sent by itself", async () => {
  const before = await loadPage({ isConnected: false });
  await before.send(PEER, "one");
  const chat = await loadPage({ device_id: "dev-cccccccccccc" });
  await chat.openChat(PEER);
  const [message] = chat.state.chat.messages;
  assert.equal(message.error.code, "other_login");
  assert.deepEqual(sentOf("send_message"), []);
  await chat.writing.tryAgain(message.key);
  await until(() => sentOf("send_message").length === 1, "the new try");
  assert.notEqual(sentOf("send_message")[0].message_id_by_client, message.client_id);
  assert.equal(chat.state.chat.messages.length, 1);
});

test("a retryable error is tried again after its time, with the same id", async () => {
  const chat = await loadPage();
  await chat.send(PEER, "one");
  const [{ message_id_by_client }] = sentOf("send_message");
  const error = { action: "error", code: "unavailable", message: "", message_id_by_client, retry_after_ms: 20 };
  network.last.receive(error);
  await until(() => sentOf("send_message").length === 2, "the second try");
  assert.equal(sentOf("send_message")[1].message_id_by_client, message_id_by_client);
});

test("a message is read when its chat is open and the page can be seen, and not before", async () => {
  const chat = await loadPage();
  isVisible = false;
  await chat.openChat(PEER);
  for (const sequence of [1, 2]) {
    network.last.receive(incoming(sequence));
    // The second one is taken in when everything about the first is done.
    await until(() => sentOf("message_delivered").length === sequence, "the confirmation");
  }
  assert.equal(chat.state.unreadTotal, 2);
  assert.deepEqual(sentOf("message_read"), []);
  isVisible = true;
  await chat.markRead();
  assert.equal(chat.state.unreadTotal, 0);
  const [{ message_id, receiver_id }] = sentOf("message_read");
  assert.deepEqual([message_id, receiver_id], ["msg-2", PEER]);
});

test("reading is reported again on the next connection until heartbeats were answered", async () => {
  const chat = await loadPage();
  await chat.openChat(PEER);
  network.last.receive(incoming(1));
  await until(() => sentOf("message_read").length === 1, "the report");
  network.last.end(1012);
  chat.wakeUp();
  network.last.receive(connected);
  assert.equal(sentOf("message_read").length, 1);
  for (let beat = 0; beat < 2; beat += 1) network.last.receive({ action: "heartbeat", timestamp: 1 });
  await until(() => chat.state.conversation(PEER).read_reported_id === "msg-1", "the end of it");
  network.last.end(1012);
  chat.wakeUp();
  network.last.receive(connected);
  assert.deepEqual(sentOf("message_read"), []);
});

test("another window takes over, and `useHere` takes back with what happened there", async () => {
  const first = await loadPage();
  await first.openChat(PEER);
  network.last.end(4409);
  assert.equal(first.state.interruption, "replaced");
  assert.equal(first.state.connection, "Offline");
  await loadPage();
  network.last.receive(incoming(1));
  await until(() => sentOf("message_delivered").length === 1, "the message in the other window");
  await first.useHere();
  network.last.receive(connected);
  assert.equal(first.state.interruption, null);
  assert.equal(first.state.connection, "Connected");
  assert.deepEqual(
    first.state.chat.messages.map(({ content }) => content),
    ["text 1"],
  );
});

test("4401 leads to the login page, 4403 says that the session was ended", async () => {
  const chat = await loadPage();
  network.last.end(4401);
  assert.equal(visits, 1);
  assert.equal(chat.state.interruption, null);
  const other = await loadPage();
  network.last.end(4403);
  assert.equal(other.state.interruption, "ended");
  assert.equal(visits, 1);
});

test("a suspended user is told so at once, and why as soon as the server has said it", async () => {
  refusal = "suspended";
  const chat = await loadPage();
  network.last.end(4403, "account suspended");
  assert.deepEqual([chat.state.interruption, chat.state.suspension], ["suspended", ""]);
  await until(() => chat.state.suspension, "the reason");
  assert.equal(chat.state.suspension, "Refused: suspended");
});

test("a suspension is told also where the close reason was lost, and is told when nothing can be asked", async () => {
  refusal = "suspended";
  const chat = await loadPage();
  network.last.end(4403);
  await until(() => chat.state.interruption === "suspended", "the answer");
  refusal = "network";
  const other = await loadPage();
  network.last.end(4403, "account suspended");
  assert.deepEqual([other.state.interruption, other.state.suspension], ["suspended", ""]);
});

test("the status says Connected, Reconnecting, and Connected again", async () => {
  const chat = await loadPage();
  assert.equal(chat.state.connection, "Connected");
  network.last.end(1006);
  assert.equal(chat.state.connection, "Reconnecting");
  chat.wakeUp();
  network.last.receive(connected);
  assert.equal(chat.state.connection, "Connected");
});

test("who is in the list is asked for with the page, and a push about them is newer", async () => {
  await loadPage();
  network.last.receive(incoming(1));
  await until(() => sentOf("message_delivered").length === 1, "the message");
  const chat = await loadPage();
  await until(() => chat.state.isOnline(PEER), "the answer");
  network.last.receive({ action: "presence", user_id: PEER, online: false, last_seen: 1 });
  assert.equal(chat.state.isOnline(PEER), false);
});

test("blocking, unblocking and reporting are said for a moment", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const chat = await loadPage({ isConnected: false });
  await chat.safety.block(PEER);
  assert.deepEqual([[...chat.state.blocked], chat.state.announcement], [[PEER], "Blocked."]);
  await chat.safety.unblock(PEER);
  assert.deepEqual([[...chat.state.blocked], chat.state.announcement], [[], "Unblocked."]);
  await chat.safety.report({ user_id: PEER, reason: "Something else" });
  assert.deepEqual(reports, [{ user_id: PEER, reason: "Something else" }]);
  assert.match(chat.state.announcement, /moderators/);
  context.mock.timers.tick(60_000);
  assert.equal(chat.state.announcement, "");
});

test("names of strangers are fetched, and an unknown one harms nothing", async () => {
  const chat = await loadPage();
  network.last.receive(incoming(1));
  network.last.receive({ ...incoming(2), sender_id: "usr-dddddddddddd" });
  await until(() => chat.state.person(PEER) && chat.state.conversations.length === 2, "the profile");
  assert.equal(chat.state.person(PEER).display_name, "Bob");
  assert.equal(chat.state.person("usr-dddddddddddd"), null);
});

test("logging out deletes everything from this device", async () => {
  const chat = await loadPage();
  network.last.receive(incoming(1));
  await until(() => sentOf("message_delivered").length === 1, "the message");
  await chat.logOut();
  assert.equal(visits, 1);
  store = await Store.open(ME);
  assert.deepEqual(await store.listConversations(), []);
});
