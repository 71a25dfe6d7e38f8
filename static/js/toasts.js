// Toasts: closed by hand; good news leaves by itself, bad news stays until it was read. Other scripts ask for one with
// document.dispatchEvent(new CustomEvent("portal:toast", { detail: { phrase: "failed", tone: "danger" } })); what they
// can say stands in templates/web/frame/phrases.html, in the reader's language.

const GOOD_NEWS_STAYS_MS = 8000;
const region = document.getElementById("toasts");
const phrases = document.getElementById("phrases").dataset;

region.addEventListener("click", (event) => {
  if (event.target.closest("[data-toast-close]")) event.target.closest("[data-toast]").remove();
});
document.addEventListener("portal:toast", (event) => add(phrases[event.detail.phrase], event.detail.tone));
new MutationObserver(schedule).observe(region, { childList: true, subtree: true });
schedule();

function add(text, tone) {
  if ([...region.querySelectorAll("[data-toast] p")].some((words) => words.textContent === text)) return;
  const note = document.createElement("div");
  note.className = `toast-note toast-note-${tone}`;
  note.dataset.toast = "";
  const words = document.createElement("p");
  words.textContent = text;
  const close = document.createElement("button");
  Object.assign(close, { type: "button", className: "btn btn-sm", textContent: phrases.close });
  close.dataset.toastClose = "";
  note.append(words, close);
  region.append(note);
}

function schedule() {
  for (const note of region.querySelectorAll("[data-toast]:not([data-seen])")) {
    note.dataset.seen = "";
    const good = note.matches(".toast-note-success, .toast-note-info");
    if (good) setTimeout(() => leave(note), GOOD_NEWS_STAYS_MS);
  }
}

function leave(note) {
  if (note.matches(":hover, :focus-within")) setTimeout(() => leave(note), GOOD_NEWS_STAYS_MS);
  else note.remove();
}
