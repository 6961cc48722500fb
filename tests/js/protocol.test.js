import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import {
  buildConfirmations,
  buildHeartbeat,
  buildMessageRead,
  buildSendMessage,
  cleanContent,
  countCharacters,
  decodeServerFrame,
  ProtocolError,
} from "../../static/chat/js/protocol.js";

const FRAMES = new URL("../fixtures/frames/", import.meta.url);
const golden = readdirSync(FRAMES)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(new URL(name, FRAMES), "utf8")));

test("the golden frames are there", () => {
  assert.ok(golden.some(({ way }) => way === "server"));
  assert.ok(golden.some(({ way }) => way === "client"));
});

for (const { name, way, frame, error } of golden) {
  if (way !== "server" || error) continue;
  test(`golden server frame "${name}" is read as it is`, () => {
    assert.deepEqual(decodeServerFrame(JSON.stringify(frame)), frame);
  });
}

test("the frames built here have the fields of the golden client frames", () => {
  const built = [
    buildSendMessage({ client_id: "a", peer_id: "usr-aaaaaaaaaaaa", content: "hi" }, 1),
    ...buildConfirmations(["msg-0000000000000001"], 1),
    buildMessageRead("msg-0000000000000001", "usr-aaaaaaaaaaaa", 1),
    buildHeartbeat(),
  ];
  for (const frame of built) {
    const examples = golden.filter((one) => one.way === "client" && !one.error && one.frame.action === frame.action);
    const known = new Set(examples.flatMap((example) => Object.keys(example.frame)));
    for (const field of Object.keys(frame)) assert.ok(known.has(field), `${frame.action}: ${field}`);
  }
});

test("what is no frame is refused with a ProtocolError", () => {
  const broken = ["", "null", "[]", '"heartbeat"', "{", '{"action":1}', '{"message_id":"x"}'];
  for (const text of broken) assert.throws(() => decodeServerFrame(text), ProtocolError, text);
});

test("a frame that lacks a field, or has another type in it, is refused", () => {
  const frame = { action: "message_received", message_id: "msg-1", timestamp: 1, sequence: "1" };
  assert.throws(() => decodeServerFrame(JSON.stringify(frame)), /sequence is not a number/);
});

test("an action of a later version passes", () => {
  assert.equal(decodeServerFrame('{"action":"constellation"}').action, "constellation");
});

test("confirmations carry at most 500 ids each", () => {
  const ids = Array.from({ length: 1001 }, (_, index) => `msg-${index}`);
  const frames = buildConfirmations(ids, 7);
  assert.deepEqual(
    frames.map(({ message_ids }) => message_ids.length),
    [500, 500, 1],
  );
  assert.deepEqual(
    frames.flatMap(({ message_ids }) => message_ids),
    ids,
  );
  assert.deepEqual(buildConfirmations([], 7), []);
});

test("content is cleaned of what the contract refuses, and counted in code points", () => {
  assert.equal(cleanContent("  a\0b\n"), "ab");
  assert.equal(cleanContent("x\ud83d"), "x\ufffd");
  assert.equal(countCharacters("👍🏽é"), 3);
});
