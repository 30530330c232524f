// A benchmark drawn: scores along alpha and beta, bytes against scores, and the table of all runs.

function amount(bytes) {
  if (!Number.isFinite(bytes)) return "–";
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < 4) [value, unit] = [value / 1000, unit + 1];
  return `${Number(value.toPrecision(3))}\u00a0${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

// One data set's bytes against scores; runs that send nothing stand apart on the left.
class CostPanel {
  constructor({ data, metric, series }, looks) {
    this.looks = looks;
    this.series = series;
    const all = series.flatMap(({ points, mean }) => [...points, mean]);
    const sizes = all.map(([bytes]) => bytes).filter((bytes) => bytes > 0);
    const silent = all.some(([bytes]) => !(bytes > 0));
    const from = PANEL.left + (silent ? 42 : 12);
    const logs = sizes.length ? sizes.map(Math.log10) : [0];
    const across = scaleOf(Math.min(...logs) - 0.08, Math.max(...logs) + 0.08, from, PANEL.right - 10);
    const zero = PANEL.left + 16;
    this.across = (bytes) => (bytes > 0 ? across.at(Math.log10(bytes)) : zero);
    this.scores = svg("g");
    const sent = costTicks(across, sizes).map((bytes) => [this.across(bytes), amount(bytes)]);
    const divider = silent && sizes.length && svg("line", { class: "grid-line", x1: from - 12, x2: from - 12, y1: PANEL.top, y2: PANEL.bottom, "stroke-dasharray": "2 3" });
    this.marks = svg("g");
    const made = panel(data, metric, `${metric} on ${data} against bytes sent`, this.scores, divider, bottomAxis(silent ? [[zero, "none"], ...sent] : sent, "bytes sent in training"), this.marks);
    this.figure = made.figure;
    this.picture = made.picture;
    this.picture.addEventListener("pointermove", (event) => this.onmove(event));
    this.picture.addEventListener("pointerleave", () => tooltip.hide());
  }

  draw(hidden) {
    const shown = this.series.filter(({ algorithm }) => !hidden.has(algorithm));
    const height = drawScores(this.scores, (shown.length ? shown : this.series).flatMap(({ points, mean }) => [...points, mean]).map(([, score]) => score));
    this.places = shown.flatMap(({ algorithm, points, mean }) => [
      ...(points.length > 1 ? points : []).map((point) => ({ algorithm, point, words: point[2], mean: false })),
      { algorithm, point: mean, words: points.length > 1 ? "all splits" : points[0][2], mean: true },
    ]).map((place) => ({ ...place, at: [this.across(place.point[0]), height(place.point[1])] })).sort((a, b) => a.mean - b.mean);
    this.marks.replaceChildren(...this.places.map(({ algorithm, at, mean }) => mark(this.looks.get(algorithm), ...at, mean ? 5.5 : 2.6, mean ? 1 : 0.55)));
  }

  onmove(event) {
    const [px, py] = pointIn(this.picture, event);
    const distance = ({ at, mean }) => Math.hypot(at[0] - px, at[1] - py) - (mean ? 3 : 0);
    const near = this.places.filter((place) => distance(place) < 14).sort((a, b) => distance(a) - distance(b))[0];
    if (!near) {
      tooltip.hide();
      return;
    }
    const [bytes, score] = near.point;
    tooltip.show(`${near.algorithm}\n${fixed(score, 3)} for ${amount(bytes)}\n${near.words}`, event.clientX, event.clientY);
  }
}

// Round numbers of bytes: decades, or 1, 2 and 5 of each where the range is short, or the only number there is.
function costTicks({ low, high }, sizes) {
  if (!sizes.length) return [];
  const steps = high - low < 1.6 ? [1, 2, 5] : [1];
  const decades = range(Math.ceil(high) - Math.floor(low) + 1).map((k) => 10 ** (Math.floor(low) + k));
  const round = decades.flatMap((decade) => steps.map((step) => step * decade)).filter((bytes) => bytes >= 10 ** low && bytes <= 10 ** high);
  return round.length ? round : [Math.max(...sizes)];
}

const COLUMNS = [
  { label: "Data" }, { label: "Algorithm" },
  { label: "alpha", text: readable }, { label: "beta", text: readable }, { label: "Seed", text: readable },
  { label: "Metric" }, { label: "Score", text: (value) => fixed(value ?? NaN, 4), falling: true },
  { label: "Bytes", text: (value) => amount(value ?? NaN) }, { label: "Messages", text: readable }, { label: "Rounds", text: readable },
  { label: "Seconds", text: (value) => readable(value, 3) }, { label: "Leakage", text: (value) => fixed(value ?? NaN), falling: true },
];
const REASON = COLUMNS.length;
const FIRST_ROWS = 100;

class CellTable {
  constructor(rows, looks) {
    this.looks = looks;
    this.columns = COLUMNS.map((column, key) => ({ ...column, key })).filter(({ key }) => key < 2 || rows.some((row) => row[key] !== null));
    this.rows = rows.map((row) => ({ row, low: [row[0], row[1], row[REASON]].join(" ").toLowerCase() }));
    this.sort = null;
    this.shown = FIRST_ROWS;
    $("#cells-filter").addEventListener("input", () => this.render());
    $("#cells-failed")?.addEventListener("change", () => this.render());
    $("#more-cells").addEventListener("click", () => {
      this.shown = Infinity;
      this.render();
    });
    this.render();
  }

  fitting() {
    const words = $("#cells-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const failed = $("#cells-failed")?.checked;
    const kept = this.rows.filter(({ row, low }) => (!failed || row[REASON]) && words.every((word) => low.includes(word))).map(({ row }) => row);
    if (!this.sort) return kept;
    const { key, falling } = this.sort;
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
    // What is not known comes last either way.
    return kept.sort((a, b) => (a[key] === null) - (b[key] === null) || (a[key] === null ? 0 : falling ? compare(b[key], a[key]) : compare(a[key], b[key])));
  }

  render() {
    const fitting = this.fitting();
    const head = this.columns.map(({ label, key, text }) => h("th", { scope: "col", class: text && "number", "aria-sort": this.sort?.key === key ? (this.sort.falling ? "descending" : "ascending") : "none" },
      h("button", { type: "button", class: "sort", "data-sort": key, onclick: () => this.sortBy(key) }, label)));
    $("#cells-table").replaceChildren(h("thead", {}, h("tr", {}, head)), h("tbody", {}, fitting.slice(0, this.shown).map((row) => this.line(row))));
    $("#cells-count").textContent = fitting.length < this.rows.length ? `${fitting.length} of ${plural(this.rows.length, "run")}` : plural(fitting.length, "run");
    const more = $("#more-cells");
    more.hidden = fitting.length <= this.shown;
    more.textContent = `Show all ${plural(fitting.length, "run")}`;
  }

  line(row) {
    const failed = row[REASON];
    const until = failed ? this.columns.filter(({ key }) => key < 5) : this.columns;
    const cells = until.map(({ key, text }) => h("td", { class: text && "number" }, key === 1 && h("span", { class: "algorithm" }, sample(this.looks.get(row[1]))), text ? text(row[key]) : row[key]));
    return h("tr", {}, cells, failed && h("td", { class: "reason", colspan: this.columns.length - until.length }, h("span", { class: "tag alert" }, "failed"), " ", failed));
  }

  sortBy(key) {
    this.sort = { key, falling: this.sort?.key === key ? !this.sort.falling : Boolean(COLUMNS[key].falling) };
    this.render();
    $(`[data-sort="${key}"]`, $("#cells-table")).focus();
  }
}

startPage(({ header }) => {
  const looks = new Map(header.algorithms.map((look) => [look.name, look]));
  $$(".algorithm").forEach((place) => place.append(sample(looks.get(place.dataset.algorithm))));
  $("#setting")?.addEventListener("change", (event) => $$("[data-setting]").forEach((body) => (body.hidden = body.dataset.setting !== event.target.value)));
  const panels = [
    ...["alpha", "beta"].flatMap((axis) => header.curves[axis].map((spec) => [`#${axis}-panels`, new CurvePanel(axis, spec, looks)])),
    ...header.costs.map((spec) => ["#cost-panels", new CostPanel(spec, looks)]),
  ];
  panels.forEach(([place, made]) => $(place).append(made.figure));
  const legend = new Legend(header.algorithms, () => panels.forEach(([, made]) => made.draw(legend.hidden)));
  legend.redraw();
  new CellTable(header.rows, looks);
});
