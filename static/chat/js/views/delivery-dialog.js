/** `<chat-delivery>`: how many members have a message of mine, and have read it. Fires `close` when it is done. */

import { html, nothing } from "lit";

import { ApiError } from "../api.js";
import { countMembers } from "./group-header.js";
import { SheetDialog } from "./sheet-dialog.js";

export class DeliveryDialog extends SheetDialog {
  static properties = {
    chat: { attribute: false },
    message: { attribute: false },
    counts: { state: true },
    error: { state: true },
  };

  async firstUpdated() {
    super.firstUpdated();
    try {
      this.counts = await this.chat.groups.fetchDelivery(this.message);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error = error.code === "not_found" ? "The site does not know this message any more." : error.message;
    }
  }

  render() {
    return this.renderSheet({
      title: "Delivery",
      closeLabel: "Close",
      size: "small",
      content: html`
        <blockquote class="quotation"><span>${this.message.content}</span></blockquote>
        <div aria-live="polite">
          ${this.counts ? renderCounts(this.counts) : nothing}
          ${this.error ? html`<p class="form-error">${this.error}</p>` : nothing}
        </div>
      `,
    });
  }
}

function renderCounts({ delivered, members, read = 0 }) {
  return html`
    <dl class="counts">
      <div>
        <dt>Sent to</dt>
        <dd>${countMembers(members)}</dd>
      </div>
      <div>
        <dt>Delivered to</dt>
        <dd>${delivered}</dd>
      </div>
      <div>
        <dt>Read by</dt>
        <dd>${read}</dd>
      </div>
    </dl>
  `;
}

customElements.define("chat-delivery", DeliveryDialog);
