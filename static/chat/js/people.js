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

  /** Keep the profiles of a group's members; only those that are new or other than before are written. */
  async rememberAll(members) {
    const news = members.map(pickProfile).filter((person) => isNews(person, this.#state.person(person.user_id)));
    for (const { user_id } of members) this.#fetched.add(user_id);
    if (news.length === 0) return;
    this.#state.mergePeople(news);
    await Promise.all(news.map((person) => this.#store.putPerson(person)));
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

function isNews(person, known) {
  return !known || Object.keys(person).some((field) => person[field] !== known[field]);
}

function pickProfile({ user_id, username, display_name, avatar_color }) {
  return { user_id, username, display_name, avatar_color };
}

/** Everybody whose name is to be shown somewhere: in the list of conversations, and in the open one. */
export function listNamed(state) {
  const lasts = state.conversations.map(({ last }) => last).filter(Boolean);
  const peers = state.conversations.map(({ peer_id }) => peer_id);
  const records = [...lasts, ...(state.chat?.messages ?? [])];
  const senders = records.flatMap(({ sender_id, event }) => (event ? [event.by, ...event.user_ids] : [sender_id]));
  const ids = [...peers, ...senders, ...state.groupWriters].filter((id) => id?.startsWith("usr-"));
  return [...new Set(ids)];
}
