/**
 * The wire contract as the browser sees it: frames in, frames out, limits and close codes.
 *
 * Pure: no socket, no clock of its own. Frame fields keep the names they have on the wire.
 */

import { isGroupId } from "./conversation-keys.js";

export const MAX_CONTENT_CHARACTERS = 1000;
export const MAX_IDS_PER_CONFIRMATION = 500;
export const OUTBOX_LIFETIME_MS = 7 * 86_400_000;
export const RETRYABLE_CODES = new Set(["rate_limited", "overloaded", "unavailable"]);

/** Close codes that decide what the client does next; all others mean "connect again". */
export const CLOSE = Object.freeze({
  RESTARTING: 1012,
  NOT_AUTHENTICATED: 4401,
  ENDED: 4403,
  REPLACED: 4409,
  TOO_MANY_CONNECTIONS: 4429,
});

/** The reason that comes with `CLOSE.ENDED` where a moderator suspended the account. */
export const SUSPENDED_REASON = "account suspended";

/** What must stand in a server frame before anything acts on it: field → type. Unknown actions pass as they are. */
const REQUIRED_FIELDS = {
  connected: { user_id: "string", device_id: "string", heartbeat_interval: "number" },
  inbox_drained: { count: "number" },
  heartbeat: {},
  message_received: { message_id: "string", timestamp: "number", sequence: "number" },
  incoming_message: { message_id: "string", sender_id: "string", timestamp: "number", sequence: "number" },
  message_delivered: { message_id: "string" },
  message_read: { message_id: "string", reader_id: "string" },
  typing: { sender_id: "string", state: "string" },
  presence: { user_id: "string", online: "boolean" },
  group_event: { group_id: "string", event_id: "string", kind: "string", sequence: "number", timestamp: "number" },
  group_changed: { group_id: "string", version: "number" },
  group_activity: { group_id: "string" },
  settings_changed: {},
  error: { code: "string" },
};

/** A frame that breaks the contract. */
export class ProtocolError extends Error {}

/**
 * Parse one text frame from the server.
 *
 * @param {string} text
 * @returns {{action: string}} the frame, its required fields checked
 * @throws {ProtocolError} when it is no JSON object, has no action, or lacks a field
 */
export function decodeServerFrame(text) {
  const frame = parseObject(text);
  if (typeof frame.action !== "string") throw new ProtocolError("a frame without an action");
  for (const [field, type] of Object.entries(REQUIRED_FIELDS[frame.action] ?? {})) {
    if (typeof frame[field] !== type) throw new ProtocolError(`${frame.action}: ${field} is not a ${type}`);
  }
  return frame;
}

function parseObject(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ProtocolError("a frame that is not JSON", { cause: error });
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new ProtocolError("a frame that is not an object");
  }
  return value;
}

/** `send_message` for one entry of the outbox; `now` is this device's clock in ms. */
export function buildSendMessage({ client_id, peer_id, content, reply_to }, now) {
  const frame = { action: "send_message", ...told(peer_id), content, message_id_by_client: client_id, timestamp: now };
  return reply_to ? { ...frame, reply_to } : frame;
}

/** Whom a frame is for, in the words of the contract. */
function told(peerId) {
  return isGroupId(peerId) ? { group_id: peerId } : { receiver_id: peerId };
}

/** `message_delivered` frames that confirm these ids, at most 500 in each. */
export function buildConfirmations(messageIds, now) {
  const frames = [];
  for (let start = 0; start < messageIds.length; start += MAX_IDS_PER_CONFIRMATION) {
    const message_ids = messageIds.slice(start, start + MAX_IDS_PER_CONFIRMATION);
    frames.push({ action: "message_delivered", message_ids, timestamp: now });
  }
  return frames;
}

/** `message_read`: this message of the person or group and all earlier ones are read. */
export function buildMessageRead(messageId, peerId, now) {
  return { action: "message_read", message_id: messageId, ...told(peerId), timestamp: now };
}

/** `open_chat`: the one chat on screen; null: none. */
export function buildOpenChat(peerId) {
  if (!peerId) return { action: "open_chat" };
  return { action: "open_chat", ...(isGroupId(peerId) ? { group_id: peerId } : { user_id: peerId }) };
}

/** `typing`; `state` is "start" or "stop". */
export function buildTyping(peerId, state) {
  return { action: "typing", ...told(peerId), state };
}

export function buildHeartbeat() {
  return { action: "heartbeat" };
}

/** What a person typed, as the contract takes it: no U+0000, no lone surrogates, no blank edges. */
export function cleanContent(text) {
  return text.replaceAll("\0", "").toWellFormed().trim();
}

/** Length as the server counts it: Unicode code points, not UTF-16 units. */
export function countCharacters(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
