// Follows a region marked data-follow: every few seconds it is asked for anew, as long as somebody can see it, nobody
// has scrolled up in it or marks text there, and the switch is on. A refusal makes the pauses longer, an answer short.

const PAUSE_MS = 6_000;
const PAUSE_MAX_MS = 60_000;

let pauseMs = PAUSE_MS;
let timer = 0;

const region = () => document.querySelector("[data-follow]");
const followSwitch = () => document.querySelector("[data-follow-switch]");
const isOn = () => followSwitch()?.getAttribute("aria-pressed") === "true";

function isBeingRead() {
  const log = region()?.querySelector(".log");
  if (!log) return false;
  const selection = document.getSelection();
  const marks = selection && !selection.isCollapsed && log.contains(selection.anchorNode);
  return marks || log.scrollTop < -8; // the list is reversed: 0 is the newest line, up is negative
}

function look() {
  if (region() && isOn() && !document.hidden && !isBeingRead()) window.htmx.trigger(region(), "portal:follow");
  plan();
}

function plan() {
  clearTimeout(timer);
  timer = setTimeout(look, pauseMs);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-follow-switch]");
  if (!button) return;
  button.setAttribute("aria-pressed", String(!isOn()));
  if (isOn()) look();
});
document.addEventListener("visibilitychange", () => !document.hidden && look());
document.addEventListener("htmx:afterRequest", (event) => {
  if (!event.detail.elt?.matches?.("[data-follow]")) return;
  pauseMs = event.detail.successful ? PAUSE_MS : Math.min(pauseMs * 2, PAUSE_MAX_MS);
  plan();
});

plan();
