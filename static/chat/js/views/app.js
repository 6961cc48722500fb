/** `<chat-app>`: the whole page. Beside each other on a desktop, list and chat are two screens on a phone. */

import { html, nothing } from "lit";

import { ApiError } from "../api.js";
import { ChatElement } from "./element.js";
import { chatIcon, warningIcon } from "./icons.js";
import { renderInterruption } from "./interruption.js";
import { formatDay } from "./times.js";
import "./conversation.js";
import "./new-group-dialog.js";
import "./settings-dialog.js";
import "./side.js";

export class App extends ChatElement {
  static properties = {
    chat: { attribute: false },
    isSettingsOpen: { state: true },
    isNewGroupOpen: { state: true },
    /** A dialog above the chat has a search box of its own. */
    isSearchTaken: { state: true },
  };

  #handleChange = () => {
    this.requestUpdate();
    this.#showUnreadInTitle();
  };

  connectedCallback() {
    super.connectedCallback();
    this.chat.state.addEventListener("change", this.#handleChange);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.chat.state.removeEventListener("change", this.#handleChange);
  }

  render() {
    const { announcement, connection, interruption, openPeerId, suspension, warning } = this.chat.state;
    return html`
      <main class="app ${openPeerId ? "shows-chat" : "shows-list"}" data-connection=${connection}>
        ${warning && !interruption ? this.#renderWarning(warning) : nothing}
        <div class="connection ${announcement ? "announces" : ""}" role="status">
          ${connection}${announcement ? html`<span class="announcement"> · ${announcement}</span>` : nothing}
        </div>
        ${interruption ? renderInterruption(interruption, { useHere: () => this.chat.useHere(), suspension }) : this.#renderPanes()}
      </main>
    `;
  }

  #renderWarning({ note, created_at }) {
    return html`
      <div class="warning" role="alert">
        ${warningIcon}
        <div class="warning-text">
          <strong>Warning from a moderator</strong>
          <time class="muted" datetime=${new Date(created_at).toISOString()}>${formatDay(created_at, Date.now())}</time>
          <p>${note}</p>
        </div>
        <button class="quiet" type="button" @click=${() => this.chat.safety.dismissWarning()}>Dismiss</button>
      </div>
    `;
  }

  #renderPanes() {
    const { state } = this.chat;
    // `revision` is new each time, so that a child shows what changed inside `chat.state`.
    return html`
      <chat-side
        .chat=${this.chat}
        .revision=${{}}
        .canLogOut=${!this.isSettingsOpen}
        .canSearch=${!this.isNewGroupOpen && !this.isSearchTaken}
        @new-group=${() => (this.isNewGroupOpen = true)}
        @open-settings=${() => (this.isSettingsOpen = true)}
        @log-out=${this.#logOut}
      ></chat-side>
      <div class="main">
        ${
          state.chat
            ? html`<chat-conversation
                .chat=${this.chat}
                .revision=${{}}
                @dialog-changed=${(event) => (this.isSearchTaken = event.detail.hasSearch)}
              ></chat-conversation>`
            : this.#renderWelcome()
        }
      </div>
      ${this.isSettingsOpen ? this.#renderSettings() : nothing}
      ${this.isNewGroupOpen ? this.#renderNewGroup() : nothing}
      ${state.notice ? this.#renderNotice(state.notice) : nothing}
    `;
  }

  #renderWelcome() {
    return html`
      <div class="welcome">
        ${chatIcon}
        <p>Choose a conversation, or find a person to write to.</p>
      </div>
    `;
  }

  #renderSettings() {
    return html`
      <chat-settings
        .chat=${this.chat}
        .version=${this.chat.state.settingsVersion}
        @close=${() => (this.isSettingsOpen = false)}
        @log-out=${this.#logOut}
      ></chat-settings>
    `;
  }

  #renderNewGroup() {
    return html`<chat-new-group .chat=${this.chat} @close=${() => (this.isNewGroupOpen = false)}></chat-new-group>`;
  }

  #renderNotice(notice) {
    const dismiss = () => this.chat.state.set({ notice: "" });
    return html`<div class="notice" role="alert">
      ${notice} <button class="quiet" type="button" @click=${dismiss}>OK</button>
    </div>`;
  }

  async #logOut() {
    const waiting = await this.chat.countWaiting();
    const question = `${waiting} of your messages were not sent yet and would be lost. Log out all the same?`;
    if (waiting > 0 && !window.confirm(question)) return;
    try {
      await this.chat.logOut();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.chat.state.set({ notice: `You are still logged in. ${error.message}` });
    }
  }

  #showUnreadInTitle() {
    const { unreadTotal } = this.chat.state;
    document.title = unreadTotal > 0 ? `(${unreadTotal}) Chatsite` : "Chatsite";
  }
}

customElements.define("chat-app", App);
