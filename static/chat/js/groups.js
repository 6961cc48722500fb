/**
 * The groups of this user: as this device knows them, as the server has them, and what can be done about them.
 *
 * The server tells of changes by `group_event` and `group_changed`. Of a large group it tells only those who have it
 * open, so all are asked for with each connection, and now and then while somebody looks at the page.
 */

import { ApiError } from "./api.js";
import { knownSince } from "./conversations.js";
import { newGroup, withAnswer, withoutMembership } from "./group-records.js";
import { withCounts } from "./messages.js";

/** The list of all groups is asked for at most so often, and so often while the page is looked at. */
export const CHECK_EVERY_MS = 120_000;
const PENDING_STATUS_FIELD = "event_id";

export class Groups {
  #api;
  #notebook;
  #state;
  #people;
  #onDelivery;
  #onChecked;
  #isVisible;
  #checkedAt = -Infinity;
  #timer = null;
  #fetches = new Map();

  /**
   * @param {object} parts
   * @param {import("./api.js").Api} parts.api
   * @param {import("./notebook.js").Notebook} parts.notebook
   * @param {import("./state.js").ChatState} parts.state
   * @param {import("./people.js").People} parts.people
   * @param {(groupId: string) => void} parts.onDelivery the group's messages come in another way than before, or did
   * @param {() => void} parts.onChecked all groups are known as they are now
   * @param {() => boolean} parts.isVisible
   */
  constructor({ api, notebook, state, people, onDelivery, onChecked, isVisible }) {
    this.#api = api;
    this.#notebook = notebook;
    this.#state = state;
    this.#people = people;
    this.#onDelivery = onDelivery;
    this.#onChecked = onChecked;
    this.#isVisible = isVisible;
  }

  stop() {
    clearTimeout(this.#timer);
  }

  /** There is a connection, or the page is looked at: see what changed meanwhile, at most every two minutes. */
  async check() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#isVisible() && this.check(), CHECK_EVERY_MS + 1);
    if (Date.now() - this.#checkedAt < CHECK_EVERY_MS) return;
    this.#checkedAt = Date.now();
    await this.fetchAll();
    await this.#onChecked();
  }

  /** Fetch the list; a group that is missing in it is asked for by itself, for it may be newer than the list. */
  async fetchAll() {
    const before = this.#state.groups.filter(({ ended }) => !ended).map(({ group_id }) => group_id);
    const answers = await this.#ask(() => this.#api.listGroups());
    if (!answers) {
      this.#checkedAt = -Infinity;
      return;
    }
    await this.#keep(answers);
    const listed = new Set(answers.map(({ group_id }) => group_id));
    await Promise.all(before.filter((groupId) => !listed.has(groupId)).map((groupId) => this.fetch(groupId)));
  }

  /** A frame says that a group has this version. */
  async takeChange({ group_id, version }) {
    const known = this.#state.group(group_id);
    if (!known?.members || known.version < version) await this.fetch(group_id);
  }

  /**
   * Fetch one group with its members. One at a time for each group, so that the last answer is the newest; asked for
   * meanwhile, it is fetched once more.
   */
  fetch(groupId) {
    const running = this.#fetches.get(groupId);
    if (running) {
      running.isWantedAgain = true;
      return running.done;
    }
    const fetching = { isWantedAgain: false, done: null };
    this.#fetches.set(groupId, fetching);
    fetching.done = this.#fetchWhileWanted(groupId, fetching);
    return fetching.done;
  }

  async #fetchWhileWanted(groupId, fetching) {
    try {
      do {
        fetching.isWantedAgain = false;
        await this.#fetchOnce(groupId);
      } while (fetching.isWantedAgain);
    } finally {
      this.#fetches.delete(groupId);
    }
  }

  async #fetchOnce(groupId) {
    try {
      await this.#keep([await this.#api.getGroup(groupId)]);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code === "not_found") await this.#end(groupId, "gone");
    }
  }

  /** Of a large group no event tells. */
  #end(groupId, kind) {
    return this.#notebook.change(async (ledger) => {
      const group = await ledger.findGroup(groupId);
      if (group) await ledger.putGroup(withoutMembership(group, kind, this.#state.me.user_id));
    });
  }

  /** Make a group; resolves with its id. As all that follows, rejects with ApiError when the server does not. */
  async create(name, userIds) {
    const answer = await this.#api.createGroup(name, userIds);
    await this.#take(answer);
    return answer.group_id;
  }

  async update(groupId, changes) {
    await this.#take(await this.#api.updateGroup(groupId, changes));
  }

  async add(groupId, userIds) {
    await this.#take(await this.#api.addMembers(groupId, userIds));
  }

  async remove(groupId, userId) {
    await this.#api.removeMember(groupId, userId);
    await this.fetch(groupId);
  }

  async leave(groupId) {
    await this.#api.removeMember(groupId, this.#state.me.user_id);
    await this.#end(groupId, "left");
  }

  async delete(groupId) {
    await this.#api.deleteGroup(groupId);
    await this.#end(groupId, "deleted");
  }

  /** `role`: "owner" hands the group over. */
  async changeRole(groupId, userId, role) {
    await this.#api.changeRole(groupId, userId, role);
    await this.fetch(groupId);
  }

  async mute(groupId, isMuted) {
    if (isMuted) await this.#api.muteGroup(groupId);
    else await this.#api.unmuteGroup(groupId);
    await this.fetch(groupId);
  }

  /** Ask how many members have a message of this user's, and have read it: {delivered, members, read}. */
  async fetchDelivery({ key, message_id }) {
    const counts = await this.#api.getDelivery(message_id);
    await this.#notebook.change(async (ledger) => {
      const record = await ledger.findMessage(key);
      if (record) await ledger.putMessage(withCounts(record, counts));
    });
    return counts;
  }

  /** A change that is not in force yet (202) is told of by its event. */
  async #take(answer) {
    if (!(PENDING_STATUS_FIELD in answer)) await this.#keep([answer]);
  }

  async #keep(answers) {
    for (const { members } of answers) if (members) await this.#people.rememberAll(members);
    const news = answers.filter((answer) => this.#isNews(answer));
    if (news.length === 0) return;
    const changed = await this.#notebook.change(async (ledger) => {
      const otherWay = [];
      for (const answer of news) if (await keepAnswer(ledger, answer)) otherWay.push(answer.group_id);
      return otherWay;
    });
    for (const groupId of changed) this.#onDelivery(groupId);
  }

  #isNews(answer) {
    const known = this.#state.group(answer.group_id);
    return !known || JSON.stringify(withAnswer(known, answer)) !== JSON.stringify(known);
  }

  /** Null without an answer: the app goes on with what this device has. */
  async #ask(call) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return null;
    }
  }
}

/** Returns whether the group's messages come in another way than before, or may have done so meanwhile. */
async function keepAnswer(ledger, answer) {
  const known = await ledger.findGroup(answer.group_id);
  const group = withAnswer(known ?? newGroup(answer.group_id), answer);
  await ledger.putGroup(group);
  // A group in which nothing was said yet, or of which no event is told, is in the list all the same.
  const conversation = await ledger.getConversation(group.group_id);
  await ledger.putConversation(knownSince(conversation, group.created_at));
  return maybePolled(known, group);
}

/** A change of which nobody told may have made it large, and the next one small again. */
function maybePolled(known, { delivery, version }) {
  if (!known) return delivery === "poll";
  return known.delivery !== delivery || (known.version > 0 && version > known.version + 1);
}
