/** Notices of the system while nobody looks at the page, where the person allowed them. */

import { isGroupId } from "./conversation-keys.js";
import { isMuted } from "./group-records.js";

/** So many at once tell of themselves; the others are in the list. */
const MOST_AT_ONCE = 3;

export class Notifications {
  #state;
  #notify;
  #isVisible;

  /**
   * @param {object} parts
   * @param {import("./state.js").ChatState} parts.state
   * @param {(notification: object) => void} [parts.notify] shows {peerId, title, body}
   * @param {() => boolean} parts.isVisible
   */
  constructor({ state, notify = () => {}, isVisible }) {
    this.#state = state;
    this.#notify = notify;
    this.#isVisible = isVisible;
  }

  /** Messages that have just come, as records. */
  take(records) {
    const told = records.filter((record) => this.#isToldOf(record));
    for (const record of told.slice(-MOST_AT_ONCE)) this.#notify(this.#describe(record));
  }

  #isToldOf(record) {
    if (record.sender_id === this.#state.me.user_id) return false;
    const isSeen = this.#isVisible() && this.#state.openPeerId === record.peer_id;
    const unread = record.sequence > (this.#state.conversation(record.peer_id)?.read_sequence ?? -1);
    return !isSeen && unread && mayRing(record, this.#state.group(record.peer_id), Date.now());
  }

  #describe({ peer_id, sender_id, content }) {
    const sender = this.#state.person(sender_id);
    const name = sender?.display_name || sender?.username || "Somebody";
    const group = isGroupId(peer_id) ? this.#state.group(peer_id) : null;
    return { peerId: peer_id, title: group?.name ? `${name} · ${group.name}` : name, body: content };
  }
}

/** A muted group is silent, but for those who are mentioned. */
export function mayRing(record, group, now) {
  return record.mention_sequence !== undefined || !isMuted(group, now);
}
