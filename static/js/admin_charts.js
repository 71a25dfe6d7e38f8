// Draws one column of the table that data-table names: data-admin-chart="line" or "bars". A row stands at data-label (a
// day), a cell holds data-value, empty where nobody knows. The table stays for readers and for browsers without scripts.
// Colours come from the style sheet, so that both themes fit.

const HEIGHT_PX = 200;
const language = document.documentElement.lang;
const charts = new Map();

for (const box of document.querySelectorAll("[data-admin-chart]")) {
  draw(box);
  new ResizeObserver(() => charts.get(box)?.setSize({ width: box.clientWidth, height: HEIGHT_PX })).observe(box);
}
new MutationObserver(redrawAll).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
document.fonts.ready.then(redrawAll);

function redrawAll() {
  for (const box of charts.keys()) draw(box);
}

function draw(box) {
  const rows = [...document.getElementById(box.dataset.table).tBodies[0].rows];
  const days = rows.map((row) => new Date(`${row.dataset.label}T00:00:00`));
  const values = rows.map((row) => known(row.querySelectorAll("[data-value]")[box.dataset.column].dataset.value));
  charts.get(box)?.destroy();
  charts.set(box, new uPlot(options(box, days), [days.map((_, index) => index), values], box));
}

function known(text) {
  return text === "" ? null : Number(text);
}

function options(box, days) {
  const shared = { stroke: colour(box, "analytics-axis"), font: `12px ${getComputedStyle(document.body).fontFamily}`, ticks: { show: false } };
  const label = (index) => (days[index] ? days[index].toLocaleDateString(language, { day: "numeric", month: "short" }) : "");
  return {
    width: box.clientWidth,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false, range: [-0.6, days.length - 0.4] }, y: { range: (_, low, high) => [Math.min(0, low), high > 0 ? high * 1.05 : 1] } },
    axes: [
      { ...shared, size: 30, grid: { show: false }, space: 70, incrs: [1, 2, 5, 7, 14, 30], values: (_, splits) => splits.map(label) },
      { ...shared, size: 76, grid: { stroke: colour(box, "analytics-grid"), width: 1 }, values: (_, splits) => splits.map((value) => short(value, box.dataset.unit)) },
    ],
    series: [{}, box.dataset.adminChart === "bars" ? bars(box) : line(box, days.length)],
  };
}

function bars(box) {
  return { fill: colour(box, "analytics-ink"), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.7, 36], radius: 0.12 }) };
}

function line(box, count) {
  return { stroke: colour(box, "analytics-ink"), fill: colour(box, "analytics-shade"), width: 2, points: { show: count < 3, size: 5 } };
}

// Rp1,5 jt and Rp50 rb in Indonesian, Rp1.5M and Rp50K in English.
function short(value, unit) {
  const number = new Intl.NumberFormat(language, { notation: "compact" }).format(value);
  return unit === "money" && value ? `Rp${number}` : number;
}

function colour(box, name) {
  const probe = box.appendChild(document.createElement("span"));
  probe.className = name;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
