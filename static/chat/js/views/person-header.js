/** Above a chat with a person: who they are, whether they are there, and what can be done about them. */

import { html } from "lit";

import { nameOf } from "./avatar.js";
import { backIcon } from "./icons.js";
import { formatLastSeen } from "./times.js";
import "./menu.js";

/**
 * @param {import("../state.js").ChatState} state
 * @param {object} does `block()`, `unblock()`, `report()`
 */
export function renderPersonHeader(state, does) {
  const peerId = state.openPeerId;
  const person = state.person(peerId);
  return html`
    <header class="conversation-header">
      <a class="icon-button back" href="#" aria-label="Back to conversations">${backIcon}</a>
      <chat-avatar .person=${person}></chat-avatar>
      <div class="who">
        <h1>${nameOf(person)}</h1>
        <span class="muted" aria-live="polite">${describe(state, person)}</span>
      </div>
      <chat-menu .label=${"Options"} .items=${listOptions(state.blocked.has(peerId), does)}></chat-menu>
    </header>
  `;
}

function listOptions(isBlocked, { block, unblock, report }) {
  const change = isBlocked ? { label: "Unblock", choose: unblock } : { label: "Block", choose: block };
  return [change, { label: "Report", choose: report }];
}

/** What the person is doing, or when they were last here, or who they are. */
function describe({ writers, openPeerId, presence }, person) {
  if (writers.has(openPeerId)) return "typing …";
  if (presence?.user_id === openPeerId) {
    if (presence.online) return "online";
    if (presence.last_seen) return formatLastSeen(presence.last_seen, Date.now());
  }
  return person ? `@${person.username}` : "";
}
