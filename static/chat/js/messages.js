/**
 * A message as this device keeps it, and what may happen to it. Pure; every change may be repeated.
 *
 * Record: {key, message_id, client_id, peer_id, sender_id, content, reply_to, timestamp, sequence, queued_at, delivered,
 * error} plus `incoming_sequence` on a message of somebody else (counts unread ones), `mention_sequence` where that one
 * mentions this user, and `outbox_at` while it waits for ✓: absent fields keep a record out of the index of that name.
 * One's own in a group have counts, {delivered, members, read}, as far as they are known.
 *
 * What happened to a group stands among its messages: such a record has `event`, and no message id.
 */

import { mentions } from "./mentions.js";

/** Sorts after every sequence the server gives: what has no ✓ yet stands at the end of its conversation. */
export const UNSEQUENCED = Infinity;

/** A message just written on this device. `now` in ms must grow from message to message. */
export function writeMessage({ client_id, sender_id, peer_id, content, reply_to = null, now }) {
  return {
    key: client_id,
    message_id: null,
    client_id,
    peer_id,
    sender_id,
    content,
    reply_to,
    timestamp: now,
    sequence: UNSEQUENCED,
    queued_at: now,
    outbox_at: now,
    delivered: false,
    error: null,
  };
}

/** The record of an `incoming_message`: from somebody else, or the copy of what another device of mine sent. */
export function toRecord(frame, me) {
  const isMine = frame.sender_id === me.user_id;
  const peerOfTwo = isMine ? frame.receiver_id : frame.sender_id;
  const record = {
    key: frame.message_id,
    message_id: frame.message_id,
    client_id: null,
    peer_id: frame.group_id ?? peerOfTwo,
    sender_id: frame.sender_id,
    content: frame.content ?? "",
    reply_to: frame.reply_to ?? null,
    timestamp: frame.timestamp,
    sequence: frame.sequence,
    queued_at: frame.timestamp,
    delivered: false,
    error: null,
  };
  if (isMine) return record;
  const isMention = Boolean(frame.group_id) && mentions(record.content, me.username);
  const counted = { ...record, incoming_sequence: frame.sequence };
  return isMention ? { ...counted, mention_sequence: frame.sequence } : counted;
}

/** The record of a `group_event`. */
export function toEventRecord({ group_id, event_id, kind, by, user_ids, details, sequence, timestamp }) {
  return {
    key: event_id,
    message_id: null,
    client_id: null,
    peer_id: group_id,
    sender_id: null,
    content: "",
    reply_to: null,
    timestamp,
    sequence,
    queued_at: timestamp,
    delivered: false,
    error: null,
    event: { kind, by, user_ids, details },
  };
}

/** ✓: stored by the server. It may come again with another id and sequence; the last one stands. */
export function withReceived(record, { message_id, timestamp, sequence }) {
  const error = record.error?.isWithdrawal ? record.error : null;
  return { ...leaveOutbox(record), message_id, timestamp, sequence, error };
}

/**
 * ✓✓: on a device of the receiver; in a group with how many members have it. Without a ✓ before it the message stays in
 * the outbox: only the answer to another try brings the sequence, its place in the conversation.
 */
export function withDelivered(record, { message_id, ...counts }) {
  const counted = counts.members === undefined ? record : withCounts(record, counts);
  const isEverywhere = counted.counts === undefined || counted.counts.delivered >= counted.counts.members;
  return { ...counted, message_id, delivered: record.delivered || isEverywhere };
}

/** How many members have a message, and have read it. Counts only grow, in whatever order they come. */
export function withCounts(record, { delivered = 0, members, read = 0 }) {
  const known = record.counts ?? { delivered: 0, read: 0 };
  const counts = { delivered: Math.max(known.delivered, delivered), members, read: Math.max(known.read, read) };
  return { ...record, counts, delivered: record.delivered || (members > 0 && counts.delivered >= members) };
}

/** Not sent, or withdrawn after ✓ (`isWithdrawal`): shown with its reason until the person decides. */
export function withError(record, { code, isWithdrawal = false }) {
  const error = record.delivered ? record.error : { code, isWithdrawal };
  return { ...leaveOutbox(record), error };
}

function leaveOutbox(record) {
  const { outbox_at: _, ...rest } = record;
  return rest;
}

/** The failed message as a new try. After its 7 days it keeps its id, so that a copy that did arrive stays the only one. */
export function withNewTry(record, clientId, now) {
  const keepsId = record.error?.code === "expired";
  const client_id = keepsId ? record.client_id : clientId;
  return writeMessage({ ...record, client_id, now });
}

/**
 * What the sender sees: "waiting", "sent", "delivered", "read" or "failed".
 *
 * @param {object} record one of one's own
 * @param {{peer_read_sequence: number, readers: object}} conversation how far the others have read
 */
export function statusOf(record, conversation) {
  if (record.error) return "failed";
  if (isReadByAll(record, conversation)) return "read";
  if (record.delivered) return "delivered";
  return record.sequence === UNSEQUENCED ? "waiting" : "sent";
}

function isReadByAll({ sequence, counts }, { peer_read_sequence, readers = {} }) {
  if (!counts) return sequence <= peer_read_sequence;
  const known = Object.values(readers).filter((upTo) => sequence <= upTo).length;
  return counts.members > 0 && Math.max(counts.read, known) >= counts.members;
}

/** {delivered, members} while some members have a message and others do not; else null. */
export function partialDelivery({ counts, delivered, error }) {
  if (!counts || delivered || error || counts.delivered === 0) return null;
  return { delivered: counts.delivered, members: counts.members };
}

/** Sort order of a conversation: by sequence, then by when it was written. */
export function comparePosition(a, b) {
  if (a.sequence !== b.sequence) return a.sequence < b.sequence ? -1 : 1;
  return a.queued_at - b.queued_at;
}
