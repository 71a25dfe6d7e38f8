// Draws the table that data-table names: data-use-chart="lines" against the plan's limit, or "bars" of answers. A row
// stands at data-at, a cell holds data-value, empty where nobody measured. The table stays for readers and for browsers
// without scripts. Colours come from the style sheet, so that both themes fit.

const ZONE = "Asia/Jakarta";
const DAY_S = 86400;
const language = document.documentElement.lang;
const charts = new Map();

drawIn(document);
document.addEventListener("htmx:load", (event) => drawIn(event.target));
new MutationObserver(redrawAll).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
document.fonts.ready.then(redrawAll);

function drawIn(root) {
  for (const box of root.querySelectorAll("[data-use-chart]")) {
    if (charts.has(box)) continue;
    draw(box);
    new ResizeObserver(() => charts.get(box)?.setSize({ width: box.clientWidth, height: box.clientHeight })).observe(box);
  }
}

function redrawAll() {
  for (const box of charts.keys()) {
    if (box.isConnected) draw(box);
    else charts.delete(box);
  }
}

function draw(box) {
  const rows = [...document.getElementById(box.dataset.table).tBodies[0].rows];
  const at = rows.map((row) => Number(row.dataset.at));
  const cells = rows.map((row) => [...row.querySelectorAll("[data-value]")].map(({ dataset: { value } }) => (value === "" ? null : Number(value))));
  const chart = box.dataset.useChart === "bars" ? bars(box, cells, (at[1] - at[0]) / 2) : lines(box, cells);
  charts.get(box)?.destroy();
  charts.set(box, new uPlot({ ...frame(box, at), ...chart.options }, [at, ...chart.data], box));
}

function lines(box, cells) {
  const [average, peak] = box.dataset.columns.split(",").map((column) => cells.map((row) => row[column]));
  const limit = Number(box.dataset.limit);
  const top = 1.05 * Math.max(limit, ...peak);
  const points = { show: peak.filter((value) => value !== null).length < 3, size: 5 };
  const series = [
    {},
    { stroke: colour(box, "use-peak"), width: 1.5, points },
    { stroke: colour(box, "use-average"), width: 2, fill: colour(box, "use-shade"), points },
    { stroke: colour(box, "use-limit"), width: 1, dash: [5, 5], points: { show: false } },
  ];
  const values = (_, splits) => splits.map((value) => amount(value, box.dataset.unit));
  return { data: [peak, average, cells.map(() => limit)], options: { series, ...scales(box, top, { values }) } };
}

// What was always answered in one colour, the rest in another and on top, as far as it was answered.
function bars(box, cells, margin_s) {
  const well = cells.map(([value]) => (value === 100 ? value : null));
  const ill = cells.map(([value]) => (value === 100 || value === null ? null : Math.max(value, 4)));
  const bar = (name) => ({ fill: colour(box, name), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.8, 40], radius: 0.1 }) });
  const values = (_, splits) => splits.map((value) => `${value}%`);
  return { data: [well, ill], options: { series: [{}, bar("use-well"), bar("use-ill")], ...scales(box, 100, { values, splits: () => [0, 100] }, margin_s) } };
}

function frame(box, at) {
  return {
    width: box.clientWidth,
    height: box.clientHeight,
    legend: { show: false },
    cursor: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), ZONE),
  };
}

function scales(box, top, upright, margin_s = 0) {
  const grid = { stroke: colour(box, "use-grid"), width: 1 };
  const shared = { stroke: colour(box, "use-axis"), font: `12px ${getComputedStyle(document.body).fontFamily}`, ticks: { show: false } };
  return {
    scales: { x: { time: true, range: (_, first, last) => [first - margin_s, last + margin_s] }, y: { range: [0, top] } },
    axes: [
      { ...shared, size: 30, grid: { show: false }, space: 70, values: (_, splits) => splits.map((value, index) => moment(value, splits[1] - splits[0], index)) },
      { ...shared, size: 64, space: 34, grid, ...upright },
    ],
  };
}

function moment(seconds, step) {
  const shape = step >= DAY_S / 2 ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" };
  return new Intl.DateTimeFormat(language, { timeZone: ZONE, ...shape, hourCycle: "h23" }).format(new Date(seconds * 1000));
}

function amount(value, unit) {
  const number = (of, digits) => new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(of);
  if (unit === "cpu") return number(value / 1000, 2);
  return value >= 1024 ? `${number(value / 1024, 1)} GB` : `${number(value, 0)} MB`;
}

function colour(box, name) {
  const probe = box.appendChild(document.createElement("span"));
  probe.className = name;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
