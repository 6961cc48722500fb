/** Base of all views: rendered into the page itself, so that one style sheet and plain accessibility rules hold. */

import { LitElement } from "lit";

export class ChatElement extends LitElement {
  createRenderRoot() {
    return this;
  }
}
