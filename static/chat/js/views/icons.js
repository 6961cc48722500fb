/** The app's few icons, drawn on a 24 × 24 grid in the colour of the text around them. */

import { html, svg } from "lit";

function icon(paths) {
  return svg`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${paths}</svg>`;
}

export const newChatIcon = icon(svg`<path d="M12 5H6a2 2 0 0 0-2 2v11a2 2 0 0 0 2 2h11a2 2 0 0 0 2-2v-6" />
  <path d="M17.6 3.9a1.8 1.8 0 0 1 2.5 2.5L12.5 14 9 15l1-3.5z" />`);
export const newGroupIcon =
  icon(svg`<circle cx="9" cy="8.5" r="3.2" /><path d="M3 19c.4-3.6 2.8-5.5 6-5.5s5.6 1.9 6 5.5" />
  <path d="M18.5 8v6M15.5 11h6" />`);
export const infoIcon = icon(svg`<circle cx="12" cy="12" r="8.5" /><path d="M12 11v5M12 7.7v.2" />`);
export const replyIcon = icon(svg`<path d="m9.5 6-5.5 5.5L9.5 17M4.5 11.5H14a6 6 0 0 1 6 6v1" />`);
export const mutedIcon = icon(svg`<path d="M6.5 16.5V11a5.5 5.5 0 0 1 9-4.2M17.5 10.5v6H5M10 19.5h4M4 4l16 16" />`);
export const settingsIcon = icon(svg`<path d="M4 7h9M19 7h1M4 17h1M11 17h9" />
  <circle cx="16" cy="7" r="2.5" /><circle cx="8" cy="17" r="2.5" />`);
export const logOutIcon = icon(svg`<path d="M14 4h4a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2h-4M10 8l-4 4 4 4M6 12h9" />`);
export const searchIcon = icon(svg`<circle cx="11" cy="11" r="6" /><path d="m20 20-4.5-4.5" />`);
export const backIcon = icon(svg`<path d="m14 6-6 6 6 6" />`);
export const closeIcon = icon(svg`<path d="m6 6 12 12M18 6 6 18" />`);
export const sendIcon = icon(svg`<path d="M4 12 20 4l-5 16-3.5-6.5z" /><path d="M11.5 13.5 20 4" />`);
export const downIcon = icon(svg`<path d="M12 5v14M6 13l6 6 6-6" />`);
export const moreIcon = icon(svg`<path d="M12 5.5v.2M12 11.9v.2M12 18.3v.2" stroke-width="3" />`);
export const flagIcon = icon(svg`<path d="M6 21V4M6 5h11l-2.5 4L17 13H6" />`);
export const blockedIcon = icon(svg`<circle cx="12" cy="12" r="8" /><path d="m6.4 6.4 11.2 11.2" />`);
export const warningIcon = icon(
  svg`<path d="M12 4 2.8 19.5h18.4z" stroke-linejoin="round" /><path d="M12 10v4.5M12 17v.2" />`,
);
export const chatIcon = icon(
  svg`<path d="M5 5h14a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-7l-5 4v-4H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2z" />`,
);

const STATUS_PATHS = {
  waiting: svg`<circle cx="12" cy="12" r="7.5" /><path d="M12 8v4.2l2.8 1.8" />`,
  sent: svg`<path d="m6 12.5 4 4 8-9" />`,
  delivered: svg`<path d="m2.5 12.5 4 4 8-9M11 15l1.5 1.5 8-9" />`,
  read: svg`<path d="m2.5 12.5 4 4 8-9M11 15l1.5 1.5 8-9" />`,
  failed: svg`<circle cx="12" cy="12" r="8" /><path d="M12 8v5M12 16v.2" />`,
};

/** ✓ and its kin; `status` is a word of `statusOf` and the icon's accessible name. */
export function statusIcon(status) {
  return svg`<svg class="icon status ${status}" viewBox="0 0 24 24" role="img" aria-label=${status}>
    ${STATUS_PATHS[status]}</svg>`;
}

/** While not all members have a message: how many do. */
export function partialStatus({ delivered, members }) {
  return html`<span class="status partial" role="img" aria-label="delivered to ${delivered} of ${members}"
    >${delivered}/${members}</span
  >`;
}
