/**
 * Large groups are not pushed: the one on screen is polled. At once when it is opened and when the server hints that
 * there is something, otherwise less and less often while nothing comes, and never while nobody looks. The others are
 * looked into now and then, so that the list says how much is unread.
 */

import { ApiError } from "./api.js";
import { applyFrames } from "./apply.js";
import { pollDelay } from "./backoff.js";
import { hasMore, isPolled, newGroup, polledUpTo } from "./group-records.js";

/** How many groups are looked into at a time: those of the newest conversations. */
export const MOST_LOOKED_INTO = 50;

export class GroupPoll {
  #api;
  #notebook;
  #state;
  #isVisible;
  #onMessages;
  #onRefused;
  #random;
  #groupId = null;
  #quietPolls = 0;
  #timer = null;
  #polls = new Map();
  #changes = Promise.resolve();

  /**
   * @param {object} parts
   * @param {import("./api.js").Api} parts.api
   * @param {import("./notebook.js").Notebook} parts.notebook
   * @param {import("./state.js").ChatState} parts.state
   * @param {() => boolean} parts.isVisible
   * @param {() => void} parts.onMessages something new is stored
   * @param {(groupId: string) => void} parts.onRefused the server knows of no such group of this user
   * @param {() => number} [parts.random]
   */
  constructor({ api, notebook, state, isVisible, onMessages, onRefused, random = Math.random }) {
    this.#api = api;
    this.#notebook = notebook;
    this.#state = state;
    this.#isVisible = isVisible;
    this.#onMessages = onMessages;
    this.#onRefused = onRefused;
    this.#random = random;
  }

  /** What is on screen may have changed: begin, go on or end. */
  showScreen() {
    const groupId = this.#wanted();
    if (groupId === this.#groupId) return;
    this.stop();
    this.#groupId = groupId;
    if (groupId) this.#pollNow();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#groupId = null;
    this.#quietPolls = 0;
  }

  /** The server hints that a group has something newer; or what came meanwhile is not known. */
  hear(groupId) {
    if (groupId === this.#groupId) this.#pollNow();
  }

  /** A new connection: hints may have been lost. */
  catchUp() {
    if (this.#groupId) this.#pollNow();
  }

  /**
   * A group is polled from now on, or no longer, or was meanwhile: what was written then is not left behind. One group
   * after the other, for after a long absence there may be many.
   */
  takeChange(groupId) {
    this.showScreen();
    if (groupId !== this.#groupId) this.#changes = this.#changes.then(() => this.#poll(groupId));
    return this.#changes;
  }

  /**
   * Take what the groups that are not on screen have new: of each a page, for after a long absence there may be many.
   * The rest comes when a group is opened, or the next time.
   */
  async lookAround() {
    for (const groupId of this.#listOffScreen()) await this.#poll(groupId, 1);
  }

  #listOffScreen() {
    const newestFirst = this.#state.conversations.map(({ peer_id }) => peer_id);
    const others = newestFirst.filter((peerId) => peerId !== this.#groupId && isPolled(this.#state.group(peerId)));
    return others.slice(0, MOST_LOOKED_INTO);
  }

  #wanted() {
    const groupId = this.#state.openPeerId;
    return groupId && this.#isVisible() && isPolled(this.#state.group(groupId)) ? groupId : null;
  }

  async #pollNow() {
    const groupId = this.#groupId;
    clearTimeout(this.#timer);
    this.#quietPolls = 0;
    await this.#pollAndWait(groupId);
  }

  async #pollAndWait(groupId) {
    const added = await this.#poll(groupId);
    if (this.#groupId !== groupId) return; // stopped, or another one is on screen
    if (this.#wanted() !== groupId) {
      this.showScreen();
      return;
    }
    clearTimeout(this.#timer);
    const delay = pollDelay({ quietPolls: this.#quietPolls, random: this.#random });
    this.#quietPolls = added > 0 ? 0 : this.#quietPolls + 1;
    this.#timer = setTimeout(() => this.#pollAndWait(groupId), delay);
  }

  /** One at a time for each group; all of it asked for meanwhile, once more. Resolves with how many messages were new. */
  #poll(groupId, mostPages = Infinity) {
    const running = this.#polls.get(groupId);
    if (running) {
      running.isWantedAgain ||= mostPages === Infinity;
      return running.done;
    }
    const poll = { isWantedAgain: false, done: null };
    this.#polls.set(groupId, poll);
    poll.done = this.#pollWhileWanted(groupId, poll, mostPages);
    return poll.done;
  }

  async #pollWhileWanted(groupId, poll, mostPages) {
    let added = 0;
    try {
      added += await this.#takePages(groupId, mostPages);
      while (poll.isWantedAgain) {
        poll.isWantedAgain = false;
        added += await this.#takePages(groupId, Infinity);
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code === "not_found") this.#onRefused(groupId);
    } finally {
      this.#polls.delete(groupId);
    }
    if (added > 0) this.#onMessages();
    return added;
  }

  async #takePages(groupId, most) {
    let added = 0;
    const since = this.#state.group(groupId)?.polled_at ?? 0;
    for (let cursor = "", taken = 0; cursor !== null && taken < most; taken += 1) {
      const page = await this.#api.pollGroup(groupId, { since, cursor });
      added += await this.#store(groupId, page);
      cursor = page.next;
    }
    return added;
  }

  /** A page as if it had been pushed; what comes again changes nothing. Where it ends is kept in the same transaction. */
  #store(groupId, { results, next }) {
    if (results.length === 0 && !hasMore(this.#state.group(groupId))) return 0;
    const frames = results.map((message) => ({ ...message, action: "incoming_message", group_id: groupId }));
    return this.#notebook.change(async (ledger) => {
      const { added } = await applyFrames(ledger, this.#state.me, frames);
      const group = (await ledger.findGroup(groupId)) ?? newGroup(groupId);
      const polled = polledUpTo(group, results.at(-1)?.timestamp ?? 0, next !== null);
      if (polled !== group) await ledger.putGroup(polled);
      return added.length;
    });
  }
}
