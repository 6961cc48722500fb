/** `<chat-new-group>`: give a group a name and its first members. Fires `close` when it is done. */

import { html, nothing } from "lit";

import { ApiError } from "../api.js";
import { SheetDialog } from "./sheet-dialog.js";
import "./people-picker.js";

const MAX_NAME_CHARACTERS = 100;

export class NewGroupDialog extends SheetDialog {
  static properties = {
    chat: { attribute: false },
    name: { state: true },
    people: { state: true },
    error: { state: true },
    isSending: { state: true },
  };

  constructor() {
    super();
    this.name = "";
    this.people = [];
    this.error = "";
    this.isSending = false;
  }

  render() {
    return this.renderSheet({
      title: "New group",
      closeLabel: "Close",
      size: "full",
      content: html`
        <div class="form">
          <label class="field-with-label">
            <span>Group name</span>
            <input
              type="text"
              maxlength=${MAX_NAME_CHARACTERS}
              autocomplete="off"
              autofocus
              .value=${this.name}
              @input=${(event) => (this.name = event.target.value)}
            />
          </label>
          <section aria-label="Members">
            <h3>Members</h3>
            <chat-people-picker
              .chat=${this.chat}
              @change=${(event) => (this.people = event.target.chosen)}
            ></chat-people-picker>
          </section>
          ${this.error ? html`<p class="form-error" role="alert">${this.error}</p>` : nothing}
          <div class="choices">
            <button class="quiet" type="button" @click=${this.close}>Cancel</button>
            <button
              class="primary"
              type="button"
              ?disabled=${this.isSending || this.name.trim() === ""}
              @click=${this.#create}
            >
              Create group
            </button>
          </div>
        </div>
      `,
    });
  }

  async #create() {
    this.error = "";
    this.isSending = true;
    try {
      const userIds = this.people.map(({ user_id }) => user_id);
      const groupId = await this.chat.groups.create(this.name.trim(), userIds);
      this.close();
      location.hash = groupId;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error = error.message;
    } finally {
      this.isSending = false;
    }
  }
}

customElements.define("chat-new-group", NewGroupDialog);
