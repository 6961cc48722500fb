/** What a message answers to, in short. */

import { html, nothing } from "lit";

const MOST_CHARACTERS = 140;

/**
 * @param {object | null} original a record; null: this device does not have it
 * @param {object} options `nameOf(userId)`, `myId`, and `show(original)` where one can be led to it
 */
export function renderQuotation(original, { nameOf, myId, show }) {
  if (!original) return html`<blockquote class="quotation unknown">a message</blockquote>`;
  const author = original.sender_id === myId ? "You" : nameOf(original.sender_id);
  const content = html`<strong>${author}</strong><span>${shorten(original.content)}</span>`;
  if (!show) return html`<blockquote class="quotation">${content}</blockquote>`;
  return html`
    <blockquote class="quotation">
      <button type="button" @click=${() => show(original)}>${content}<span class="unseen">: show it</span></button>
    </blockquote>
  `;
}

/** Above the composer while an answer is written; `cancel()` makes it a message of its own. */
export function renderReplying(original, { cancel, ...options }) {
  if (!original) return nothing;
  return html`
    <div class="replying" aria-live="polite">
      <span class="unseen">You are replying to:</span>
      ${renderQuotation(original, options)}
      <button class="quiet" type="button" aria-label="Cancel reply" @click=${cancel}>Cancel</button>
    </div>
  `;
}

function shorten(text) {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS)}…` : line;
}
