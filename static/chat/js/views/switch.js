/** A switch with what it does beside it. */

import { html } from "lit";
import { live } from "lit/directives/live.js";

/** @param {object} options `label`, `hint`, `isOn`, `change(isOn)` */
export function renderSwitch({ label, hint, isOn, change }) {
  return html`
    <label class="switch">
      <span><strong>${label}</strong><span class="muted">${hint}</span></span>
      <input
        type="checkbox"
        role="switch"
        aria-label=${label}
        .checked=${live(isOn)}
        @change=${(event) => change(event.target.checked)}
      />
    </label>
  `;
}
