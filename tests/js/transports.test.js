import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { ChatSocket } from "../../static/chat/js/socket.js";
import { Transports } from "../../static/chat/js/transports.js";
import { connected, FakeNetwork } from "./fake-socket.js";

let webSockets, polls, transports, socket, events, clock;

beforeEach(() => {
  webSockets = new FakeNetwork();
  polls = new FakeNetwork();
  transports = new Transports({ openWebSocket: webSockets.open, openPolling });
  events = [];
  const listener = {
    onReady: () => events.push("ready"),
    onFrame: (frame) => events.push(frame.action),
    onDown: () => events.push("down"),
    onEnd: (code) => events.push(`end ${code}`),
  };
  socket = new ChatSocket({ url: "ws://test/", listener, openWebSocket: transports.open, random: () => 0 });
});

function openPolling() {
  const calls = [];
  return Object.assign(polls.open("/chat/poll"), {
    calls,
    pause: () => calls.push("pause"),
    resume: () => calls.push("resume"),
  });
}

function start(context) {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  clock = context.mock.timers;
  socket.start();
}

/** Two refused WebSockets, then polls that work. */
function startBlocked(context) {
  start(context);
  webSockets.last.end(1006);
  clock.tick(1000);
  webSockets.last.end(1006);
  clock.tick(1000);
  polls.last.receive(connected);
  assert.equal(webSockets.sockets.length, 2);
}

test("a WebSocket is tried twice before polls", (context) => {
  start(context);
  webSockets.last.end(1006);
  clock.tick(1000);
  assert.equal(polls.sockets.length, 0);
  webSockets.last.end(1006);
  clock.tick(1000);
  assert.equal(polls.sockets.length, 1);
  polls.last.receive(connected);
  polls.last.receive({ action: "inbox_drained", count: 0 });
  assert.ok(socket.isReady);
  assert.ok(socket.send({ action: "heartbeat" }));
  assert.deepEqual(polls.last.sent, [{ action: "heartbeat" }]);
  assert.deepEqual(events, ["down", "down", "ready", "inbox_drained"]);
});

test("one WebSocket that hangs is enough", (context) => {
  start(context);
  clock.tick(15_000);
  clock.tick(1000);
  assert.equal(polls.sockets.length, 1);
});

for (const code of [1012, 4429]) {
  test(`a server that closes with ${code} is not taken for a network that blocks`, (context) => {
    start(context);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      webSockets.last.end(code);
      clock.tick(30_000);
    }
    assert.equal(polls.sockets.length, 0);
    assert.equal(webSockets.sockets.length, 6);
  });
}

test("a WebSocket that worked in between makes the count begin anew", (context) => {
  start(context);
  for (let round = 0; round < 4; round += 1) {
    webSockets.last.end(1006);
    clock.tick(30_000);
    webSockets.last.receive(connected);
    clock.tick(10_001);
    webSockets.last.end(1006);
    clock.tick(30_000);
  }
  assert.equal(polls.sockets.length, 0);
});

test("where polls fail too WebSockets come first again", (context) => {
  start(context);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    webSockets.last.end(1006);
    clock.tick(30_000);
  }
  polls.last.end(1006);
  clock.tick(30_000);
  assert.deepEqual([webSockets.sockets.length, polls.sockets.length], [3, 1]);
});

test("after a break polls go on where only they worked", (context) => {
  startBlocked(context);
  polls.last.end(1012);
  clock.tick(2000);
  assert.deepEqual([webSockets.sockets.length, polls.sockets.length], [2, 2]);
});

test("beside the polls a WebSocket is tried, less and less often", (context) => {
  startBlocked(context);
  const waits = Array.from({ length: 4 }, () => {
    const before = webSockets.sockets.length;
    let waited = 0;
    while (webSockets.sockets.length === before) {
      clock.tick(1000);
      waited += 1;
      if (waited % 20 === 0) polls.last.receive({ action: "heartbeat" });
    }
    webSockets.last.end(1006);
    return waited;
  });
  assert.deepEqual(waits, [10, 60, 300, 300]);
  assert.ok(socket.isReady);
});

test("a WebSocket that works takes over at its first frame", (context) => {
  startBlocked(context);
  const [poll] = polls.sockets;
  clock.tick(10_000);
  assert.ok(!poll.isClosed);
  webSockets.last.receive(connected);
  assert.ok(poll.isClosed);
  socket.send({ action: "heartbeat" });
  assert.equal(webSockets.last.sent.length, 1);
  assert.deepEqual(events, ["down", "down", "ready", "ready"]);
  webSockets.last.end(1006);
  clock.tick(4000);
  assert.deepEqual([webSockets.sockets.length, polls.sockets.length], [4, 1]);
});

test("polls that hear of the replacement before its first frame do not end the app", (context) => {
  startBlocked(context);
  clock.tick(10_000);
  polls.last.end(4409);
  webSockets.last.receive(connected);
  assert.deepEqual(events, ["down", "down", "ready", "ready"]);
});

test("polls that are replaced by somebody else end the app", (context) => {
  startBlocked(context);
  polls.last.end(4409);
  assert.equal(events.at(-1), "end 4409");
  clock.tick(400_000);
  assert.equal(webSockets.sockets.length, 2);
});

test("a WebSocket that hangs beside the polls is given up", (context) => {
  startBlocked(context);
  clock.tick(10_000);
  clock.tick(15_000);
  assert.ok(webSockets.last.isClosed);
  assert.ok(socket.isReady);
});

test("when the network changes a WebSocket is tried at once", (context) => {
  startBlocked(context);
  transports.tryUpgrade();
  assert.equal(webSockets.sockets.length, 3);
  transports.tryUpgrade();
  assert.equal(webSockets.sockets.length, 3);
});

test("stopping closes polls and the WebSocket that is tried", (context) => {
  startBlocked(context);
  clock.tick(10_000);
  socket.stop();
  assert.ok(polls.last.isClosed);
  assert.ok(webSockets.last.isClosed);
});

test("polls pause while a WebSocket that opened has not spoken, and go on when it fails", (context) => {
  startBlocked(context);
  clock.tick(10_000);
  assert.deepEqual(polls.last.calls, []);
  webSockets.last.onopen();
  assert.deepEqual(polls.last.calls, ["pause"]);
  clock.tick(5000);
  assert.deepEqual(polls.last.calls, ["pause", "resume"]);
  assert.ok(webSockets.last.isClosed);
  assert.ok(socket.isReady);
});

test("a WebSocket that a late poll of ours replaced is opened again", (context) => {
  startBlocked(context);
  clock.tick(10_000);
  webSockets.last.onopen();
  webSockets.last.receive(connected);
  webSockets.last.end(4409);
  assert.equal(events.at(-1), "down");
  clock.tick(4000);
  assert.deepEqual([webSockets.sockets.length, polls.sockets.length], [4, 1]);
  webSockets.last.receive(connected);
  webSockets.last.end(4409);
  assert.equal(events.at(-1), "end 4409");
});
