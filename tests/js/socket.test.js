import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { ChatSocket } from "../../static/chat/js/socket.js";
import { connected, FakeNetwork } from "./fake-socket.js";

let network, events, socket;

beforeEach(() => {
  network = new FakeNetwork();
  events = [];
  const listener = {
    onReady: () => events.push("ready"),
    onFrame: (frame) => events.push(frame.action),
    onDown: () => events.push("down"),
    onEnd: (code) => events.push(`end ${code}`),
  };
  socket = new ChatSocket({ url: "ws://test/", listener, openWebSocket: network.open, random: () => 0 });
});

/** Start with the clock in the test's hands. */
function start(context) {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  socket.start();
}

test("frames are handed on once the server has said `connected`, and written only then", (context) => {
  start(context);
  assert.equal(socket.send({ action: "heartbeat" }), false);
  network.last.receive(connected);
  network.last.receive({ action: "inbox_drained", count: 0 });
  assert.deepEqual(events, ["ready", "inbox_drained"]);
  assert.equal(socket.send({ action: "heartbeat" }), true);
});

test("a heartbeat goes out every interval, and an answered one keeps the connection", (context) => {
  start(context);
  const webSocket = network.last;
  webSocket.receive(connected);
  for (let beat = 1; beat <= 4; beat += 1) {
    context.mock.timers.tick(30_000);
    assert.equal(webSocket.sent.length, beat);
    webSocket.receive({ action: "heartbeat", timestamp: 1 });
  }
  assert.equal(network.sockets.length, 1);
});

test("a connection silent for 40 s after a heartbeat is given up, and a new one made", (context) => {
  start(context);
  network.last.receive(connected);
  context.mock.timers.tick(30_000);
  context.mock.timers.tick(39_999);
  assert.deepEqual(events, ["ready"]);
  context.mock.timers.tick(1);
  assert.deepEqual(events, ["ready", "down"]);
  assert.ok(network.sockets[0].isClosed);
  context.mock.timers.tick(1000);
  assert.equal(network.sockets.length, 2);
});

test("a given-up connection is not listened to any more", (context) => {
  start(context);
  network.last.receive(connected);
  socket.reconnect();
  network.sockets[0].receive({ action: "message_delivered", message_id: "msg-1" });
  network.sockets[0].end(1006);
  assert.deepEqual(events, ["ready", "down"]);
});

/** How long the client waits after each of six connections that end at once, in ms. */
function measureWaits(context, endConnection) {
  return Array.from({ length: 6 }, () => {
    const before = network.sockets.length;
    endConnection();
    let waited = 0;
    while (network.sockets.length === before) {
      context.mock.timers.tick(100);
      waited += 100;
    }
    return waited;
  });
}

test("tries grow further apart while nothing answers", (context) => {
  start(context);
  const waits = measureWaits(context, () => network.last.end(1006));
  assert.deepEqual(waits, [1000, 1000, 2000, 4000, 8000, 15_000]);
});

test("a server that accepts and closes at once is not asked every second", (context) => {
  start(context);
  const waits = measureWaits(context, () => {
    network.last.receive(connected);
    network.last.end(1011);
  });
  assert.deepEqual(waits, [1000, 1000, 2000, 4000, 8000, 15_000]);
});

test("after a connection that held, tries begin anew with the shortest wait", (context) => {
  start(context);
  const waits = measureWaits(context, () => {
    network.last.receive(connected);
    context.mock.timers.tick(10_001);
    network.last.end(1006);
  });
  assert.deepEqual(waits, [1000, 1000, 1000, 1000, 1000, 1000]);
});

test("a server that never says `connected` is given up after 15 s", (context) => {
  start(context);
  context.mock.timers.tick(15_000);
  assert.deepEqual(events, ["down"]);
});

for (const code of [4401, 4403, 4409]) {
  test(`close code ${code} is final`, (context) => {
    start(context);
    network.last.receive(connected);
    network.last.end(code);
    context.mock.timers.tick(120_000);
    socket.retryNow();
    assert.deepEqual(events, ["ready", `end ${code}`]);
    assert.equal(network.sockets.length, 1);
  });
}

test("after a restart of the server the first try comes at once", (context) => {
  start(context);
  network.last.receive(connected);
  network.last.end(1012);
  context.mock.timers.tick(1);
  assert.equal(network.sockets.length, 2);
});

test("when the network is back the wait is cut short", (context) => {
  start(context);
  network.last.end(1006);
  socket.retryNow();
  assert.equal(network.sockets.length, 2);
  socket.retryNow();
  assert.equal(network.sockets.length, 2);
});

test("a probe without an answer in 5 s ends the connection", (context) => {
  start(context);
  network.last.receive(connected);
  socket.probe();
  context.mock.timers.tick(5000);
  assert.deepEqual(events, ["ready", "down"]);
});

test("a frame that cannot be read is passed over", (context) => {
  context.mock.method(console, "error", () => null);
  start(context);
  network.last.receive(connected);
  network.last.onmessage({ data: "no frame" });
  network.last.receive({ action: "heartbeat", timestamp: 1 });
  assert.deepEqual(events, ["ready", "heartbeat"]);
  assert.equal(console.error.mock.callCount(), 1);
});
