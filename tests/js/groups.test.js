import "fake-indexeddb/auto";

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { ApiError } from "../../static/chat/js/api.js";
import { applyFrames } from "../../static/chat/js/apply.js";
import { CHECK_EVERY_MS, Groups } from "../../static/chat/js/groups.js";
import { statusOf, writeMessage } from "../../static/chat/js/messages.js";
import { Notebook } from "../../static/chat/js/notebook.js";
import { mayRing, Notifications } from "../../static/chat/js/notifications.js";
import { People } from "../../static/chat/js/people.js";
import { buildMessageRead, buildOpenChat, buildSendMessage, buildTyping } from "../../static/chat/js/protocol.js";
import { ChatState } from "../../static/chat/js/state.js";
import { Store } from "../../static/chat/js/store.js";

const [ME, ANN] = ["usr-aaaaaaaaaaaa", "usr-bbbbbbbbbbbb"];
const GROUP = "grp-000000000001";
let store, state, notebook, groups, server, calls, changed, checks, failure;

beforeEach(async () => {
  store = await Store.open(ME);
  [server, calls, changed, checks, failure] = [new Map(), [], [], 0, null];
  loadPage();
});

afterEach(async () => {
  groups.stop();
  await store.destroy(ME);
});

function loadPage() {
  groups?.stop();
  state = new ChatState({ user_id: ME, username: "me" });
  notebook = new Notebook(store, state);
  const answer = (work) => async (groupId) => {
    calls.push(groupId ?? "all");
    if (failure) throw failure;
    return work(groupId);
  };
  const api = {
    listGroups: answer(() => [...server.values()].map(({ members: _, ...group }) => group)),
    getGroup: answer((groupId) => {
      if (!server.has(groupId)) throw new ApiError("not_found", "There is no such group.", 404);
      return server.get(groupId);
    }),
    removeMember: async () => null,
  };
  const onDelivery = (groupId) => changed.push(groupId);
  const onChecked = () => (checks += 1);
  const people = new People({ api, store, state });
  groups = new Groups({ api, notebook, state, people, onDelivery, onChecked, isVisible: () => true });
}

const member = (user_id, role = "member") => ({ user_id, role, username: user_id, display_name: "", avatar_color: "" });
const group = (version, fields = {}) => ({
  group_id: GROUP,
  name: "Chess",
  version,
  member_count: 2,
  delivery: "push",
  created_at: 1000,
  role: "member",
  muted_until: null,
  members: [member(ANN, "owner"), member(ME)],
  ...fields,
});
const event = (sequence, kind, user_ids, fields = {}) => ({
  action: "group_event",
  group_id: GROUP,
  event_id: `evt-${sequence}`,
  kind,
  by: ANN,
  user_ids,
  details: {},
  version: sequence,
  sequence,
  timestamp: 1000 + sequence,
  ...fields,
});
const incoming = (sequence, content = `text ${sequence}`) => ({
  action: "incoming_message",
  message_id: `msg-${sequence}`,
  sender_id: ANN,
  group_id: GROUP,
  content,
  timestamp: 1000 + sequence,
  sequence,
});
const apply = (...frames) => notebook.change((ledger) => applyFrames(ledger, state.me, frames));
const shown = () => state.chat.messages.map(({ event: told, content }) => told?.kind ?? content);

test("a group without a message is in the list, and after a reload too", async () => {
  server.set(GROUP, group(1));
  await groups.check();
  assert.equal(state.conversation(GROUP).last_at, 1000);
  loadPage();
  await notebook.load();
  assert.deepEqual([state.group(GROUP).name, state.conversation(GROUP).last], ["Chess", null]);
});

test("connections that come often ask for all groups once in a while, and again after a failure", async (context) => {
  context.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1_000_000 });
  failure = new ApiError("network", "The server cannot be reached.");
  await groups.check();
  failure = null;
  await groups.check();
  await groups.check();
  assert.deepEqual(calls, ["all", "all"]);
  context.mock.timers.setTime(1_000_000 + CHECK_EVERY_MS);
  await groups.check();
  assert.equal(calls.length, 3);
  assert.equal(checks, 3, "what they have new is looked for each time");
});

test("a group that is gone from the list is asked for, and ended if it is gone indeed", async () => {
  server.set(GROUP, group(1));
  await groups.fetchAll();
  server.clear();
  await groups.fetchAll();
  assert.equal(state.group(GROUP).ended.kind, "gone");
  assert.deepEqual(calls, ["all", "all", GROUP]);
});

test("a change is fetched where it is newer, once for several at the same time, and the names come with it", async () => {
  server.set(GROUP, group(3));
  await Promise.all([1, 2, 3].map((version) => groups.takeChange({ group_id: GROUP, version })));
  assert.equal(calls.length, 2, "one that was under way, and one after it");
  await groups.takeChange({ group_id: GROUP, version: 3 });
  assert.equal(calls.length, 2);
  assert.equal(state.person(ANN).username, ANN);
});

test("another way of delivery is told of, also at the first sight of a large group", async () => {
  server.set(GROUP, group(1, { delivery: "poll" }));
  await groups.fetch(GROUP);
  await groups.fetch(GROUP);
  server.set(GROUP, group(2));
  await groups.fetch(GROUP);
  assert.deepEqual(changed, [GROUP, GROUP]);
});

test("a change that nobody told of may have made a group large for a while", async () => {
  server.set(GROUP, group(1));
  await groups.fetch(GROUP);
  server.set(GROUP, group(2));
  await groups.fetch(GROUP);
  assert.deepEqual(changed, []);
  server.set(GROUP, group(4));
  await groups.fetch(GROUP);
  assert.deepEqual(changed, [GROUP]);
});

