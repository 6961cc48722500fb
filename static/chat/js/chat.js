/**
 * The app without its looks: what a person can do, and how socket, outbox, store and state work together.
 *
 * Views call the public methods and show `state`; nothing here knows the DOM.
 */

import { ApiError } from "./api.js";
import { applyFrames } from "./apply.js";
import { Attendance } from "./attendance.js";
import { Blocks } from "./blocks.js";
import { Company } from "./company.js";
import { readUpTo, reportedUpTo } from "./conversations.js";
import { FrameIntake } from "./frame-intake.js";
import { History } from "./history.js";
import { withError, withNewTry, writeMessage } from "./messages.js";
import { Notebook } from "./notebook.js";
import { Outbox } from "./outbox.js";
import { People } from "./people.js";
import { buildConfirmations, buildSendMessage, cleanContent, CLOSE, SUSPENDED_REASON } from "./protocol.js";
import { ReadReports } from "./read-reports.js";
import { ChatSocket } from "./socket.js";
import { CONNECTION } from "./state.js";
import { Warnings } from "./warnings.js";

const ANNOUNCEMENT_MS = 6_000;

export class Chat {
  #notebook;
  #environment;
  #socket;
  #outbox;
  #reports;
  #people;
  #company;
  #attendance;
  #history;
  #warnings;
  #blocks;
  #intake;
  #lastMoment = 0;
  #announcementTimer = null;

