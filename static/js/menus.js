// Menus are <details data-menu>: Escape and a press elsewhere close them. `with-js` shows what only works with scripts.

document.documentElement.classList.add("with-js");

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const closer = event.target.closest("[data-close-details]");
  if (closer) close(closer.closest("details"));
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = event.target.closest("details[data-menu][open], details.confirm[open]");
  if (open) close(open);
});

function close(details) {
  details.open = false;
  details.querySelector("summary").focus();
}
