/** `<chat-conversation-list>`: newest first, with preview, time and the number of unread messages. */

import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { statusOf } from "../messages.js";
import { nameOf } from "./avatar.js";
import { ChatElement } from "./element.js";
import { statusIcon } from "./icons.js";
import { formatShort } from "./times.js";

export class ConversationList extends ChatElement {
  static properties = { chat: { attribute: false }, revision: { attribute: false } };

  render() {
    const conversations = this.chat.state.conversations.filter(({ last }) => last);
    return html`
      <ul class="conversations" aria-label="Conversations">
        ${repeat(
          conversations,
          ({ peer_id }) => peer_id,
          (conversation) => this.#renderItem(conversation),
        )}
      </ul>
      ${conversations.length === 0 ? this.#renderEmpty() : nothing}
    `;
  }

  #renderItem(conversation) {
    const { state } = this.chat;
    const { peer_id, last_at, unread } = conversation;
    const person = state.person(peer_id);
    const isOpen = peer_id === state.openPeerId;
    return html`
      <li>
        <a class="conversation-item" href="#${peer_id}" aria-current=${isOpen ? "true" : nothing}>
          <chat-avatar .person=${person}></chat-avatar>
          ${state.isOnline(peer_id) ? html`<span class="online"><span class="unseen">online</span></span>` : nothing}
          <span class="name">${nameOf(person)}</span>
          <time class="muted">${formatShort(last_at, Date.now())}</time>
          <span class="preview">${this.#renderPreview(conversation)}</span>
          ${unread > 0 ? html`<span class="badge" aria-label="${unread} unread">${unread}</span>` : nothing}
        </a>
      </li>
    `;
  }

  #renderPreview({ peer_id, last, peer_read_sequence }) {
    if (this.chat.state.writers.has(peer_id)) return html`<span class="writing">typing …</span>`;
    const isMine = last.sender_id === this.chat.state.me.user_id;
    return html`${isMine ? statusIcon(statusOf(last, peer_read_sequence)) : nothing}<span>${last.content}</span>`;
  }

  #renderEmpty() {
    const ask = () => this.dispatchEvent(new CustomEvent("new-chat"));
    return html`
      <div class="empty">
        <p><strong>No conversations yet</strong></p>
        <p class="muted">Find a person by their username and write the first message.</p>
        <button class="primary" type="button" @click=${ask}>Find someone</button>
      </div>
    `;
  }
}

customElements.define("chat-conversation-list", ConversationList);
