// A form is sent once: its button says that it works and cannot be pressed again, until the answer or the way back.

const WAITS_MAX_MS = 30_000;

document.addEventListener("submit", refuseSecondPress, { capture: true }); // before htmx hears of it
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented && !form.matches("[hx-post], [data-hx-post]")) return;
  if (form.getAttribute("method")?.toLowerCase() === "post") begin(form, event.submitter);
});
document.addEventListener("htmx:afterRequest", (event) => end(event.target.closest("form")));
window.addEventListener("pageshow", (event) => {
  if (event.persisted) document.querySelectorAll("form[data-sent]").forEach(end); // came back from the history
});

function refuseSecondPress(event) {
  if (!event.target.dataset.sent) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}

function begin(form, submitter) {
  form.dataset.sent = "1";
  setTimeout(() => end(form), WAITS_MAX_MS);
  const button = submitter ?? form.querySelector('button[type="submit"], button:not([type])');
  if (!button) return;
  button.setAttribute("aria-busy", "true");
  const words = button.querySelector("span:not(.visually-hidden)");
  if (words && button.dataset.working) {
    button.dataset.rest = words.textContent;
    words.textContent = button.dataset.working;
  }
}

function end(form) {
  if (!form?.dataset.sent) return;
  delete form.dataset.sent;
  for (const button of form.querySelectorAll('[aria-busy="true"]')) {
    button.removeAttribute("aria-busy");
    if (button.dataset.rest) button.querySelector("span:not(.visually-hidden)").textContent = button.dataset.rest;
  }
}
