/** `<chat-block>`: asks whether a person is really to be blocked. Fires `close` when it is done. */

import { html, nothing } from "lit";

import { ApiError } from "../api.js";
import { nameOf } from "./avatar.js";
import { SheetDialog } from "./sheet-dialog.js";

export class BlockDialog extends SheetDialog {
  static properties = { chat: { attribute: false }, person: { attribute: false }, error: { state: true } };

  render() {
    const name = nameOf(this.person);
    return this.renderSheet({
      title: `Block ${name}?`,
      closeLabel: "Close",
      size: "small",
      content: html`
        ${this.error ? html`<p class="form-error" role="alert">${this.error}</p>` : nothing}
        <p>Neither of you can write to the other until you unblock ${name}. What was written stays.</p>
        <div class="choices">
          <button class="quiet" type="button" @click=${this.close}>Cancel</button>
          <button class="danger" type="button" @click=${this.#block}>Block</button>
        </div>
      `,
    });
  }

  async #block() {
    this.error = "";
    try {
      await this.chat.safety.block(this.person.user_id);
      this.close();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error = error.message;
    }
  }
}

customElements.define("chat-block", BlockDialog);
