/** Frames on their way: to those who act on them at once, or through the store, where the others change what is kept. */

import { applyFrames } from "./apply.js";
import { FrameIntake } from "./frame-intake.js";
import { buildConfirmations } from "./protocol.js";

export class FrameRouter {
  #parts;
  #intake;

  /**
   * @param {object} parts those of the chat that frames concern: `notebook`, `state`, `writing`, `reading`, `company`,
   *   `attendance`, `groups`, `groupPoll`, `notifications`; `send(frame)`, `reconnect()`, `settingsChanged()`, `onNews()`
   *   (something new is stored)
   */
  constructor(parts) {
    this.#parts = parts;
    this.#intake = new FrameIntake({
      process: (frames) => this.#store(frames),
      onFailure: (error) => this.#handleFailure(error),
    });
  }

  take(frame) {
    const handle = AT_ONCE[frame.action];
    if (handle) handle(this.#parts, frame);
    else this.#intake.add(frame);
  }

  async #store(frames) {
    const { notebook, state, writing, groups, notifications, send, onNews } = this.#parts;
    for (const frame of frames) if (frame.action === "incoming_message") this.#parts.company.takeMessage(frame);
    const todo = await notebook.change((ledger) => applyFrames(ledger, state.me, frames));
    for (const frame of buildConfirmations(todo.confirm, Date.now())) send(frame);
    writing.takeAnswers(todo);
    // Why a group refuses a message stands in the group itself.
    for (const groupId of new Set([...todo.refusedBy, ...todo.outdated])) groups.fetch(groupId);
    notifications.take(todo.added);
    await onNews();
  }

  /** On the next connection all that was not stored comes again. */
  #handleFailure(error) {
    console.error("Messages could not be stored", error);
    const isFull = error.name === "QuotaExceededError";
    this.#parts.state.set({
      notice: isFull
        ? "This device is full. New messages wait on the server until there is room."
        : "This browser could not store new messages. They will be fetched again.",
    });
    this.#parts.reconnect();
  }
}

const AT_ONCE = {
  heartbeat: ({ reading }) => reading.acknowledge(),
  presence({ company, attendance }, frame) {
    company.takePresence(frame);
    attendance.takePresence(frame);
  },
  typing: ({ company }, frame) => company.takeTyping(frame),
  settings_changed({ settingsChanged, groups }) {
    settingsChanged();
    // On another device a group may have been muted.
    groups.fetchAll();
  },
  group_changed: ({ groups }, frame) => groups.takeChange(frame),
  group_activity: ({ groupPoll }, { group_id }) => groupPoll.hear(group_id),
};
