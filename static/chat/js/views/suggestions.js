/**
 * `<chat-suggestions>`: whom one may mean after an "@", above the composer. The focus stays in the text box, which hands
 * its keys on. Fires `choose-person` {person} and `highlight` {id}: that of the option which Enter chooses, or null.
 */

import { html, nothing } from "lit";

import { nameOf } from "./avatar.js";
import { ChatElement } from "./element.js";

export class Suggestions extends ChatElement {
  static properties = {
    // The same people in a new list keep what is highlighted.
    people: { attribute: false, hasChanged: (people, before) => listNames(people) !== listNames(before) },
    active: { state: true },
  };

  constructor() {
    super();
    this.people = [];
    this.active = 0;
  }

  willUpdate(changed) {
    if (changed.has("people")) this.active = 0;
  }

  render() {
    if (this.people.length === 0) return nothing;
    return html`
      <ul class="suggestions" role="listbox" id="suggestions" aria-label="Members to mention">
        ${this.people.map((person, index) => this.#renderPerson(person, index))}
      </ul>
    `;
  }

  #renderPerson(person, index) {
    return html`
      <li
        role="option"
        id="suggestion-${index}"
        aria-selected=${index === this.active ? "true" : "false"}
        @pointerdown=${(event) => this.#choose(event, person)}
      >
        <chat-avatar .person=${person}></chat-avatar>
        <span class="name">${nameOf(person)}</span>
        <span class="muted">@${person.username}</span>
      </li>
    `;
  }

  updated() {
    const id = this.people.length > 0 ? `suggestion-${this.active}` : null;
    this.dispatchEvent(new CustomEvent("highlight", { detail: { id } }));
  }

  /** Whether a key of the text box was for the list. */
  takeKey(event) {
    if (this.people.length === 0 || event.isComposing) return false;
    const step = { ArrowDown: 1, ArrowUp: this.people.length - 1 }[event.key];
    if (step) this.active = (this.active + step) % this.people.length;
    else if (event.key === "Enter" || event.key === "Tab") this.#announce(this.people[this.active]);
    else return false;
    event.preventDefault();
    return true;
  }

  #choose(event, person) {
    event.preventDefault(); // or the text box would lose the focus
    this.#announce(person);
  }

  #announce(person) {
    this.dispatchEvent(new CustomEvent("choose-person", { detail: { person } }));
  }
}

function listNames(people) {
  return people?.map(({ username }) => username).join(" ");
}

customElements.define("chat-suggestions", Suggestions);
