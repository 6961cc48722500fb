/** `<chat-conversation>`: the open chat with a person or group. Its messages by day, the composer, and its dialogs. */

import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { ApiError } from "../api.js";
import { isGroupId } from "../conversation-keys.js";
import { newConversation } from "../conversations.js";
import { whyClosed } from "../group-events.js";
import { lookOf, nameOf, peopleOf } from "./avatar.js";
import { ChatElement } from "./element.js";
import { renderEvent } from "./event.js";
import { renderGroupHeader } from "./group-header.js";
import { blockedIcon, downIcon } from "./icons.js";
import { renderMessage } from "./message.js";
import { renderPersonHeader } from "./person-header.js";
import { renderReplying } from "./quotation.js";
import { formatDay, groupByDay } from "./times.js";
import "./block-dialog.js";
import "./composer.js";
import "./delivery-dialog.js";
import "./group-dialog.js";
import "./report-dialog.js";

const NEAR_END_PX = 80;
const NEAR_START_PX = 200;

export class Conversation extends ChatElement {
  static properties = {
    chat: { attribute: false },
    revision: { attribute: false },
    isAtEnd: { state: true },
    /** null, or what is open above the chat: {kind: "block", "report", "delivery" or "group", peerId, message} */
    dialog: { state: true },
    /** null, or the message that the next one answers to. */
    replyTo: { state: true },
  };

  #shown = { peerId: null, firstKey: null, lastKey: null, height: 0 };
  #isLoading = false;

  /** A keyboard that opens, or a window that grows narrow, must not push the newest message out of sight. */
  #resizing = new ResizeObserver(() => this.isAtEnd && this.#scrollToEnd());

  constructor() {
    super();
    this.isAtEnd = true;
    this.dialog = null;
    this.replyTo = null;
  }

  firstUpdated() {
    this.#resizing.observe(this.#log);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#resizing.disconnect();
  }

  willUpdate() {
    const peerId = this.chat.state.openPeerId;
    if (this.dialog && this.dialog.peerId !== peerId) this.#setDialog(null);
    if (this.replyTo && this.replyTo.peer_id !== peerId) this.replyTo = null;
  }

  render() {
    const { state } = this.chat;
    const { peer_id, messages } = state.chat;
    const name = nameOf(lookOf(state, peer_id));
    const closed = this.#whyClosed(peer_id);
    const options = this.#buildOptions(peer_id, closed);
    return html`
      <section class="conversation" aria-label="Conversation with ${name}">
        ${this.#renderHeader(peer_id)}
        <div class="log" role="log" aria-label="Messages" tabindex="0" @scroll=${this.#handleScroll}>
          ${messages.length === 0 ? renderEmpty(name, options.isGroup) : nothing}
          ${repeat(
            groupByDay(messages),
            ({ day, messages: [first] }) => `${day} ${first.key}`,
            (group) => renderDay(group, options),
          )}
        </div>
        <div class="log-end">${this.isAtEnd ? nothing : this.#renderJump()}</div>
        ${closed ? this.#renderClosed(peer_id, closed) : nothing}
        ${renderReplying(this.replyTo, { ...options.people, cancel: () => (this.replyTo = null) })}
        <chat-composer
          .isDisabled=${closed !== ""}
          .peerId=${peer_id}
          .members=${this.#listMembers(peer_id).filter(({ user_id }) => user_id !== state.me.user_id)}
          @send-text=${(event) => this.#send(peer_id, event)}
          @writing=${({ detail }) => this.chat.noteWriting(peer_id, detail.isEmpty)}
          @cancel-reply=${() => (this.replyTo = null)}
        ></chat-composer>
        ${this.dialog ? this.#renderDialog(this.dialog, peer_id) : nothing}
      </section>
    `;
  }

