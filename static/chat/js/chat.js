/**
 * The app without its looks: what a person can do, and how socket, outbox, store and state work together.
 *
 * Views call its methods, those of its public parts, and show `state`; nothing here knows the DOM.
 */

import { Announcements } from "./announcements.js";
import { Attendance } from "./attendance.js";
import { Company } from "./company.js";
import { isGroupId } from "./conversation-keys.js";
import { Ending } from "./ending.js";
import { FrameRouter } from "./frame-router.js";
import { GroupPoll } from "./group-poll.js";
import { Groups } from "./groups.js";
import { History } from "./history.js";
import { Notebook } from "./notebook.js";
import { Notifications } from "./notifications.js";
import { listNamed, People } from "./people.js";
import { Reading } from "./reading.js";
import { Safety } from "./safety.js";
import { ChatSocket } from "./socket.js";
import { CONNECTION } from "./state.js";
import { Writing } from "./writing.js";

export class Chat {
  #notebook;
  #environment;
  #socket;
  #reading;
  #company;
  #attendance;
  #history;
  #groupPoll;
  #notifications;
  #announcements;
  #ending;
  #router;

  /**
   * @param {object} parts
   * @param {import("./state.js").ChatState} parts.state
   * @param {import("./store.js").Store} parts.store
   * @param {import("./api.js").Api} parts.api
   * @param {string} parts.socketUrl
   * @param {object} parts.environment `isVisible()`, `isOnline()`, `goToLogin()`, `notify(notification)`
   * @param {(url: string) => WebSocket} [parts.openWebSocket]
   */
  constructor({ state, store, api, socketUrl, environment, openWebSocket }) {
    this.state = state;
    this.api = api;
    this.#environment = environment;
    this.#socket = new ChatSocket({ url: socketUrl, listener: this.#socketListener(), openWebSocket });
    this.#notebook = new Notebook(store, state);
    const send = (frame) => this.#socket.send(frame);
    const isVisible = () => this.#isVisible();
    const parts = { api, state, notebook: this.#notebook, send, isVisible };
    this.#announcements = new Announcements(state);
    this.people = new People({ api, store, state });
    this.writing = new Writing({ ...parts, me: state.me });
    this.#reading = new Reading(parts);
    this.#history = new History(parts);
    this.#company = new Company(parts);
    this.#attendance = new Attendance(parts);
    this.#notifications = new Notifications({ state, notify: environment.notify, isVisible });
    this.#ending = new Ending({ api, state, goToLogin: () => environment.goToLogin() });
    this.safety = new Safety({ ...parts, announce: (words) => this.#announcements.say(words) });
    this.#buildGroups(parts);
    this.#router = this.#buildRouter(send);
  }

  #buildGroups(parts) {
    this.groups = new Groups({
      ...parts,
      people: this.people,
      onDelivery: (groupId) => this.#groupPoll.takeChange(groupId),
      onChecked: () => this.#groupPoll.lookAround(),
    });
    this.#groupPoll = new GroupPoll({
      ...parts,
      onMessages: () => this.#takeNews(),
      onRefused: (groupId) => this.groups.fetch(groupId),
    });
  }

  #buildRouter(send) {
    return new FrameRouter({
      notebook: this.#notebook,
      state: this.state,
      writing: this.writing,
      reading: this.#reading,
      company: this.#company,
      attendance: this.#attendance,
      groups: this.groups,
      groupPoll: this.#groupPoll,
      notifications: this.#notifications,
      send,
      settingsChanged: () => this.settingsChanged(),
      onNews: () => this.#takeNews(),
      reconnect: () => this.#socket.reconnect(),
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

  async #load() {
    const waiting = await this.#notebook.load();
    await this.people.load();
    await this.safety.load();
    this.writing.load(waiting);
  }

  #begin() {
    this.#socket.start();
    this.#attendance.start();
  }

  /** Close the connection; what is stored stays. */
  stop() {
    this.#socket.stop();
    this.#rest();
    this.#announcements.stop();
    this.#fallSilent();
  }

  #rest() {
    this.#attendance.stop();
    this.#groupPoll.stop();
    this.groups.stop();
  }

  async openChat(peerId) {
    await this.#notebook.openChat(peerId);
    this.#followScreen();
    this.#fetchPeople();
    await Promise.all([this.#reading.markRead(), this.#refresh(peerId), this.#fetchOlder()]);
  }

  #refresh(peerId) {
    return isGroupId(peerId) ? this.groups.fetch(peerId) : this.people.refresh(peerId);
  }

  closeChat() {
    this.#notebook.closeChat();
    this.#followScreen();
  }

  /** Show the page before the oldest message on screen: of this device, or of the history on the server. */
  async loadOlder() {
    if (this.state.chat?.hasOlder) await this.#notebook.loadOlder();
    else await this.#fetchOlder();
    this.#fetchPeople();
  }

  async #fetchOlder() {
    const chat = this.state.chat;
    if (chat && !chat.hasOlder) await this.#history.fetchOlder(chat.peer_id, chat.messages[0]);
  }

  /** Write a message to a person or group, or an answer to the message `replyTo`. */
  send(peerId, text, replyTo = null) {
    return this.writing.write(peerId, text, replyTo);
  }

  /** What is in the open chat counts as read while a person can see it. */
  markRead() {
    return this.#reading.markRead();
  }

  #isVisible() {
    return this.#environment.isVisible() && !this.state.interruption;
  }

  /** The page came to the front, or went to the back. */
  showScreen() {
    this.#followScreen();
    this.#attendance.showScreen();
    if (this.#isVisible()) this.groups.check();
  }

  #followScreen() {
    this.#company.showScreen();
    this.#groupPoll.showScreen();
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
      onFrame: (frame) => this.#router.take(frame),
      onDown: () => this.#handleDown(),
      onEnd: (code, reason) => this.#handleEnd(code, reason),
    };
  }

  #handleReady() {
    this.#showConnection();
    this.writing.open();
    this.#reading.restart();
    this.#company.restart();
    this.#groupPoll.catchUp();
    this.#attendance.catchUp();
    this.people.retryFailed();
    this.safety.check();
    this.groups.check();
    this.#takeHistory();
    this.#fetchPeople();
  }

  async #takeHistory() {
    await this.#history.begin();
    this.#fetchPeople();
  }

  #fetchPeople() {
    this.people.fetchUnknown(listNamed(this.state));
    this.#attendance.takeNewcomers();
  }

  #handleDown() {
    this.#fallSilent();
    this.#showConnection();
  }

  #fallSilent() {
    this.writing.close();
    this.#company.lose();
  }

  #handleEnd(code, reason) {
    this.#fallSilent();
    this.#rest();
    this.#ending.show(code, reason);
  }

  #showConnection() {
    const unconnected = this.#environment.isOnline() ? CONNECTION.RECONNECTING : CONNECTION.OFFLINE;
    this.state.set({ connection: this.#socket.isReady ? CONNECTION.CONNECTED : unconnected });
  }

  // --- Changes of what is stored -------------------------------------------------------------------------------

  async #takeNews() {
    this.#fetchPeople();
    await this.#reading.markRead();
  }
}
