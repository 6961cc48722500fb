/**
 * A group as this device keeps it. Pure; every change may be repeated, and an older one changes nothing.
 *
 * Record: {group_id, name, description, version, member_count, only_admins_write, slow_mode_seconds, frozen,
 * freeze_reason, delivery, created_at, role, muted_until} as the server has them, `members` ([{user_id, role}], the
 * first 500), and what is known only here: `ended` (null, or why this user is no member any more: {kind, by, version}),
 * `settled_sequence` (of the newest event that took this user in or out), `polled_at` (ms: polled up to here) and
 * `is_behind` (when it was polled there was more).
 */

const ENDINGS = new Set(["left", "removed", "deleted"]);
const FACTS = [
  "name",
  "description",
  "version",
  "member_count",
  "only_admins_write",
  "slow_mode_seconds",
  "frozen",
  "freeze_reason",
  "delivery",
  "created_at",
  "role",
  "muted_until",
];

/** A group of which nothing is known but its id. */
export function newGroup(groupId) {
  return {
    group_id: groupId,
    name: "",
    description: "",
    version: 0,
    member_count: 0,
    only_admins_write: false,
    slow_mode_seconds: 0,
    frozen: false,
    freeze_reason: "",
    delivery: "push",
    created_at: 0,
    role: "member",
    muted_until: null,
    members: null,
    ended: null,
    settled_sequence: -1,
    polled_at: 0,
    is_behind: false,
  };
}

/** The group as the server has just told of it, with or without members. */
export function withAnswer(group, answer) {
  if (answer.version < group.version) return group;
  const facts = Object.fromEntries(FACTS.map((name) => [name, answer[name] ?? group[name]]));
  // Null is what the server says of a group that is not muted.
  facts.muted_until = "muted_until" in answer ? answer.muted_until : group.muted_until;
  const members = answer.members ? answer.members.map(({ user_id, role }) => ({ user_id, role })) : group.members;
  // An answer from before the end says nothing of what is now.
  const ended = group.ended && group.ended.version >= answer.version ? group.ended : null;
  return { ...group, ...facts, members, ended };
}

/** After an event of the group: what it says of this user's membership, and what it is called. */
export function withEvent(group, { kind, by, user_ids, details, sequence, version }, myId) {
  if (sequence <= group.settled_sequence) return group;
  const concernsMe = user_ids.includes(myId) || kind === "deleted";
  const name = !group.name && details.name ? details.name : group.name;
  if (ENDINGS.has(kind) && concernsMe) {
    return { ...group, name, ended: { kind, by, version }, settled_sequence: sequence };
  }
  if ((kind === "joined" || kind === "created") && concernsMe) {
    return { ...group, name, ended: null, settled_sequence: sequence };
  }
  return { ...group, name };
}

/** This user is no member any more, for a reason that no event has told: "left", "deleted" or "gone", which is unknown. */
export function withoutMembership(group, kind, by) {
  return group.ended ? group : { ...group, ended: { kind, by, version: group.version } };
}

/** Polled up to this moment, never back; `isBehind`: there is more after it. */
export function polledUpTo(group, timestamp, isBehind) {
  if (timestamp <= group.polled_at && isBehind === Boolean(group.is_behind)) return group;
  return { ...group, polled_at: Math.max(group.polled_at, timestamp), is_behind: isBehind };
}

/** Whether the group may not ring at this moment. */
export function isMuted(group, now) {
  return Boolean(group?.muted_until && group.muted_until > now);
}

/** Whether messages are asked for instead of pushed. */
export function isPolled(group) {
  return Boolean(group && !group.ended && group.delivery === "poll");
}

/** Whether the group has messages that this device did not ask for yet: what is unread is more than is known. */
export function hasMore(group) {
  return isPolled(group) && Boolean(group.is_behind);
}

/** Whether a member of this role looks after the group. */
export function mayManage(role) {
  return role === "owner" || role === "admin";
}

/** Whether this user has to wait between two messages. */
export function isSlowed({ role, slow_mode_seconds }) {
  return slow_mode_seconds > 0 && !mayManage(role);
}

/** What this user may do about another member: {remove, promote, demote, handOver}. */
export function powersOver(group, member, myId) {
  const isOther = member.user_id !== myId && member.role !== "owner";
  const isOwner = group.role === "owner";
  return {
    remove: isOther && (isOwner || (group.role === "admin" && member.role === "member")),
    promote: isOther && isOwner && member.role === "member",
    demote: isOther && isOwner && member.role === "admin",
    handOver: isOther && isOwner,
  };
}
