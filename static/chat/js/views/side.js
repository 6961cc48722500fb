/** `<chat-side>`: who I am, the search for people, and the list of conversations. */

import { html, nothing } from "lit";

import { nameOf } from "./avatar.js";
import { ChatElement } from "./element.js";
import { logOutIcon, newChatIcon, newGroupIcon, settingsIcon } from "./icons.js";
import "./conversation-list.js";
import "./people-search.js";

export class Side extends ChatElement {
  static properties = {
    chat: { attribute: false },
    revision: { attribute: false },
    canLogOut: { attribute: false },
    /** False while a dialog has a search box of its own; this one keeps its place. */
    canSearch: { attribute: false },
    isSearching: { state: true },
  };

  render() {
    return html`
      <nav class="side" aria-label="Chats">
        <h1 class="unseen">Chats</h1>
        ${this.#renderHeader()} ${this.#renderSearch()}
        <chat-conversation-list
          ?hidden=${this.isSearching}
          .chat=${this.chat}
          .revision=${this.revision}
          @new-chat=${this.#startSearch}
        ></chat-conversation-list>
      </nav>
    `;
  }

  #renderSearch() {
    return html`
      <chat-people-search
        class=${this.canSearch ? nothing : "unavailable"}
        .chat=${this.chat}
        @search-changed=${(event) => (this.isSearching = event.detail.isSearching)}
        @choose-person=${(event) => (location.hash = event.detail.person.user_id)}
      ></chat-people-search>
    `;
  }

  #renderHeader() {
    const { me } = this.chat.state;
    return html`
      <header class="side-header">
        <chat-avatar .person=${me}></chat-avatar>
        <div class="who">
          <strong>${nameOf(me)}</strong>
          <span class="muted">@${me.username}</span>
        </div>
        <button class="icon-button" type="button" aria-label="New chat" title="New chat" @click=${this.#startSearch}>
          ${newChatIcon}
        </button>
        <button class="icon-button" type="button" aria-label="New group" title="New group" @click=${this.#newGroup}>
          ${newGroupIcon}
        </button>
        <button class="icon-button" type="button" aria-label="Settings" title="Settings" @click=${this.#openSettings}>
          ${settingsIcon}
        </button>
        ${this.canLogOut ? this.#renderLogOut() : nothing}
      </header>
    `;
  }

  #renderLogOut() {
    return html`
      <button class="icon-button" type="button" aria-label="Log out" title="Log out" @click=${this.#logOut}>
        ${logOutIcon}
      </button>
    `;
  }

  #startSearch() {
    this.querySelector("chat-people-search").start();
  }

  #newGroup() {
    this.dispatchEvent(new CustomEvent("new-group"));
  }

  #openSettings() {
    this.dispatchEvent(new CustomEvent("open-settings"));
  }

  #logOut() {
    this.dispatchEvent(new CustomEvent("log-out"));
  }
}

customElements.define("chat-side", Side);
