/**
 * What the server keeps for a user who wants a history: fetched where this device does not have it.
 *
 * A new device begins with the conversations and their last messages; older ones come as one scrolls up.
 */

import { ApiError } from "./api.js";
import { readUpTo, reportedUpTo } from "./conversations.js";
import { toRecord } from "./messages.js";

const PAGE_SIZE = 50;
const CONVERSATIONS_WITH_MESSAGES = 20;
const ADOPTED = "history_device_id";

export class History {
  #api;
  #notebook;
  #me;
  #deviceId;
  #isOn = false;
  #isBegun = false;
  /** Conversations of which the server has nothing older. */
  #complete = new Set();

  constructor({ api, notebook, state }) {
    this.#api = api;
    this.#notebook = notebook;
    this.#me = state.me;
    this.#deviceId = state.me.device_id;
  }

  /** There is a connection: see once whether a history is kept, and on a new device take it over. */
  async begin() {
    if (this.#isBegun) return;
    this.#isBegun = true;
    await this.#try(async () => {
      this.#isOn = (await this.#api.getSettings()).history_days > 0;
      this.#complete.clear();
      if (this.#isOn) await this.#takeOver();
    });
  }

  /** The settings changed: it may be kept now, or no more. */
  restart() {
    this.#isBegun = false;
    return this.begin();
  }

  /** Fetch the page before the oldest message that this device has of a conversation. */
  async fetchOlder(peerId, oldest) {
    if (!this.#isOn || this.#complete.has(peerId)) return;
    await this.#try(async () => {
      const page = await this.#api.listHistory(peerId, { before: oldest?.timestamp, limit: PAGE_SIZE });
      const added = await this.#notebook.change((ledger) => addMessages(ledger, this.#me, page.results));
      // The page begins with the message asked from: a page that brought nothing new will bring nothing again.
      if (page.next === null || added === 0) this.#complete.add(peerId);
    });
  }

  async #takeOver() {
    if ((await this.#notebook.readMeta(ADOPTED)) === this.#deviceId) return;
    const conversations = await this.#api.listConversations();
    for (const [index, conversation] of conversations.entries()) {
      const { participant_id, last_message, unread_count } = conversation;
      const messages =
        index < CONVERSATIONS_WITH_MESSAGES
          ? (await this.#api.listHistory(participant_id, { limit: PAGE_SIZE })).results
          : [last_message];
      await this.#notebook.change(async (ledger) => {
        await addMessages(ledger, this.#me, messages);
        await markRead(ledger, participant_id, messages, unread_count, this.#me.user_id);
      });
    }
    await this.#notebook.change((ledger) => ledger.putMeta(ADOPTED, this.#deviceId));
  }

  /** Without the server the app goes on with what this device has; the next connection begins anew. */
  async #try(work) {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#isBegun = false;
    }
  }
}

/** Store what this device has never had; what was deleted here stays away. Returns how many were new. */
async function addMessages(ledger, me, messages) {
  let added = 0;
  for (const message of messages) {
    if (await ledger.hasSeen(message.message_id)) continue;
    await ledger.markSeen(message.message_id);
    if (await ledger.findMessageById(message.message_id)) continue;
    await ledger.putMessage({ ...toRecord(message, me), delivered: message.delivered });
    added += 1;
  }
  return added;
}

/** All but the newest `unread` messages of the peer were read on another device; the server knows. */
async function markRead(ledger, peerId, newestFirst, unread, myId) {
  const incoming = newestFirst.filter(({ sender_id }) => sender_id !== myId);
  const lastRead = incoming[unread];
  if (!lastRead) return;
  const conversation = readUpTo(await ledger.getConversation(peerId), lastRead);
  await ledger.putConversation(reportedUpTo(conversation, conversation.read_message_id));
}
