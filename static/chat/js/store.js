/**
 * The messages of one user on this device, in IndexedDB. All reading and writing of it happens here.
 *
 * | store | key | holds |
 * |---|---|---|
 * | messages | key | records of messages.js |
 * | seen | message_id | ids that were stored once, also of messages deleted since |
 * | conversations | peer_id | records of conversations.js; `peer_id` is a person's id or a group's |
 * | groups | group_id | records of group-records.js |
 * | people | user_id | {user_id, username, display_name, avatar_color} |
 * | meta | name | device_id, history_device_id, dismissed_warnings (their created_at), blocked (user ids) |
 */

import { deleteDB, openDB } from "idb";

import { newConversation } from "./conversations.js";
import { UNSEQUENCED } from "./messages.js";

const VERSION = 2;
const ALL_STORES = ["messages", "seen", "conversations", "people", "meta", "groups"];

export class Store {
  #db;

  constructor(db) {
    this.#db = db;
  }

  /** Open (and make) the database of this user. `onClosed` is told when another tab deletes it. */
  static async open(userId, onClosed = () => {}) {
    const db = await openDB(databaseName(userId), VERSION, {
      upgrade,
      blocking: () => {
        db.close();
        onClosed();
      },
    });
    return new Store(db);
  }

  /** Close this one and delete everything of the user from this device. */
  async destroy(userId) {
    this.#db.close();
    await deleteDB(databaseName(userId));
  }

  /**
   * Run `work(ledger)` in one transaction; resolves with its result when everything is on disk.
   *
   * The server forgets its copy once a message is confirmed, so "stored" must survive a power cut: `strict`.
   */
  async change(work) {
    const transaction = this.#db.transaction(ALL_STORES, "readwrite", { durability: "strict" });
    const isDone = transaction.done;
    try {
      const result = await work(new Ledger(transaction));
      await isDone;
      return result;
    } catch (error) {
      isDone.catch(() => null); // it says only that the transaction was aborted; `error` says why
      abort(transaction);
      throw error;
    }
  }

  listConversations() {
    return this.#db.getAll("conversations");
  }

  listGroups() {
    return this.#db.getAll("groups");
  }

  /** A message that the server knows by this id; undefined where this device has none. */
  findMessageById(messageId) {
    return this.#db.getFromIndex("messages", "message_id", messageId);
  }

  listPeople() {
    return this.#db.getAll("people");
  }

  putPerson(person) {
    return this.#db.put("people", person);
  }

  getMeta(name) {
    return this.#db.get("meta", name);
  }

  /** What waits for ✓, oldest first. */
  listWaiting() {
    return this.#db.getAllFromIndex("messages", "outbox_at");
  }

  /** Up to `limit` messages of a conversation in its order, the ones just before `before` (a record) or the last. */
  async listMessages(peerId, { limit, before = null }) {
    const end = before ? [peerId, before.sequence, before.queued_at] : [peerId, UNSEQUENCED, UNSEQUENCED];
    const range = IDBKeyRange.bound([peerId], end, false, before !== null);
    const messages = [];
    const index = this.#db.transaction("messages").store.index("position");
    for await (const cursor of index.iterate(range, "prev")) {
      messages.push(cursor.value);
      if (messages.length === limit) break;
    }
    return messages.reverse();
  }
}

/** Undo a transaction whose work failed; one that has ended by itself refuses and needs no undoing. */
function abort(transaction) {
  try {
    transaction.abort();
  } catch (error) {
    if (error.name !== "InvalidStateError") throw error;
  }
}

function databaseName(userId) {
  return `chatsite-${userId}`;
}

/** From whatever version this device has, step by step; `transaction` is the one of the change. */
function upgrade(db, oldVersion, _newVersion, transaction) {
  if (oldVersion < 1) createStores(db);
  if (oldVersion < 2) addGroups(db, transaction);
}

