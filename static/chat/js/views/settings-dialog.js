/** `<chat-settings>`: what I keep and show, and my devices. Fires `close` when it is done. */

import { html, nothing } from "lit";

import { ApiError } from "../api.js";
import { SheetDialog } from "./sheet-dialog.js";
import { renderSwitch } from "./switch.js";
import { formatDay } from "./times.js";

const HISTORY_DAYS = 90;

export class Settings extends SheetDialog {
  static properties = {
    chat: { attribute: false },
    version: { attribute: false },
    settings: { state: true },
    devices: { state: true },
    error: { state: true },
  };

  constructor() {
    super();
    this.settings = null;
    this.devices = null;
    this.error = "";
  }

  willUpdate(changed) {
    if (changed.has("version")) this.#try(() => this.#load());
  }

  render() {
    return this.renderSheet({
      title: "Settings",
      closeLabel: "Close settings",
      size: "full",
      content: html`
        ${this.error ? html`<p class="form-error" role="alert">${this.error}</p>` : nothing}
        ${this.settings ? this.#renderSettings(this.settings) : nothing}
        ${globalThis.Notification?.permission === "default" ? this.#renderNotifications() : nothing}
        ${this.devices ? this.#renderDevices(this.devices) : nothing}
        <footer>
          <p class="muted">Logging out deletes this login's messages from this browser.</p>
          <button class="danger" type="button" @click=${this.#logOut}>Log out</button>
        </footer>
      `,
    });
  }

  #renderSettings({ history_days, show_last_seen, read_receipts }) {
    return html`
      <section aria-label="Privacy">
        ${renderSwitch({
          label: "Keep a history",
          hint: `Delivered messages stay on the server for ${HISTORY_DAYS} days. Off: they are deleted at once.`,
          isOn: history_days > 0,
          change: (isOn) => this.#save({ history_days: isOn ? HISTORY_DAYS : 0 }),
        })}
        ${renderSwitch({
          label: "Show when I was last online",
          hint: "People you chat with can see it.",
          isOn: show_last_seen,
          change: (isOn) => this.#save({ show_last_seen: isOn }),
        })}
        ${renderSwitch({
          label: "Send read receipts",
          hint: "People see when you have read their messages.",
          isOn: read_receipts,
          change: (isOn) => this.#save({ read_receipts: isOn }),
        })}
      </section>
    `;
  }

  /** Once they were allowed or refused, only the browser's own settings change it. */
  #renderNotifications() {
    return html`
      <section aria-label="Notifications" class="switch">
        <span><strong>Notifications</strong><span class="muted">While this page is in the background.</span></span>
        <button class="quiet" type="button" @click=${this.#allowNotifications}>Allow</button>
      </section>
    `;
  }

  async #allowNotifications() {
    await Notification.requestPermission();
    this.requestUpdate();
  }

  #renderDevices(devices) {
    return html`
      <section>
        <h3 id="devices-title">Devices</h3>
        <ul class="devices" aria-labelledby="devices-title">
          ${devices.map((device) => this.#renderDevice(device))}
        </ul>
      </section>
    `;
  }

  #renderDevice({ device_id, name, last_seen_at }) {
    const isThis = device_id === this.chat.state.me.device_id;
    const seen = isThis || !last_seen_at ? "" : `Last used: ${formatDay(last_seen_at, Date.now())}`;
    return html`
      <li>
        <span class="name">${name}</span>
        <span class="muted">${isThis ? "This device" : seen}</span>
        ${
          isThis
            ? nothing
            : html`<button
                class="quiet"
                type="button"
                aria-label="Remove ${name}"
                @click=${() => this.#remove(device_id)}
              >
                Remove
              </button>`
        }
      </li>
    `;
  }

  async #load() {
    [this.settings, this.devices] = await Promise.all([this.chat.api.getSettings(), this.chat.api.listDevices()]);
  }

  #save(changed) {
    const before = this.settings;
    this.settings = { ...before, ...changed };
    return this.#try(
      async () => {
        this.settings = await this.chat.api.putSettings(this.settings);
        if ("history_days" in changed) this.chat.settingsChanged();
      },
      () => (this.settings = before),
    );
  }

  #remove(deviceId) {
    return this.#try(async () => {
      await this.chat.api.removeDevice(deviceId);
      this.devices = this.devices.filter(({ device_id }) => device_id !== deviceId);
    });
  }

  async #try(call, undo = () => {}) {
    this.error = "";
    try {
      await call();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      undo();
      this.error = error.message;
    }
  }

  #logOut() {
    this.close();
    this.dispatchEvent(new CustomEvent("log-out"));
  }
}

customElements.define("chat-settings", Settings);
