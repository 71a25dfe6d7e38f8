// Fills static/vendor/ from node_modules: what pages load, and nothing else. `npm run vendor` runs it.
// The icon sprite holds the icons named in static/icons.txt; a name that does not exist stops the build.

import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const vendor = join(root, "static", "vendor");

const FILES = {
  "htmx.min.js": "htmx.org/dist/htmx.min.js",
  "uplot.min.js": "uplot/dist/uPlot.iife.min.js",
  "uplot.min.css": "uplot/dist/uPlot.min.css",
  "inter-latin.woff2": "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
  "inter-latin-ext.woff2": "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2",
};
const FOR_TESTS = { "axe.min.js": "axe-core/axe.min.js" };

rmSync(vendor, { recursive: true, force: true });
mkdirSync(vendor, { recursive: true });
for (const [name, source] of Object.entries(FILES)) copyFileSync(module(source), join(vendor, name));
for (const [name, source] of Object.entries(FOR_TESTS)) {
  if (existsSync(module(source))) copyFileSync(module(source), join(vendor, name)); // absent in production
}
writeFileSync(join(vendor, "tabler.min.css"), withoutSourceMap("@tabler/core/dist/css/tabler.min.css"));
writeFileSync(join(vendor, "icons.svg"), sprite(iconNames()));

function module(path) {
  return join(root, "node_modules", path);
}

function withoutSourceMap(path) {
  return readFileSync(module(path), "utf8").replace(/\/\*# sourceMappingURL=.*?\*\//, "");
}

function iconNames() {
  const lines = readFileSync(join(root, "static", "icons.txt"), "utf8").split("\n");
  return lines.map((line) => line.trim()).filter((line) => line && !line.startsWith("#"));
}

function sprite(names) {
  const symbols = names.map(symbol).join("\n");
  return `<svg xmlns="http://www.w3.org/2000/svg">\n${symbols}\n</svg>\n`;
}

function symbol(name) {
  const filled = name.endsWith("-filled");
  const path = filled ? `filled/${name.slice(0, -"-filled".length)}` : `outline/${name}`;
  const source = readFileSync(module(`@tabler/icons/icons/${path}.svg`), "utf8");
  const shapes = source
    .replace(/<!--[\s\S]*?-->/g, "")
    .replace(/^[\s\S]*?<svg[\s\S]*?>/, "")
    .replace("</svg>", "")
    .replace(/<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*\/>/, "")
    .replace(/\s+/g, " ")
    .trim();
  const paint = filled
    ? 'fill="currentColor" stroke="none"'
    : 'fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round"';
  return `<symbol id="${name}" viewBox="0 0 24 24" ${paint}>${shapes}</symbol>`;
}
