/** What has just been done, said for a moment. */

const ANNOUNCEMENT_MS = 6_000;

export class Announcements {
  #state;
  #timer = null;

  constructor(state) {
    this.#state = state;
  }

  say(announcement) {
    clearTimeout(this.#timer);
    this.#state.set({ announcement });
    this.#timer = setTimeout(() => this.#state.set({ announcement: "" }), ANNOUNCEMENT_MS);
  }

  stop() {
    clearTimeout(this.#timer);
  }
}
