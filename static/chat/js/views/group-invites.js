/** `<chat-group-invites>`: links with which whoever has one can join. */

import { html, nothing } from "lit";

import { ApiError } from "../api.js";
import { ChatElement } from "./element.js";
import { formatMoment } from "./times.js";

const DAY = 86_400;
const LIFETIMES = [
  [3_600, "1 hour"],
  [DAY, "1 day"],
  [7 * DAY, "7 days"],
  [30 * DAY, "30 days"],
];
const DEFAULT_LIFETIME = 7 * DAY;

export class GroupInvites extends ChatElement {
  static properties = {
    chat: { attribute: false },
    groupId: { attribute: false },
    invites: { state: true },
    /** null, or the link that was just made: the server shows it once. */
    fresh: { state: true },
    isCopied: { state: true },
    error: { state: true },
  };

  constructor() {
    super();
    this.invites = [];
    this.fresh = null;
    this.error = "";
  }

  firstUpdated() {
    this.#try(async () => (this.invites = await this.chat.api.listInvites(this.groupId)));
  }

  render() {
    return html`
      <section class="invites">
        <h3 id="invites-title">Invite link</h3>
        <p class="muted">Whoever has the link can join, until it runs out or is revoked.</p>
        ${this.error ? html`<p class="form-error" role="alert">${this.error}</p>` : nothing}
        <form class="new-invite" @submit=${this.#create}>
          <select name="lifetime" aria-label="Valid for">
            ${LIFETIMES.map(
              ([seconds, label]) =>
                html`<option value=${seconds} ?selected=${seconds === DEFAULT_LIFETIME}>${label}</option>`,
            )}
          </select>
          <button class="quiet" type="submit">Create link</button>
        </form>
        ${this.fresh ? this.#renderFresh() : nothing}
        <ul class="invite-list" aria-labelledby="invites-title">
          ${this.invites.map((invite) => this.#renderInvite(invite))}
        </ul>
      </section>
    `;
  }

  #renderFresh() {
    return html`
      <div class="fresh-invite">
        <input
          type="text"
          readonly
          aria-label="Invite link"
          .value=${this.fresh.invite_url}
          @focus=${(event) => event.target.select()}
        />
        <button class="primary" type="button" @click=${this.#copy}>Copy link</button>
        <span class="muted" aria-live="polite">
          ${this.isCopied ? "Copied." : "Copy it now: it is not shown again."}
        </span>
      </div>
    `;
  }

  #renderInvite({ number, expires_at }) {
    const words = `Valid until ${formatMoment(expires_at)}`;
    return html`
      <li>
        <span>${words}${number === this.fresh?.number ? " (the new one)" : ""}</span>
        <button class="quiet" type="button" aria-label="Revoke link: ${words}" @click=${() => this.#revoke(number)}>
          Revoke
        </button>
      </li>
    `;
  }

  #create(event) {
    event.preventDefault();
    const lifetime = Number(new FormData(event.target).get("lifetime"));
    return this.#try(async () => {
      this.fresh = await this.chat.api.createInvite(this.groupId, lifetime);
      this.isCopied = false;
      this.invites = [...this.invites, this.fresh];
    });
  }

  async #copy() {
    this.querySelector(".fresh-invite input").select();
    // Absent on plain http; then the link is at least selected.
    await navigator.clipboard?.writeText(this.fresh.invite_url);
    this.isCopied = Boolean(navigator.clipboard);
  }

  #revoke(number) {
    return this.#try(async () => {
      await this.chat.api.revokeInvite(this.groupId, number);
      this.invites = this.invites.filter((invite) => invite.number !== number);
      if (this.fresh?.number === number) this.fresh = null;
    });
  }

  async #try(call) {
    this.error = "";
    try {
      await call();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error = error.message;
    }
  }
}

customElements.define("chat-group-invites", GroupInvites);
