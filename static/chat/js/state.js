/**
 * What the views show: a picture, in memory, of the part of the store that is on screen, and of the connection.
 *
 * Knows neither DOM nor socket nor database. Every change is by value and may be repeated; each tells the
 * listeners of "change".
 */

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
  #conversations = new Map();
  #people = new Map();
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

  get unreadTotal() {
    return this.conversations.reduce((total, conversation) => total + conversation.unread, 0);
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
