/** What a person can tell the moderators of somebody, or of a message. Pure. */

/** What is wrong, in the words in which moderators read it. */
export const REPORT_REASONS = Object.freeze([
  "Spam or advertising",
  "Insults, threats or hate",
  "Sexual content",
  "Fraud or impersonation",
  "Something else",
]);

const MAX_REASON_CHARACTERS = 500;

/** How many characters there are for the person's own words beside any of the reasons. */
export const MAX_REPORT_WORDS =
  MAX_REASON_CHARACTERS - ": ".length - Math.max(...REPORT_REASONS.map(({ length }) => length));

/**
 * The body of a report.
 *
 * @param {object} subject `peerId` of the reported person, and `message` (a received record) where one is reported
 * @param {string} reason one of REPORT_REASONS
 * @param {string} words what the person adds, cleaned; may be empty
 */
export function buildReport({ peerId, message }, reason, words) {
  const told = { reason: words ? `${reason}: ${words}` : reason };
  if (!message) return { ...told, user_id: peerId };
  return { ...told, message_id: message.message_id, content: message.content };
}
