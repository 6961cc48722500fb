/** Times and days in words. Pure; `now` in ms since the epoch, the time zone is the device's. */

const DAY_MS = 86_400_000;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat("en", { weekday: "long" });
const dayAndMonth = new Intl.DateTimeFormat("en", { day: "numeric", month: "long" });
const fullDay = new Intl.DateTimeFormat("en", { day: "numeric", month: "long", year: "numeric" });

/** "14:05" */
export function formatClock(timestamp) {
  return clock.format(timestamp);
}

/** "3 May at 14:05" */
export function formatMoment(timestamp) {
  return `${dayAndMonth.format(timestamp)} at ${formatClock(timestamp)}`;
}

/** "Today", "Yesterday", "Monday", "3 May" … */
export function formatDay(timestamp, now) {
  const days = daysBetween(timestamp, now);
  if (days <= 0) return "Today";
  if (days === 1) return "Yesterday";
  if (days < 7) return weekday.format(timestamp);
  const isThisYear = new Date(timestamp).getFullYear() === new Date(now).getFullYear();
  return (isThisYear ? dayAndMonth : fullDay).format(timestamp);
}

/** For the conversation list: the time today, the day before that. */
export function formatShort(timestamp, now) {
  return daysBetween(timestamp, now) <= 0 ? formatClock(timestamp) : formatDay(timestamp, now);
}

/** "last seen today at 14:05", "last seen on 3 May" */
export function formatLastSeen(timestamp, now) {
  const days = daysBetween(timestamp, now);
  if (days <= 0) return `last seen today at ${formatClock(timestamp)}`;
  if (days === 1) return `last seen yesterday at ${formatClock(timestamp)}`;
  return `last seen on ${formatDay(timestamp, now)}`;
}

/** Calendar days from one moment to the other, by the local calendar (a day may have 23 or 25 hours). */
function daysBetween(earlier, later) {
  return Math.round((startOfDay(later) - startOfDay(earlier)) / DAY_MS);
}

function startOfDay(timestamp) {
  return new Date(timestamp).setHours(0, 0, 0, 0);
}

/**
 * Messages in order → [{day, messages}], a new group where the calendar day changes.
 *
 * @param {object[]} messages
 */
export function groupByDay(messages) {
  const groups = [];
  for (const message of messages) {
    const day = startOfDay(message.timestamp);
    if (groups.at(-1)?.day === day) groups.at(-1).messages.push(message);
    else groups.push({ day, messages: [message] });
  }
  return groups;
}
