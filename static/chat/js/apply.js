/**
 * The one place where frames become changes of what this device keeps.
 *
 * Each frame's change is idempotent: a frame that comes twice, or late, changes nothing the second time.
 */

import { isGroupId } from "./conversation-keys.js";
import { readByMember, readByPeer, readUpTo, reportedUpTo } from "./conversations.js";
import { isPolled, newGroup, withEvent } from "./group-records.js";
import { toEventRecord, toRecord, withDelivered, withError, withReceived } from "./messages.js";
import { RETRYABLE_CODES } from "./protocol.js";

/**
 * Apply frames in order, inside one transaction of the store.
 *
 * @param {import("./store.js").Ledger} ledger
 * @param {{user_id: string, username: string}} me this user
 * @param {object[]} frames decoded server frames; actions without a change here are passed over
 * @returns {Promise<object>} what there is to do once the transaction is complete: `confirm` (message ids to confirm),
 *   `settled` (client ids answered for good), `postponed` ({client_id, retry_after_ms} to send again), `added` (records of
 *   messages that are new here), `refusedBy` (groups that took a message not), `outdated` (groups that
 *   are to be fetched)
 */
export async function applyFrames(ledger, me, frames) {
  const todo = { confirm: [], settled: [], postponed: [], added: [], refusedBy: new Set(), outdated: new Set() };
  for (const frame of frames) await CHANGES[frame.action]?.(ledger, frame, me, todo);
  return todo;
}

const CHANGES = {
  async incoming_message(ledger, frame, me, todo) {
    todo.confirm.push(frame.message_id);
    if (await ledger.hasSeen(frame.message_id)) return;
    await ledger.markSeen(frame.message_id);
    // A copy of what this browser sent itself, under an earlier login of the same user.
    if (await ledger.findMessageById(frame.message_id)) return;
    const record = toRecord(frame, me);
    await ledger.putMessage(record);
    todo.added.push(record);
  },

  async message_received(ledger, frame, _me, todo) {
    todo.settled.push(frame.message_id_by_client);
    const record = await ledger.findMessage(frame.message_id_by_client);
    if (!record) return;
    // In a large group a poll may bring what this device sent before its ✓ has come.
    const polled = await ledger.findMessageById(frame.message_id);
    if (polled && polled.key !== record.key) await ledger.removeMessage(polled);
    await ledger.putMessage(withReceived(record, frame));
    await ledger.markSeen(frame.message_id);
  },

  async message_delivered(ledger, frame) {
    const record = await findOwn(ledger, frame);
    if (record) await ledger.putMessage(withDelivered(record, frame));
  },

  async message_read(ledger, frame, me) {
    const record = await ledger.findMessageById(frame.message_id);
    if (!record) return;
    const conversation = await ledger.getConversation(record.peer_id);
    if (frame.reader_id === me.user_id) {
      await ledger.putConversation(reportedUpTo(readUpTo(conversation, record), frame.message_id));
    } else if (isGroupId(record.peer_id)) {
      await ledger.putConversation(readByMember(conversation, frame.reader_id, record));
    } else {
      await ledger.putConversation(readByPeer(conversation, record));
    }
  },

  async group_event(ledger, frame, me, todo) {
    await ledger.putMessage(toEventRecord(frame));
    const group = (await ledger.findGroup(frame.group_id)) ?? newGroup(frame.group_id);
    const after = withEvent(group, frame, me.user_id);
    await ledger.putGroup(after);
    // Of a large group nothing else says that it has another version.
    if (!after.ended && (isPolled(group) || !group.members)) todo.outdated.add(frame.group_id);
  },

  async error(ledger, frame, _me, todo) {
    const clientId = frame.message_id_by_client;
    if (RETRYABLE_CODES.has(frame.code)) {
      if (clientId !== undefined) {
        todo.postponed.push({ client_id: clientId, retry_after_ms: frame.retry_after_ms ?? 1000 });
      }
      return;
    }
    const record = await findOwn(ledger, frame);
    if (!record) return;
    if (isGroupId(record.peer_id)) todo.refusedBy.add(record.peer_id);
    if (clientId !== undefined) todo.settled.push(clientId);
    const isWithdrawal = frame.message_id !== undefined;
    await ledger.putMessage(isWithdrawal ? withWithdrawal(record, frame) : withError(record, frame));
  },
};

/** ✓✓ and late errors name a message by its id; on the sending device also by the id this client gave it. */
async function findOwn(ledger, { message_id, message_id_by_client }) {
  const byClient = message_id_by_client !== undefined && (await ledger.findMessage(message_id_by_client));
  return byClient || (message_id !== undefined ? ledger.findMessageById(message_id) : undefined);
}

function withWithdrawal(record, { code }) {
  return withError({ ...record, delivered: false }, { code, isWithdrawal: true });
}
