/** One message: its text, time, status, and what can be done when it was not sent. */

import { html, nothing } from "lit";

import { statusOf } from "../messages.js";
import { flagIcon, statusIcon } from "./icons.js";
import { reasonOf } from "./reasons.js";
import { renderText } from "./rich-text.js";
import { formatClock } from "./times.js";

const CLOSE_TOGETHER_MS = 5 * 60_000;

/**
 * @param {object} message a record of messages.js
 * @param {object | undefined} previous the one above it
 * @param {object} options `myId`, `peerReadSequence`, `tryAgain(key)`, `deleteMessage(key)`, `report(message)`
 */
export function renderMessage(message, previous, options) {
  const isMine = message.sender_id === options.myId;
  const side = isMine ? "mine" : "theirs";
  const follows = continues(message, previous) ? "follows" : "";
  const status = isMine ? statusOf(message, options.peerReadSequence) : null;
  return html`
    <article class="message ${side} ${follows} ${status === "failed" ? "failed" : ""}">
      <div class="line">
        <div class="bubble">
          <p class="text">${renderText(message.content)}</p>
          <span class="meta">
            <time datetime=${new Date(message.timestamp).toISOString()}>${formatClock(message.timestamp)}</time>
            ${status ? statusIcon(status) : nothing}
          </span>
        </div>
        ${isMine ? nothing : renderReportButton(message, options)}
      </div>
      ${message.error ? renderFailure(message, options) : nothing}
    </article>
  `;
}

function renderReportButton(message, { report }) {
  return html`
    <button
      class="report-message"
      type="button"
      aria-label="Report message"
      title="Report message"
      @click=${() => report(message)}
    >
      ${flagIcon}
    </button>
  `;
}

function renderFailure({ key, error }, { tryAgain, deleteMessage }) {
  return html`
    <div class="failure">
      <span>${reasonOf(error)}</span>
      <button class="quiet" type="button" @click=${() => tryAgain(key)}>Try again</button>
      <button class="quiet" type="button" @click=${() => deleteMessage(key)}>Delete</button>
    </div>
  `;
}

function continues(message, previous) {
  return (
    previous !== undefined &&
    previous.sender_id === message.sender_id &&
    message.timestamp - previous.timestamp < CLOSE_TOGETHER_MS
  );
}
