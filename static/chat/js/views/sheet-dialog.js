/** Base of the dialogs: a sheet with a title above the page. Fires `close` when it is done. */

import { html } from "lit";

import { ChatElement } from "./element.js";
import { closeIcon } from "./icons.js";

export class SheetDialog extends ChatElement {
  firstUpdated() {
    this.querySelector("dialog").showModal();
  }

  /** The dialog; `size` "full" takes the whole screen of a phone, "small" does not. */
  renderSheet({ title, closeLabel, size, content }) {
    const titleId = `${this.localName}-title`;
    return html`
      <dialog
        class="sheet-dialog ${size}"
        aria-labelledby=${titleId}
        @close=${this.#announceClose}
        @click=${this.#handleClick}
      >
        <div class="sheet">
          <header>
            <h2 id=${titleId}>${title}</h2>
            <button class="icon-button" type="button" aria-label=${closeLabel} @click=${this.close}>
              ${closeIcon}
            </button>
          </header>
          ${content}
        </div>
      </dialog>
    `;
  }

  close() {
    this.querySelector("dialog").close();
  }

  #announceClose() {
    this.dispatchEvent(new CustomEvent("close"));
  }

  /** A click outside the sheet lands on the dialog itself, that is on its backdrop. */
  #handleClick(event) {
    if (event.target === event.currentTarget) this.close();
  }
}
