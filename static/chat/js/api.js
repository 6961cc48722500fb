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
    throw new ApiError(answer.code ?? "failed", answer.message ?? "The server could not do this.", response.status);
  }
}
