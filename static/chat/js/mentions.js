/** `@username` in a text. Pure. Names are compared without regard to case, as the server does when it looks for people. */

/** A name may end in a dot or a dash, and so may the sentence around it: the longest name that is known counts. */
const CANDIDATE = /(?<![\w.@-])@([\w.-]{3,32})/g;
const TRAILING = /[._-]$/;
const BEGUN = /(?:^|[^\w.@-])@([\w.-]{0,32})$/;
const MOST_SUGGESTED = 6;

/**
 * Where members are mentioned.
 *
 * @param {string} text
 * @param {(name: string) => boolean} isKnown whether a lower-case name is one of theirs
 * @returns {{start: number, end: number, name: string}[]} in order; `name` in lower case
 */
export function findMentions(text, isKnown) {
  const found = [];
  for (const { index, 1: candidate } of text.matchAll(CANDIDATE)) {
    const name = longestKnown(candidate.toLowerCase(), isKnown);
    if (name) found.push({ start: index, end: index + 1 + name.length, name });
  }
  return found;
}

/** Whether a text mentions the user of this name. */
export function mentions(text, username) {
  if (!username) return false;
  const own = username.toLowerCase();
  return findMentions(text, (name) => name === own).length > 0;
}

/** What is being typed after an "@" just before the caret: {start, query}, or null. */
export function findBegun(text, caret) {
  const match = BEGUN.exec(text.slice(0, caret));
  return match && { start: caret - match[1].length - 1, query: match[1].toLowerCase() };
}

/**
 * Who could be meant: names that begin so come before those that only have a word that does. Nobody, where the name is
 * complete: then Enter sends the message.
 */
export function suggestPeople(people, query) {
  if (people.some(({ username }) => username.toLowerCase() === query)) return [];
  const byUsername = people.filter(({ username }) => username.toLowerCase().startsWith(query));
  const byName = people.filter(
    (person) =>
      !byUsername.includes(person) &&
      person.display_name
        .toLowerCase()
        .split(/\s+/)
        .some((word) => word.startsWith(query)),
  );
  return [...byUsername, ...byName].slice(0, MOST_SUGGESTED);
}

/** The text with the person's name in the place of what was begun, and where the caret stands then. */
export function completeMention(text, { start, query }, username) {
  const head = `${text.slice(0, start)}@${username} `;
  return { text: head + text.slice(start + 1 + query.length).trimStart(), caret: head.length };
}

function longestKnown(candidate, isKnown) {
  for (let name = candidate; name; name = name.slice(0, -1)) {
    if (isKnown(name)) return name;
    if (!TRAILING.test(name)) return null;
  }
  return null;
}
