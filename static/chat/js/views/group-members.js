/** `<chat-group-members>`: who is in the group, as what, and what one may do about them. */

import { html, nothing } from "lit";
import { repeat } from "lit/directives/repeat.js";

import { mayManage, powersOver } from "../group-records.js";
import { nameOf } from "./avatar.js";
import { ChatElement } from "./element.js";
import "./menu.js";
import "./people-picker.js";

const ROLES = { owner: "Owner", admin: "Admin", member: "" };

export class GroupMembers extends ChatElement {
  /** `run(call)` shows what the server refuses; `ask({title, text, action, run})` asks before. */
  static properties = {
    chat: { attribute: false },
    group: { attribute: false },
    revision: { attribute: false },
    run: { attribute: false },
    ask: { attribute: false },
    chosen: { state: true },
  };

  constructor() {
    super();
    this.chosen = [];
  }

  render() {
    const members = this.group.members ?? [];
    const more = this.group.member_count - members.length;
    return html`
      <section>
        <h3 id="members-title">Members</h3>
        ${mayManage(this.group.role) ? this.#renderAdding(members) : nothing}
        <ul class="members" aria-labelledby="members-title">
          ${repeat(
            members,
            ({ user_id }) => user_id,
            (member) => this.#renderMember(member),
          )}
        </ul>
        ${more > 0 ? html`<p class="muted">and ${more.toLocaleString("en")} more</p>` : nothing}
      </section>
    `;
  }

  #renderAdding(members) {
    return html`
      <div class="adding">
        <chat-people-picker
          .chat=${this.chat}
          .absent=${new Set(members.map(({ user_id }) => user_id))}
          @change=${(event) => (this.chosen = event.target.chosen)}
        ></chat-people-picker>
        ${
          this.chosen.length > 0
            ? html`<button class="primary" type="button" @click=${this.#add}>Add to group</button>`
            : nothing
        }
      </div>
    `;
  }

  #renderMember(member) {
    const { state } = this.chat;
    const person = state.person(member.user_id);
    const items = this.#listActions(member, nameOf(person));
    return html`
      <li>
        <chat-avatar .person=${person}></chat-avatar>
        <span class="name">${nameOf(person)}${member.user_id === state.me.user_id ? " (you)" : ""}</span>
        <span class="muted">${person ? `@${person.username}` : ""}</span>
        ${ROLES[member.role] ? html`<span class="role">${ROLES[member.role]}</span>` : nothing}
        ${items.length > 0 ? html`<chat-menu .label=${`Options for ${nameOf(person)}`} .items=${items}></chat-menu>` : nothing}
      </li>
    `;
  }

  #listActions(member, name) {
    const { groups, state } = this.chat;
    const { group_id } = this.group;
    const may = powersOver(this.group, member, state.me.user_id);
    const give = (role) => () => this.run(() => groups.changeRole(group_id, member.user_id, role));
    const handOver = {
      title: `Hand the group over to ${name}?`,
      text: `${name} will own the group. You stay in it as an admin.`,
      action: "Hand over",
      run: () => groups.changeRole(group_id, member.user_id, "owner"),
    };
    const remove = {
      title: `Remove ${name}?`,
      text: `${name} keeps what was written so far, and gets nothing after it.`,
      action: "Remove",
      run: () => groups.remove(group_id, member.user_id),
    };
    return [
      may.promote && { label: "Make admin", choose: give("admin") },
      may.demote && { label: "Make member", choose: give("member") },
      may.handOver && { label: "Hand over", choose: () => this.ask(handOver) },
      may.remove && { label: "Remove", choose: () => this.ask(remove) },
    ].filter(Boolean);
  }

  #add() {
    const userIds = this.chosen.map(({ user_id }) => user_id);
    return this.run(async () => {
      await this.chat.groups.add(this.group.group_id, userIds);
      this.querySelector("chat-people-picker").clear();
    });
  }
}

customElements.define("chat-group-members", GroupMembers);
