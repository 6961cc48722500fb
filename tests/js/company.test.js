import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Company, TYPING_REPEAT_MS } from "../../static/chat/js/company.js";
import { ChatState } from "../../static/chat/js/state.js";
import { TYPING_LASTS_MS } from "../../static/chat/js/writers.js";

const [ME, PEER, OTHER] = ["usr-aaaaaaaaaaaa", "usr-bbbbbbbbbbbb", "usr-cccccccccccc"];
let state, company, sent, isConnected, isVisible;

beforeEach(() => {
  sent = [];
  isConnected = true;
  isVisible = true;
  state = new ChatState({ user_id: ME });
  const send = (frame) => isConnected && sent.push(frame) > 0;
  company = new Company({ state, send, isVisible: () => isVisible });
});

const open = (peerId) => {
  state.openChat({ peer_id: peerId, messages: [], hasOlder: false });
  company.showScreen();
};
const presence = (user_id, online) => ({ action: "presence", user_id, online, last_seen: 1 });

test("the server is told which chat is on screen, once, and again on each connection", () => {
  open(PEER);
  company.showScreen();
  company.restart();
  isVisible = false;
  company.showScreen();
  const open_chat = { action: "open_chat", user_id: PEER };
  assert.deepEqual(sent, [open_chat, open_chat, { action: "open_chat" }]);
});

test("a chat opened without a connection is told of when there is one", () => {
  isConnected = false;
  open(PEER);
  isConnected = true;
  company.restart();
  assert.deepEqual(sent, [{ action: "open_chat", user_id: PEER }]);
});

test("presence is shown for the chat on screen, and not after the connection is lost", () => {
  open(PEER);
  company.takePresence(presence(PEER, true));
  assert.equal(state.presence.online, true);
  company.takePresence(presence(OTHER, false));
  assert.equal(state.presence.user_id, PEER);
  open(OTHER);
  assert.equal(state.presence, null);
  company.takePresence(presence(OTHER, false));
  company.lose();
  assert.equal(state.presence, null);
});

test("writing is told of at its beginning, now and then, and at its end", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  company.noteWriting(PEER, false);
  company.noteWriting(PEER, false);
  context.mock.timers.tick(TYPING_REPEAT_MS);
  company.noteWriting(PEER, false);
  company.noteWriting(PEER, true);
  company.noteWriting(PEER, true);
  assert.deepEqual(
    sent.map((frame) => frame.state),
    ["start", "start", "stop"],
  );
});

test("who pauses, or writes to somebody else, no longer writes", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  company.noteWriting(PEER, false);
  context.mock.timers.tick(TYPING_LASTS_MS);
  company.noteWriting(PEER, false);
  company.noteWriting(OTHER, false);
  assert.deepEqual(
    sent.map((frame) => [frame.receiver_id, frame.state]),
    [
      [PEER, "start"],
      [PEER, "stop"],
      [PEER, "start"],
      [PEER, "stop"],
      [OTHER, "start"],
    ],
  );
  company.lose();
});

test("a writer is shown until the message comes, or a while after the last notice", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const typing = (sender_id, what) => company.takeTyping({ sender_id, state: what });
  typing(PEER, "start");
  typing(OTHER, "start");
  assert.deepEqual([...state.writers], [PEER, OTHER]);
  company.takeMessage({ sender_id: PEER });
  assert.deepEqual([...state.writers], [OTHER]);
  context.mock.timers.tick(TYPING_LASTS_MS);
  assert.equal(state.writers.size, 0);
  typing(PEER, "start");
  typing(PEER, "stop");
  typing(OTHER, "start");
  company.lose();
  assert.equal(state.writers.size, 0);
});

test("of a group those are shown who write in it while it is on screen", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const GROUP = "grp-000000000001";
  const typing = (sender_id, what, group_id = GROUP) => company.takeTyping({ sender_id, group_id, state: what });
  typing(PEER, "start");
  assert.equal(state.groupWriters.size, 0, "nobody looks at it");
  open(GROUP);
  typing(PEER, "start");
  typing(OTHER, "start");
  typing(OTHER, "start", "grp-000000000002");
  assert.deepEqual([[...state.groupWriters], [...state.writers]], [[PEER, OTHER], []]);
  company.takeMessage({ sender_id: PEER });
  company.takeMessage({ sender_id: OTHER, group_id: GROUP });
  assert.deepEqual([...state.groupWriters], [PEER]);
  company.noteWriting(GROUP, false);
  assert.deepEqual(sent.at(-1), { action: "typing", group_id: GROUP, state: "start" });
  open(PEER);
  assert.equal(state.groupWriters.size, 0);
  company.lose();
});
