/** `<chat-people-picker>`: choose several people by the search. Fires `change` when `chosen` has changed. */

import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { nameOf } from "./avatar.js";
import { ChatElement } from "./element.js";
import { closeIcon } from "./icons.js";
import "./people-search.js";

export class PeoplePicker extends ChatElement {
  /** `absent`: ids of those who cannot be chosen, for they are there already; `chosen`: the people. */
  static properties = {
    chat: { attribute: false },
    absent: { attribute: false },
    chosen: { state: true },
    message: { state: true },
  };

  constructor() {
    super();
    this.absent = new Set();
    this.chosen = [];
    this.message = "";
  }

  render() {
    return html`
      ${this.chosen.length > 0 ? this.#renderChosen() : nothing}
      <chat-people-search
        .chat=${this.chat}
        @choose-person=${({ detail }) => this.#add(detail.person)}
        @search-changed=${({ detail }) => detail.isSearching && (this.message = "")}
      ></chat-people-search>
      <p class="picker-message muted" aria-live="polite">${this.message}</p>
    `;
  }

  /** Choose nobody. */
  clear() {
    this.#set([]);
  }

  #renderChosen() {
    return html`
      <ul class="chosen" aria-label="Chosen">
        ${repeat(
          this.chosen,
          ({ user_id }) => user_id,
          (person) => html`
            <li>
              <chat-avatar .person=${person}></chat-avatar>
              <span>${nameOf(person)}</span>
              <button type="button" aria-label="Do not add ${nameOf(person)}" @click=${() => this.#remove(person)}>
                ${closeIcon}
              </button>
            </li>
          `,
        )}
      </ul>
    `;
  }

  #add(person) {
    this.message = this.absent.has(person.user_id) ? `${nameOf(person)} is in the group already.` : "";
    if (!this.message && !this.chosen.some(({ user_id }) => user_id === person.user_id)) {
      this.#set([...this.chosen, person]);
      this.message = `${nameOf(person)} is chosen.`;
    }
    this.querySelector("chat-people-search").start();
  }

  #remove(person) {
    this.#set(this.chosen.filter((one) => one !== person));
    this.message = `${nameOf(person)} is not chosen any more.`;
    this.querySelector("chat-people-search").start();
  }

  #set(chosen) {
    this.chosen = chosen;
    this.dispatchEvent(new CustomEvent("change"));
  }
}

customElements.define("chat-people-picker", PeoplePicker);
