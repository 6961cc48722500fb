/** A connection that will not be tried again: why, and where the person goes from here. */

import { ApiError } from "./api.js";
import { CLOSE, SUSPENDED_REASON } from "./protocol.js";
import { CONNECTION } from "./state.js";

export class Ending {
  #api;
  #state;
  #goToLogin;

  constructor({ api, state, goToLogin }) {
    this.#api = api;
    this.#state = state;
    this.#goToLogin = goToLogin;
  }

  /** The server closed with a code after which trying again by itself would be wrong. */
  show(code, reason) {
    this.#state.set({ connection: CONNECTION.OFFLINE });
    if (code === CLOSE.NOT_AUTHENTICATED) this.#goToLogin();
    else if (code === CLOSE.REPLACED) this.#state.set({ interruption: "replaced" });
    else this.#explain(reason);
  }

  /** A suspended user's login is good for one thing still: to be told why. Some servers drop the reason of a close. */
  async #explain(reason) {
    this.#state.set({ interruption: reason === SUSPENDED_REASON ? "suspended" : "ended" });
    try {
      await this.#api.getMe();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code === "suspended") this.#state.set({ interruption: "suspended", suspension: error.message });
    }
  }
}
