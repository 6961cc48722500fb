/** What stands in place of the chat when this window may not show it. */

import { html } from "lit";

/**
 * @param {string} kind `interruption` of the state
 * @param {object} options `useHere()`, and `suspension`: what the server says of it, or ""
 */
export function renderInterruption(kind, { useHere, suspension }) {
  if (kind === "replaced") return renderReplaced(useHere);
  return kind === "suspended" ? renderSuspended(suspension) : renderEnded();
}

function renderReplaced(useHere) {
  return html`
    <section class="interruption">
      <h1>This chat is open in another window</h1>
      <p>A login can be used in one window at a time. Nothing is lost: all messages are in the other window too.</p>
      <button class="primary" type="button" @click=${useHere}>Use here</button>
    </section>
  `;
}

function renderSuspended(suspension) {
  return html`
    <section class="interruption">
      <h1>Your account is suspended</h1>
      <p>A moderator of this site has suspended it. Nothing is deleted.</p>
      ${suspension ? html`<p class="why" role="alert">${suspension}</p>` : html`<p>Who logs in is told the reason.</p>`}
      <a class="primary button" href="/login/">${suspension ? "Log in again" : "Log in to see why"}</a>
    </section>
  `;
}

function renderEnded() {
  return html`
    <section class="interruption">
      <h1>Your session was ended</h1>
      <p>This login was removed: by you on another device, by a new password, or by an administrator.</p>
      <a class="primary button" href="/login/">Log in again</a>
    </section>
  `;
}
