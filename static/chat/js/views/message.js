/** One message: who wrote it, its text, time, status, and what can be done about it. */

import { html, nothing } from "lit";

import { partialDelivery, statusOf } from "../messages.js";
import { flagIcon, infoIcon, partialStatus, replyIcon, statusIcon } from "./icons.js";
import { renderQuotation } from "./quotation.js";
import { reasonOf } from "./reasons.js";
import { renderText } from "./rich-text.js";
import { formatClock } from "./times.js";
import "./sender.js";

const CLOSE_TOGETHER_MS = 5 * 60_000;

/**
 * @param {object} message a record of messages.js
 * @param {object | undefined} previous the one above it
 * @param {object} options `isGroup`, `conversation`, `person(userId)`, `people` (`myId`, `nameOf(userId)`), `names` (who can
 *   be mentioned), `quoted(messageId)`, `canReply`; `tryAgain(key)`, `deleteMessage(key)`, `report(message)`,
 *   `reply(message)`, `showOriginal(message)`, `showDelivery(message)`
 */
export function renderMessage(message, previous, options) {
  const isMine = message.sender_id === options.people.myId;
  const side = isMine ? "mine" : "theirs";
  const follows = continues(message, previous) ? "follows" : "";
  const status = isMine ? statusOf(message, options.conversation) : null;
  const flags = `${status === "failed" ? "failed" : ""} ${message.mention_sequence === undefined ? "" : "mentions-me"}`;
  return html`
    <article class="message ${side} ${follows} ${flags}" id=${message.message_id ?? nothing} tabindex="-1">
      <div class="line">
        <div class="bubble">
          ${options.isGroup && !isMine && !follows ? renderSender(message, options) : nothing}
          ${message.reply_to ? renderReplyTo(message, options) : nothing}
          <p class="text">${renderText(message.content, options.names)}</p>
          <span class="meta">
            <time datetime=${new Date(message.timestamp).toISOString()}>${formatClock(message.timestamp)}</time>
            ${status ? renderStatus(message, status) : nothing}
          </span>
        </div>
        ${renderActions(message, isMine, options)}
      </div>
      ${message.error ? renderFailure(message, options) : nothing}
    </article>
  `;
}

function renderSender({ sender_id }, { person }) {
  return html`<chat-sender .person=${person(sender_id)}></chat-sender>`;
}

function renderReplyTo({ reply_to }, { quoted, people, showOriginal }) {
  return renderQuotation(quoted(reply_to), { ...people, show: showOriginal });
}

/** The mark of one's own message; of a large group nobody counts who has it. */
function renderStatus(message, status) {
  const partial = partialDelivery(message);
  return partial && status === "sent" ? partialStatus(partial) : statusIcon(status);
}

function renderActions(message, isMine, { isGroup, canReply, reply, report, showDelivery }) {
  if (!message.message_id || message.error) return nothing;
  return html`
    <div class="actions">
      ${isMine && isGroup ? renderAction("Delivery details", infoIcon, () => showDelivery(message)) : nothing}
      ${canReply ? renderAction("Reply", replyIcon, () => reply(message)) : nothing}
      ${isMine ? nothing : renderAction("Report message", flagIcon, () => report(message))}
    </div>
  `;
}

function renderAction(label, icon, choose) {
  return html`<button class="message-action" type="button" aria-label=${label} title=${label} @click=${choose}>
    ${icon}
  </button>`;
}

function renderFailure({ key, error }, { isGroup, tryAgain, deleteMessage }) {
  return html`
    <div class="failure">
      <span>${reasonOf(error, isGroup)}</span>
      <button class="quiet" type="button" @click=${() => tryAgain(key)}>Try again</button>
      <button class="quiet" type="button" @click=${() => deleteMessage(key)}>Delete</button>
    </div>
  `;
}

function continues(message, previous) {
  return (
    previous !== undefined &&
    !previous.event &&
    previous.sender_id === message.sender_id &&
    message.timestamp - previous.timestamp < CLOSE_TOGETHER_MS
  );
}
