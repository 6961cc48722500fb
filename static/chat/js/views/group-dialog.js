/** `<chat-group>`: all about the open group, and what can be done about it. Fires `close` when it is done. */

import { html, nothing } from "lit";

import { ApiError } from "../api.js";
import { describeSeconds } from "../group-events.js";
import { isMuted, isSlowed, mayManage } from "../group-records.js";
import { lookOf, nameOf } from "./avatar.js";
import { countMembers } from "./group-header.js";
import { SheetDialog } from "./sheet-dialog.js";
import { renderSwitch } from "./switch.js";
import "./confirm-dialog.js";
import "./group-about.js";
import "./group-invites.js";
import "./group-members.js";

const SLOW_MODES = [
  [0, "Off"],
  [10, "10 seconds"],
  [60, "1 minute"],
  [300, "5 minutes"],
  [3600, "1 hour"],
];

export class GroupDialog extends SheetDialog {
  static properties = {
    chat: { attribute: false },
    groupId: { attribute: false },
    revision: { attribute: false },
    error: { state: true },
    question: { state: true },
  };

  constructor() {
    super();
    this.error = "";
    this.question = null;
  }

  render() {
    const { state } = this.chat;
    const group = state.group(this.groupId);
    return this.renderSheet({
      title: "Group info",
      closeLabel: "Close group info",
      size: "full",
      content: html`
        ${this.error ? html`<p class="form-error" role="alert">${this.error}</p>` : nothing} ${this.#renderTop(group)}
        ${group && !group.ended ? this.#renderForMembers(group) : nothing}
        ${this.question ? this.#renderQuestion() : nothing}
      `,
    });
  }

  #renderTop(group) {
    const look = lookOf(this.chat.state, this.groupId);
    return html`
      <div class="group-top">
        <chat-avatar .person=${look}></chat-avatar>
        <strong>${nameOf(look)}</strong>
        <span class="muted"
          >${group?.ended ? "You are not in this group." : countMembers(group?.member_count ?? 0)}</span
        >
        ${group && !group.ended && isSlowed(group) ? renderSlowMode(group) : nothing}
        ${group?.description ? html`<p class="description">${group.description}</p>` : nothing}
      </div>
    `;
  }

  #renderForMembers(group) {
    const manages = mayManage(group.role);
    const run = (call) => this.#try(call);
    const ask = (question) => (this.question = question);
    return html`
      ${manages ? html`<chat-group-about .chat=${this.chat} .group=${group}></chat-group-about>` : nothing}
      <section aria-label="Notifications">
        ${renderSwitch({
          label: "Mute",
          hint: "No notifications, unless you are mentioned.",
          isOn: isMuted(group, Date.now()),
          change: (isOn) => this.#try(() => this.chat.groups.mute(this.groupId, isOn)),
        })}
      </section>
      ${manages ? this.#renderManagement(group) : nothing}
      <chat-group-members
        .chat=${this.chat}
        .group=${group}
        .revision=${{}}
        .run=${run}
        .ask=${ask}
      ></chat-group-members>
      ${this.#renderWaysOut(group)}
    `;
  }

  #renderManagement(group) {
    return html`
      <section aria-label="Rules">
        ${renderSwitch({
          label: "Only admins write",
          hint: "Everybody else reads.",
          isOn: group.only_admins_write,
          change: (isOn) => this.#update({ only_admins_write: isOn }),
        })}
        <label class="switch">
          <span><strong>Slow mode</strong><span class="muted">Between two messages of a member.</span></span>
          <select
            aria-label="Slow mode"
            @change=${(event) => this.#update({ slow_mode_seconds: Number(event.target.value) })}
          >
            ${listSlowModes(group.slow_mode_seconds).map(
              ([seconds, label]) =>
                html`<option value=${seconds} .selected=${seconds === group.slow_mode_seconds}>${label}</option>`,
            )}
          </select>
        </label>
      </section>
      <chat-group-invites .chat=${this.chat} .groupId=${this.groupId}></chat-group-invites>
    `;
  }

  #renderWaysOut(group) {
    const isLastOne = group.member_count <= 1;
    return html`
      <footer class="ways-out">
        ${
          group.role === "owner" && !isLastOne
            ? html`<p class="muted">You own this group. To leave it, hand it over to another member.</p>`
            : html`<button class="danger" type="button" @click=${this.#askToLeave}>Leave group</button>`
        }
        ${
          group.role === "owner"
            ? html`<button class="danger" type="button" @click=${this.#askToDelete}>Delete group</button>`
            : nothing
        }
      </footer>
    `;
  }

  #renderQuestion() {
    const close = () => (this.question = null);
    return html`<chat-confirm .question=${this.question} @close=${close}></chat-confirm>`;
  }

  #askToLeave() {
    this.question = {
      title: "Leave this group?",
      text: "You get no more messages of it. What you have stays on this device.",
      action: "Leave",
      run: () => this.chat.groups.leave(this.groupId),
    };
  }

  #askToDelete() {
    this.question = {
      title: "Delete this group?",
      text: "It ends for everybody. What members have stays on their devices.",
      action: "Delete",
      run: () => this.chat.groups.delete(this.groupId),
    };
  }

  #update(changes) {
    return this.#try(() => this.chat.groups.update(this.groupId, changes));
  }

  async #try(call) {
    this.error = "";
    try {
      await call();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.error = error.message;
      this.requestUpdate(); // a switch goes back to what is so
    }
  }
}

/** For those who wait: what they send too soon goes by itself when it is time. */
function renderSlowMode({ slow_mode_seconds }) {
  return html`<span class="muted">Slow mode: ${describeSeconds(slow_mode_seconds)} between your messages</span>`;
}

/** Those to choose from; one that another app has set is among them. */
function listSlowModes(seconds) {
  if (SLOW_MODES.some(([known]) => known === seconds)) return SLOW_MODES;
  return [...SLOW_MODES, [seconds, `${seconds} seconds`]].sort(([a], [b]) => a - b);
}

customElements.define("chat-group", GroupDialog);
