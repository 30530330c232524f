// Axes on canvases and small charts.

// A canvas of the given size in CSS pixels, sharp on every screen, with a drawing context in those pixels.
function fit(canvas, width, height) {
  const ratio = Math.max(devicePixelRatio || 1, 1);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = `12px ${theme.font}`;
  return context;
}

const scratch = document.createElement("canvas").getContext("2d");

// Width of the widest of some texts as `fit` sets them.
function widest(texts) {
  scratch.font = `12px ${theme.font}`;
  return Math.max(0, ...texts.map((text) => scratch.measureText(text).width));
}

// Text cut with an ellipsis to a width in pixels.
function clipText(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low)}…`;
}

function ticks(low, high, most = 6) {
  const raw = (high - low) / most;
  const base = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * base).find((s) => s >= raw * 0.999) ?? raw;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return { step, values: range(Math.max(last - first + 1, 0)).map((k) => (first + k) * step) };
}

const DATE_STEPS = [3600, 6 * 3600, 86400, 7 * 86400, 30.4375 * 86400, 91.3125 * 86400, 365.25 * 86400, 5 * 365.25 * 86400];

function dateTicks(low, high, most) {
  const step = DATE_STEPS.find((s) => (high - low) / s <= most) ?? (high - low) / most;
  const first = Math.ceil(low / step);
  return { step, values: range(Math.max(Math.floor(high / step) - first + 1, 0)).map((k) => (first + k) * step) };
}

function tickLabel(value, step) {
  if (Math.abs(value) >= 1e6) return value === 0 ? "0" : minus(new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 2 }).format(value));
  const digits = clamp(-Math.floor(Math.log10(step) + 1e-9), 0, 8);
  if (step < 1e-4) return value === 0 ? "0" : power(value, 1);
  return minus(value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
}

// A linear scale with its ticks; `low === high` gets room on both sides.
function scaleOf(low, high, from, to, dates = false) {
  if (!(high > low)) [low, high] = [low - 0.5, high + 0.5];
  const at = (value) => from + ((value - low) / (high - low)) * (to - from);
  const room = Math.abs(to - from);
  const { values, step } = dates ? dateTicks(low, high, Math.max(2, room / 95)) : ticks(low, high, Math.max(2, room / 70));
  const label = dates ? (value) => readableDate(value, high - low) : (value) => tickLabel(value, step);
  return { low, high, at, ticks: values, label };
}

// Axis of numbers along the bottom of `box` ({left, right, top, bottom}), with a title.
function drawBottomAxis(context, box, scale, title) {
  context.fillStyle = theme.ink("muted");
  context.strokeStyle = theme.ink("line");
  context.lineWidth = 1;
  context.textAlign = "center";
  context.textBaseline = "top";
  let free = -Infinity;
  for (const value of scale.ticks) {
    const x = scale.at(value);
    context.beginPath();
    context.moveTo(x, box.top);
    context.lineTo(x, box.bottom + 4);
    context.stroke();
    const label = scale.label(value);
    const half = context.measureText(label).width / 2;
    if (x - half < free || x + half > box.right + 30) continue;
    context.fillText(label, x, box.bottom + 7);
    free = x + half + 8;
  }
  context.fillStyle = theme.ink("ink");
  context.fillText(clipText(context, title, box.right - box.left), (box.left + box.right) / 2, box.bottom + 25);
}

// Axis of numbers along the left, its title above it.
function drawLeftAxis(context, box, scale, title) {
  context.strokeStyle = theme.ink("line");
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.fillStyle = theme.ink("muted");
  for (const value of scale.ticks) {
    const y = scale.at(value);
    context.beginPath();
    context.moveTo(box.left - 4, y);
    context.lineTo(box.right, y);
    context.stroke();
    context.fillText(scale.label(value), box.left - 7, y);
  }
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  context.fillStyle = theme.ink("ink");
  context.fillText(clipText(context, title, box.right - 8), 4, box.top - 12);
}

const leftGutter = (scale) => widest(scale.ticks.map(scale.label)) + 16;

// Histogram of a column: bars for numbers, a list of bars for categories.
function histogram(column, most) {
  const { counts, edges, labels } = column.histogram;
  if (!counts || !counts.length) return h("p", { class: "hint" }, "Nothing to draw.");
  return labels ? bars(labels, counts, most) : numberBars(column, edges, counts);
}

function bars(labels, counts, most) {
  const total = counts.reduce((a, b) => a + b, 0);
  const largest = Math.max(...counts);
  const shown = labels.length > most ? most - 1 : labels.length;
  const rows = range(shown).map((k) => [String(labels[k]), counts[k]]);
  if (shown < labels.length) {
    rows.push([plural(labels.length - shown, "more value"), counts.slice(shown).reduce((a, b) => a + b, 0)]);
  }
  return h("div", { class: "plot bars" }, rows.map(([label, count]) => [
    h("span", { title: label }, label),
    h("i", { style: `width:${clamp((count / largest) * 100, 0, 100)}%` }),
    h("em", {}, percent(count / total, count / total < 0.01 ? 1 : 0)),
  ]));
}

function numberBars(column, edges, counts) {
  const [width, height] = [240, 64];
  const largest = Math.max(...counts);
  const span = edges.at(-1) - edges[0] || 1;
  const path = counts.map((count, k) => {
    const x = ((edges[k] - edges[0]) / span) * width;
    const w = Math.max(((edges[k + 1] - edges[k]) / span) * width - 0.8, 0.6);
    const y = count ? Math.min(height - (count / largest) * height, height - 1) : height;
    return `M${x.toFixed(1)} ${height}V${y.toFixed(1)}h${w.toFixed(1)}V${height}z`;
  });
  const end = (value) => (column.kind === "datetime" ? readableDate(value, span) : readable(value));
  const label = `Histogram of ${column.name} from ${end(edges[0])} to ${end(edges.at(-1))}`;
  return h("div", { class: "plot" },
    svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, preserveAspectRatio: "none", style: "height:64px" },
      svg("path", { d: path.join(""), fill: "var(--bar)" }),
      svg("line", { x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5, stroke: "var(--strong-line)" })),
    h("div", { class: "ends" }, h("span", {}, end(edges[0])), h("span", {}, end(edges.at(-1)))));
}
