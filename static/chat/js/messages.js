/**
 * A message as this device keeps it, and what may happen to it. Pure; every change may be repeated.
 *
 * Record: {key, message_id, client_id, peer_id, sender_id, content, timestamp, sequence, queued_at, delivered, error}
 * plus `incoming_sequence` on a message of the peer (counts unread ones) and `outbox_at` while it waits for ✓: absent
 * fields keep a record out of the index of that name.
 */

/** Sorts after every sequence the server gives: what has no ✓ yet stands at the end of its conversation. */
export const UNSEQUENCED = Infinity;

/** A message just written on this device. `now` in ms must grow from message to message. */
export function writeMessage({ client_id, sender_id, peer_id, content, now }) {
  return {
    key: client_id,
    message_id: null,
    client_id,
    peer_id,
    sender_id,
    content,
    timestamp: now,
    sequence: UNSEQUENCED,
    queued_at: now,
    outbox_at: now,
    delivered: false,
    error: null,
  };
}

/** The record of an `incoming_message`: from a peer, or the copy of what another device of mine sent. */
export function toRecord(frame, myId) {
  const isMine = frame.sender_id === myId;
  const record = {
    key: frame.message_id,
    message_id: frame.message_id,
    client_id: null,
    peer_id: isMine ? frame.receiver_id : frame.sender_id,
    sender_id: frame.sender_id,
    content: frame.content ?? "",
    timestamp: frame.timestamp,
    sequence: frame.sequence,
    queued_at: frame.timestamp,
    delivered: false,
    error: null,
  };
  return isMine ? record : { ...record, incoming_sequence: frame.sequence };
}

/** ✓: stored by the server. It may come again with another id and sequence; the last one stands. */
export function withReceived(record, { message_id, timestamp, sequence }) {
  const error = record.error?.isWithdrawal ? record.error : null;
  return { ...leaveOutbox(record), message_id, timestamp, sequence, error };
}

/**
 * ✓✓: on a device of the receiver. Without a ✓ before it the message stays in the outbox: only the answer to another
 * try brings the sequence, its place in the conversation.
 */
export function withDelivered(record, { message_id }) {
  return { ...record, message_id, delivered: true };
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
 * @param {number} peerReadSequence the peer has read up to here
 */
export function statusOf(record, peerReadSequence) {
  if (record.error) return "failed";
  if (record.sequence <= peerReadSequence) return "read";
  if (record.delivered) return "delivered";
  return record.sequence === UNSEQUENCED ? "waiting" : "sent";
}

/** Sort order of a conversation: by sequence, then by when it was written. */
export function comparePosition(a, b) {
  if (a.sequence !== b.sequence) return a.sequence < b.sequence ? -1 : 1;
  return a.queued_at - b.queued_at;
}
