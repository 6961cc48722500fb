import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { PollingSocket } from "../../static/chat/js/polling-socket.js";
import { connected } from "./fake-socket.js";

/** Polls in the hands of a test: each stays open until it is answered. */
class FakeServer {
  polls = [];

  fetch = (url, { body, signal }) =>
    new Promise((resolve, reject) => {
      const poll = { url, ...JSON.parse(body), isAborted: false };
      poll.answer = async (
        frames,
        { mark = `m${this.polls.length}`, status = 200, retryAfter = "1", ...rest } = {},
      ) => {
        const headers = new Headers({ "Retry-After": retryAfter });
        const answer = status === 200 ? { frames, poll: mark } : { code: "x", message: "x", ...rest };
        resolve({ status, headers, json: async () => answer });
        await settle();
      };
      poll.lose = async () => {
        reject(new TypeError("Failed to fetch"));
        await settle();
      };
      signal.addEventListener("abort", () => {
        poll.isAborted = true;
        reject(new DOMException("aborted", "AbortError"));
      });
      this.polls.push(poll);
    });

  get last() {
    return this.polls.at(-1);
  }
}

/** Let every promise that is due run. */
async function settle() {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

const frame = (number) => ({ action: "message_delivered", message_id: `msg-${number}` });

let server, socket, received, closes, clock;

beforeEach(() => {
  server = new FakeServer();
  received = [];
  closes = [];
});

afterEach(() => socket.close());

async function start(context) {
  context.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  clock = context.mock.timers;
  socket = new PollingSocket("/chat/poll", server.fetch);
  socket.onmessage = ({ data }) => received.push(JSON.parse(data));
  socket.onclose = ({ code }) => closes.push(code);
  await pass(0);
}

async function pass(milliseconds) {
  clock.tick(milliseconds);
  await settle();
}

/** Past the first answer, with the next poll open. */
async function startConnected(context) {
  await start(context);
  await server.last.answer([connected], { mark: "m1" });
  await pass(50);
}

test("the first poll begins anew, waits for nothing, and opens the socket when it is answered", async (context) => {
  await start(context);
  assert.deepEqual(
    [server.last.url, server.last.frames, server.last.wait_ms, server.last.last_poll],
    ["/chat/poll", [], 0, ""],
  );
  assert.equal(socket.readyState, WebSocket.CONNECTING);
  await server.last.answer([connected]);
  assert.equal(socket.readyState, WebSocket.OPEN);
  assert.deepEqual(received, [connected]);
});

test("from then on one poll is open and waits long, and names the answer before it", async (context) => {
  await startConnected(context);
  assert.equal(server.polls.length, 2);
  assert.equal(server.last.wait_ms, 25_000);
  assert.equal(server.last.last_poll, "m1");
  await server.last.answer([], { mark: "m2" });
  await pass(0);
  assert.equal(server.polls.length, 3);
  assert.equal(server.last.last_poll, "m2");
});

test("a frame does not wait for the open poll, and frames sent together go together", async (context) => {
  await startConnected(context);
  socket.send(JSON.stringify(frame(1)));
  socket.send(JSON.stringify(frame(2)));
  await pass(5);
  assert.equal(server.polls.length, 3);
  assert.deepEqual(server.last.frames, [frame(1), frame(2)]);
});

test("more than two polls are never open", async (context) => {
  await startConnected(context);
  for (let number = 1; number <= 5; number += 1) {
    socket.send(JSON.stringify(frame(number)));
    await pass(5);
  }
  assert.equal(server.polls.length, 3);
  await server.polls[1].answer([], { mark: "m1" });
  await pass(5);
  assert.deepEqual(server.last.frames, [frame(2), frame(3), frame(4), frame(5)]);
});

test("after messages the next poll waits a moment for their confirmations", async (context) => {
  await startConnected(context);
  await server.last.answer([frame(1)], { mark: "m2" });
  await pass(10);
  assert.equal(server.polls.length, 2);
  socket.send(JSON.stringify({ action: "confirm" }));
  await pass(5);
  assert.equal(server.polls.length, 3);
  assert.deepEqual(server.last.frames, [{ action: "confirm" }]);
});

test("a lost poll is sent again with its frames and the same last answer", async (context) => {
  await startConnected(context);
  socket.send(JSON.stringify(frame(1)));
  await pass(5);
  await server.polls[1].answer([], { mark: "m1" });
  await server.polls[2].lose();
  await pass(500);
  assert.deepEqual(server.last.frames, [frame(1)]);
  assert.equal(server.last.last_poll, "m1");
  assert.deepEqual(closes, []);
});

test("an older poll's answer does not put the mark back", async (context) => {
  await startConnected(context);
  socket.send(JSON.stringify(frame(1)));
  await pass(5);
  const [, older, newer] = server.polls;
  await newer.answer([], { mark: "m3" });
  await older.answer([], { mark: "m2" });
  await pass(0);
  assert.equal(server.last.last_poll, "m3");
});

test("that an older poll was replaced ends nothing", async (context) => {
  await startConnected(context);
  socket.send(JSON.stringify(frame(1)));
  await pass(5);
  const [, older, newer] = server.polls;
  await older.answer([], { status: 409, close_code: 4409 });
  assert.deepEqual(closes, []);
  await newer.answer([], { status: 409, close_code: 4409 });
  assert.deepEqual(closes, [4409]);
});

for (const [status, body, code] of [
  [401, { close_code: 4401 }, 4401],
  [403, { close_code: 4403 }, 4403],
  [429, { close_code: 4429 }, 4429],
  [503, { close_code: 1012 }, 1012],
  [400, { close_code: 1008 }, 1008],
  [403, {}, 4403],
  [404, {}, 1006],
]) {
  test(`status ${status} with ${JSON.stringify(body)} is close code ${code}`, async (context) => {
    await startConnected(context);
    await server.last.answer([], { status, ...body });
    assert.deepEqual(closes, [code]);
    assert.equal(socket.readyState, WebSocket.CLOSED);
    await pass(60_000);
    assert.equal(server.polls.length, 2);
  });
}

test("the last frames of a refusal are handed on before the close", async (context) => {
  await startConnected(context);
  await server.last.answer([], { status: 409, close_code: 4409, frames: [frame(7)] });
  assert.deepEqual(received.at(-1), frame(7));
});

test("polls that fail again and again end it, the first one at once", async (context) => {
  await startConnected(context);
  for (let failure = 1; failure <= 4; failure += 1) {
    assert.deepEqual(closes, []);
    await server.last.lose();
    await pass(500);
  }
  assert.deepEqual(closes, [1006]);

  socket = new PollingSocket("/chat/poll", server.fetch);
  socket.onclose = ({ code }) => closes.push(code);
  await pass(0);
  await server.last.lose();
  assert.deepEqual(closes, [1006, 1006]);
});

test("being too fast is not the end: the frames go again when the server says", async (context) => {
  await startConnected(context);
  socket.send(JSON.stringify(frame(1)));
  await pass(5);
  await server.polls[1].answer([], { mark: "m1" });
  await server.last.answer([], { status: 429, retryAfter: "2" });
  await pass(1999);
  assert.equal(server.polls.length, 3);
  await pass(1);
  assert.deepEqual(server.last.frames, [frame(1)]);
});

test("while it is paused no poll begins, and what was sent goes when it resumes", async (context) => {
  await startConnected(context);
  socket.pause();
  socket.send(JSON.stringify(frame(1)));
  await server.last.answer([], { mark: "m2" });
  await pass(60_000);
  assert.equal(server.polls.length, 2);
  socket.resume();
  await pass(0);
  assert.deepEqual(server.last.frames, [frame(1)]);
});

test("closing aborts what is open and polls no more", async (context) => {
  await startConnected(context);
  socket.close();
  assert.ok(server.last.isAborted);
  await pass(60_000);
  assert.equal(server.polls.length, 2);
  assert.deepEqual(closes, []);
});

test("a poll that is not answered in its time is given up and sent again", async (context) => {
  await startConnected(context);
  await pass(35_000);
  assert.ok(server.polls[1].isAborted);
  await pass(500);
  assert.equal(server.polls.length, 3);
});
