/** Bundles the browser app into static/chat/dist. `--watch` builds again at each change. */

import { build, context } from "esbuild";

const SIZE_BUDGET_BYTES = { "chat.js": 160_000, "account.js": 1_000, "chat.css": 24_000 };

const options = {
  entryPoints: [
    { in: "static/chat/js/main.js", out: "chat" },
    { in: "static/chat/js/account.js", out: "account" },
    { in: "static/chat/css/chat.css", out: "chat" },
  ],
  outdir: "static/chat/dist",
  bundle: true,
  minify: true,
  sourcemap: true,
  metafile: true,
  format: "esm",
  target: ["chrome123", "firefox122", "safari17.5"],
  logLevel: "info",
};
if (process.argv.includes("--watch")) {
  await (await context(options)).watch();
} else {
  checkSizes((await build(options)).metafile);
}

/** A bundle that grows past its budget should be noticed when it happens. */
function checkSizes({ outputs }) {
  for (const [name, budget] of Object.entries(SIZE_BUDGET_BYTES)) {
    const { bytes } = outputs[`${options.outdir}/${name}`];
    if (bytes <= budget) continue;
    console.error(`${name} has ${bytes} bytes, more than its budget of ${budget}`);
    process.exitCode = 1;
  }
}
