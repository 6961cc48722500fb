/** Whom this user has blocked: as this device knows it at once, and as the server has it on each connection. */

import { ApiError } from "./api.js";

export const CHECK_EVERY_MS = 60_000;
const BLOCKED = "blocked";

export class Blocks {
  #api;
  #notebook;
  #state;
  #checkedAt = -Infinity;
  #changes = 0;

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

  /** Show what this device knows. */
  async load() {
    this.#state.set({ blocked: new Set(await this.#notebook.readMeta(BLOCKED)) });
  }

  /** There is a connection: another device may have blocked somebody. At most once a minute. */
  async check() {
    if (Date.now() - this.#checkedAt < CHECK_EVERY_MS) return;
    this.#checkedAt = Date.now();
    const changes = this.#changes;
    try {
      const blocked = await this.#api.listBlocked();
      // What was changed here meanwhile may be missing in the answer.
      if (changes === this.#changes) await this.#keep(blocked.map(({ user_id }) => user_id));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error; // otherwise the next connection asks again
    }
  }

  /** Rejects with ApiError when the server could not do it. */
  async block(userId) {
    await this.#api.block(userId);
    this.#changes += 1;
    await this.#keep([...this.#state.blocked, userId]);
  }

  /** Rejects with ApiError when the server could not do it; that another device has done it is as good. */
  async unblock(userId) {
    await this.#api.unblock(userId).catch((error) => {
      if (error.code !== "not_found") throw error;
    });
    this.#changes += 1;
    await this.#keep([...this.#state.blocked].filter((blockedId) => blockedId !== userId));
  }

  async #keep(userIds) {
    this.#state.set({ blocked: new Set(userIds) });
    await this.#notebook.change((ledger) => ledger.putMeta(BLOCKED, userIds));
  }
}
