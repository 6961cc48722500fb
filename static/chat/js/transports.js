/**
 * Which way to the server: by WebSocket, or by long polls where the network blocks WebSockets.
 *
 * A network that blocks them refuses the upgrade, or lets it hang, while HTTP works. So after two attempts that ended
 * without a word from the server polls are tried; where they fail too, everything is down and WebSockets come first
 * again. While polls carry the connection a WebSocket is tried beside them now and then, and takes over when it works.
 */

import { CLOSE } from "./protocol.js";

const SILENT_ATTEMPTS = 2;
const UPGRADE_DELAYS_MS = [10_000, 60_000, 300_000];
const HANDSHAKE_TIMEOUT_MS = 15_000;
const FIRST_FRAME_TIMEOUT_MS = 5_000;
/** So long after a takeover a poll of ours may still arrive, at another server, and take the device back. */
const SETTLING_MS = 10_000;
const ABNORMAL_CLOSURE = 1006;

/** Remembers from connection to connection what works. */
export class Transports {
  #openWebSocket;
  #openPolling;
  #silentAttempts = 0;
  #upgradeTries = 0;
  #current = null;

  /**
   * @param {object} ways
   * @param {(url: string) => WebSocket} ways.openWebSocket
   * @param {() => import("./polling-socket.js").PollingSocket} ways.openPolling
   */
  constructor({ openWebSocket, openPolling }) {
    this.#openWebSocket = openWebSocket;
    this.#openPolling = openPolling;
  }

  /** Open the next connection; it has the interface of a WebSocket. */
  open = (url) => {
    const isPolling = this.#silentAttempts >= SILENT_ATTEMPTS;
    const carrier = isPolling ? this.#openPolling() : this.#openWebSocket(url);
    this.#current = new Connection({
      carrier,
      isPolling,
      transports: this,
      openWebSocket: () => this.#openWebSocket(url),
    });
    return this.#current;
  };

  /** The network has changed: perhaps WebSockets work here. */
  tryUpgrade() {
    this.#upgradeTries = 0;
    this.#current?.upgrade();
  }

  get upgradeDelayMs() {
    return UPGRADE_DELAYS_MS[Math.min(this.#upgradeTries, UPGRADE_DELAYS_MS.length - 1)];
  }

  noteUpgradeTried() {
    this.#upgradeTries += 1;
  }

  /** A connection spoke: this way works. */
  noteWorks(isPolling) {
    if (isPolling) return;
    this.#silentAttempts = 0;
    this.#upgradeTries = 0;
  }

  /** An attempt ended without a word; one that hung is sign enough by itself. */
  noteSilent(isPolling, hung) {
    if (isPolling) this.#silentAttempts = 0;
    else this.#silentAttempts += hung ? SILENT_ATTEMPTS : 1;
  }
}

/** One connection of the app. What carries it may change from polls to a WebSocket while it lasts. */
class Connection {
  onmessage = null;
  onclose = null;
  #transports;
  #openWebSocket;
  #carrier;
  #isPolling;
  #hasSpoken = false;
  #candidate = null;
  #tookOverAt = -Infinity;
  #timer = null;

  constructor({ carrier, isPolling, transports, openWebSocket }) {
    this.#transports = transports;
    this.#openWebSocket = openWebSocket;
    this.#carry(carrier, isPolling);
    if (isPolling) this.#setTimer(transports.upgradeDelayMs, () => this.upgrade());
  }

  get readyState() {
    return this.#carrier.readyState;
  }

  send(text) {
    this.#carrier.send(text);
  }

  close() {
    // Given up by the app before anything came: the attempt hung.
    if (!this.#hasSpoken && this.#carrier.readyState !== WebSocket.CLOSED) {
      this.#transports.noteSilent(this.#isPolling, true);
    }
    this.#end();
  }

  /** Try a WebSocket beside the polls. */
  upgrade() {
    if (!this.#isPolling || !this.#hasSpoken || this.#candidate || this.readyState !== WebSocket.OPEN) return;
    const candidate = this.#openWebSocket();
    this.#candidate = candidate;
    this.#transports.noteUpgradeTried();
    candidate.onmessage = (event) => {
      this.#takeCandidate();
      this.#receive(event);
    };
    candidate.onopen = () => {
      // The network lets it through: a poll that comes after it would only take the device back.
      this.#carrier.pause();
      this.#setTimer(FIRST_FRAME_TIMEOUT_MS, () => this.#dropCandidate());
    };
    candidate.onclose = () => this.#dropCandidate();
    this.#setTimer(HANDSHAKE_TIMEOUT_MS, () => this.#dropCandidate());
  }

  #carry(carrier, isPolling) {
    this.#carrier = carrier;
    this.#isPolling = isPolling;
    carrier.onmessage = (event) => this.#receive(event);
    carrier.onclose = (event) => this.#handleClose(event);
  }

  #receive(event) {
    if (!this.#hasSpoken) this.#transports.noteWorks(this.#isPolling);
    this.#hasSpoken = true;
    this.onmessage?.(event);
  }

  #handleClose(event) {
    if (this.#candidate && event.code === CLOSE.REPLACED) {
      // By our own WebSocket, whose first frame is on its way.
      this.#takeCandidate();
      return;
    }
    if (!this.#hasSpoken && event.code === ABNORMAL_CLOSURE) this.#transports.noteSilent(this.#isPolling, false);
    this.#end();
    const isOwnPoll = event.code === CLOSE.REPLACED && Date.now() - this.#tookOverAt < SETTLING_MS;
    this.onclose?.(isOwnPoll ? { code: ABNORMAL_CLOSURE } : event);
  }

  #takeCandidate() {
    const candidate = this.#candidate;
    this.#candidate = null;
    this.#forget(this.#carrier);
    clearTimeout(this.#timer);
    this.#hasSpoken = false;
    this.#tookOverAt = Date.now();
    this.#carry(candidate, false);
  }

  #dropCandidate() {
    if (!this.#candidate) return;
    this.#forget(this.#candidate);
    this.#candidate = null;
    this.#carrier.resume();
    this.#setTimer(this.#transports.upgradeDelayMs, () => this.upgrade());
  }

  #end() {
    clearTimeout(this.#timer);
    this.#forget(this.#carrier);
    if (this.#candidate) this.#forget(this.#candidate);
    this.#candidate = null;
  }

  #forget(carrier) {
    carrier.onopen = carrier.onmessage = carrier.onclose = null;
    carrier.close();
  }

  #setTimer(delayMs, callback) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(callback, delayMs);
  }
}
