/** Store and state in step: what changes on disk is shown when, and only when, it is there. */

import { newConversation } from "./conversations.js";
import { withError } from "./messages.js";

const PAGE_SIZE = 200;

export class Notebook {
  #store;
  #state;
  #wantedPeerId = null;

  /**
   * @param {import("./store.js").Store} store
   * @param {import("./state.js").ChatState} state
   */
  constructor(store, state) {
    this.#store = store;
    this.#state = state;
  }

  /** Run `work(ledger)` in one transaction, bring the conversations it touched in line, then show it all. */
  async change(work) {
    const outcome = await this.#store.change(async (ledger) => {
      const result = await work(ledger);
      const messages = [];
      for (const key of ledger.changedKeys) messages.push(await ledger.findMessage(key));
      const conversations = [];
      for (const peerId of [...ledger.changedPeers]) conversations.push(await ledger.refreshConversation(peerId));
      const groups = [];
      for (const groupId of ledger.changedGroups) groups.push(await ledger.findGroup(groupId));
      return { result, messages, removedKeys: [...ledger.removedKeys], conversations, groups };
    });
    this.#state.mergeGroups(outcome.groups);
    this.#state.mergeConversations(outcome.conversations);
    this.#state.mergeMessages(outcome.messages, outcome.removedKeys);
    await this.#findQuoted();
    return outcome.result;
  }

  /** Show what is stored; returns what waits for ✓, oldest first. */
  async load() {
    this.#state.mergeGroups(await this.#store.listGroups());
    const conversations = await this.#store.listConversations();
    this.#state.mergeConversations(conversations.map((known) => ({ ...newConversation(known.peer_id), ...known })));
    return this.#store.listWaiting();
  }

  /** Show the newest messages of a conversation. */
  async openChat(peerId) {
    this.#wantedPeerId = peerId;
    const messages = await this.#store.listMessages(peerId, { limit: PAGE_SIZE });
    if (this.#wantedPeerId !== peerId) return; // another one was asked for meanwhile
    this.#state.openChat({ peer_id: peerId, messages, hasOlder: messages.length === PAGE_SIZE });
    await this.#findQuoted();
  }

  closeChat() {
    this.#wantedPeerId = null;
    this.#state.closeChat();
  }

  /** Show the page before the oldest message on screen. */
  async loadOlder() {
    const { peer_id, messages, hasOlder } = this.#state.chat;
    if (!hasOlder) return;
    const older = await this.#store.listMessages(peer_id, { limit: PAGE_SIZE, before: messages[0] });
    this.#state.mergeOlder(peer_id, older, older.length === PAGE_SIZE);
    await this.#findQuoted();
  }

  /** What the messages on screen answer to and is not on screen itself: shown as far as this device has it. */
  async #findQuoted() {
    const wanted = this.#state.listUnknownQuoted();
    if (wanted.length === 0) return;
    const found = await Promise.all(wanted.map((messageId) => this.#store.findMessageById(messageId)));
    this.#state.mergeQuoted(wanted.map((messageId, index) => [messageId, found[index] ?? null]));
  }

  readMeta(name) {
    return this.#store.getMeta(name);
  }

  async countWaiting() {
    return (await this.#store.listWaiting()).length;
  }

  /**
   * The server knows a client id only together with its device. What waits from an earlier login may or may not have
   * arrived under that one, so the person decides about it.
   */
  adoptDevice(deviceId) {
    return this.change(async (ledger) => {
      const earlier = await ledger.getMeta("device_id");
      await ledger.putMeta("device_id", deviceId);
      if (earlier === undefined || earlier === deviceId) return;
      for (const record of await ledger.listWaiting()) {
        await ledger.putMessage(withError(record, { code: "other_login" }));
      }
    });
  }

  /** Delete everything of this user from this device. */
  destroy() {
    return this.#store.destroy(this.#state.me.user_id);
  }
}
