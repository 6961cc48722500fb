/**
 * What the views show: a picture, in memory, of the part of the store that is on screen, and of the connection.
 *
 * Knows neither DOM nor socket nor database. Every change is by value and may be repeated; each tells the
 * listeners of "change".
 */

import { isMuted } from "./group-records.js";
import { comparePosition } from "./messages.js";

/** Connection states, in the words of the status region. */
export const CONNECTION = Object.freeze({
  CONNECTED: "Connected",
  RECONNECTING: "Reconnecting",
  OFFLINE: "Offline",
});

export class ChatState extends EventTarget {
  me;
  connection = CONNECTION.RECONNECTING;
  /** null, "replaced" (the chat is open in another window) "suspended" or "ended" (the session was ended). */
  interruption = null;
  /** What the server says of a suspension, its reason in it; "" before it was asked, and where it cannot be. */
  suspension = "";
  notice = "";
  /** What has just been done, for a moment; "" otherwise. */
  announcement = "";
  /** Ids of those whom this user has blocked. */
  blocked = new Set();
  /** null, or {note, created_at: ms} that a moderator wrote and that is not dismissed here. */
  warning = null;
  settingsVersion = 0;
  /** null, or {user_id, online, last_seen: ms or null} of the person whose chat is on screen. */
  presence = null;
  /** Ids of those in the list who were online when last heard of. */
  online = new Set();
  /** Ids of those who are writing to this user. */
  writers = new Set();
  /** Ids of those who are writing in the group on screen. */
  groupWriters = new Set();
  #conversations = new Map();
  #groups = new Map();
  #people = new Map();
  /** Messages that others answer to, by id; null: this device does not have it. */
  #quoted = new Map();
  #chat = null;

  /** @param {{user_id: string, device_id: string, username: string, display_name: string}} me */
  constructor(me) {
    super();
    this.me = me;
  }

  /** Newest first. */
  get conversations() {
    return [...this.#conversations.values()].sort((a, b) => b.last_at - a.last_at);
  }

  /** null, or {peer_id, messages in order, hasOlder}. */
  get chat() {
    return this.#chat;
  }

  get openPeerId() {
    return this.#chat?.peer_id ?? null;
  }

  /** What is not read and may be told of: of a muted group only mentions. */
  get unreadTotal() {
    const now = Date.now();
    const counts = this.conversations.map(({ peer_id, unread, mentions }) =>
      isMuted(this.#groups.get(peer_id), now) ? mentions : unread,
    );
    return counts.reduce((total, count) => total + count, 0);
  }

  /** Every group that this device knows, also those that this user is no member of any more. */
  get groups() {
    return [...this.#groups.values()];
  }

  group(groupId) {
    return this.#groups.get(groupId) ?? null;
  }

  conversation(peerId) {
    return this.#conversations.get(peerId) ?? null;
  }

  person(userId) {
    return this.#people.get(userId) ?? null;
  }

  /** Whether somebody is there now; without a connection nobody knows. */
  isOnline(userId) {
    return this.connection === CONNECTION.CONNECTED && this.online.has(userId);
  }

  set(fields) {
    Object.assign(this, fields);
    this.#announce();
  }

  mergeConversations(conversations) {
    for (const conversation of conversations) this.#conversations.set(conversation.peer_id, conversation);
    this.#announce();
  }

  mergeGroups(groups) {
    if (groups.length === 0) return;
    for (const group of groups) this.#groups.set(group.group_id, group);
    this.#announce();
  }

  mergePeople(people) {
    for (const person of people) this.#people.set(person.user_id, person);
    this.#announce();
  }

  openChat({ peer_id, messages, hasOlder }) {
    this.#chat = { peer_id, messages, hasOlder };
    this.#announce();
  }

  closeChat() {
    this.#chat = null;
    this.#announce();
  }

  /** The message that another one answers to; null where this device does not have it, or not yet. */
  quoted(messageId) {
    return this.#findShown(messageId) ?? this.#quoted.get(messageId) ?? null;
  }

  /** Ids of what is answered to on screen and was never looked for. */
  listUnknownQuoted() {
    const ids = this.#chat?.messages.map(({ reply_to }) => reply_to).filter(Boolean) ?? [];
    return [...new Set(ids)].filter((messageId) => !this.#quoted.has(messageId) && !this.#findShown(messageId));
  }

  /** @param {[string, object | null][]} found message id and record */
  mergeQuoted(found) {
    for (const [messageId, record] of found) this.#quoted.set(messageId, record);
    this.#announce();
  }

  #findShown(messageId) {
    return this.#chat?.messages.find((message) => message.message_id === messageId);
  }

  /** Put changed messages of the open chat in their places; those of other chats are left aside. */
  mergeMessages(changed, removedKeys = []) {
    if (!this.#chat) return;
    const shown = changed.filter((message) => this.#isInView(message));
    this.#place(shown, removedKeys);
  }

  /** Older messages of a chat, loaded when the reader came to its top. */
  mergeOlder(peerId, messages, hasOlder) {
    if (this.#chat?.peer_id !== peerId) return;
    this.#chat = { ...this.#chat, hasOlder };
    this.#place(messages);
  }

  /** A message from before the loaded ones must wait for its page, or a gap would stand between. */
  #isInView(message) {
    const { peer_id, messages, hasOlder } = this.#chat;
    if (message.peer_id !== peer_id) return false;
    return !hasOlder || messages.length === 0 || comparePosition(message, messages[0]) >= 0;
  }

  #place(changed, removedKeys = []) {
    const byKey = new Map(this.#chat.messages.map((message) => [message.key, message]));
    for (const message of changed) byKey.set(message.key, message);
    for (const key of removedKeys) byKey.delete(key);
    this.#chat = { ...this.#chat, messages: [...byKey.values()].sort(comparePosition) };
    this.#announce();
  }

  #announce() {
    this.dispatchEvent(new Event("change"));
  }
}