  /**
   * @param {object} parts
   * @param {import("./state.js").ChatState} parts.state
   * @param {import("./store.js").Store} parts.store
   * @param {import("./api.js").Api} parts.api
   * @param {string} parts.socketUrl
   * @param {object} parts.environment `isVisible()`, `isOnline()`, `goToLogin()`
   * @param {(url: string) => WebSocket} [parts.openWebSocket]
   */
  constructor({ state, store, api, socketUrl, environment, openWebSocket }) {
    this.state = state;
    this.api = api;
    this.#notebook = new Notebook(store, state);
    this.#environment = environment;
    this.#socket = new ChatSocket({ url: socketUrl, listener: this.#socketListener(), openWebSocket });
    this.#outbox = new Outbox({
      send: (entry) => this.#socket.send(buildSendMessage(entry, Date.now())),
      onExpired: (entry) => this.#fail(entry.key, "expired"),
    });
    this.#reports = new ReadReports({
      send: (frame) => this.#socket.send(frame),
      onReported: (reported) => this.#recordReported(reported),
    });
    this.#people = new People({ api, store, state });
    this.#history = new History({ api, notebook: this.#notebook, state });
    this.#warnings = new Warnings({ api, notebook: this.#notebook, state });
    this.#blocks = new Blocks({ api, notebook: this.#notebook, state });
    this.#company = new Company({
      state,
      send: (frame) => this.#socket.send(frame),
      isVisible: () => this.#isVisible(),
    });
    this.#attendance = new Attendance({ api, state, isVisible: () => this.#isVisible() });
    this.#intake = new FrameIntake({
      process: (frames) => this.#takeFrames(frames),
      onFailure: (error) => this.#handleStorageFailure(error),
    });
  }

  /** Show what is stored, then connect. */
  async start() {
    await this.#notebook.adoptDevice(this.state.me.device_id);
    await this.#load();
    this.#begin();
  }

  /** After another window took over: take the chat back, with all that happened there. */
  async useHere() {
    this.state.set({ interruption: null, connection: CONNECTION.RECONNECTING });
    await this.#load();
    this.#begin();
    if (this.state.openPeerId) await this.openChat(this.state.openPeerId);
  }

  #begin() {
    this.#socket.start();
    this.#attendance.start();
  }

  /** Close the connection; what is stored stays. */
  stop() {
    this.#socket.stop();
    this.#attendance.stop();
    clearTimeout(this.#announcementTimer);
    this.#fallSilent();
  }

  async openChat(peerId) {
    await this.#notebook.openChat(peerId);
    this.#company.showScreen();
    await Promise.all([this.markRead(), this.#people.refresh(peerId), this.#fetchOlder()]);
  }

  closeChat() {
    this.#notebook.closeChat();
    this.#company.showScreen();
  }

  /** Show the page before the oldest message on screen: of this device, or of the history on the server. */
  async loadOlder() {
    if (this.state.chat?.hasOlder) await this.#notebook.loadOlder();
    else await this.#fetchOlder();
  }

  async #fetchOlder() {
    const chat = this.state.chat;
    if (chat && !chat.hasOlder) await this.#history.fetchOlder(chat.peer_id, chat.messages[0]);
  }

  /** A person found by search; their name is known from now on. */
  rememberPerson(person) {
    return this.#people.remember(person);
  }

  /** Write a message: stored on this device first, then sent as soon as there is a connection. */
  async send(peerId, text) {
    const content = cleanContent(text);
    const me = this.state.me.user_id;
    const record = writeMessage({
      client_id: newClientId(),
      sender_id: me,
      peer_id: peerId,
      content,
      now: this.#nextMoment(),
    });
    await this.#notebook.change((ledger) => ledger.putMessage(record));
    this.#outbox.add(record);
  }

  /** Send a failed message again, as the newest of its conversation. */
  async tryAgain(key) {
    const now = this.#nextMoment();
    const retried = await this.#notebook.change(async (ledger) => {
      const failed = await ledger.findMessage(key);
      if (!failed?.error) return null;
      const record = withNewTry(failed, newClientId(), now);
      await ledger.removeMessage(failed);
      await ledger.putMessage(record);
      return record;
    });
    if (retried) this.#outbox.add(retried);
  }

  /** Delete a message from this device. */
  async deleteMessage(key) {
    this.#outbox.settle(key);
    await this.#notebook.change(async (ledger) => {
      const record = await ledger.findMessage(key);
      if (record) await ledger.removeMessage(record);
    });
  }

  /** What is in the open chat counts as read while a person can see it. */
  async markRead() {
    const peerId = this.state.openPeerId;
    if (!peerId || !this.state.conversation(peerId)?.unread) return;
    if (!this.#isVisible()) return;
    await this.#notebook.change(async (ledger) => {
      const last = await ledger.findLastIncoming(peerId);
      if (last) await ledger.putConversation(readUpTo(await ledger.getConversation(peerId), last));
    });
    this.#reports.report(this.state.conversation(peerId));
  }

  #isVisible() {
    return this.#environment.isVisible() && !this.state.interruption;
  }

  /** The page came to the front, or went to the back. */
  showScreen() {
    this.#company.showScreen();
    this.#attendance.showScreen();
  }

  /** The person is writing to somebody; `isEmpty`: no more. */
  noteWriting(peerId, isEmpty) {
    this.#company.noteWriting(peerId, isEmpty);
  }

  /** The network came back, or the page is looked at again. */
  wakeUp() {
    this.#socket.retryNow();
    this.#socket.probe();
  }

  /** The browser says that the network is gone, which it does not always know. */
  checkConnection() {
    this.#socket.probe();
    this.#showConnection();
  }

  /** Here or on another device: what is shown of them, and whether a history is kept, is asked anew. */
  settingsChanged() {
    this.state.set({ settingsVersion: this.state.settingsVersion + 1 });
    this.#history.restart();
  }

  /** The person has read the warning that is shown. */
  dismissWarning() {
    return this.#warnings.dismiss();
  }

  /** Neither can write to the other until `unblock`. Rejects with ApiError when the server could not do it. */
  async block(userId) {
    await this.#blocks.block(userId);
    this.announce("Blocked.");
  }

  /** Take messages from somebody again. Rejects with ApiError when the server could not do it. */
  async unblock(userId) {
    await this.#blocks.unblock(userId);
    this.announce("Unblocked.");
  }

  /** Tell the moderators of a person or a message. Rejects with ApiError when the server could not do it. */
  async report(report) {
    await this.api.report(report);
    this.announce("Reported to the moderators.");
  }

  /** Say for a moment what has been done. */
  announce(announcement) {
    clearTimeout(this.#announcementTimer);
    this.state.set({ announcement });
    this.#announcementTimer = setTimeout(() => this.state.set({ announcement: "" }), ANNOUNCEMENT_MS);
  }

  /** How many messages have not reached the server; logging out would lose them. */
  countWaiting() {
    return this.#notebook.countWaiting();
  }

  /** End this login and delete its messages from this device. Rejects with ApiError when the server is not there. */
  async logOut() {
    await this.api.logOut();
    this.stop();
    await this.#notebook.destroy();
    this.#environment.goToLogin();
  }

  // --- Connection ----------------------------------------------------------------------------------------------

  #socketListener() {
    return {
      onReady: () => this.#handleReady(),
      onFrame: (frame) => this.#handleFrame(frame),
      onDown: () => this.#handleDown(),
      onEnd: (code, reason) => this.#handleEnd(code, reason),
    };
  }

  #handleReady() {
    this.#showConnection();
    this.#outbox.open();
    this.#reports.restart(this.state.conversations);
    this.#company.restart();
    this.#attendance.catchUp();
    this.#people.retryFailed();
    this.#warnings.check();
    this.#blocks.check();
    this.#takeHistory();
    this.#fetchPeople();
  }

  async #takeHistory() {
    await this.#history.begin();
    this.#fetchPeople();
  }

  #fetchPeople() {
    this.#people.fetchUnknown(this.state.conversations.map(({ peer_id }) => peer_id));
    this.#attendance.takeNewcomers();
  }

  #handleFrame(frame) {
    if (frame.action === "heartbeat") this.#reports.acknowledge();
    else if (frame.action === "presence") this.#takePresence(frame);
    else if (frame.action === "typing") this.#company.takeTyping(frame);
    else if (frame.action === "settings_changed") {
      this.settingsChanged();
    } else {
      if (frame.action === "incoming_message") this.#company.takeMessage(frame);
      this.#intake.add(frame);
    }
  }

  #takePresence(frame) {
    this.#company.takePresence(frame);
    this.#attendance.takePresence(frame);
  }

  #handleDown() {
    this.#fallSilent();
    this.#showConnection();
  }

  #fallSilent() {
    this.#outbox.close();
    this.#company.lose();
  }

  #handleEnd(code, reason) {
    this.#fallSilent();
    this.#attendance.stop();
    this.state.set({ connection: CONNECTION.OFFLINE });
    if (code === CLOSE.NOT_AUTHENTICATED) this.#environment.goToLogin();
    else if (code === CLOSE.REPLACED) this.state.set({ interruption: "replaced" });
    else this.#showEnd(reason);
  }

  /** A suspended user's login is good for one thing still: to be told why. Some servers drop the reason of a close. */
  async #showEnd(reason) {
    this.state.set({ interruption: reason === SUSPENDED_REASON ? "suspended" : "ended" });
    try {
      await this.api.getMe();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.code === "suspended") this.state.set({ interruption: "suspended", suspension: error.message });
    }
  }

  #showConnection() {
    const unconnected = this.#environment.isOnline() ? CONNECTION.RECONNECTING : CONNECTION.OFFLINE;
    this.state.set({ connection: this.#socket.isReady ? CONNECTION.CONNECTED : unconnected });
  }

  // --- Changes of what is stored -------------------------------------------------------------------------------

  async #takeFrames(frames) {
    const todo = await this.#notebook.change((ledger) => applyFrames(ledger, this.state.me.user_id, frames));
    for (const frame of buildConfirmations(todo.confirm, Date.now())) this.#socket.send(frame);
    for (const clientId of todo.settled) this.#outbox.settle(clientId);
    for (const { client_id, retry_after_ms } of todo.postponed) this.#outbox.postpone(client_id, retry_after_ms);
    this.#fetchPeople();
    await this.markRead();
  }

  async #fail(key, code) {
    await this.#notebook.change(async (ledger) => {
      const record = await ledger.findMessage(key);
      if (record) await ledger.putMessage(withError(record, { code }));
    });
  }

  async #recordReported(reported) {
    await this.#notebook.change(async (ledger) => {
      for (const [peerId, messageId] of reported) {
        await ledger.putConversation(reportedUpTo(await ledger.getConversation(peerId), messageId));
      }
    });
  }

  async #load() {
    const waiting = await this.#notebook.load();
    await this.#people.load();
    await this.#blocks.load();
    this.#outbox.load(waiting);
  }

  #handleStorageFailure(error) {
    console.error("Messages could not be stored", error);
    const isFull = error.name === "QuotaExceededError";
    this.state.set({
      notice: isFull
        ? "This device is full. New messages wait on the server until there is room."
        : "This browser could not store new messages. They will be fetched again.",
    });
    this.#socket.reconnect();
  }

  /** The clock in ms, but growing with each call, so that messages keep the order in which they were written. */
  #nextMoment() {
    this.#lastMoment = Math.max(Date.now(), this.#lastMoment + 1);
    return this.#lastMoment;
  }
}

/** 128 random bits in hex. `crypto.randomUUID` exists on https and localhost only, this also on a LAN address. */
function newClientId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
