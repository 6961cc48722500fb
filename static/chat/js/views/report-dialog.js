/** `<chat-report>`: tell the moderators of a person, or of one message. Fires `close` when it is done. */

import { html, nothing } from "lit";

import { ApiError } from "../api.js";
import { cleanContent } from "../protocol.js";
import { buildReport, MAX_REPORT_WORDS, REPORT_REASONS } from "../reports.js";
import { nameOf } from "./avatar.js";
import { SheetDialog } from "./sheet-dialog.js";

export class ReportDialog extends SheetDialog {
  /** `message`: the received message that is reported, or null for the person. */
  static properties = {
    chat: { attribute: false },
    person: { attribute: false },
    message: { attribute: false },
    error: { state: true },
    isSending: { state: true },
  };

  render() {
    const name = nameOf(this.person);
    return this.renderSheet({
      title: this.message ? "Report this message" : `Report ${name}`,
      closeLabel: "Close report",
      size: "full",
      content: html`
        <form class="report" @submit=${this.#submit}>
          ${this.message ? html`<blockquote>${this.message.content}</blockquote>` : nothing}
          <fieldset>
            <legend>What is wrong?</legend>
            ${REPORT_REASONS.map(renderReason)}
          </fieldset>
          <label class="words">
            <span>Do you want to add something? <span class="muted">(optional)</span></span>
            <textarea name="words" rows="3" maxlength=${MAX_REPORT_WORDS}></textarea>
          </label>
          <p class="muted">
            ${
              this.message
                ? "The moderators of this site see the message as it stands here, and your words."
                : "The moderators of this site see your words, and none of your messages."
            }
            ${name} is not told who reported.
          </p>
          ${this.error ? html`<p class="form-error" role="alert">${this.error}</p>` : nothing}
          <div class="choices">
            <button class="quiet" type="button" @click=${this.close}>Cancel</button>
            <button class="primary" type="submit" ?disabled=${this.isSending}>Report</button>
          </div>
        </form>
      `,
    });
  }

  async #submit(event) {
    event.preventDefault();
    const form = new FormData(event.target);
    const subject = { peerId: this.person.user_id, message: this.message };
    this.error = "";
    this.isSending = true;
    try {
      await this.chat.safety.report(buildReport(subject, form.get("reason"), cleanContent(form.get("words"))));
      this.close();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error = this.#explain(error);
    } finally {
      this.isSending = false;
    }
  }

  /** The server forgets a message some days after it was delivered; what a moderator can act on then is the person. */
  #explain({ code, message }) {
    if (code !== "not_found" || !this.message) return message;
    return `The site does not know this message any more. You can report ${nameOf(this.person)} instead.`;
  }
}

function renderReason(reason) {
  return html`
    <label class="reason"><input type="radio" name="reason" value=${reason} required /><span>${reason}</span></label>
  `;
}

customElements.define("chat-report", ReportDialog);
