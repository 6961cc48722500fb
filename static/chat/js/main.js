/** Wires the parts together: page → store → chat → views. Beside `account.js` the one module that knows `window`. */

import { Api } from "./api.js";
import { Chat } from "./chat.js";
import { isConversationKey } from "./conversation-keys.js";
import { PollingSocket } from "./polling-socket.js";
import { ChatState } from "./state.js";
import { Store } from "./store.js";
import { Transports } from "./transports.js";
import "./views/app.js";
import "./views/join.js";

const JOIN_PATH = "/join/";

async function main() {
  const { csrf_token, ...me } = JSON.parse(document.getElementById("session").textContent);
  const state = new ChatState(me);
  if (location.pathname === JOIN_PATH) {
    showInvite(new Api(csrf_token), state);
    return;
  }
  const store = await openStore(me.user_id, state);
  if (!store) return;
  const transports = buildTransports(me);
  const parts = { state, store, api: new Api(csrf_token), environment };
  const chat = new Chat({ ...parts, socketUrl: socketUrl(me), openWebSocket: transports.open });
  await chat.start();
  followPage(chat, transports);
  const app = document.createElement("chat-app");
  app.chat = chat;
  document.getElementById("app").replaceChildren(app);
  await openChatOfAddress(chat);
  // Without this the browser may drop messages when the disk runs full. Absent on plain http.
  await navigator.storage?.persist?.();
}

/** No chat is opened for it: that would take the login's connection away from the window that has it. */
function showInvite(api, state) {
  const join = Object.assign(document.createElement("chat-join"), { api, state });
  const showToken = () => (join.token = location.hash.slice(1));
  showToken();
  window.addEventListener("hashchange", showToken);
  document.getElementById("app").replaceChildren(join);
}

const environment = {
  isVisible: () => document.visibilityState === "visible",
  isOnline: () => navigator.onLine,
  goToLogin: () => location.assign("/login/"),
  notify,
};

/** Shown where the person has allowed it; a newer one of the same conversation takes its place. */
function notify({ peerId, title, body }) {
  if (globalThis.Notification?.permission !== "granted") return;
  const notification = new Notification(title, { body, tag: peerId, icon: "/static/chat/favicon.svg" });
  notification.addEventListener("click", () => {
    window.focus();
    location.hash = peerId;
    notification.close();
  });
}

async function openStore(userId, state) {
  try {
    return await Store.open(userId, () => state.set({ interruption: "ended" }));
  } catch (error) {
    console.error("IndexedDB cannot be opened", error);
    document.getElementById("app").textContent =
      "This browser does not let the page store messages (private window?). Allow site data and load again.";
    return null;
  }
}

function socketUrl({ user_id }) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}/ws/chat/?user=${encodeURIComponent(user_id)}`;
}

function buildTransports({ user_id }) {
  const pollUrl = `/chat/poll?user=${encodeURIComponent(user_id)}`;
  return new Transports({
    openWebSocket: (url) => new WebSocket(url),
    openPolling: () => new PollingSocket(pollUrl),
  });
}

function followPage(chat, transports) {
  document.addEventListener("visibilitychange", () => {
    chat.showScreen();
    if (document.visibilityState !== "visible") return;
    chat.wakeUp();
    chat.markRead();
  });
  window.addEventListener("online", () => {
    chat.wakeUp();
    transports.tryUpgrade();
  });
  window.addEventListener("offline", () => chat.checkConnection());
  window.addEventListener("hashchange", () => openChatOfAddress(chat));
}

/** The open chat is the address's fragment, so that the back button, links and reload do what one expects. */
async function openChatOfAddress(chat) {
  const peerId = location.hash.slice(1);
  if (isConversationKey(peerId, chat.state.me.user_id)) await chat.openChat(peerId);
  else chat.closeChat();
}

main();
