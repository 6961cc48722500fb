/** `<chat-avatar>`: a person's initials on their colour. Decoration only; the name stands beside it. */

import { html } from "lit";

import { ChatElement } from "./element.js";

export class Avatar extends ChatElement {
  static properties = { person: { attribute: false } };

  willUpdate() {
    // Set by script, not as a style attribute, which a strict content security policy forbids.
    this.style.setProperty("--avatar-color", this.person?.avatar_color ?? "var(--muted)");
  }

  render() {
    return html`<span aria-hidden="true">${initials(nameOf(this.person))}</span>`;
  }
}

/** What a person is called; before their profile came, an ellipsis. */
export function nameOf(person) {
  return person?.display_name || person?.username || "…";
}

/** "Ada Lovelace" → "AL", "bob" → "B". */
export function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  const chosen = words.length > 1 ? [words[0], words.at(-1)] : words;
  return chosen.map((word) => [...word][0].toLocaleUpperCase()).join("");
}

customElements.define("chat-avatar", Avatar);
