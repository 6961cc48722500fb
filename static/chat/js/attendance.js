/**
 * Who of the people in the list is there: asked in one call every minute, while somebody looks at the page.
 *
 * Nothing is stored. A call that fails is made good by the next one; of the chat on screen the server tells by itself.
 */

import { ApiError } from "./api.js";
import { isGroupId } from "./conversation-keys.js";

export const ASK_EVERY_MS = 60_000;
/** Somebody new is in the list: asked for so soon, together with who else comes until then. */
export const NEWCOMER_MS = 2_000;
/** So many the server tells of in one call; of a longer list the newest conversations. */
export const MOST_ASKED = 200;

export class Attendance {
  #api;
  #state;
  #isVisible;
  #isStopped = true;
  #isAsking = false;
  #answeredAt = -Infinity;
  #asked = new Set();
  #timer = null;
  #dueAt = Infinity;

  /**
   * @param {object} options
   * @param {import("./api.js").Api} options.api
   * @param {import("./state.js").ChatState} options.state
   * @param {() => boolean} options.isVisible
   */
  constructor({ api, state, isVisible }) {
    this.#api = api;
    this.#state = state;
    this.#isVisible = isVisible;
  }

  /** Ask now, and every minute from now on. */
  start() {
    this.#isStopped = false;
    this.showScreen();
  }

  stop() {
    this.#isStopped = true;
    this.#unschedule();
  }

  /** The page came to the front: ask now. Or it went to the back: ask no more. */
  showScreen() {
    this.#unschedule();
    if (!this.#isStopped && this.#isVisible()) this.#ask();
  }

  /** A new connection: what was asked while there was none is asked again. */
  catchUp() {
    if (Date.now() - this.#answeredAt >= ASK_EVERY_MS) this.showScreen();
  }

  /** The list has changed: who is new in it is not left to the next minute. */
  takeNewcomers() {
    if (this.#listPeople().some((userId) => !this.#asked.has(userId))) this.#schedule(NEWCOMER_MS);
  }

  /** The server told of somebody by itself. */
  takePresence({ user_id, online }) {
    if (this.#state.online.has(user_id) === online) return;
    const present = new Set(this.#state.online);
    if (online) present.add(user_id);
    else present.delete(user_id);
    this.#state.set({ online: present });
  }

  async #ask() {
    const people = this.#listPeople();
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#asked = new Set(people);
    try {
      if (people.length > 0) this.#show(await this.#api.listPresence(people));
      this.#answeredAt = Date.now();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    } finally {
      this.#isAsking = false;
      this.#schedule(ASK_EVERY_MS);
      this.takeNewcomers();
    }
  }

  #listPeople() {
    const listed = this.#state.conversations.filter(({ last, peer_id }) => last && !isGroupId(peer_id));
    return listed.slice(0, MOST_ASKED).map(({ peer_id }) => peer_id);
  }

  #show(answers) {
    this.#state.set({ online: new Set(answers.filter(({ online }) => online).map(({ user_id }) => user_id)) });
    // An answer is of a moment ago; what was pushed since then is newer.
    if (this.#state.presence) this.takePresence(this.#state.presence);
  }

  /** Ask after this time, unless it is due sooner. */
  #schedule(delayMs) {
    const dueAt = Date.now() + delayMs;
    if (this.#isStopped || this.#isAsking || !this.#isVisible() || this.#dueAt <= dueAt) return;
    this.#unschedule();
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => this.showScreen(), delayMs);
  }

  #unschedule() {
    clearTimeout(this.#timer);
    this.#dueAt = Infinity;
  }
}
