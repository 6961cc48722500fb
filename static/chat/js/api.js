/** The REST calls of the browser app. Same origin, session cookie; one error type for all that can go wrong. */

/** A frozen line would keep the call open for minutes, and nobody waits for an old answer. */
const PRESENCE_TIMEOUT_MS = 15_000;

/** `code` and `message` as the server gave them, or "network" where no answer came. */
export class ApiError extends Error {
  constructor(code, message, status = 0) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export class Api {
  #csrfToken;

  constructor(csrfToken) {
    this.#csrfToken = csrfToken;
  }

  /** People whose username is this, or begins with it from 3 characters on. */
  async searchPeople(query, signal) {
    const { results } = await this.#call("GET", `/api/users?search=${encodeURIComponent(query)}`, { signal });
    return results;
  }

  getPerson(userId) {
    return this.#call("GET", `/api/user/${encodeURIComponent(userId)}`);
  }

  /** Who asks; rejects with the reason where this login may not ask any more. */
  getMe() {
    return this.#call("GET", "/api/user/me");
  }

  /** Who of these people (at most 200) is online: [{user_id, online, last_seen}], without those who do not exist. */
  async listPresence(userIds) {
    const options = { body: { user_ids: userIds }, signal: AbortSignal.timeout(PRESENCE_TIMEOUT_MS) };
    return (await this.#call("POST", "/api/user/status", options)).results;
  }

  /** Whom this user has blocked. */
  listBlocked() {
    return this.#listAll("/api/blocks");
  }

  block(userId) {
    return this.#call("POST", "/api/blocks", { body: { user_id: userId } });
  }

  unblock(userId) {
    return this.#call("DELETE", `/api/blocks/${encodeURIComponent(userId)}`);
  }

  /** Tell the moderators; `report` as `buildReport` makes it. */
  report(report) {
    return this.#call("POST", "/api/reports", { body: report });
  }

  /** What moderators told this user, oldest first: [{note, created_at}]. */
  listWarnings() {
    return this.#listAll("/api/warnings");
  }

  getSettings() {
    return this.#call("GET", "/api/user/settings");
  }

  putSettings(settings) {
    return this.#call("PUT", "/api/user/settings", { body: settings });
  }

  /** Conversations with their last message and the number of unread ones, newest first; empty without a history. */
  async listConversations() {
    return (await this.#call("GET", "/api/conversations")).results;
  }

  /** A page of kept messages, newest first, from `before` (ms) back: {results, next}. */
  listHistory(peerId, { before, limit }) {
    const query = new URLSearchParams({ limit, ...(before ? { last_timestamp: before } : {}) });
    return this.#call("GET", `/api/history/${encodeURIComponent(peerId)}?${query}`);
  }

  /** The groups of this user, without members. */
  listGroups() {
    return this.#listAll("/api/groups");
  }

  /** A group with its first 500 members; "not_found" where this user is none. */
  getGroup(groupId) {
    return this.#call("GET", `/api/groups/${groupId}`);
  }

  createGroup(name, members) {
    return this.#call("POST", "/api/groups", { body: { name, members } });
  }

  /** Change what is given: name, description, only_admins_write, slow_mode_seconds. */
  updateGroup(groupId, changes) {
    return this.#call("PATCH", `/api/groups/${groupId}`, { body: changes });
  }

  deleteGroup(groupId) {
    return this.#call("DELETE", `/api/groups/${groupId}`);
  }

  addMembers(groupId, userIds) {
    return this.#call("POST", `/api/groups/${groupId}/members`, { body: { user_ids: userIds } });
  }

  /** Send somebody away; oneself: leave. */
  removeMember(groupId, userId) {
    return this.#call("DELETE", `/api/groups/${groupId}/members/${userId}`);
  }

  changeRole(groupId, userId, role) {
    return this.#call("PATCH", `/api/groups/${groupId}/members/${userId}`, { body: { role } });
  }

  muteGroup(groupId) {
    return this.#call("PUT", `/api/groups/${groupId}/mute`, { body: {} });
  }

  unmuteGroup(groupId) {
    return this.#call("DELETE", `/api/groups/${groupId}/mute`);
  }

  /** Links into a group that somebody may still follow: [{number, expires_at, …}]. */
  listInvites(groupId) {
    return this.#listAll(`/api/groups/${groupId}/invite`);
  }

  /** A new link for so many seconds; only this answer has its `invite_url`. */
  createInvite(groupId, expiresIn) {
    return this.#call("POST", `/api/groups/${groupId}/invite`, { body: { expires_in: expiresIn } });
  }

  revokeInvite(groupId, number) {
    return this.#call("DELETE", `/api/groups/${groupId}/invite/${number}`);
  }

  /** What the holder of a link is invited to: {group_id, name, member_count, expires_at}. */
  getInvite(token) {
    return this.#call("GET", `/api/invite/${encodeURIComponent(token)}`);
  }

  acceptInvite(token) {
    return this.#call("POST", `/api/invite/${encodeURIComponent(token)}`);
  }

  /** A page of a large group's messages from a moment (ms) on, oldest first; then by cursor: {results, next}. */
  pollGroup(groupId, { since, cursor }) {
    const query = new URLSearchParams(cursor ? { cursor } : { timestamp: since });
    return this.#call("GET", `/api/chat/${groupId}?${query}`);
  }

  /** How many have a message of this user's, and have read it: {delivered, members, read}. */
  getDelivery(messageId) {
    return this.#call("GET", `/api/message/${encodeURIComponent(messageId)}/delivery`);
  }

  async listDevices() {
    return (await this.#call("GET", "/api/devices")).results;
  }

  removeDevice(deviceId) {
    return this.#call("DELETE", `/api/devices/${encodeURIComponent(deviceId)}`);
  }

  async logOut() {
    await this.#call("POST", "/logout/");
  }

  /** All pages of a list that is short by its nature. */
  async #listAll(path) {
    const found = [];
    for (let cursor = ""; cursor !== null;) {
      const page = await this.#call("GET", cursor ? `${path}?${new URLSearchParams({ cursor })}` : path);
      found.push(...page.results);
      cursor = page.next;
    }
    return found;
  }

  async #call(method, path, { body, signal } = {}) {
    const headers = { Accept: "application/json", "X-CSRFToken": this.#csrfToken };
    if (body) headers["Content-Type"] = "application/json";
    // Answers hold messages: none may stay on the disk of a computer that others use too.
    const options = { credentials: "same-origin", cache: "no-store", signal };
    const request = { ...options, method, headers, body: body && JSON.stringify(body) };
    const response = await fetch(path, request).catch((error) => {
      if (error.name === "AbortError") throw error;
      throw new ApiError("network", "The server cannot be reached.");
    });
    if (response.status === 204) return null;
    const answer = await response.json().catch(() => ({}));
    if (response.ok) return answer;
    throw new ApiError(answer.code ?? "failed", explain(answer), response.status);
  }
}

/** The server's words, with those about single fields: they say more than "some fields cannot be taken". */
function explain({ message, fields }) {
  const reasons = Object.values(fields ?? {}).flat();
  return reasons.length > 0 ? reasons.join(" ") : (message ?? "The server could not do this.");
}
