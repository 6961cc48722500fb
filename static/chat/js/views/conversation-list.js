/** `<chat-conversation-list>`: newest first, with preview, time and the number of unread messages. */

import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { isGroupId } from "../conversation-keys.js";
import { describeEvent } from "../group-events.js";
import { hasMore, isMuted } from "../group-records.js";
import { statusOf } from "../messages.js";
import { lookOf, nameOf, peopleOf } from "./avatar.js";
import { ChatElement } from "./element.js";
import { mutedIcon, statusIcon } from "./icons.js";
import { formatShort } from "./times.js";

export class ConversationList extends ChatElement {
  static properties = { chat: { attribute: false }, revision: { attribute: false } };

  render() {
    const conversations = this.chat.state.conversations.filter((conversation) => this.#isListed(conversation));
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

  /** A group is there before anything was said in it. */
  #isListed({ last, peer_id }) {
    const group = this.chat.state.group(peer_id);
    return Boolean(last) || (group !== null && !group.ended);
  }

  #renderItem(conversation) {
    const { state } = this.chat;
    const { peer_id, last_at } = conversation;
    const person = lookOf(state, peer_id);
    const isOpen = peer_id === state.openPeerId;
    return html`
      <li>
        <a class="conversation-item" href="#${peer_id}" aria-current=${isOpen ? "true" : nothing}>
          <chat-avatar .person=${person}></chat-avatar>
          ${state.isOnline(peer_id) ? html`<span class="online"><span class="unseen">online</span></span>` : nothing}
          <span class="name">${nameOf(person)}</span>
          <time class="muted">${formatShort(last_at, Date.now())}</time>
          <span class="preview">${this.#renderPreview(conversation)}</span>
          ${this.#renderMarks(conversation)}
        </a>
      </li>
    `;
  }

  #renderMarks({ peer_id, unread, mentions }) {
    const group = this.chat.state.group(peer_id);
    const muted = isMuted(group, Date.now());
    const count = hasMore(group) ? `${unread}+` : unread;
    return html`
      <span class="marks">
        ${muted ? html`<span class="muted-mark">${mutedIcon}<span class="unseen">muted</span></span>` : nothing}
        ${mentions > 0 ? html`<span class="badge"><span class="unseen">you are mentioned</span>@</span>` : nothing}
        ${
          unread > 0
            ? html`<span class="badge ${muted ? "quiet-badge" : ""}" aria-label="${count} unread">${count}</span>`
            : nothing
        }
      </span>
    `;
  }

  #renderPreview(conversation) {
    const { state } = this.chat;
    const { peer_id, last } = conversation;
    if (state.writers.has(peer_id)) return html`<span class="writing">typing …</span>`;
    if (!last) return html`<span>No messages yet</span>`;
    const people = peopleOf(state);
    if (last.event) return html`<span>${describeEvent(last.event, people)}</span>`;
    if (last.sender_id === state.me.user_id) {
      return html`${statusIcon(statusOf(last, conversation))}<span>${last.content}</span>`;
    }
    const author = isGroupId(peer_id) ? `${people.nameOf(last.sender_id)}: ` : "";
    return html`<span>${author}${last.content}</span>`;
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
