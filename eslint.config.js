/** What ESLint checks: correctness everywhere, browser names in the app, Node's in tests and tooling. */

import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["**/node_modules/", "static/chat/dist/", "staticfiles/", ".venv/", "var/"] },
  js.configs.recommended,
  {
    rules: {
      "no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "no-var": "error",
      "prefer-const": "error",
      eqeqeq: "error",
      "no-shadow": "error",
      "no-implicit-coercion": "error",
      "max-lines-per-function": ["error", { max: 45 }],
    },
  },
  { files: ["static/chat/js/**", "static/moderation/**"], languageOptions: { globals: globals.browser } },
  { files: ["*.js", "tests/js/**"], languageOptions: { globals: globals.node } },
  { files: ["tests/js/**"], rules: { "max-lines-per-function": "off" } },
];