function createStores(db) {
  const messages = db.createObjectStore("messages", { keyPath: "key" });
  messages.createIndex("position", ["peer_id", "sequence", "queued_at"]);
  messages.createIndex("incoming", ["peer_id", "incoming_sequence"]);
  messages.createIndex("message_id", "message_id");
  messages.createIndex("outbox_at", "outbox_at");
  db.createObjectStore("seen");
  db.createObjectStore("conversations", { keyPath: "peer_id" });
  db.createObjectStore("people", { keyPath: "user_id" });
  db.createObjectStore("meta");
}

function addGroups(db, transaction) {
  db.createObjectStore("groups", { keyPath: "group_id" });
  transaction.objectStore("messages").createIndex("mention", ["peer_id", "mention_sequence"]);
}

/** The database inside one transaction. It remembers what the transaction changed. */
export class Ledger {
  changedKeys = new Set();
  removedKeys = new Set();
  changedPeers = new Set();
  changedGroups = new Set();
  #stores;

  constructor(transaction) {
    this.#stores = Object.fromEntries(ALL_STORES.map((name) => [name, transaction.objectStore(name)]));
  }

  findMessage(key) {
    return this.#stores.messages.get(key);
  }

  findMessageById(messageId) {
    return this.#stores.messages.index("message_id").get(messageId);
  }

  async putMessage(record) {
    this.changedKeys.add(record.key);
    this.removedKeys.delete(record.key);
    this.changedPeers.add(record.peer_id);
    await this.#stores.messages.put(record);
  }

  async removeMessage(record) {
    this.removedKeys.add(record.key);
    this.changedKeys.delete(record.key);
    this.changedPeers.add(record.peer_id);
    await this.#stores.messages.delete(record.key);
  }

  listWaiting() {
    return this.#stores.messages.index("outbox_at").getAll();
  }

  async hasSeen(messageId) {
    return (await this.#stores.seen.getKey(messageId)) !== undefined;
  }

  async markSeen(messageId) {
    await this.#stores.seen.put(Date.now(), messageId);
  }

  async getConversation(peerId) {
    // What an earlier release wrote lacks the newer fields.
    return { ...newConversation(peerId), ...(await this.#stores.conversations.get(peerId)) };
  }

  async putConversation(conversation) {
    this.changedPeers.add(conversation.peer_id);
    await this.#stores.conversations.put(conversation);
  }

  /** The peer's newest message; undefined where none is. */
  async findLastIncoming(peerId) {
    const cursor = await this.#stores.messages.index("incoming").openCursor(wholeConversation(peerId), "prev");
    return cursor?.value;
  }

  /** Undefined where none is known. */
  findGroup(groupId) {
    return this.#stores.groups.get(groupId);
  }

  async putGroup(group) {
    this.changedGroups.add(group.group_id);
    this.changedPeers.add(group.group_id);
    await this.#stores.groups.put(group);
  }

  /** Bring preview, time and unread count of one conversation in line with its messages. */
  async refreshConversation(peerId) {
    const conversation = await this.getConversation(peerId);
    const cursor = await this.#stores.messages.index("position").openCursor(wholeConversation(peerId), "prev");
    const last = cursor?.value ?? null;
    const unreadRange = IDBKeyRange.bound([peerId, conversation.read_sequence], [peerId, UNSEQUENCED], true);
    const unread = await this.#stores.messages.index("incoming").count(unreadRange);
    const mentions = await this.#stores.messages.index("mention").count(unreadRange);
    const last_at = Math.max(conversation.last_at, last?.timestamp ?? 0);
    const refreshed = { ...conversation, last, last_at, unread, mentions };
    await this.putConversation(refreshed);
    return refreshed;
  }

  getMeta(name) {
    return this.#stores.meta.get(name);
  }

  async putMeta(name, value) {
    await this.#stores.meta.put(value, name);
  }
}

function wholeConversation(peerId) {
  // An array sorts after every number, so this bound is above each [peerId, number, …].
  return IDBKeyRange.bound([peerId], [peerId, []]);
}
