/**
 * The pages before the chat, which work without it. What is behind the "#" may be an invite's token, which no server is to
 * see: it goes along from one form to the other here. Browsers keep it by themselves where a form is sent.
 */

function keepFragment() {
  for (const link of document.querySelectorAll("a.keeps-fragment")) link.hash = location.hash;
}

window.addEventListener("hashchange", keepFragment);
keepFragment();
