/** `<chat-conversation>`: the open chat. Its messages by day, the composer, and what can be done about the person. */

import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { ApiError } from "../api.js";
import { nameOf } from "./avatar.js";
import { ChatElement } from "./element.js";
import { backIcon, blockedIcon, downIcon } from "./icons.js";
import { renderMessage } from "./message.js";
import { formatDay, formatLastSeen, groupByDay } from "./times.js";
import "./block-dialog.js";
import "./composer.js";
import "./menu.js";
import "./report-dialog.js";

const NEAR_END_PX = 80;
const NEAR_START_PX = 200;

export class Conversation extends ChatElement {
  static properties = {
    chat: { attribute: false },
    revision: { attribute: false },
    isAtEnd: { state: true },
    /** null, or what is open above the chat: {kind: "block" or "report", peerId, message} */
    dialog: { state: true },
  };

  #shown = { peerId: null, firstKey: null, lastKey: null, height: 0 };
  #isLoading = false;

  constructor() {
    super();
    this.isAtEnd = true;
    this.dialog = null;
  }

  willUpdate() {
    if (this.dialog && this.dialog.peerId !== this.chat.state.openPeerId) this.dialog = null;
  }

  render() {
    const { state } = this.chat;
    const { peer_id, messages } = state.chat;
    const person = state.person(peer_id);
    const isBlocked = state.blocked.has(peer_id);
    return html`
      <section class="conversation" aria-label="Conversation with ${nameOf(person)}">
        <header class="conversation-header">
          <a class="icon-button back" href="#" aria-label="Back to conversations">${backIcon}</a>
          <chat-avatar .person=${person}></chat-avatar>
          <div class="who">
            <h1>${nameOf(person)}</h1>
            <span class="muted" aria-live="polite">${this.#describe(person)}</span>
          </div>
          <chat-menu .label=${"Options"} .items=${this.#listOptions(peer_id)}></chat-menu>
        </header>
        <div class="log" role="log" aria-label="Messages" tabindex="0" @scroll=${this.#handleScroll}>
          ${messages.length === 0 ? this.#renderEmpty(person) : nothing}
          ${repeat(
            groupByDay(messages),
            ({ day, messages: [first] }) => `${day} ${first.key}`,
            (group) => this.#renderDay(group),
          )}
        </div>
        ${this.isAtEnd ? nothing : this.#renderJump()} ${isBlocked ? this.#renderBlocked(person, peer_id) : nothing}
        <chat-composer
          .isDisabled=${isBlocked}
          .peerId=${peer_id}
          @send-text=${(event) => this.#send(peer_id, event)}
          @writing=${({ detail }) => this.chat.noteWriting(peer_id, detail.isEmpty)}
        ></chat-composer>
        ${this.dialog ? this.#renderDialog(this.dialog, person ?? { user_id: peer_id }) : nothing}
      </section>
    `;
  }

  #listOptions(peerId) {
    const block = { label: "Block", choose: () => (this.dialog = { kind: "block", peerId }) };
    const unblock = { label: "Unblock", choose: () => this.#unblock(peerId) };
    const report = { label: "Report", choose: () => (this.dialog = { kind: "report", peerId, message: null }) };
    return [this.chat.state.blocked.has(peerId) ? unblock : block, report];
  }

  #renderDialog({ kind, message }, person) {
    const close = () => (this.dialog = null);
    if (kind === "block") return html`<chat-block .chat=${this.chat} .person=${person} @close=${close}></chat-block>`;
    return html` <chat-report .chat=${this.chat} .person=${person} .message=${message} @close=${close}></chat-report> `;
  }

  #renderBlocked(person, peerId) {
    return html`
      <div class="blocked">
        ${blockedIcon}
        <p>You have blocked ${nameOf(person)}. Neither of you can write to the other.</p>
        <button class="quiet" type="button" @click=${() => this.#unblock(peerId)}>Unblock</button>
      </div>
    `;
  }

  async #unblock(peerId) {
    try {
      await this.chat.unblock(peerId);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.chat.state.set({ notice: `Not unblocked. ${error.message}` });
    }
  }

  /** What the person is doing, or when they were last here, or who they are. */
  #describe(person) {
    const { state } = this.chat;
    if (state.writers.has(state.chat.peer_id)) return "typing …";
    const { presence } = state;
    if (presence?.user_id === state.chat.peer_id) {
      if (presence.online) return "online";
      if (presence.last_seen) return formatLastSeen(presence.last_seen, Date.now());
    }
    return person ? `@${person.username}` : "";
  }

  #renderDay({ day, messages }) {
    const { state } = this.chat;
    const options = {
      myId: state.me.user_id,
      peerReadSequence: state.conversation(state.chat.peer_id)?.peer_read_sequence ?? -1,
      tryAgain: (key) => this.chat.tryAgain(key),
      deleteMessage: (key) => this.chat.deleteMessage(key),
      report: (message) => (this.dialog = { kind: "report", peerId: message.peer_id, message }),
    };
    return html`
      <h2 class="day"><span>${formatDay(day, Date.now())}</span></h2>
      ${repeat(
        messages,
        ({ key }) => key,
        (message, index) => renderMessage(message, messages[index - 1], options),
      )}
    `;
  }

  #renderEmpty(person) {
    return html`<p class="empty muted">This is the beginning of your conversation with ${nameOf(person)}.</p>`;
  }

  #renderJump() {
    return html`
      <button class="jump" type="button" aria-label="To the newest message" @click=${this.#scrollToEnd}>
        ${downIcon}
      </button>
    `;
  }

  async #send(peerId, { target: composer, detail: { text } }) {
    try {
      await this.chat.send(peerId, text);
    } catch (error) {
      console.error("The message could not be stored", error);
      composer.text = text;
      this.chat.state.set({ notice: "This device has no room for the message. It was not sent." });
    }
  }

  /** Stay at the end when the reader is there; keep the reader's place when older messages come in above. */
  updated() {
    const log = this.#log;
    const { peer_id, messages } = this.chat.state.chat;
    const before = this.#shown;
    const lastMessage = messages.at(-1);
    const isOtherChat = before.peerId !== peer_id;
    const wroteMyself = lastMessage?.key !== before.lastKey && lastMessage?.sender_id === this.chat.state.me.user_id;
    if (isOtherChat || this.isAtEnd || wroteMyself) this.#scrollToEnd();
    else if (before.firstKey !== messages[0]?.key) log.scrollTop += log.scrollHeight - before.height;
    this.#shown = {
      peerId: peer_id,
      firstKey: messages[0]?.key,
      lastKey: lastMessage?.key,
      height: log.scrollHeight,
    };
  }

  get #log() {
    return this.querySelector("[role=log]");
  }

  #scrollToEnd() {
    const log = this.#log;
    log.scrollTop = log.scrollHeight;
  }

  #handleScroll(event) {
    const log = event.target;
    this.isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
    if (log.scrollTop < NEAR_START_PX) this.#loadOlder();
  }

  async #loadOlder() {
    if (this.#isLoading) return;
    this.#isLoading = true;
    await this.chat.loadOlder();
    this.#isLoading = false;
  }
}

customElements.define("chat-conversation", Conversation);
