/** What a person can do about somebody, and what moderators tell this person. */

import { Blocks } from "./blocks.js";
import { Warnings } from "./warnings.js";

export class Safety {
  #api;
  #blocks;
  #warnings;
  #announce;

  /**
   * @param {object} parts
   * @param {import("./api.js").Api} parts.api
   * @param {import("./notebook.js").Notebook} parts.notebook
   * @param {import("./state.js").ChatState} parts.state
   * @param {(announcement: string) => void} parts.announce
   */
  constructor({ api, notebook, state, announce }) {
    this.#api = api;
    this.#blocks = new Blocks({ api, notebook, state });
    this.#warnings = new Warnings({ api, notebook, state });
    this.#announce = announce;
  }

  /** Show what this device knows. */
  load() {
    return this.#blocks.load();
  }

  /** There is a connection: another device may have blocked somebody, a moderator may have written. */
  check() {
    this.#warnings.check();
    this.#blocks.check();
  }

  /** Neither can write to the other until `unblock`. Rejects with ApiError when the server could not do it. */
  async block(userId) {
    await this.#blocks.block(userId);
    this.#announce("Blocked.");
  }

  /** Take messages from somebody again. Rejects with ApiError when the server could not do it. */
  async unblock(userId) {
    await this.#blocks.unblock(userId);
    this.#announce("Unblocked.");
  }

  /** Tell the moderators of a person or a message. Rejects with ApiError when the server could not do it. */
  async report(report) {
    await this.#api.report(report);
    this.#announce("Reported to the moderators.");
  }

  /** The person has read the warning that is shown. */
  dismissWarning() {
    return this.#warnings.dismiss();
  }
}
