/** A conversation's line in the list: how far each side has read. Pure; every change may be repeated. */

/** The record of a conversation in which nothing has happened yet. */
export function newConversation(peerId) {
  return {
    peer_id: peerId,
    last: null,
    last_at: 0,
    unread: 0,
    mentions: 0,
    read_sequence: -1,
    read_message_id: null,
    read_reported_id: null,
    peer_read_sequence: -1,
    readers: {},
  };
}

/** I have read up to this message, never back to an earlier one. The server is still to be told. */
export function readUpTo(conversation, { message_id, sequence }) {
  if (sequence <= conversation.read_sequence) return conversation;
  return { ...conversation, read_sequence: sequence, read_message_id: message_id };
}

/** The server knows that I have read up to `messageId`. */
export function reportedUpTo(conversation, messageId) {
  return { ...conversation, read_reported_id: messageId };
}

/** Whether there is reading that the server may not know of. */
export function hasUnreportedReading(conversation) {
  return conversation.read_message_id !== conversation.read_reported_id;
}

/** The peer has read up to this message of mine. */
export function readByPeer(conversation, { sequence }) {
  if (sequence === Infinity) return conversation;
  return { ...conversation, peer_read_sequence: Math.max(conversation.peer_read_sequence, sequence) };
}

/** A member of a group has read up to this message of mine. */
export function readByMember(conversation, readerId, { sequence }) {
  if (sequence === Infinity) return conversation;
  const readers = { ...conversation.readers };
  readers[readerId] = Math.max(readers[readerId] ?? -1, sequence);
  return { ...conversation, readers };
}

/** Something is there of which no message tells: a group that one is in. */
export function knownSince(conversation, timestamp) {
  return timestamp <= conversation.last_at ? conversation : { ...conversation, last_at: timestamp };
}
