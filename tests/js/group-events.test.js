import assert from "node:assert/strict";
import { test } from "node:test";

import { describeEvent, describeSeconds, describeWriters, whyClosed } from "../../static/chat/js/group-events.js";
import { newGroup } from "../../static/chat/js/group-records.js";

const NAMES = { ann: "Ann", bob: "Bob", cy: "Cy", dan: "Dan", eve: "Eve", fay: "Fay" };
const people = { myId: "me", nameOf: (userId) => NAMES[userId] };
const told = (kind, by, user_ids = [], details = {}) => describeEvent({ kind, by, user_ids, details }, people);

test("who comes and goes is told by name, and oneself as you", () => {
  assert.equal(told("created", "ann", ["ann", "bob"], { name: "Chess" }), "Ann created “Chess”");
  assert.equal(told("joined", "ann", ["bob"]), "Ann added Bob");
  assert.equal(told("joined", "ann", ["me", "bob", "cy"]), "Ann added you, Bob and Cy");
  assert.equal(told("joined", "bob", ["bob"]), "Bob joined");
  assert.equal(told("joined", "me", ["me"]), "You joined");
  assert.equal(told("left", "bob", ["bob"]), "Bob left");
  assert.equal(told("removed", "ann", ["cy"]), "Ann removed Cy");
  assert.equal(told("removed", "moderator", ["me"]), "A moderator removed you");
});

test("of many people a few are named", () => {
  assert.equal(told("joined", "me", ["bob", "cy", "dan", "eve"]), "You added Bob, Cy, Dan and Eve");
  assert.equal(told("joined", "me", ["bob", "cy", "dan", "eve", "fay"]), "You added Bob, Cy, Dan and 2 others");
});

test("what a group is called, who looks after it and what its rules are", () => {
  assert.equal(told("renamed", "ann", [], { name: "Go" }), "Ann renamed the group to “Go”");
  assert.equal(told("described", "ann", [], { description: "x" }), "Ann changed the description");
  assert.equal(told("described", "ann", [], { description: "" }), "Ann took the description away");
  assert.equal(told("role", "ann", ["bob"], { role: "admin" }), "Ann made Bob an admin");
  assert.equal(told("role", "ann", ["me"], { role: "owner" }), "Ann handed the group over to you");
  assert.equal(told("rules", "ann", [], { only_admins_write: true }), "Ann let only admins write");
  const both = { only_admins_write: false, slow_mode_seconds: 60 };
  assert.equal(told("rules", "ann", [], both), "Ann let everybody write and set slow mode to 1 minute");
  assert.equal(told("frozen", "moderator", [], { reason: "spam" }), "Moderators froze this group: spam");
  assert.equal(told("deleted", "ann"), "Ann deleted the group");
});

test("a kind of a later release is told as a change", () => {
  assert.equal(told("painted", "ann"), "Ann changed the group");
});

test("spans of time are told in the largest whole unit", () => {
  assert.deepEqual([1, 10, 60, 90, 300, 3600].map(describeSeconds), [
    "1 second",
    "10 seconds",
    "1 minute",
    "90 seconds",
    "5 minutes",
    "1 hour",
  ]);
});

test("why one cannot write: gone, frozen, or no admin", () => {
  const group = newGroup("grp-000000000001");
  assert.equal(whyClosed(group, people), "");
  assert.equal(whyClosed(null, people), "");
  const ended = (kind, by) => whyClosed({ ...group, ended: { kind, by } }, people);
  assert.equal(ended("removed", "ann"), "Ann removed you from this group.");
  assert.equal(ended("left", "me"), "You left this group.");
  assert.equal(ended("deleted", "ann"), "Ann deleted this group.");
  assert.match(ended("gone", null), /not a member/);
  assert.equal(
    whyClosed({ ...group, frozen: true, freeze_reason: "spam" }, people),
    "Moderators have frozen this group: spam",
  );
  const ruled = { ...group, only_admins_write: true };
  assert.match(whyClosed(ruled, people), /Only admins/);
  assert.equal(whyClosed({ ...ruled, role: "admin" }, people), "");
});

test("who is writing", () => {
  assert.equal(describeWriters([]), "");
  assert.equal(describeWriters(["Ann"]), "Ann is typing…");
  assert.equal(describeWriters(["Ann", "Bob"]), "Ann and Bob are typing…");
  assert.equal(describeWriters(["Ann", "Bob", "Cy", "Dan"]), "Ann, Bob and 2 others are typing…");
});
