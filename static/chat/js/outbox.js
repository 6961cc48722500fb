/**
 * What this device has sent and nobody has acknowledged: sent in order, again and again with the same ids, until
 * it is answered.
 *
 * Each conversation is a lane with one message in flight. So a message that must be tried again can never be
 * overtaken by a newer one of its conversation, whatever fails. Memory only; the store keeps the entries.
 */

import { OUTBOX_LIFETIME_MS } from "./protocol.js";

const ANSWER_TIMEOUT_MS = 20_000;

class Lane {
  entries = [];
  isWaitingForAnswer = false;
  notBefore = 0;
  timer = null;

  wait(delayMs, callback) {
    clearTimeout(this.timer);
    this.timer = setTimeout(callback, delayMs);
  }

  rest() {
    clearTimeout(this.timer);
    this.isWaitingForAnswer = false;
  }
}

export class Outbox {
  #send;
  #onExpired;
  #lanes = new Map();
  #isOpen = false;

  /**
   * @param {object} options
   * @param {(entry: object) => boolean} options.send writes one entry; false when there is no connection
   * @param {(entry: object) => void} options.onExpired an entry that waited for over 7 days; it is not sent
   */
  constructor({ send, onExpired }) {
    this.#send = send;
    this.#onExpired = onExpired;
  }

  /** Take the place of everything held so far. Entries: {client_id, peer_id, content, queued_at}, oldest first. */
  load(entries) {
    for (const lane of this.#lanes.values()) lane.rest();
    this.#lanes.clear();
    for (const entry of entries) this.#laneOf(entry.peer_id).entries.push(entry);
    if (this.#isOpen) this.open();
  }

  /** Queue a new message behind the others of its conversation. The same client id twice counts once. */
  add(entry) {
    const lane = this.#laneOf(entry.peer_id);
    if (lane.entries.some((other) => other.client_id === entry.client_id)) return;
    lane.entries.push(entry);
    this.#advance(lane);
  }

  /** A connection is there: send what waits, also what was in flight when the last one ended. */
  open() {
    this.#isOpen = true;
    for (const lane of this.#lanes.values()) {
      lane.rest();
      this.#advance(lane);
    }
  }

  /** The connection is gone. */
  close() {
    this.#isOpen = false;
    for (const lane of this.#lanes.values()) lane.rest();
  }

  /** This message needs no more sending: acknowledged, refused for good, or deleted. */
  settle(clientId) {
    for (const [peerId, lane] of this.#lanes) {
      const index = lane.entries.findIndex((entry) => entry.client_id === clientId);
      if (index === -1) continue;
      lane.entries.splice(index, 1);
      if (index === 0) lane.rest();
      if (lane.entries.length === 0) this.#lanes.delete(peerId);
      else this.#advance(lane);
      return;
    }
  }

  /** The server asks to try this one again, not before `retryAfterMs` from now. */
  postpone(clientId, retryAfterMs) {
    for (const lane of this.#lanes.values()) {
      if (lane.entries[0]?.client_id !== clientId) continue;
      lane.rest();
      lane.notBefore = Date.now() + retryAfterMs;
      this.#advance(lane);
      return;
    }
  }

  #laneOf(peerId) {
    if (!this.#lanes.has(peerId)) this.#lanes.set(peerId, new Lane());
    return this.#lanes.get(peerId);
  }

  #advance(lane) {
    if (!this.#isOpen || lane.isWaitingForAnswer) return;
    this.#dropExpired(lane);
    if (lane.entries.length === 0) return;
    const pause = lane.notBefore - Date.now();
    if (pause > 0) {
      lane.wait(pause, () => this.#advance(lane));
      return;
    }
    if (!this.#send(lane.entries[0])) return;
    lane.isWaitingForAnswer = true;
    lane.wait(ANSWER_TIMEOUT_MS, () => {
      lane.isWaitingForAnswer = false;
      this.#advance(lane);
    });
  }

  #dropExpired(lane) {
    const oldest = Date.now() - OUTBOX_LIFETIME_MS;
    while (lane.entries.length > 0 && lane.entries[0].queued_at < oldest) this.#onExpired(lane.entries.shift());
  }
}
