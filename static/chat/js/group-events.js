/** What happened to a group, in words for its members. Pure. */

const ROLES = { owner: "the owner", admin: "an admin", member: "a member" };
const MODERATOR = "moderator";
const MOST_NAMED = 4;

/**
 * @param {{kind: string, by: string, user_ids: string[], details: object}} event
 * @param {object} people `myId`, and `nameOf(userId)`
 * @returns {string} "Ann added Bob and Cy"
 */
export function describeEvent(event, people) {
  const by = subject(event.by, people);
  return (SENTENCES[event.kind] ?? (() => `${by} changed the group`))(event, people, by);
}

const SENTENCES = {
  created: ({ details }, _people, by) => (details.name ? `${by} created “${details.name}”` : `${by} created the group`),
  joined: ({ by, user_ids }, people, name) =>
    user_ids.length === 1 && user_ids[0] === by ? `${name} joined` : `${name} added ${list(user_ids, people)}`,
  left: (_event, _people, by) => `${by} left`,
  removed: ({ user_ids }, people, by) => `${by} removed ${list(user_ids, people)}`,
  role: (event, people, by) => describeRole(event, people, by),
  renamed: ({ details }, _people, by) => `${by} renamed the group to “${details.name}”`,
  described: ({ details }, _people, by) =>
    details.description ? `${by} changed the description` : `${by} took the description away`,
  pictured: ({ details }, _people, by) =>
    details.picture ? `${by} changed the picture` : `${by} took the picture away`,
  rules: ({ details }, _people, by) => `${by} ${describeRules(details).join(" and ")}`,
  frozen: ({ details }) => `Moderators froze this group${details.reason ? `: ${details.reason}` : ""}`,
  unfrozen: () => "Moderators let this group go on",
  deleted: (_event, _people, by) => `${by} deleted the group`,
};

function describeRole({ user_ids: [userId], details: { role } }, people, by) {
  if (role === "owner") return `${by} handed the group over to ${object(userId, people)}`;
  return `${by} made ${object(userId, people)} ${ROLES[role] ?? role}`;
}

function describeRules({ only_admins_write, slow_mode_seconds }) {
  const told = [];
  if (only_admins_write === true) told.push("let only admins write");
  if (only_admins_write === false) told.push("let everybody write");
  if (slow_mode_seconds) told.push(`set slow mode to ${describeSeconds(slow_mode_seconds)}`);
  if (slow_mode_seconds === 0) told.push("switched slow mode off");
  return told.length > 0 ? told : ["changed the rules"];
}

/** "10 seconds", "1 minute", "1 hour" */
export function describeSeconds(seconds) {
  const [count, unit] = seconds % 3600 === 0 ? [seconds / 3600, "hour"] : wholeMinutes(seconds);
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

function wholeMinutes(seconds) {
  return seconds % 60 === 0 ? [seconds / 60, "minute"] : [seconds, "second"];
}

/**
 * Why nobody can write in a group from here; "" where one can.
 *
 * @param {object | null} group a record of group-records.js
 * @param {object} people as for `describeEvent`
 */
export function whyClosed(group, people) {
  if (!group) return "";
  if (group.ended) return describeEnd(group.ended, people);
  if (group.frozen) {
    return `Moderators have frozen this group${group.freeze_reason ? `: ${group.freeze_reason}` : "."}`;
  }
  if (group.only_admins_write && group.role === "member") return "Only admins can write in this group.";
  return "";
}

function describeEnd({ kind, by }, people) {
  if (kind === "left") return "You left this group.";
  if (kind === "removed") return `${subject(by, people)} removed you from this group.`;
  if (kind === "deleted") return `${subject(by, people)} deleted this group.`;
  return "You are not a member of this group any more.";
}

/** "Ann is typing…", "Ann and Bob are typing…", "Ann, Bob and 2 others are typing…" */
export function describeWriters(names) {
  if (names.length === 0) return "";
  if (names.length === 1) return `${names[0]} is typing…`;
  if (names.length <= 3) return `${join(names)} are typing…`;
  return `${names[0]}, ${names[1]} and ${names.length - 2} others are typing…`;
}

function list(userIds, people) {
  const shown = userIds.length > MOST_NAMED ? userIds.slice(0, MOST_NAMED - 1) : userIds;
  const names = shown.map((userId) => object(userId, people));
  const others = userIds.length - shown.length;
  return join(others > 0 ? [...names, `${others} others`] : names);
}

function join(names) {
  return names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names.join("");
}

function subject(userId, { myId, nameOf }) {
  if (userId === myId) return "You";
  return userId === MODERATOR ? "A moderator" : nameOf(userId);
}

function object(userId, { myId, nameOf }) {
  return userId === myId ? "you" : nameOf(userId);
}
