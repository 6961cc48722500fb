/**
 * The company a person has: who is there in the chat on screen, and who is writing.
 *
 * All of it is of the moment: nothing is stored, and what is lost is made good by what comes next.
 */

import { buildOpenChat, buildTyping } from "./protocol.js";

/** A notice that lasts is repeated so often … */
export const TYPING_REPEAT_MS = 3_000;
/** … and without a repetition it counts for so long, since "stop" may be lost. */
export const TYPING_LASTS_MS = 7_000;

const NOBODY = Object.freeze({ peerId: null, toldAt: -Infinity, timer: null });

export class Company {
  #state;
  #send;
  #isVisible;
  #reported = null;
  #writingTo = NOBODY;
  #writers = new Map();

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
    for (const peerId of [...this.#writers.keys()]) this.#endWriting(peerId);
  }

  /** Tell the server which chat is on screen, if that is another one than it knows. */
  showScreen() {
    const peerId = this.#isVisible() ? this.#state.openPeerId : null;
    if (peerId === this.#reported || !this.#send(buildOpenChat(peerId))) return;
    this.#reported = peerId;
    if (this.#state.presence && this.#state.presence.user_id !== peerId) this.#state.set({ presence: null });
  }

  takePresence(frame) {
    if (frame.user_id === this.#reported) this.#state.set({ presence: frame });
  }

  takeTyping({ sender_id, state }) {
    if (state === "start") this.#beginWriting(sender_id);
    else this.#endWriting(sender_id);
  }

  /** A message came: its writer has stopped writing it. */
  takeMessage({ sender_id }) {
    this.#endWriting(sender_id);
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

  #beginWriting(peerId) {
    clearTimeout(this.#writers.get(peerId));
    this.#writers.set(
      peerId,
      setTimeout(() => this.#endWriting(peerId), TYPING_LASTS_MS),
    );
    this.#show();
  }

  #endWriting(peerId) {
    if (!this.#writers.has(peerId)) return;
    clearTimeout(this.#writers.get(peerId));
    this.#writers.delete(peerId);
    this.#show();
  }

  #show() {
    this.#state.set({ writers: new Set(this.#writers.keys()) });
  }
}
