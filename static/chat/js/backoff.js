/** When to try to connect again. Pure. */

import { CLOSE } from "./protocol.js";

const LONGEST_SECONDS = 30;
const RESTART_SPREAD_MS = 2000;
const CROWDED_SECONDS = 15;

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
