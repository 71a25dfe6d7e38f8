// Relative times that stay true, and countdowns. The server's words stand until the first tick.

const RELATIVE_EVERY_MS = 30_000;
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60]];
const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" });

setInterval(refreshRelative, RELATIVE_EVERY_MS);
setInterval(tick, 1_000);
tick();
document.addEventListener("htmx:afterSettle", tick);

function refreshRelative() {
  for (const span of document.querySelectorAll("[data-relative-time]")) {
    const seconds = (Date.parse(span.closest("time").dateTime) - Date.now()) / 1000;
    const unit = UNITS.find(([, size]) => Math.abs(seconds) >= size);
    if (unit && unit[0] !== "day") span.textContent = relative.format(Math.trunc(seconds / unit[1]), unit[0]);
  }
}

function tick() {
  for (const clock of document.querySelectorAll("[data-countdown-to]")) {
    const left = Math.floor((Date.parse(clock.dataset.countdownTo) - Date.now()) / 1000);
    const shown = left > 0 ? digits(left) : clock.dataset.ended;
    if (clock.textContent !== shown) clock.textContent = shown;
  }
}

function digits(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return hours ? `${hours}:${rest}` : rest;
}
