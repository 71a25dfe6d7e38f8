// Draws the table that data-chart names as bars: one group per row, one bar per cell with data-amount. The table stays
// for readers and for browsers without scripts. Colours come from the style sheet, so that both themes fit.

const HEIGHT_PX = 200;
const BAR_WIDTH = 0.32; // of a month's room
const BAR_MAX_PX = 36;
const SERIES = [["wallet-spent", -1], ["wallet-topped-up", 1]]; // class of its colour, side of the month's middle
const charts = new Map();

for (const box of document.querySelectorAll("[data-chart]")) {
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
  const rows = [...document.getElementById(box.dataset.chart).tBodies[0].rows];
  const labels = rows.map((row) => row.dataset.short);
  const data = [labels.map((_, index) => index), ...SERIES.map((_, index) => rows.map((row) => amount(row, index)))];
  charts.get(box)?.destroy();
  charts.set(box, new uPlot(options(box, labels), data, box));
}

function amount(row, index) {
  return Number(row.querySelectorAll("[data-amount]")[index].dataset.amount);
}

function options(box, labels) {
  const ink = colour(box, "wallet-axis");
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  return {
    width: box.clientWidth,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false, range: [-0.6, labels.length - 0.4] }, y: { range: (_, low, high) => [Math.min(0, low), high || 1] } },
    axes: [
      { stroke: ink, font, size: 30, grid: { show: false }, ticks: { show: false }, splits: labels.map((_, index) => index), values: () => labels },
      { stroke: ink, font, size: 64, ticks: { show: false }, grid: { stroke: colour(box, "wallet-grid"), width: 1 }, values: (_, splits) => splits.map(short) },
    ],
    series: [{}, ...SERIES.map(([name, side]) => bars(colour(box, name), side))],
  };
}

// Both bars of a month share its room: one ends in the middle, the other begins there.
function bars(fill, side) {
  return { fill, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [BAR_WIDTH, BAR_MAX_PX], align: side, radius: 0.15 }) };
}

// Rp1,5 jt and Rp50 rb in Indonesian, Rp1.5M and Rp50K in English.
function short(value) {
  const compact = new Intl.NumberFormat(document.documentElement.lang, { notation: "compact" });
  return value ? `Rp${compact.format(value)}` : "0";
}

function colour(box, name) {
  const probe = box.appendChild(document.createElement("span"));
  probe.className = name;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
