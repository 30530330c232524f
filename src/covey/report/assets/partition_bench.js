// A benchmark drawn: scores along alpha and beta, bytes against scores, and the table of all runs.

const PANEL = { width: 320, height: 210, left: 40, right: 310, top: 10, bottom: 176 };
const DASHES = { vertical: null, solo: "1.5 3.5", pooled: "6 4" };

function amount(bytes) {
  if (!Number.isFinite(bytes)) return "–";
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < 4) [value, unit] = [value / 1000, unit + 1];
  return `${Number(value.toPrecision(3))}\u00a0${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

// Pooled: hollow square; solo: hollow circle; else a filled circle, so that no role is told by colour alone.
function mark(look, x, y, r, opacity = 1) {
  const colour = seriesColour(look.family);
  const paint = look.role === "vertical" ? { fill: colour } : { fill: "var(--paper)", stroke: colour, "stroke-width": 1.6 };
  if (look.role === "pooled") return svg("rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r, opacity, ...paint });
  return svg("circle", { cx: x, cy: y, r, opacity, ...paint });
}

const sample = (look) => svg("svg", { width: 24, height: 12, viewBox: "0 0 24 12", "aria-hidden": true },
  svg("line", { x1: 0, x2: 24, y1: 6, y2: 6, stroke: seriesColour(look.family), "stroke-width": 2, "stroke-dasharray": DASHES[look.role] }),
  mark(look, 12, 6, 3.4));

// Buttons that take an algorithm out of all pictures and put it back.
class Legend {
  constructor(algorithms, redraw) {
    this.hidden = new Set();
    this.redraw = redraw;
    this.boxes = $$(".series-legend");
    this.boxes.forEach((box) => box.append(...algorithms.map((look) => h("button", {
      type: "button", "aria-pressed": "true", "data-algorithm": look.name, onclick: () => this.toggle(look.name),
    }, sample(look), look.name))));
  }

  toggle(name) {
    if (!this.hidden.delete(name)) this.hidden.add(name);
    this.boxes.forEach((box) => $$("button", box).forEach((button) => button.setAttribute("aria-pressed", !this.hidden.has(button.dataset.algorithm))));
    this.redraw();
  }
}

// Low and high end of an axis, with a little room.
function ends(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = Math.max((high - low) * 0.06, 0.004);
  return [low - room, high + room];
}

// Draws the left axis for some scores into a group and returns where a score lies.
function drawScores(group, scores) {
  const [low, high] = ends(scores);
  const { at } = scaleOf(low, high, PANEL.bottom, PANEL.top);
  const { step, values } = ticks(low, high, 5);
  group.replaceChildren(...values.flatMap((value) => [
    svg("line", { class: "grid-line", x1: PANEL.left, x2: PANEL.right, y1: at(value), y2: at(value) }),
    svg("text", { x: PANEL.left - 6, y: at(value) + 4, "text-anchor": "end" }, tickLabel(value, step)),
  ]));
  return at;
}

// Ticks [position, label] along the bottom, those left out that would touch the one before.
function bottomAxis(places, title) {
  let free = -Infinity;
  return [
    ...places.flatMap(([x, label]) => {
      const half = label.length * 3.2;
      if (x - half < free) return [];
      free = x + half + 6;
      return [svg("line", { class: "guide", x1: x, x2: x, y1: PANEL.bottom, y2: PANEL.bottom + 4 }), svg("text", { x, y: PANEL.bottom + 17, "text-anchor": "middle" }, label)];
    }),
    svg("text", { x: (PANEL.left + PANEL.right) / 2, y: PANEL.bottom + 32, "text-anchor": "middle" }, title),
  ];
}

function panel(title, note, label, ...content) {
  const picture = svg("svg", { viewBox: `0 0 ${PANEL.width} ${PANEL.height}`, role: "img", "aria-label": label }, ...content);
  return { picture, figure: h("figure", { class: "panel" }, h("figcaption", {}, title, " ", h("span", {}, note)), picture) };
}

// Where the pointer is in a picture's own units.
function pointIn(picture, event) {
  const { left, top, width, height } = picture.getBoundingClientRect();
  return [((event.clientX - left) / width) * PANEL.width, ((event.clientY - top) / height) * PANEL.height];
}

// One data set's scores along alpha (logarithmic) or beta.
class CurvePanel {
  constructor(axis, { data, metric, series }, looks) {
    this.axis = axis;
    this.looks = looks;
    this.series = series;
    const place = axis === "alpha" ? Math.log10 : (x) => x;
    const xs = [...new Set(series.flatMap((line) => line.points.map(([x]) => x)))].sort((a, b) => a - b);
    const across = scaleOf(place(xs[0]), place(xs.at(-1)), PANEL.left + 10, PANEL.right - 10);
    this.xs = xs.map((x) => [x, across.at(place(x))]);
    this.across = (x) => across.at(place(x));
    this.scores = svg("g");
    this.guide = svg("line", { class: "guide", y1: PANEL.top, y2: PANEL.bottom, visibility: "hidden" });
    this.lines = svg("g");
    const label = `${metric} on ${data} against ${axis}`;
    const made = panel(data, metric, label, this.scores, bottomAxis(this.xs.map(([x, at]) => [at, readable(x)]), axis), this.guide, this.lines);
    this.figure = made.figure;
    this.picture = made.picture;
    this.picture.addEventListener("pointermove", (event) => this.onmove(event));
    this.picture.addEventListener("pointerleave", () => this.leave());
  }

  draw(hidden) {
    this.shown = this.series.filter((line) => !hidden.has(line.algorithm));
    const values = (this.shown.length ? this.shown : this.series).flatMap((line) => (line.level ? [line.level] : line.points.map(([, ...rest]) => rest)));
    this.height = drawScores(this.scores, values.flatMap(([mean, deviation]) => [mean - (deviation ?? 0), mean + (deviation ?? 0)]));
    this.lines.replaceChildren(...this.shown.map((line) => this.band(line)).filter(Boolean), ...this.shown.flatMap((line) => this.line(line)));
  }

  at(x, score) {
    return [this.across(x), this.height(score)];
  }

  band({ algorithm, points }) {
    const wide = points.filter(([, , deviation]) => deviation !== null);
    if (wide.length < 2) return null;
    const edge = (sign) => wide.map(([x, mean, deviation]) => this.at(x, mean + sign * deviation).map((v) => v.toFixed(1)).join(" "));
    return svg("path", { d: `M${edge(1).join("L")}L${edge(-1).reverse().join("L")}z`, fill: seriesColour(this.looks.get(algorithm).family), opacity: 0.13 });
  }

  line({ algorithm, points, level }) {
    const look = this.looks.get(algorithm);
    const stroke = { fill: "none", stroke: seriesColour(look.family), "stroke-width": 1.8, "stroke-dasharray": DASHES[look.role] };
    if (level) return [svg("line", { x1: PANEL.left, x2: PANEL.right, y1: this.height(level[0]), y2: this.height(level[0]), ...stroke })];
    const at = points.map(([x, mean]) => this.at(x, mean));
    return [svg("path", { d: `M${at.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`, ...stroke }), ...at.map(([x, y]) => mark(look, x, y, 2.8))];
  }

  onmove(event) {
    const [px] = pointIn(this.picture, event);
    const [x, at] = this.xs.reduce((best, next) => (Math.abs(next[1] - px) < Math.abs(best[1] - px) ? next : best));
    setUp(this.guide, { x1: at, x2: at, visibility: "visible" }, []);
    const found = this.shown.map((line) => [line.algorithm, line.level ?? line.points.find(([value]) => value === x)?.slice(1)]).filter(([, value]) => value);
    const rows = found.sort((a, b) => b[1][0] - a[1][0]).map(([name, [mean, deviation]]) => `${fixed(mean, 3)}${deviation === null ? "" : ` ± ${fixed(deviation, 3)}`}  ${name}`);
    tooltip.show([`${this.axis} ${readable(x)}`, ...rows].join("\n"), event.clientX, event.clientY);
  }

  leave() {
    this.guide.setAttribute("visibility", "hidden");
    tooltip.hide();
  }
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
