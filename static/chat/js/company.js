/**
 * The company a person has: who is there in the chat on screen, and who is writing.
 *
 * All of it is of the moment: nothing is stored, and what is lost is made good by what comes next.
 */

import { buildOpenChat, buildTyping } from "./protocol.js";
import { TYPING_LASTS_MS, Writers } from "./writers.js";

/** A notice that lasts is repeated so often. */
export const TYPING_REPEAT_MS = 3_000;

const NOBODY = Object.freeze({ peerId: null, toldAt: -Infinity, timer: null });

export class Company {
  #state;
  #send;
  #isVisible;
  #reported = null;
  #writingTo = NOBODY;
  #writers;
  #groupWriters;

  /**
   * @param {object} options
   * @param {import("./state.js").ChatState} options.state
   * @param {(frame: object) => boolean} options.send false when there is no connection
   * @param {() => boolean} options.isVisible
   */
  constructor({ state, send, isVisible }) {
    this.#state = state;
    this.#send = send;
    this.#isVisible = isVisible;
    this.#writers = new Writers((writers) => state.set({ writers }));
    this.#groupWriters = new Writers((groupWriters) => state.set({ groupWriters }));
  }

  /** A new connection: the server knows of no chat on screen. */
  restart() {
    this.#reported = null;
    this.showScreen();
  }

  /** The connection is gone: nobody's presence is known. */
  lose() {
    this.#reported = null;
    clearTimeout(this.#writingTo.timer);
    this.#writingTo = NOBODY;
    this.#state.set({ presence: null });
    this.#writers.clear();
    this.#groupWriters.clear();
  }

  /** Tell the server which chat is on screen, if that is another one than it knows. */
  showScreen() {
    const peerId = this.#isVisible() ? this.#state.openPeerId : null;
    if (peerId === this.#reported || !this.#send(buildOpenChat(peerId))) return;
    this.#reported = peerId;
    this.#groupWriters.clear();
    if (this.#state.presence && this.#state.presence.user_id !== peerId) this.#state.set({ presence: null });
  }

  takePresence(frame) {
    if (frame.user_id === this.#reported) this.#state.set({ presence: frame });
  }

  /** Somebody writes to this user, or in a group; of other groups than the one on screen nobody is told. */
  takeTyping({ sender_id, state, group_id }) {
    if (group_id && group_id !== this.#reported) return;
    const writers = group_id ? this.#groupWriters : this.#writers;
    if (state === "start") writers.begin(sender_id);
    else writers.end(sender_id);
  }

  /** A message came: its writer has stopped writing it. */
  takeMessage({ sender_id, group_id }) {
    if (!group_id) this.#writers.end(sender_id);
    else if (group_id === this.#reported) this.#groupWriters.end(sender_id);
  }

  /** The person wrote or deleted something in the composer; `isEmpty`: there is nothing left, or it was sent. */
  noteWriting(peerId, isEmpty) {
    if (this.#writingTo.peerId && (isEmpty || this.#writingTo.peerId !== peerId)) this.#stopWriting();
    if (isEmpty) return;
    const now = Date.now();
    const isDue = now - this.#writingTo.toldAt >= TYPING_REPEAT_MS;
    if (isDue) this.#send(buildTyping(peerId, "start"));
    clearTimeout(this.#writingTo.timer);
    this.#writingTo = {
      peerId,
      toldAt: isDue ? now : this.#writingTo.toldAt,
      timer: setTimeout(() => this.#stopWriting(), TYPING_LASTS_MS),
    };
  }

  #stopWriting() {
    clearTimeout(this.#writingTo.timer);
    this.#send(buildTyping(this.#writingTo.peerId, "stop"));
    this.#writingTo = NOBODY;
  }
}