  #renderHeader(peerId) {
    const { state } = this.chat;
    const open = (kind) => () => this.#setDialog({ kind, peerId, message: null });
    if (isGroupId(peerId)) return renderGroupHeader(state, open("group"));
    return renderPersonHeader(state, {
      block: open("block"),
      unblock: () => this.#unblock(peerId),
      report: open("report"),
    });
  }

  /** Why nobody can write here; "" where one can. */
  #whyClosed(peerId) {
    const { state } = this.chat;
    if (isGroupId(peerId)) return whyClosed(state.group(peerId), peopleOf(state));
    if (!state.blocked.has(peerId)) return "";
    return `You have blocked ${nameOf(state.person(peerId))}. Neither of you can write to the other.`;
  }

  #renderClosed(peerId, reason) {
    const unblock = html` <button class="quiet" type="button" @click=${() => this.#unblock(peerId)}>Unblock</button> `;
    return html`
      <div class="blocked">
        ${blockedIcon}
        <p aria-live="polite">${reason}</p>
        ${isGroupId(peerId) ? nothing : unblock}
      </div>
    `;
  }

  async #unblock(peerId) {
    try {
      await this.chat.safety.unblock(peerId);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.chat.state.set({ notice: `Not unblocked. ${error.message}` });
    }
  }

  #setDialog(dialog) {
    this.dialog = dialog;
    const hasSearch = dialog?.kind === "group";
    this.dispatchEvent(new CustomEvent("dialog-changed", { detail: { hasSearch } }));
  }

  #renderDialog({ kind, message }, peerId) {
    const close = () => this.#setDialog(null);
    const { chat } = this;
    const person = chat.state.person(message?.sender_id ?? peerId) ?? { user_id: message?.sender_id ?? peerId };
    if (kind === "block") return html`<chat-block .chat=${chat} .person=${person} @close=${close}></chat-block>`;
    if (kind === "delivery") {
      return html`<chat-delivery .chat=${chat} .message=${message} @close=${close}></chat-delivery>`;
    }
    if (kind === "group") {
      return html`<chat-group .chat=${chat} .groupId=${peerId} .revision=${{}} @close=${close}></chat-group>`;
    }
    return html`<chat-report .chat=${chat} .person=${person} .message=${message} @close=${close}></chat-report>`;
  }

  /** What messages need to be shown; see message.js. */
  #buildOptions(peerId, closed) {
    const { state } = this.chat;
    const openAbout = (kind) => (message) => this.#setDialog({ kind, peerId, message });
    return {
      isGroup: isGroupId(peerId),
      conversation: state.conversation(peerId) ?? newConversation(peerId),
      person: (userId) => state.person(userId),
      people: peopleOf(state),
      names: this.#listNames(peerId),
      quoted: (messageId) => state.quoted(messageId),
      canReply: closed === "",
      tryAgain: (key) => this.chat.writing.tryAgain(key),
      deleteMessage: (key) => this.chat.writing.delete(key),
      report: openAbout("report"),
      showDelivery: openAbout("delivery"),
      reply: (message) => this.#reply(message),
      showOriginal: (message) => this.#showOriginal(message),
    };
  }

  /** Who is marked where a text mentions them: of a group's members those that are known here, and oneself. */
  #listNames(peerId) {
    const me = this.chat.state.me.username.toLowerCase();
    const members = this.#listMembers(peerId).map(({ username }) => username.toLowerCase());
    return { members: new Set(isGroupId(peerId) ? [...members, me] : []), me };
  }

  #listMembers(peerId) {
    const { state } = this.chat;
    const members = state.group(peerId)?.members ?? [];
    return members.map(({ user_id }) => state.person(user_id)).filter(Boolean);
  }

  #reply(message) {
    this.replyTo = message;
    this.querySelector("chat-composer").start();
  }

  /** The message that is quoted, where it is on screen; a keyboard goes on from there. */
  #showOriginal({ message_id }) {
    const article = document.getElementById(message_id);
    article?.scrollIntoView({ block: "center" });
    article?.focus({ preventScroll: true });
  }

  #renderJump() {
    return html`
      <button class="jump" type="button" aria-label="To the newest message" @click=${this.#scrollToEnd}>
        ${downIcon}
      </button>
    `;
  }

  async #send(peerId, { target: composer, detail: { text } }) {
    const { replyTo } = this;
    this.replyTo = null;
    try {
      await this.chat.send(peerId, text, replyTo?.message_id);
    } catch (error) {
      console.error("The message could not be stored", error);
      composer.text = text;
      this.replyTo = replyTo;
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

function renderDay({ day, messages }, options) {
  return html`
    <h2 class="day"><span>${formatDay(day, Date.now())}</span></h2>
    ${repeat(
      messages,
      ({ key }) => key,
      (message, index) =>
        message.event ? renderEvent(message, options.people) : renderMessage(message, messages[index - 1], options),
    )}
  `;
}

function renderEmpty(name, isGroup) {
  const what = isGroup ? `of ${name}` : `of your conversation with ${name}`;
  return html`<p class="empty muted">This is the beginning ${what}.</p>`;
}

customElements.define("chat-conversation", Conversation);
