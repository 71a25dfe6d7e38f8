// Buttons with data-copy put their text on the clipboard and say so.

const SAYS_SO_MS = 2000;

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    sayCopied(button);
  } catch {
    document.dispatchEvent(new CustomEvent("portal:toast", { detail: { phrase: "copyFailed", tone: "warning" } }));
  }
});

function sayCopied(button) {
  const words = button.querySelector("span");
  if (!words || button.dataset.rest) return;
  button.dataset.rest = words.textContent;
  words.textContent = button.dataset.copied;
  words.setAttribute("role", "status");
  setTimeout(() => {
    words.textContent = button.dataset.rest;
    delete button.dataset.rest;
  }, SAYS_SO_MS);
}
