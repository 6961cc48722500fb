/** What this person writes: stored on this device first, then sent through the outbox until it is answered. */

import { withError, withNewTry, writeMessage } from "./messages.js";
import { Outbox } from "./outbox.js";
import { buildSendMessage, cleanContent } from "./protocol.js";

export class Writing {
  #notebook;
  #me;
  #outbox;
  #lastMoment = 0;

  /**
   * @param {object} parts
   * @param {import("./notebook.js").Notebook} parts.notebook
   * @param {{user_id: string}} parts.me
   * @param {(frame: object) => boolean} parts.send false when there is no connection
   */
  constructor({ notebook, me, send }) {
    this.#notebook = notebook;
    this.#me = me;
    this.#outbox = new Outbox({
      send: (entry) => send(buildSendMessage(entry, Date.now())),
      onExpired: (entry) => this.#fail(entry.key, "expired"),
    });
  }

  /** Take the place of what waited so far. */
  load(waiting) {
    this.#outbox.load(waiting);
  }

  /** A connection is there. */
  open() {
    this.#outbox.open();
  }

  /** The connection is gone. */
  close() {
    this.#outbox.close();
  }

  /** Write to a person or group; `replyTo` is the id of the message that this one answers to. */
  async write(peerId, text, replyTo = null) {
    const record = writeMessage({
      client_id: newClientId(),
      sender_id: this.#me.user_id,
      peer_id: peerId,
      content: cleanContent(text),
      reply_to: replyTo,
      now: this.#nextMoment(),
    });
    await this.#notebook.change((ledger) => ledger.putMessage(record));
    this.#outbox.add(record);
  }

  /** Send a failed message again, as the newest of its conversation. */
  async tryAgain(key) {
    const now = this.#nextMoment();
    const retried = await this.#notebook.change(async (ledger) => {
      const failed = await ledger.findMessage(key);
      if (!failed?.error) return null;
      const record = withNewTry(failed, newClientId(), now);
      await ledger.removeMessage(failed);
      await ledger.putMessage(record);
      return record;
    });
    if (retried) this.#outbox.add(retried);
  }

  /** Delete a message from this device. */
  async delete(key) {
    this.#outbox.settle(key);
    await this.#notebook.change(async (ledger) => {
      const record = await ledger.findMessage(key);
      if (record) await ledger.removeMessage(record);
    });
  }

  /** What frames said of messages in the outbox, as `applyFrames` gives it. */
  takeAnswers({ settled, postponed }) {
    for (const clientId of settled) this.#outbox.settle(clientId);
    for (const { client_id, retry_after_ms } of postponed) this.#outbox.postpone(client_id, retry_after_ms);
  }

  async #fail(key, code) {
    await this.#notebook.change(async (ledger) => {
      const record = await ledger.findMessage(key);
      if (record) await ledger.putMessage(withError(record, { code }));
    });
  }

  /** The clock in ms, but growing with each call, so that messages keep the order in which they were written. */
  #nextMoment() {
    this.#lastMoment = Math.max(Date.now(), this.#lastMoment + 1);
    return this.#lastMoment;
  }
}

/** 128 random bits in hex. `crypto.randomUUID` exists on https and localhost only, this also on a LAN address. */
function newClientId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
