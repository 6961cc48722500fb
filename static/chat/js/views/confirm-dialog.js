/**
 * `<chat-confirm>`: asks whether something is really to be done, and does it. Fires `close` when it is done, or not.
 */

import { html, nothing } from "lit";

import { ApiError } from "../api.js";
import { SheetDialog } from "./sheet-dialog.js";

export class ConfirmDialog extends SheetDialog {
  /** `question`: {title, text, action, run}; `run()` may reject with ApiError. */
  static properties = { question: { attribute: false }, error: { state: true }, isRunning: { state: true } };

  render() {
    const { title, text, action } = this.question;
    return this.renderSheet({
      title,
      closeLabel: "Close question",
      size: "small",
      content: html`
        ${this.error ? html`<p class="form-error" role="alert">${this.error}</p>` : nothing}
        <p>${text}</p>
        <div class="choices">
          <button class="quiet" type="button" @click=${this.close}>Cancel</button>
          <button class="danger" type="button" ?disabled=${this.isRunning} @click=${this.#run}>${action}</button>
        </div>
      `,
    });
  }

  async #run() {
    this.error = "";
    this.isRunning = true;
    try {
      await this.question.run();
      this.close();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error = error.message;
    } finally {
      this.isRunning = false;
    }
  }
}

customElements.define("chat-confirm", ConfirmDialog);
