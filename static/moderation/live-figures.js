/** Fetches the figures again and again while the page is in view. */

const REFRESH_MS = 3000;
const figures = document.getElementById("figures");

async function refresh() {
  const response = await fetch("?part=figures", { headers: { Accept: "text/html" } });
  // Who is logged out meanwhile is sent to the login: that is no part of this page.
  if (!response.ok || response.redirected) throw new Error(`The figures could not be fetched: ${response.status}`);
  figures.innerHTML = await response.text();
}

async function watch() {
  try {
    if (document.visibilityState === "visible") await refresh();
    figures.classList.remove("outdated");
  } catch (error) {
    console.warn(error);
    figures.classList.add("outdated");
  }
  setTimeout(watch, REFRESH_MS);
}

setTimeout(watch, REFRESH_MS);
