/** `<chat-menu>`: a button that opens a short list of things to do. By keyboard: arrows, Home, End, Enter, Escape. */

import { html, nothing } from "lit";

import { ChatElement } from "./element.js";
import { moreIcon } from "./icons.js";

export class Menu extends ChatElement {
  /** `items`: [{label, choose}] */
  static properties = { label: { attribute: false }, items: { attribute: false }, isOpen: { state: true } };

  #closeFromOutside = ({ target }) => {
    if (!this.contains(target)) this.isOpen = false;
  };

  disconnectedCallback() {
    super.disconnectedCallback();
    this.isOpen = false;
    document.removeEventListener("pointerdown", this.#closeFromOutside);
  }

  render() {
    return html`
      <button
        class="icon-button"
        type="button"
        aria-label=${this.label}
        title=${this.label}
        aria-haspopup="menu"
        aria-expanded=${this.isOpen ? "true" : "false"}
        @click=${this.#toggle}
        @keydown=${this.#handleButtonKey}
      >
        ${moreIcon}
      </button>
      ${this.isOpen ? this.#renderItems() : nothing}
    `;
  }

  #renderItems() {
    return html`
      <div class="menu" role="menu" aria-label=${this.label} @keydown=${this.#handleKey} @focusout=${this.#handleLeave}>
        ${this.items.map(
          (item) => html`
            <button role="menuitem" type="button" tabindex="-1" @click=${() => this.#choose(item)}>
              ${item.label}
            </button>
          `,
        )}
      </div>
    `;
  }

  updated(changed) {
    if (!changed.has("isOpen")) return;
    if (this.isOpen) {
      document.addEventListener("pointerdown", this.#closeFromOutside);
      this.#items[0].focus();
    } else {
      document.removeEventListener("pointerdown", this.#closeFromOutside);
    }
  }

  get #items() {
    return [...this.querySelectorAll("[role=menuitem]")];
  }

  #toggle() {
    this.isOpen = !this.isOpen;
  }

  #handleButtonKey(event) {
    if (event.key !== "ArrowDown" || this.isOpen) return;
    event.preventDefault();
    this.isOpen = true;
  }

  #handleKey(event) {
    const items = this.#items;
    const at = items.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (next !== undefined) items.at(next % items.length).focus();
    else if (event.key === "Escape") this.#close();
    else return;
    event.preventDefault();
  }

  /** By Tab. Safari focuses nothing at a click: then the item that was clicked does the rest. */
  #handleLeave({ relatedTarget }) {
    if (relatedTarget && !this.contains(relatedTarget)) this.isOpen = false;
  }

  #choose({ choose }) {
    this.#close();
    choose();
  }

  #close() {
    this.isOpen = false;
    this.querySelector("button").focus();
  }
}

customElements.define("chat-menu", Menu);
