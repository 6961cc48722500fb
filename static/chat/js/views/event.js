/** A notice between the messages: what happened to the group. */

import { html } from "lit";

import { describeEvent } from "../group-events.js";
import { formatClock } from "./times.js";

/**
 * @param {object} record of messages.js, with an `event`
 * @param {object} people `myId`, and `nameOf(userId)`
 */
export function renderEvent({ event, timestamp }, people) {
  return html`
    <div class="event" role="note">
      <span>${describeEvent(event, people)}</span>
      <time class="unseen" datetime=${new Date(timestamp).toISOString()}>${formatClock(timestamp)}</time>
    </div>
  `;
}
