/** `<chat-composer>`: where one writes. Enter sends, Shift+Enter begins a line. Fires `send-text` {text} and `writing` {isEmpty}. */

import { html, nothing } from "lit";

import { cleanContent, countCharacters, MAX_CONTENT_CHARACTERS } from "../protocol.js";
import { ChatElement } from "./element.js";
import { sendIcon } from "./icons.js";

const COUNTER_FROM = 900;
const touchScreen = window.matchMedia("(pointer: coarse)");

export class Composer extends ChatElement {
  static properties = {
    peerId: { attribute: false },
    isDisabled: { attribute: false },
    text: { state: true },
  };

  #drafts = new Map();

  constructor() {
    super();
    this.text = "";
  }

  willUpdate(changed) {
    if (!changed.has("peerId")) return;
    const earlier = changed.get("peerId");
    if (earlier) this.#drafts.set(earlier, this.text);
    this.text = this.#drafts.get(this.peerId) ?? "";
  }

  render() {
    const length = countCharacters(cleanContent(this.text));
    const isTooLong = length > MAX_CONTENT_CHARACTERS;
    return html`
      <form class="composer" @submit=${this.#submit}>
        <div class="field ${isTooLong ? "too-long" : ""}">
          <textarea
            aria-label="Message"
            placeholder="Write a message"
            rows="1"
            enterkeyhint="send"
            ?disabled=${this.isDisabled}
            .value=${this.text}
            @input=${this.#handleInput}
            @keydown=${this.#handleKey}
          ></textarea>
          ${length >= COUNTER_FROM ? this.#renderCounter(length) : nothing}
        </div>
        <button class="send" type="submit" aria-label="Send" ?disabled=${this.isDisabled || length === 0 || isTooLong}>
          ${sendIcon}
        </button>
      </form>
    `;
  }

  #renderCounter(length) {
    return html`<span class="counter" aria-live="polite">${length} of ${MAX_CONTENT_CHARACTERS}</span>`;
  }

  updated(changed) {
    this.#fitHeight();
    // On a touch screen the focus would push half the chat away behind the keyboard.
    const isEnabledAgain = changed.get("isDisabled") && !this.isDisabled;
    if ((changed.has("peerId") || isEnabledAgain) && !touchScreen.matches)
      this.#textarea.focus({ preventScroll: true });
  }

  get #textarea() {
    return this.querySelector("textarea");
  }

  #fitHeight() {
    const textarea = this.#textarea;
    textarea.style.height = "auto";
    textarea.style.height = `${textarea.scrollHeight}px`;
  }

  #handleInput(event) {
    this.text = event.target.value;
    this.#announceWriting();
  }

  #announceWriting() {
    const isEmpty = cleanContent(this.text) === "";
    this.dispatchEvent(new CustomEvent("writing", { detail: { isEmpty } }));
  }

  #handleKey(event) {
    // While an input method composes a word, Enter accepts the word.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.querySelector("form").requestSubmit();
  }

  #submit(event) {
    event.preventDefault();
    const length = countCharacters(cleanContent(this.text));
    if (length === 0 || length > MAX_CONTENT_CHARACTERS) return;
    this.dispatchEvent(new CustomEvent("send-text", { detail: { text: this.text } }));
    this.text = "";
    this.#announceWriting();
    this.#textarea.focus();
  }
}

customElements.define("chat-composer", Composer);
