/** `<chat-avatar>`: the initials of a person or group on their colour. Decoration only; the name stands beside it. */

import { html } from "lit";

import { isGroupId } from "../conversation-keys.js";
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

/** What a conversation shows of whom it is with: of a person, or of a group as if it were one. */
export function lookOf(state, peerId) {
  if (!isGroupId(peerId)) return state.person(peerId);
  const name = state.group(peerId)?.name;
  return { user_id: peerId, display_name: name || "Group", avatar_color: groupColor(peerId) };
}

/** For sentences about people: who I am, and what others are called. */
export function peopleOf(state) {
  return { myId: state.me.user_id, nameOf: (userId) => nameOf(state.person(userId)) };
}

/** The same on every device; each is dark enough for white letters. */
const GROUP_COLORS = ["#0b6e5f", "#8a3d6b", "#3b5b9d", "#8a5a12", "#5f4b9b", "#2c6b3f", "#9b3f2f", "#35627a"];

function groupColor(groupId) {
  return GROUP_COLORS[Number.parseInt(groupId.slice(-6), 16) % GROUP_COLORS.length];
}

/** "Ada Lovelace" → "AL", "bob" → "B". */
export function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  const chosen = words.length > 1 ? [words[0], words.at(-1)] : words;
  return chosen.map((word) => [...word][0].toLocaleUpperCase()).join("");
}

customElements.define("chat-avatar", Avatar);
