/**
 * Tells the server what this user has read, until it is sure to know.
 *
 * `message_read` has no answer of its own. But a connection is served in order: when the answer to a later heartbeat
 * is here, the report has arrived. Until then it is sent again on each new connection.
 */

import { hasUnreportedReading } from "./conversations.js";
import { buildMessageRead } from "./protocol.js";

export class ReadReports {
  #send;
  #onReported;
  #sent = new Map();

  /**
   * @param {object} options
   * @param {(frame: object) => boolean} options.send false when there is no connection
   * @param {(reported: Map<string, string>) => void} options.onReported peer id → message id the server now knows
   */
  constructor({ send, onReported }) {
    this.#send = send;
    this.#onReported = onReported;
  }

  /** Report one conversation's reading, if there is any to report. */
  report(conversation) {
    if (!hasUnreportedReading(conversation)) return;
    const { peer_id, read_message_id } = conversation;
    if (this.#sent.get(peer_id)?.message_id === read_message_id) return;
    if (this.#send(buildMessageRead(read_message_id, peer_id, Date.now()))) {
      this.#sent.set(peer_id, { message_id: read_message_id, isFollowed: false });
    }
  }

  /** A new connection: what was sent on the last one may be lost. */
  restart(conversations) {
    this.#sent.clear();
    for (const conversation of conversations) this.report(conversation);
  }

  /** A heartbeat was answered. The first answer after a report may belong to a heartbeat from before it. */
  acknowledge() {
    const reported = new Map();
    for (const [peerId, sent] of this.#sent) {
      if (sent.isFollowed) {
        reported.set(peerId, sent.message_id);
        this.#sent.delete(peerId);
      }
      sent.isFollowed = true;
    }
    if (reported.size > 0) this.#onReported(reported);
  }
}