test("who leaves a large group, of which no event tells, has left at once", async () => {
  server.set(GROUP, group(1));
  await groups.fetch(GROUP);
  await groups.leave(GROUP);
  assert.equal(state.group(GROUP).ended.kind, "left");
});

test("events stand among the messages in the order of their sequence, and are not unread", async () => {
  await notebook.openChat(GROUP);
  const frames = [event(1, "created", [ANN, ME], { details: { name: "Chess" } }), incoming(2), event(3, "left", [ANN])];
  await apply(frames[2], frames[0], frames[1]);
  await apply(...frames);
  assert.deepEqual(shown(), ["created", "text 2", "left"]);
  assert.deepEqual([state.conversation(GROUP).unread, state.group(GROUP).name], [1, "Chess"]);
  assert.equal(state.conversation(GROUP).last.event.kind, "left");
});

test("mentions of oneself are counted until they are read", async () => {
  await apply(incoming(1), incoming(2, "hello @Me."), incoming(3, "and @methuselah"));
  const { unread, mentions } = state.conversation(GROUP);
  assert.deepEqual([unread, mentions], [3, 1]);
  await apply({ action: "message_read", message_id: "msg-2", reader_id: ME, group_id: GROUP });
  assert.deepEqual([state.conversation(GROUP).unread, state.conversation(GROUP).mentions], [1, 0]);
});

test("one member's reading does not make a message read by all", async () => {
  await notebook.change((ledger) =>
    ledger.putMessage(writeMessage({ client_id: "mine", sender_id: ME, peer_id: GROUP, content: "x", now: 1 })),
  );
  const received = {
    action: "message_received",
    message_id: "msg-1",
    message_id_by_client: "mine",
    timestamp: 1,
    sequence: 1,
  };
  const delivered = { action: "message_delivered", message_id: "msg-1", delivered: 2, members: 2 };
  await apply(received, delivered, { action: "message_read", message_id: "msg-1", reader_id: ANN, group_id: GROUP });
  await notebook.openChat(GROUP);
  assert.equal(statusOf(state.chat.messages[0], state.conversation(GROUP)), "delivered");
});

test("a refusal names the group that is to be looked at", async () => {
  await notebook.change((ledger) =>
    ledger.putMessage(writeMessage({ client_id: "mine", sender_id: ME, peer_id: GROUP, content: "x", now: 1 })),
  );
  const { refusedBy } = await apply({ action: "error", code: "not_a_member", message_id_by_client: "mine" });
  assert.deepEqual([...refusedBy], [GROUP]);
});

test("an event of a large group, or of one that is new here, asks for the group", async () => {
  const change = (delivery) =>
    notebook.change(async (ledger) => ledger.putGroup({ ...(await ledger.findGroup(GROUP)), delivery, members: [] }));
  assert.deepEqual([...(await apply(event(1, "joined", [ME]))).outdated], [GROUP], "new here");
  await change("push");
  assert.deepEqual([...(await apply(event(2, "renamed", []))).outdated], [], "group_changed says so");
  await change("poll");
  assert.deepEqual([...(await apply(event(3, "renamed", []))).outdated], [GROUP]);
  assert.deepEqual([...(await apply(event(4, "removed", [ME]))).outdated], [], "there is nothing to see any more");
});

test("an answer shows what it answers to as far as this device has it", async () => {
  await apply(incoming(1), { ...incoming(2), reply_to: "msg-1" }, { ...incoming(3), reply_to: "msg-0" });
  await notebook.openChat(GROUP);
  assert.equal(state.quoted("msg-1").content, "text 1");
  assert.equal(state.quoted("msg-0"), null);
  assert.deepEqual(state.listUnknownQuoted(), [], "what is not here is looked for once");
});

test("frames to a group name it, and an answer names what it answers to", () => {
  const entry = { client_id: "x", peer_id: GROUP, content: "hi", reply_to: "msg-1" };
  const { receiver_id, group_id, reply_to } = buildSendMessage(entry, 1);
  assert.deepEqual([receiver_id, group_id, reply_to], [undefined, GROUP, "msg-1"]);
  assert.ok(!("reply_to" in buildSendMessage({ ...entry, reply_to: null }, 1)));
  assert.equal(buildMessageRead("msg-1", GROUP, 1).group_id, GROUP);
  assert.deepEqual(buildOpenChat(GROUP), { action: "open_chat", group_id: GROUP });
  assert.deepEqual(buildTyping(GROUP, "start"), { action: "typing", group_id: GROUP, state: "start" });
});

test("a muted group rings for a mention alone", () => {
  const muted = { muted_until: 10 };
  assert.ok(!mayRing({}, muted, 9));
  assert.ok(mayRing({ mention_sequence: 1 }, muted, 9));
  assert.ok(mayRing({}, muted, 11));
  assert.ok(mayRing({}, null, 9));
});

test("notices say who wrote where, and nothing of what is on screen or one's own", async () => {
  const told = [];
  server.set(GROUP, group(1));
  await groups.fetch(GROUP);
  const notifications = new Notifications({ state, notify: (notice) => told.push(notice), isVisible: () => true });
  const { added } = await apply(incoming(1), { ...incoming(2), sender_id: ME });
  notifications.take(added);
  assert.deepEqual(told, [{ peerId: GROUP, title: `${ANN} · Chess`, body: "text 1" }]);
  await notebook.openChat(GROUP);
  notifications.take(added);
  assert.equal(told.length, 1);
});
