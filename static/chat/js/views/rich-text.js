/** The text of a message with its web addresses as links and the people it mentions. Text stays text: Lit escapes it. */

import { html } from "lit";
import { find } from "linkifyjs";

import { findMentions } from "../mentions.js";

/**
 * Only http and https become links; `javascript:` and the like never do.
 *
 * @param {string} text
 * @param {{members: Set<string>, me: string}} [names] lower-case usernames that may be mentioned, and one's own
 */
export function renderText(text, { members, me } = { members: new Set(), me: "" }) {
  const links = find(text, "url").filter(({ href }) => /^https?:\/\//i.test(href));
  const mentioned = findMentions(text, (name) => members.has(name));
  const marks = [
    ...links.map((link) => ({ ...link, content: renderLink(link) })),
    ...mentioned.map((mention) => ({ ...mention, content: renderMention(text, mention, me) })),
  ];
  return cutOut(text, marks);
}

/** The text with marks in the places of what they stand for; of two in one place the first counts. */
function cutOut(text, marks) {
  const parts = [];
  let end = 0;
  for (const mark of marks.sort((a, b) => a.start - b.start)) {
    if (mark.start < end) continue;
    parts.push(text.slice(end, mark.start), mark.content);
    end = mark.end;
  }
  parts.push(text.slice(end));
  return parts;
}

function renderLink({ href, value }) {
  return html`<a href=${href} target="_blank" rel="noopener noreferrer">${value}</a>`;
}

function renderMention(text, { start, end, name }, me) {
  return html`<span class="mention ${name === me ? "of-me" : ""}">${text.slice(start, end)}</span>`;
}
