/** Who is who: profiles by user id, from the store at once and from the server when they are missing or old. */

import { ApiError } from "./api.js";

export class People {
  #api;
  #store;
  #state;
  #fetched = new Set();
  #failed = new Set();

  constructor({ api, store, state }) {
    this.#api = api;
    this.#store = store;
    this.#state = state;
  }

  /** Show what the store knows. */
  async load() {
    this.#state.mergePeople(await this.#store.listPeople());
  }

  /** Keep profiles that came with a search. */
  async remember(person) {
    this.#fetched.add(person.user_id);
    this.#state.mergePeople([person]);
    await this.#store.putPerson(person);
  }

  /** Fetch the profiles nobody knows yet. */
  async fetchUnknown(userIds) {
    const unknown = userIds.filter((userId) => !this.#state.person(userId));
    await Promise.all(unknown.map((userId) => this.refresh(userId)));
  }

  /** Fetch one profile, once for each time the app is opened. */
  async refresh(userId) {
    if (this.#fetched.has(userId)) return;
    this.#fetched.add(userId);
    try {
      await this.remember(pickProfile(await this.#api.getPerson(userId)));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // No connection, or the account is gone. Not to be asked again with every frame, but on the next connection.
      this.#failed.add(userId);
    }
  }

  /** A new connection: ask again for the profiles that could not be had. */
  retryFailed() {
    for (const userId of this.#failed) this.#fetched.delete(userId);
    this.#failed.clear();
  }
}

function pickProfile({ user_id, username, display_name, avatar_color }) {
  return { user_id, username, display_name, avatar_color };
}
