/** `<chat-sender>`: who wrote a message of a group, in their colour. */

import { nameOf } from "./avatar.js";
import { ChatElement } from "./element.js";

export class Sender extends ChatElement {
  static properties = { person: { attribute: false } };

  willUpdate() {
    // Set by script, not as a style attribute, which a strict content security policy forbids.
    this.style.setProperty("--sender-color", this.person?.avatar_color ?? "var(--muted)");
  }

  render() {
    return nameOf(this.person);
  }
}

customElements.define("chat-sender", Sender);
