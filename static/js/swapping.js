// What happens around an htmx swap: focus stays where it was, a dead connection is told, a strange answer never lands
// in the page. Regions are swapped by the server's own partials; see portal/web/htmx.py.

let focused = null;

document.addEventListener("htmx:beforeSwap", (event) => {
  refuseStrangeAnswers(event);
  focused = event.detail.target.contains(document.activeElement) ? remember(document.activeElement) : null;
});
document.addEventListener("htmx:afterSettle", restoreFocus);
document.addEventListener("htmx:sendError", (event) => tellOnce(event, "unreachable"));
document.addEventListener("htmx:timeout", (event) => tellOnce(event, "unreachable"));

// Our own refusals carry HX-Reswap: none with a toast, or are regions (409, 422). Anything else, such as a proxy's
// error page, is not swapped in.
function refuseStrangeAnswers(event) {
  const answer = event.detail.xhr;
  if (answer.status < 400 || answer.status === 409 || answer.status === 422) return;
  if (answer.getResponseHeader("HX-Reswap") === "none") return;
  event.detail.shouldSwap = false;
  tellOnce(event, "failed");
}

// A region that polls would say the same thing every few seconds.
function tellOnce(event, name) {
  const asker = event.detail.elt ?? event.target;
  const polls = /every/.test(asker?.getAttribute?.("hx-trigger") ?? "");
  if (polls) return;
  document.dispatchEvent(new CustomEvent("portal:toast", { detail: { phrase: name, tone: "danger" } }));
}

function remember(element) {
  const name = element.id || element.name || element.dataset.focusKey || element.getAttribute("href");
  return { name, tag: element.tagName, words: wordsOf(element), start: element.selectionStart, end: element.selectionEnd };
}

// What a button is called, also while it says that it works (submitting.js).
function wordsOf(element) {
  return element.dataset.rest || element.getAttribute("aria-label") || element.textContent.trim();
}

function restoreFocus() {
  if (!focused || (document.activeElement && document.activeElement !== document.body)) return;
  const { start, end } = focused;
  const element = focused.name ? named(focused.name) : alike(focused);
  element?.focus({ preventScroll: true });
  if (element?.setSelectionRange && start !== null && start !== undefined) element.setSelectionRange(start, end);
  focused = null;
}

function named(name) {
  const quoted = CSS.escape(name);
  return document.getElementById(name)
    ?? document.querySelector(`[name="${quoted}"], [data-focus-key="${quoted}"], main [href="${quoted}"]`);
}

function alike({ tag, words }) {
  return words && [...document.querySelectorAll(`main ${tag}`)].find((element) => wordsOf(element) === words);
}
