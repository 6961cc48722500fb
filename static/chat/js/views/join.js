/** `<chat-join>`: the page that an invite link leads to. The token is behind the "#", which no server sees. */

import { html, nothing } from "lit";

import { ApiError } from "../api.js";
import { lookOf } from "./avatar.js";
import { ChatElement } from "./element.js";
import { countMembers } from "./group-header.js";

const NO_SUCH_INVITE = "This invite does not exist. Open the whole link that you were given.";

export class Join extends ChatElement {
  static properties = {
    api: { attribute: false },
    state: { attribute: false },
    token: { attribute: false },
    group: { state: true },
    error: { state: true },
    isJoining: { state: true },
  };

  constructor() {
    super();
    this.group = null;
    this.error = "";
  }

  willUpdate(changed) {
    if (changed.has("token")) this.#load();
  }

  render() {
    return html`
      <main class="account">
        <div class="card join">
          ${this.group ? this.#renderGroup(this.group) : nothing} ${this.error ? this.#renderError() : nothing}
          ${!this.group && !this.error ? html`<p class="muted">Looking at the invite …</p>` : nothing}
          <a href="/">To my chats</a>
        </div>
      </main>
    `;
  }

  #renderGroup({ group_id, name, member_count }) {
    const look = { ...lookOf(this.state, group_id), display_name: name };
    return html`
      <chat-avatar .person=${look}></chat-avatar>
      <p class="muted">You are invited to the group</p>
      <h1>${name}</h1>
      <p class="muted">${countMembers(member_count)}</p>
      <button class="primary" type="button" ?disabled=${this.isJoining} @click=${this.#join}>Join group</button>
    `;
  }

  #renderError() {
    return html`
      ${this.group ? nothing : html`<h1>Invite to a group</h1>`}
      <p class="form-error" role="alert">${this.error}</p>
    `;
  }

  async #load() {
    this.group = null;
    this.error = this.token ? "" : "The link is not complete. Open the whole link that you were given.";
    if (this.token) await this.#try(async () => (this.group = await this.api.getInvite(this.token)));
  }

  async #join() {
    this.isJoining = true;
    const { group_id } = this.group;
    await this.#try(async () => {
      await this.api.acceptInvite(this.token).catch((error) => {
        if (error.code !== "conflict") throw error; // who is a member already just goes there
      });
      location.assign(`/#${group_id}`);
    });
    this.isJoining = false;
  }

  async #try(call) {
    this.error = "";
    try {
      await call();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      // The server knows no address for what cannot be a token.
      this.error = error.code === "not_found" ? NO_SUCH_INVITE : error.message;
    }
  }
}

customElements.define("chat-join", Join);
