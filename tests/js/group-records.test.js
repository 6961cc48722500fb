import "fake-indexeddb/auto";

import assert from "node:assert/strict";
import { test } from "node:test";

import { openDB } from "idb";

import { newConversation, readByMember } from "../../static/chat/js/conversations.js";
import {
  hasMore,
  isMuted,
  isPolled,
  isSlowed,
  newGroup,
  polledUpTo,
  powersOver,
  withAnswer,
  withEvent,
  withoutMembership,
} from "../../static/chat/js/group-records.js";
import {
  partialDelivery,
  statusOf,
  withCounts,
  withDelivered,
  withReceived,
  writeMessage,
} from "../../static/chat/js/messages.js";
import { ChatState } from "../../static/chat/js/state.js";
import { Store } from "../../static/chat/js/store.js";

const [ME, ANN, BOB] = ["usr-aaaaaaaaaaaa", "usr-bbbbbbbbbbbb", "usr-cccccccccccc"];
const GROUP = "grp-000000000001";
const answer = (version, fields = {}) => ({
  group_id: GROUP,
  name: `v${version}`,
  version,
  muted_until: null,
  ...fields,
});
const event = (kind, sequence, fields = {}) => ({
  kind,
  sequence,
  version: sequence,
  by: ANN,
  user_ids: [],
  details: {},
  ...fields,
});
const removal = event("removed", 5, { user_ids: [ME] });
const ended = { kind: "removed", by: ANN, version: 5 };

test("a newer answer stands, an older one changes nothing", () => {
  const group = withAnswer(withAnswer(newGroup(GROUP), answer(2)), answer(1));
  assert.equal(group.name, "v2");
  assert.equal(withAnswer(group, answer(2, { muted_until: 9 })).muted_until, 9);
  assert.equal(withAnswer(withAnswer(group, answer(2, { muted_until: 9 })), answer(2)).muted_until, null);
});

test("members stay known where an answer comes without them", () => {
  const whole = withAnswer(newGroup(GROUP), answer(1, { members: [{ user_id: ANN, role: "owner", username: "ann" }] }));
  assert.deepEqual(whole.members, [{ user_id: ANN, role: "owner" }]);
  assert.deepEqual(withAnswer(whole, answer(2)).members, whole.members);
});

test("who is removed is out until an event or a newer answer takes them in again", () => {
  const out = withEvent(newGroup(GROUP), removal, ME);
  assert.deepEqual(out.ended, ended);
  assert.deepEqual(withAnswer(out, answer(4)).ended, ended, "an answer from before the removal");
  assert.equal(withAnswer(out, answer(6)).ended, null);
  assert.equal(withEvent(out, event("joined", 6, { user_ids: [ME] }), ME).ended, null);
  assert.deepEqual(withEvent(out, event("joined", 4, { user_ids: [ME] }), ME).ended, ended, "one that comes late");
  assert.deepEqual(withEvent(out, removal, ME), out, "one that comes twice");
});

test("what happens to others ends nothing, and a deleted group is out for all", () => {
  assert.equal(withEvent(newGroup(GROUP), event("removed", 5, { user_ids: [BOB] }), ME).ended, null);
  assert.equal(withEvent(newGroup(GROUP), event("deleted", 5), ME).ended.kind, "deleted");
});

test("a reason that an event told is kept where the server knows of no group any more", () => {
  assert.deepEqual(withoutMembership(withEvent(newGroup(GROUP), removal, ME), "gone", null).ended, ended);
  assert.equal(withoutMembership(newGroup(GROUP), "gone", null).ended.kind, "gone");
});

test("muted until a time, polled up to one, and polled only as a member", () => {
  assert.ok(isMuted({ muted_until: 10 }, 9));
  assert.ok(!isMuted({ muted_until: 10 }, 10));
  assert.ok(!isMuted(null, 1));
  assert.equal(polledUpTo(polledUpTo(newGroup(GROUP), 9, false), 5, false).polled_at, 9);
  assert.ok(hasMore({ delivery: "poll", ended: null, is_behind: true }));
  assert.ok(!hasMore({ delivery: "poll", ended, is_behind: true }));
  assert.ok(isPolled({ delivery: "poll", ended: null }));
  assert.ok(!isPolled({ delivery: "poll", ended }));
  assert.ok(!isPolled({ delivery: "push", ended: null }));
});

