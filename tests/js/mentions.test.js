import assert from "node:assert/strict";
import { test } from "node:test";

import { completeMention, findBegun, findMentions, mentions, suggestPeople } from "../../static/chat/js/mentions.js";
import { renderText } from "../../static/chat/js/views/rich-text.js";

const known = new Set(["ann", "bob.b", "cy-"]);
const found = (text) => findMentions(text, (name) => known.has(name)).map(({ start, end }) => text.slice(start, end));

test("members are mentioned by their whole names, whatever the case and whatever stands around", () => {
  assert.deepEqual(found("@ann @Bob.B, and (@ANN)."), ["@ann", "@Bob.B", "@ANN"]);
  assert.deepEqual(found("see @ann. And @bob.b..."), ["@ann", "@bob.b"]);
  assert.deepEqual(found("@cy- goes"), ["@cy-"]);
});

test("neither a part of a name, nor an address, nor a stranger is a mention", () => {
  assert.deepEqual(found("@anna @an mail@ann @@ann @zoe ann"), []);
});

test("whether a text is for somebody", () => {
  assert.ok(mentions("hello @Ann!", "ann"));
  assert.ok(!mentions("hello @anna", "ann"));
  assert.ok(!mentions("hello @ann", undefined));
});

test("a mention that is being typed begins at a word and ends at the caret", () => {
  assert.deepEqual(findBegun("hi @an", 6), { start: 3, query: "an" });
  assert.deepEqual(findBegun("@", 1), { start: 0, query: "" });
  assert.deepEqual(findBegun("hi @annabel", 6), { start: 3, query: "an" });
  assert.equal(findBegun("hi @an there", 12), null);
  assert.equal(findBegun("mail@an", 7), null);
});

test("usernames that begin so are suggested before names that do", () => {
  const people = [
    { username: "zed", display_name: "Bo Anders" },
    { username: "Ann", display_name: "X" },
    { username: "bob", display_name: "Bob" },
  ];
  const suggested = suggestPeople(people, "an").map(({ username }) => username);
  assert.deepEqual(suggested, ["Ann", "zed"]);
  assert.deepEqual(suggestPeople(people, "ann"), [], "the name is complete");
});

test("a chosen name takes the place of what was begun, and the caret stands behind it", () => {
  const text = "hi @an there";
  assert.deepEqual(completeMention(text, { start: 3, query: "an" }, "ann"), { text: "hi @ann there", caret: 8 });
});

test("mentions are marked in a text beside its links", () => {
  const names = { members: new Set(["ann"]), me: "ann" };
  const parts = renderText("https://example.org @ann <b>", names);
  assert.deepEqual([parts[0], parts[2], parts[4]], ["", " ", " <b>"]);
  assert.deepEqual(parts[3].values, ["of-me", "@ann"]);
});
