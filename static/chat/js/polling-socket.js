/**
 * Long polling in the shape of a WebSocket: `send`, `close`, `readyState`, `onmessage` and `onclose`.
 *
 * One poll is always open and waits for frames. Frames of ours do not wait for it: a second poll takes them along, and
 * the server lets the first one go. Each poll names the last answer that came (`last_poll`), so that the server repeats
 * what was lost, and a poll that failed is sent again with its frames, which changes nothing where they had come.
 */

import { CLOSE } from "./protocol.js";

const WAIT_MS = 25_000;
const ANSWER_MARGIN_MS = 10_000;
const MAX_FRAMES = 500;
const MAX_CHARACTERS = 250_000;
const MAX_OPEN_POLLS = 2;
/** After an answer: long enough for its messages to be stored, so that their confirmations go with the next poll. */
const PAUSE_MS = 50;
/** Frames that are sent together go together. */
const GATHER_MS = 5;
const RETRY_MS = 500;
const MAX_FAILURES = 3;
const ABNORMAL_CLOSURE = 1006;

const CLOSE_OF_STATUS = {
  401: CLOSE.NOT_AUTHENTICATED,
  403: CLOSE.ENDED,
  409: CLOSE.REPLACED,
  503: CLOSE.RESTARTING,
};

export class PollingSocket {
  onmessage = null;
  onclose = null;
  readyState = WebSocket.CONNECTING;
  #url;
  #fetch;
  #lastPoll = "";
  #answered = 0;
  #started = 0;
  #failures = 0;
  #outgoing = [];
  #open = new Map();
  #timer = null;
  #dueAt = 0;
  #notBefore = 0;
  #isPaused = false;

  /**
   * @param {string} url of the long-polling endpoint
   * @param {typeof fetch} [fetchPoll]
   */
  constructor(url, fetchPoll = (...request) => fetch(...request)) {
    this.#url = url;
    this.#fetch = fetchPoll;
    this.#schedule(0);
  }

  /** Write a frame, given as JSON. */
  send(text) {
    if (this.readyState === WebSocket.CLOSED) return;
    this.#outgoing.push(text);
    this.#schedule(GATHER_MS);
  }

  /** Begin no poll until `resume`; the one that is open stays, and what is sent waits. */
  pause() {
    this.#isPaused = true;
  }

  resume() {
    this.#isPaused = false;
    this.#schedule(0);
  }

  /** End it, and every poll that is open. `onclose` is not called. */
  close() {
    this.readyState = WebSocket.CLOSED;
    clearTimeout(this.#timer);
    for (const controller of this.#open.values()) controller.abort();
    this.#open.clear();
  }

  /** Poll within this time, unless polls enough are open: each one that ends schedules the next. */
  #schedule(delayMs) {
    const dueAt = Math.max(Date.now() + delayMs, this.#notBefore);
    if (this.#timer !== null && this.#dueAt <= dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      const isNeeded = this.#open.size === 0 || this.#outgoing.length > 0;
      if (isNeeded && !this.#isPaused && this.#open.size < MAX_OPEN_POLLS) this.#poll();
    }, dueAt - Date.now());
  }

  /** Poll again, and not before this time. */
  #postpone(delayMs) {
    this.#notBefore = Date.now() + delayMs;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#schedule(delayMs);
  }

  async #poll() {
    const number = (this.#started += 1);
    const frames = this.#takeFrames();
    const controller = new AbortController();
    this.#open.set(number, controller);
    // The first one only asks to be let in.
    const waitMs = this.readyState === WebSocket.OPEN ? WAIT_MS : 0;
    const timeout = setTimeout(() => controller.abort(), waitMs + ANSWER_MARGIN_MS);
    const answer = await this.#request(frames, waitMs, controller.signal);
    clearTimeout(timeout);
    if (this.readyState === WebSocket.CLOSED) return;
    this.#open.delete(number);
    if (answer.status === 200) this.#receive(number, answer);
    else this.#handleFailure(number, frames, answer);
  }

  #takeFrames() {
    let count = 0;
    for (let size = 0; count < Math.min(this.#outgoing.length, MAX_FRAMES); count += 1) {
      size += this.#outgoing[count].length;
      if (count > 0 && size > MAX_CHARACTERS) break;
    }
    return this.#outgoing.splice(0, count);
  }

  /** Status, seconds to wait and body of the answer; status 0 where none came. */
  async #request(frames, waitMs, signal) {
    const lastPoll = JSON.stringify(this.#lastPoll);
    try {
      const response = await this.#fetch(this.#url, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: `{"frames":[${frames.join(",")}],"wait_ms":${waitMs},"last_poll":${lastPoll}}`,
        credentials: "same-origin",
        cache: "no-store",
        signal,
      });
      const retryAfter = Number(response.headers.get("Retry-After")) || 1;
      return { status: response.status, retryAfter, body: await response.json() };
    } catch {
      // No connection, a cut answer, or a page of somebody's proxy.
      return { status: 0, retryAfter: 0, body: {} };
    }
  }

  #receive(number, { body }) {
    this.#failures = 0;
    if (number > this.#answered) {
      this.#answered = number;
      this.#lastPoll = body.poll ?? null;
    }
    this.readyState = WebSocket.OPEN;
    this.#deliver(body.frames);
    this.#schedule(body.frames.length > 0 && this.#outgoing.length === 0 ? PAUSE_MS : 0);
  }

  #handleFailure(number, frames, { status, retryAfter, body }) {
    const isRetried = status === 0 || status >= 500 || (status === 429 && !body.close_code);
    this.#outgoing.unshift(...frames);
    this.#deliver(body.frames ?? []);
    if (number < this.#started) {
      // A newer poll says how it stands. That this one was replaced means only that the newer is at another server.
      if (status === 409) this.#schedule(0);
      else this.#postpone(RETRY_MS);
      return;
    }
    this.#failures += 1;
    const isHopeless = this.#failures > MAX_FAILURES || this.readyState === WebSocket.CONNECTING;
    const closeCode = body.close_code ?? CLOSE_OF_STATUS[status];
    if (closeCode || !isRetried || isHopeless) {
      this.#end(closeCode ?? ABNORMAL_CLOSURE, body.message);
    } else {
      this.#postpone(Math.max(RETRY_MS, retryAfter * 1000));
    }
  }

  #deliver(frames) {
    for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) });
  }

  #end(code, reason) {
    if (this.readyState === WebSocket.CLOSED) return;
    this.close();
    this.onclose?.({ code, reason });
  }
}