test("slow mode is for members", () => {
  const slowed = ["owner", "admin", "member"].filter((role) => isSlowed({ role, slow_mode_seconds: 10 }));
  assert.deepEqual(slowed, ["member"]);
  assert.ok(!isSlowed({ role: "member", slow_mode_seconds: 0 }));
});

test("the owner may do all, an admin may remove members, a member nothing", () => {
  const may = (role, other, user_id = ANN) =>
    Object.entries(powersOver({ role }, { user_id, role: other }, ME))
      .filter(([, isAllowed]) => isAllowed)
      .map(([power]) => power);
  assert.deepEqual(may("owner", "member"), ["remove", "promote", "handOver"]);
  assert.deepEqual(may("owner", "admin"), ["remove", "demote", "handOver"]);
  assert.deepEqual(may("owner", "owner", ME), []);
  assert.deepEqual(may("admin", "member"), ["remove"]);
  assert.deepEqual(may("admin", "admin"), []);
  assert.deepEqual(may("admin", "owner"), []);
  assert.deepEqual(may("member", "member"), []);
});

test("marks of a group: sent, some, delivered when all have it, read when all have read it", () => {
  const conversation = newConversation(GROUP);
  const written = writeMessage({ client_id: "x", sender_id: ME, peer_id: GROUP, content: "x", now: 1 });
  const sent = withReceived(written, { message_id: "msg-1", timestamp: 1, sequence: 7 });
  assert.equal(statusOf(sent, conversation), "sent");
  const some = withDelivered(sent, { message_id: "msg-1", delivered: 2, members: 3 });
  assert.deepEqual([statusOf(some, conversation), partialDelivery(some)], ["sent", { delivered: 2, members: 3 }]);
  const all = withDelivered(some, { message_id: "msg-1", delivered: 3, members: 3 });
  assert.deepEqual([statusOf(all, conversation), partialDelivery(all)], ["delivered", null]);
  const late = withDelivered(all, { message_id: "msg-1", delivered: 1, members: 3 });
  assert.equal(statusOf(late, conversation), "delivered", "a late frame takes nothing back");
  const readers = [ANN, BOB].reduce((told, reader) => readByMember(told, reader, { sequence: 7 }), conversation);
  assert.equal(statusOf(all, readers), "delivered");
  assert.equal(statusOf(all, readByMember(readers, "usr-dddddddddddd", { sequence: 8 })), "read");
  assert.equal(statusOf(withCounts(all, { delivered: 3, members: 3, read: 3 }), conversation), "read");
});

test("of a muted group only mentions count in the title", () => {
  const state = new ChatState({ user_id: ME });
  state.mergeGroups([{ ...newGroup(GROUP), muted_until: Date.now() + 60_000 }]);
  state.mergeConversations([
    { ...newConversation(GROUP), unread: 5, mentions: 1 },
    { ...newConversation(ANN), unread: 2 },
  ]);
  assert.equal(state.unreadTotal, 3);
});

test("a database of the release before groups keeps what it has", async () => {
  const old = await openDB(`chatsite-${ME}`, 1, {
    upgrade(db) {
      const messages = db.createObjectStore("messages", { keyPath: "key" });
      messages.createIndex("position", ["peer_id", "sequence", "queued_at"]);
      messages.createIndex("incoming", ["peer_id", "incoming_sequence"]);
      messages.createIndex("message_id", "message_id");
      messages.createIndex("outbox_at", "outbox_at");
      db.createObjectStore("seen");
      db.createObjectStore("conversations", { keyPath: "peer_id" });
      db.createObjectStore("people", { keyPath: "user_id" });
      db.createObjectStore("meta");
    },
  });
  const message = { key: "msg-1", message_id: "msg-1", peer_id: ANN, sequence: 1, queued_at: 1, incoming_sequence: 1 };
  await old.put("messages", message);
  const { readers: _readers, mentions: _mentions, ...conversation } = newConversation(ANN);
  await old.put("conversations", conversation);
  old.close();
  const store = await Store.open(ME);
  assert.deepEqual(await store.listMessages(ANN, { limit: 10 }), [message]);
  assert.deepEqual(await store.listGroups(), []);
  const refreshed = await store.change((ledger) => ledger.refreshConversation(ANN));
  assert.deepEqual([refreshed.unread, refreshed.mentions, refreshed.readers], [1, 0, {}]);
  await store.destroy(ME);
});
