import assert from "node:assert/strict";
import { test } from "node:test";

import { renderText } from "../../static/chat/js/views/rich-text.js";

/** Text as it is, links in brackets as [address|text]. */
const outline = (text) =>
  renderText(text)
    .map((part) => (typeof part === "string" ? part : `[${part.values.join("|")}]`))
    .join("");

test("web addresses become links, and the text around them stays", () => {
  assert.equal(outline("see https://example.org/a?b=1."), "see [https://example.org/a?b=1|https://example.org/a?b=1].");
  assert.equal(outline("example.org, too"), "[http://example.org|example.org], too");
});

test("nothing but http and https is ever a link", () => {
  for (const text of ["javascript:alert(1)", "data:text/html,x", "ftp://example.org/x", "mailto:a@example.org"]) {
    assert.ok(!/\[(?!https?:)/.test(outline(text)), text);
  }
});

test("markup stays text", () => {
  assert.deepEqual(renderText("<b>x</b>"), ["<b>x</b>"]);
});
