/** Those who are writing: each counts until they stop, or for a while after the last notice, since "stop" may be lost. */

export const TYPING_LASTS_MS = 7_000;

export class Writers {
  #show;
  #timers = new Map();

  /** @param {(userIds: Set<string>) => void} show is told at each change */
  constructor(show) {
    this.#show = show;
  }

  begin(userId) {
    clearTimeout(this.#timers.get(userId));
    this.#timers.set(
      userId,
      setTimeout(() => this.end(userId), TYPING_LASTS_MS),
    );
    this.#tell();
  }

  end(userId) {
    if (!this.#timers.has(userId)) return;
    clearTimeout(this.#timers.get(userId));
    this.#timers.delete(userId);
    this.#tell();
  }

  clear() {
    for (const userId of [...this.#timers.keys()]) this.end(userId);
  }

  #tell() {
    this.#show(new Set(this.#timers.keys()));
  }
}
