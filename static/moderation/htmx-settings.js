// The policy of the admin's pages allows no style element and no script that came with an answer: htmx is not to try.
globalThis.htmx.config.includeIndicatorStyles = false;
globalThis.htmx.config.allowScriptTags = false;
globalThis.htmx.config.allowEval = false;
