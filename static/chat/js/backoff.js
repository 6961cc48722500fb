/** When to try to connect again, and when to ask again. Pure. */

import { CLOSE } from "./protocol.js";

const LONGEST_SECONDS = 30;
const RESTART_SPREAD_MS = 2000;
const CROWDED_SECONDS = 15;
const SHORTEST_POLL_SECONDS = 2;

/**
 * Milliseconds to wait before a connection attempt: 1…30 s, doubling, with jitter so that a thousand clients
 * do not come back together.
 *
 * @param {object} options
 * @param {number} options.attempt failed attempts so far, 0 for the first retry
 * @param {number} options.closeCode code of the connection that ended
 * @param {() => number} [options.random] uniform in [0, 1)
 */
export function reconnectDelay({ attempt, closeCode, random = Math.random }) {
  // A restarting server is back at once, and asks for the first try within 2 s.
  if (attempt === 0 && closeCode === CLOSE.RESTARTING) return random() * RESTART_SPREAD_MS;
  const base = Math.min(LONGEST_SECONDS, 2 ** attempt);
  const shortest = closeCode === CLOSE.TOO_MANY_CONNECTIONS ? CROWDED_SECONDS : Math.max(1, base / 2);
  const longest = Math.min(LONGEST_SECONDS, Math.max(base * 1.5, shortest * 2));
  return (shortest + random() * (longest - shortest)) * 1000;
}

/**
 * Milliseconds until the next poll of a large group: 2 s after something came, doubling to 30 s while nothing does,
 * with jitter downwards.
 *
 * @param {object} options
 * @param {number} options.quietPolls polls in a row that brought nothing
 * @param {() => number} [options.random] uniform in [0, 1)
 */
export function pollDelay({ quietPolls, random = Math.random }) {
  const longest = Math.min(LONGEST_SECONDS, SHORTEST_POLL_SECONDS * 2 ** quietPolls);
  return Math.max(SHORTEST_POLL_SECONDS, longest * (1 - random() * 0.2)) * 1000;
}
