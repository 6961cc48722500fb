/** The text of a message with its web addresses as links. Text stays text: Lit escapes it. */

import { html } from "lit";
import { find } from "linkifyjs";

/** Only http and https become links; `javascript:` and the like never do. */
export function renderText(text) {
  const parts = [];
  let end = 0;
  for (const link of find(text, "url")) {
    if (!/^https?:\/\//i.test(link.href)) continue;
    parts.push(text.slice(end, link.start), renderLink(link));
    end = link.end;
  }
  parts.push(text.slice(end));
  return parts;
}

function renderLink({ href, value }) {
  return html`<a href=${href} target="_blank" rel="noopener noreferrer">${value}</a>`;
}
