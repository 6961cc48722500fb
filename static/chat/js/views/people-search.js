/** `<chat-people-search>`: find a person by username. Fires `search-changed` {isSearching} and `choose-person` {person}. */

import { html, nothing } from "lit";

import { ApiError } from "../api.js";
import { nameOf } from "./avatar.js";
import { ChatElement } from "./element.js";
import { searchIcon } from "./icons.js";

const TYPING_PAUSE_MS = 200;

export class PeopleSearch extends ChatElement {
  static properties = {
    chat: { attribute: false },
    query: { state: true },
    results: { state: true },
    message: { state: true },
  };

  #timer = null;
  #request = null;

  constructor() {
    super();
    this.query = "";
    this.results = null;
    this.message = "";
  }

  /** Put the cursor into the search box. */
  start() {
    this.querySelector("input").focus();
  }

  render() {
    return html`
      <form class="search" role="search" @submit=${this.#submit} @keydown=${this.#handleKey}>
        ${searchIcon}
        <input
          type="search"
          aria-label="Find a person"
          placeholder="Find a person by username"
          autocomplete="off"
          autocapitalize="none"
          spellcheck="false"
          maxlength="32"
          .value=${this.query}
          @input=${this.#handleInput}
        />
      </form>
      ${this.query ? this.#renderResults() : nothing}
    `;
  }

  #renderResults() {
    return html`
      <ul class="people" aria-label="People">
        ${this.results?.map((person) => this.#renderPerson(person))}
      </ul>
      <p class="search-message muted" aria-live="polite">${this.message}</p>
    `;
  }

  #renderPerson(person) {
    return html`
      <li>
        <button class="person" type="button" @click=${() => this.#choose(person)}>
          <chat-avatar .person=${person}></chat-avatar>
          <span class="name">${nameOf(person)}</span>
          <span class="muted">@${person.username}</span>
        </button>
      </li>
    `;
  }

  #handleInput(event) {
    this.#setQuery(event.target.value);
    this.#timer = setTimeout(() => this.#search(), TYPING_PAUSE_MS);
  }

  #handleKey(event) {
    if (event.key !== "Escape" || !this.query) return;
    event.preventDefault(); // or a dialog around the search would close
    this.#setQuery("");
  }

  #submit(event) {
    event.preventDefault();
    this.#stopSearch();
    this.#search();
  }

  #setQuery(query) {
    this.#stopSearch();
    this.query = query;
    if (!query) this.results = null;
    this.dispatchEvent(new CustomEvent("search-changed", { detail: { isSearching: query !== "" } }));
  }

  #stopSearch() {
    clearTimeout(this.#timer);
    this.#request?.abort();
  }

  async #search() {
    const query = this.query.trim().replace(/^@/, "");
    if (!query) return;
    this.#request = new AbortController();
    try {
      const found = await this.chat.api.searchPeople(query, this.#request.signal);
      this.results = found.filter(({ user_id }) => user_id !== this.chat.state.me.user_id);
      this.message = this.results.length === 0 ? noneFound(query) : "";
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof ApiError)) throw error;
      this.results = [];
      this.message = error.code === "network" ? "You are offline. Searching needs a connection." : error.message;
    }
  }

  async #choose(person) {
    await this.chat.people.remember(person);
    this.#setQuery("");
    this.dispatchEvent(new CustomEvent("choose-person", { detail: { person } }));
  }
}

function noneFound(query) {
  return query.length < 3
    ? "Nobody has exactly this username. Type at least 3 characters to search."
    : "Nobody found. Check the spelling of the username.";
}

customElements.define("chat-people-search", PeopleSearch);
