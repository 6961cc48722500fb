/** What moderators wrote to this user: shown one after the other until it is dismissed, which this browser remembers. */

import { ApiError } from "./api.js";

export const CHECK_EVERY_MS = 60_000;
const DISMISSED = "dismissed_warnings";

export class Warnings {
  #api;
  #notebook;
  #state;
  #checkedAt = -Infinity;
  #warnings = [];
  #dismissed = new Set();

  /**
   * @param {object} parts
   * @param {import("./api.js").Api} parts.api
   * @param {import("./notebook.js").Notebook} parts.notebook
   * @param {import("./state.js").ChatState} parts.state
   */
  constructor({ api, notebook, state }) {
    this.#api = api;
    this.#notebook = notebook;
    this.#state = state;
  }

  /** There is a connection: see whether somebody wrote, at most once a minute. */
  async check() {
    if (Date.now() - this.#checkedAt < CHECK_EVERY_MS) return;
    this.#checkedAt = Date.now();
    try {
      for (const moment of (await this.#notebook.readMeta(DISMISSED)) ?? []) this.#dismissed.add(moment);
      this.#warnings = (await this.#api.listWarnings()).filter(({ created_at }) => !this.#dismissed.has(created_at));
      this.#show();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // otherwise the next connection asks again
    }
  }

  /**
   * The one that is shown was read. A warning has no id; the ms of its writing stands for it. It goes from the screen when
   * this browser remembers that: whoever reloads the page a moment later does not see it again.
   */
  async dismiss() {
    const [shown] = this.#warnings;
    if (!shown) return;
    this.#dismissed.add(shown.created_at);
    try {
      await this.#notebook.change((ledger) => ledger.putMeta(DISMISSED, [...this.#dismissed]));
    } finally {
      this.#warnings = this.#warnings.filter((warning) => warning !== shown);
      this.#show();
    }
  }

  #show() {
    this.#state.set({ warning: this.#warnings[0] ?? null });
  }
}
