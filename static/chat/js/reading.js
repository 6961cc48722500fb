/** What this person has read: noted on this device, and told to the server. */

import { readUpTo, reportedUpTo } from "./conversations.js";
import { ReadReports } from "./read-reports.js";

export class Reading {
  #notebook;
  #state;
  #isVisible;
  #reports;

  /**
   * @param {object} parts
   * @param {import("./notebook.js").Notebook} parts.notebook
   * @param {import("./state.js").ChatState} parts.state
   * @param {(frame: object) => boolean} parts.send false when there is no connection
   * @param {() => boolean} parts.isVisible
   */
  constructor({ notebook, state, send, isVisible }) {
    this.#notebook = notebook;
    this.#state = state;
    this.#isVisible = isVisible;
    this.#reports = new ReadReports({ send, onReported: (reported) => this.#recordReported(reported) });
  }

  /** What is in the open chat counts as read while a person can see it. */
  async markRead() {
    const peerId = this.#state.openPeerId;
    if (!peerId || !this.#state.conversation(peerId)?.unread) return;
    if (!this.#isVisible()) return;
    await this.#notebook.change(async (ledger) => {
      const last = await ledger.findLastIncoming(peerId);
      if (last) await ledger.putConversation(readUpTo(await ledger.getConversation(peerId), last));
    });
    this.#reports.report(this.#state.conversation(peerId));
  }

  /** A new connection: what was told on the last one may be lost. */
  restart() {
    this.#reports.restart(this.#state.conversations);
  }

  /** A heartbeat was answered. */
  acknowledge() {
    this.#reports.acknowledge();
  }

  async #recordReported(reported) {
    await this.#notebook.change(async (ledger) => {
      for (const [peerId, messageId] of reported) {
        await ledger.putConversation(reportedUpTo(await ledger.getConversation(peerId), messageId));
      }
    });
  }
}
