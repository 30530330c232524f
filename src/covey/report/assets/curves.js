// Scores drawn as curves in small panels, with a legend of buttons.

const PANEL = { width: 320, height: 210, left: 40, right: 310, top: 10, bottom: 176 };
const DASHES = { vertical: null, solo: "1.5 3.5", pooled: "6 4" };

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

const LOGARITHMIC = new Set(["alpha", "columns"]);

// One data set's scores along an axis.
class CurvePanel {
  constructor(axis, { data, metric, series }, looks) {
    this.axis = axis;
    this.looks = looks;
    this.series = series;
    const place = LOGARITHMIC.has(axis) ? Math.log10 : (x) => x;
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
