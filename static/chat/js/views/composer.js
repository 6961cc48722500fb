/**
 * `<chat-composer>`: where one writes. Enter sends, Shift+Enter begins a line. Fires `send-text` {text},
 * `writing` {isEmpty} and `cancel-reply`.
 */

import { html, nothing } from "lit";

import { completeMention, findBegun, suggestPeople } from "../mentions.js";
import { cleanContent, countCharacters, MAX_CONTENT_CHARACTERS } from "../protocol.js";
import { ChatElement } from "./element.js";
import { sendIcon } from "./icons.js";
import "./suggestions.js";

const COUNTER_FROM = 900;
const touchScreen = window.matchMedia("(pointer: coarse)");

export class Composer extends ChatElement {
  static properties = {
    peerId: { attribute: false },
    isDisabled: { attribute: false },
    /** Who can be mentioned. */
    members: { attribute: false },
    text: { state: true },
    /** null, or the mention that is being typed: {start, query} */
    begun: { state: true },
    /** null, or the id of the suggestion that Enter chooses. */
    highlighted: { state: true },
  };

  #drafts = new Map();

  constructor() {
    super();
    this.text = "";
    this.members = [];
    this.begun = null;
  }

  willUpdate(changed) {
    if (!changed.has("peerId")) return;
    const earlier = changed.get("peerId");
    if (earlier) this.#drafts.set(earlier, this.text);
    this.text = this.#drafts.get(this.peerId) ?? "";
    this.begun = null;
  }

  /** Put the cursor into the text box. */
  start() {
    this.#textarea.focus();
  }

  render() {
    const length = countCharacters(cleanContent(this.text));
    const isTooLong = length > MAX_CONTENT_CHARACTERS;
    const suggested = this.begun ? suggestPeople(this.members, this.begun.query) : [];
    return html`
      <chat-suggestions
        .people=${suggested}
        @choose-person=${(event) => this.#mention(event.detail.person)}
        @highlight=${(event) => (this.highlighted = event.detail.id)}
      ></chat-suggestions>
      <form class="composer" @submit=${this.#submit}>
        <div class="field ${isTooLong ? "too-long" : ""}">
          <textarea
            aria-label="Message"
            placeholder="Write a message"
            rows="1"
            enterkeyhint="send"
            aria-controls=${suggested.length > 0 ? "suggestions" : nothing}
            aria-activedescendant=${this.highlighted ?? nothing}
            ?disabled=${this.isDisabled}
            .value=${this.text}
            @input=${this.#handleInput}
            @keydown=${this.#handleKey}
            @blur=${() => (this.begun = null)}
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
    this.begun = this.members.length > 0 ? findBegun(this.text, event.target.selectionStart) : null;
    this.#announceWriting();
  }

  async #mention({ username }) {
    const { text, caret } = completeMention(this.text, this.begun, username);
    this.text = text;
    this.begun = null;
    await this.updateComplete;
    this.#textarea.setSelectionRange(caret, caret);
  }

  #announceWriting() {
    const isEmpty = cleanContent(this.text) === "";
    this.dispatchEvent(new CustomEvent("writing", { detail: { isEmpty } }));
  }

  #handleKey(event) {
    if (this.querySelector("chat-suggestions").takeKey(event)) return;
    if (event.key === "Escape") this.#handleEscape();
    // While an input method composes a word, Enter accepts the word.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.querySelector("form").requestSubmit();
  }

  /** First the suggestions go, then what is replied to. */
  #handleEscape() {
    if (this.begun) this.begun = null;
    else this.dispatchEvent(new CustomEvent("cancel-reply"));
  }

  #submit(event) {
    event.preventDefault();
    const length = countCharacters(cleanContent(this.text));
    if (length === 0 || length > MAX_CONTENT_CHARACTERS) return;
    this.dispatchEvent(new CustomEvent("send-text", { detail: { text: this.text } }));
    this.text = "";
    this.begun = null;
    this.#announceWriting();
    this.#textarea.focus();
  }
}

customElements.define("chat-composer", Composer);
