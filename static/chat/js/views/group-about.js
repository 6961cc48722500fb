/** `<chat-group-about>`: name and description, for those who look after the group. */

import { html, nothing } from "lit";

import { ApiError } from "../api.js";
import { ChatElement } from "./element.js";

const MAX_NAME_CHARACTERS = 100;
const MAX_DESCRIPTION_CHARACTERS = 500;

export class GroupAbout extends ChatElement {
  static properties = {
    chat: { attribute: false },
    group: { attribute: false },
    isEditing: { state: true },
    error: { state: true },
  };

  constructor() {
    super();
    this.isEditing = false;
    this.error = "";
  }

  render() {
    if (!this.isEditing) {
      return html`
        <button class="quiet edit" type="button" @click=${() => (this.isEditing = true)}>
          Change name or description
        </button>
      `;
    }
    const { name, description } = this.group;
    return html`
      <form class="form" @submit=${this.#save}>
        <label class="field-with-label">
          <span>Group name</span>
          <input name="name" type="text" required maxlength=${MAX_NAME_CHARACTERS} autocomplete="off" .value=${name} />
        </label>
        <label class="field-with-label">
          <span>Description</span>
          <textarea
            name="description"
            rows="3"
            maxlength=${MAX_DESCRIPTION_CHARACTERS}
            .value=${description}
          ></textarea>
        </label>
        ${this.error ? html`<p class="form-error" role="alert">${this.error}</p>` : nothing}
        <div class="choices">
          <button class="quiet" type="button" @click=${() => (this.isEditing = false)}>Cancel</button>
          <button class="primary" type="submit">Save</button>
        </div>
      </form>
    `;
  }

  updated(changed) {
    if (!changed.has("isEditing") || changed.get("isEditing") === undefined) return;
    this.querySelector(this.isEditing ? "input" : "button").focus();
  }

  async #save(event) {
    event.preventDefault();
    const form = new FormData(event.target);
    this.error = "";
    try {
      await this.chat.groups.update(this.group.group_id, {
        name: form.get("name"),
        description: form.get("description"),
      });
      this.isEditing = false;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error = error.message;
    }
  }
}

customElements.define("chat-group-about", GroupAbout);
