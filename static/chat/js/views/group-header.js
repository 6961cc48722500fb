/** Above a group: its name, how many are in it, who is writing, and the way to all that can be done about it. */

import { html, nothing } from "lit";

import { describeWriters } from "../group-events.js";
import { isMuted, isSlowed } from "../group-records.js";
import { lookOf, nameOf, peopleOf } from "./avatar.js";
import { backIcon, infoIcon, mutedIcon } from "./icons.js";

/**
 * @param {import("../state.js").ChatState} state
 * @param {() => void} openInfo
 */
export function renderGroupHeader(state, openInfo) {
  const groupId = state.openPeerId;
  const look = lookOf(state, groupId);
  const group = state.group(groupId);
  return html`
    <header class="conversation-header">
      <a class="icon-button back" href="#" aria-label="Back to conversations">${backIcon}</a>
      <chat-avatar .person=${look}></chat-avatar>
      <div class="who">
        <h1>${nameOf(look)}</h1>
        <span class="muted" aria-live="polite">${describe(state, group)}</span>
      </div>
      ${isMuted(group, Date.now()) ? html`<span class="muted-mark">${mutedIcon}<span class="unseen">Muted</span></span>` : nothing}
      <button class="icon-button info" type="button" aria-label="Group info" title="Group info" @click=${openInfo}>
        ${infoIcon}
      </button>
    </header>
  `;
}

function describe(state, group) {
  const { nameOf: name } = peopleOf(state);
  const writing = describeWriters([...state.groupWriters].map(name));
  if (writing) return writing;
  if (!group || group.ended) return "";
  const members = countMembers(group.member_count);
  return isSlowed(group) ? `${members} · slow mode` : members;
}

/** "1 member", "12 members" */
export function countMembers(count) {
  return `${count.toLocaleString("en")} member${count === 1 ? "" : "s"}`;
}
