/**
 * One WebSocket after another: connect, keep alive, notice a dead line, come back.
 *
 * Knows frames only as far as the connection itself needs them (`connected`, `heartbeat`); all others are handed on.
 */

import { reconnectDelay } from "./backoff.js";
import { buildHeartbeat, CLOSE, decodeServerFrame, ProtocolError } from "./protocol.js";

const HANDSHAKE_TIMEOUT_MS = 15_000;
const SILENCE_TIMEOUT_MS = 40_000;
const PROBE_TIMEOUT_MS = 5_000;
const STABLE_AFTER_MS = 10_000;
const ABNORMAL_CLOSURE = 1006;

/** Codes after which trying again by itself would be wrong. */
const FINAL_CODES = new Set([CLOSE.NOT_AUTHENTICATED, CLOSE.ENDED, CLOSE.REPLACED]);

export class ChatSocket {
  #url;
  #listener;
  #openWebSocket;
  #random;
  #webSocket = null;
  #isReady = false;
  #isStopped = true;
  #readyAt = 0;
  #attempt = 0;
  #heartbeatMs = 30_000;
  #timers = { retry: null, handshake: null, heartbeat: null, silence: null };

  /**
   * @param {object} options
   * @param {string} options.url ws:// or wss:// address
   * @param {object} options.listener `onReady(frame)`, `onFrame(frame)`, `onDown()` (will be tried again),
   *   `onEnd(closeCode, reason)` (will not)
   * @param {(url: string) => WebSocket} [options.openWebSocket]
   * @param {() => number} [options.random]
   */
  constructor({ url, listener, openWebSocket = (address) => new WebSocket(address), random = Math.random }) {
    this.#url = url;
    this.#listener = listener;
    this.#openWebSocket = openWebSocket;
    this.#random = random;
  }

  get isReady() {
    return this.#isReady;
  }

  start() {
    this.#isStopped = false;
    this.#attempt = 0;
    this.#connect();
  }

  /** Close for good; `start` begins again. */
  stop() {
    this.#isStopped = true;
    this.#drop();
  }

  /** Try now instead of waiting for the backoff; nothing happens while a connection is open or under way. */
  retryNow() {
    if (this.#isStopped || this.#webSocket) return;
    this.#connect();
  }

  /** Give this connection up and come back after the backoff: what was not confirmed comes again. */
  reconnect() {
    if (this.#webSocket) this.#handleClose(ABNORMAL_CLOSURE);
  }

  /** Ask the server for a sign of life; without one in 5 s the connection counts as dead. */
  probe() {
    if (!this.#isReady) return;
    this.send(buildHeartbeat());
    this.#expectAnswer(PROBE_TIMEOUT_MS);
  }

  /** Write a frame. Returns false when there is no connection to write it to. */
  send(frame) {
    if (!this.#isReady || this.#webSocket.readyState !== WebSocket.OPEN) return false;
    this.#webSocket.send(JSON.stringify(frame));
    return true;
  }

  #connect() {
    this.#drop();
    const webSocket = this.#openWebSocket(this.#url);
    this.#webSocket = webSocket;
    webSocket.onmessage = (event) => this.#receive(event.data);
    webSocket.onclose = (event) => this.#handleClose(event.code, event.reason);
    this.#set("handshake", () => this.#handleClose(ABNORMAL_CLOSURE), HANDSHAKE_TIMEOUT_MS);
  }

  #receive(data) {
    this.#clear("silence");
    let frame;
    try {
      frame = decodeServerFrame(data);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      console.error("The server sent a frame this app cannot read", error);
      return;
    }
    if (frame.action === "connected") this.#becomeReady(frame);
    else this.#listener.onFrame(frame);
  }

  #becomeReady(frame) {
    this.#clear("handshake");
    this.#isReady = true;
    this.#readyAt = Date.now();
    this.#heartbeatMs = frame.heartbeat_interval * 1000;
    this.#scheduleHeartbeat();
    this.#listener.onReady(frame);
  }

  #scheduleHeartbeat() {
    this.#set("heartbeat", () => this.#beat(), this.#heartbeatMs);
  }

  #beat() {
    this.send(buildHeartbeat());
    this.#expectAnswer(SILENCE_TIMEOUT_MS);
    this.#scheduleHeartbeat();
  }

  #expectAnswer(timeoutMs) {
    // A probe may shorten a wait that is under way; a heartbeat must not lengthen it.
    if (this.#timers.silence && timeoutMs > PROBE_TIMEOUT_MS) return;
    this.#set("silence", () => this.#handleClose(ABNORMAL_CLOSURE), timeoutMs);
  }

  #handleClose(code, reason) {
    const wasStable = this.#isReady && Date.now() - this.#readyAt > STABLE_AFTER_MS;
    this.#drop();
    if (FINAL_CODES.has(code)) {
      this.#isStopped = true;
      this.#listener.onEnd(code, reason);
      return;
    }
    // A server that takes connections only to close them must not be asked every second.
    if (wasStable) this.#attempt = 0;
    const delay = reconnectDelay({ attempt: this.#attempt, closeCode: code, random: this.#random });
    this.#attempt += 1;
    this.#set("retry", () => this.#connect(), delay);
    this.#listener.onDown();
  }

  /** Forget the present connection without waiting: the closing handshake of a dead line takes minutes. */
  #drop() {
    for (const name of Object.keys(this.#timers)) this.#clear(name);
    this.#isReady = false;
    const webSocket = this.#webSocket;
    this.#webSocket = null;
    if (!webSocket) return;
    webSocket.onmessage = webSocket.onclose = null;
    webSocket.close();
  }

  #set(name, callback, delayMs) {
    this.#clear(name);
    this.#timers[name] = setTimeout(() => {
      this.#timers[name] = null;
      callback();
    }, delayMs);
  }

  #clear(name) {
    clearTimeout(this.#timers[name]);
    this.#timers[name] = null;
  }
}
