// The panel beside the page: a pair, a column, a group, a reversal or a drift in full.

class Panel {
  constructor(report) {
    this.report = report;
    this.trail = [];
    this.box = $("#panel");
    $("#panel-close").addEventListener("click", () => this.close());
    $("#panel-back").addEventListener("click", () => this.back());
    document.addEventListener("themechange", () => this.refresh());
    addEventListener("resize", debounced(() => this.refresh()));
  }

  get isOpen() {
    return !this.box.hidden;
  }

  // A view is {kind, columns}, as findings carry it.
  open(view) {
    if (!this.isOpen) this.opener = document.activeElement;
    if (!this.isOpen) this.trail = [];
    this.trail.push(view);
    this.render();
    this.box.scrollTop = 0;
    $("#panel-title").focus({ preventScroll: true });
  }

  openPair(i, j) {
    this.open({ kind: "pair", columns: [this.report.features[i], this.report.features[j]] });
  }

  openColumn(name) {
    this.open({ kind: "column", columns: [name] });
  }

  back() {
    this.trail.pop();
    this.render();
    $("#panel-title").focus({ preventScroll: true });
  }

  close() {
    this.box.hidden = true;
    tooltip.hide();
    this.opener?.focus?.({ preventScroll: true });
  }

  refresh() {
    if (this.isOpen) this.render();
  }

  render() {
    const view = this.trail.at(-1);
    this.box.hidden = false;
    $("#panel-back").hidden = this.trail.length < 2;
    $("#panel-title").replaceChildren(...titleOf(view));
    const style = getComputedStyle(this.box);
    const width = this.box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    $("#panel-body").replaceChildren(...contentOf(this.report, view, width, this));
  }
}

function titleOf({ kind, columns }) {
  const joined = (word) => [columns[0], h("span", { class: "between" }, word), columns[1]];
  if (kind === "pair") return joined(" and ");
  if (kind === "reversal") return [...joined(" and "), h("span", { class: "between" }, " within the levels of "), columns[2]];
  if (kind === "group") return [`Group of ${plural(columns.length, "column")}`];
  if (kind === "lagged") return joined(" before ");
  if (kind === "order") return [columns[0], h("span", { class: "between" }, " along the rows")];
  return [columns[0]];
}

function contentOf(report, view, width, panel) {
  const parts = { pair: pairContent, column: columnContent, group: groupContent, reversal: reversalContent, order: orderContent, lagged: laggedContent };
  return parts[view.kind](report, view.columns, width, panel).filter(Boolean);
}

// The picture of a view alone, for paper; null where the page itself shows it.
function pictureOf(report, view, width) {
  const at = view.columns.map((name) => report.position.get(name));
  if (view.kind === "pair" && at.every((k) => k !== undefined)) return pairPlot(report, at[0], at[1], width);
  if (view.kind === "column") return histogram(report.column.get(view.columns[0]), 8);
  if (view.kind === "group") return submap(report, at.filter((k) => k !== undefined), width);
  if (view.kind === "reversal") return reversalPlot(reversalOf(report, view.columns), width);
  if (view.kind === "lagged") return correlogram(laggedOf(report, view.columns), width);
  if (view.kind === "order") return orderPlot(report.orders.find((o) => o.name === view.columns[0]), width);
  return null;
}

const nameButton = (panel, name) => h("button", { type: "button", class: "name", title: name, onclick: () => panel.openColumn(name) }, name);

function pairContent(report, columns, width, panel) {
  const [i, j] = columns.map((name) => report.position.get(name));
  if (i === undefined || j === undefined) {
    return [h("p", { class: "note" }, "At least one of these columns takes no part in associations."),
      ...columns.map((name) => h("p", {}, nameButton(panel, name)))];
  }
  const frame = h("div", {}, pairPlot(report, i, j, width));
  const byRank = hasNumbers(report, i, j) && h("label", { class: "hint" },
    h("input", { type: "checkbox", onchange: (event) => frame.replaceChildren(pairPlot(report, i, j, width, event.target.checked)) }),
    " numbers by their ranks");
  return [
    frame,
    h("p", { class: "hint" }, pairCaption(report, i, j)),
    byRank,
    h("h3", {}, "Every measure"),
    measureTable(report, i, j),
    h("h3", {}, "The columns"),
    h("p", {}, nameButton(panel, columns[0]), h("br"), nameButton(panel, columns[1])),
    relatedFindings(report, columns, panel),
  ];
}

function pairCaption(report, i, j) {
  const rows = report.sample.rows;
  const of = rows < report.nRows ? `a sample of ${rows.toLocaleString("en-US")} of ${plural(report.nRows, "row")}` : `all ${plural(rows, "row")}`;
  if (isNumberPair(report, i, j)) return `Points of ${of}, ${theme.dark ? "lighter" : "darker"} where they crowd; the line is the running median.`;
  if (hasNumbers(report, i, j)) return `Boxes of ${of}: quartiles and median, whiskers to 1.5 box lengths.`;
  return `Widths and heights are shares of ${of}; blue tiles hold more rows than independence expects, orange ones fewer.`;
}

// Value, p and n of every measure that is defined; below, which are not and why.
function measureTable(report, i, j) {
  const [a, b] = [report.features[i], report.features[j]].map((name) => shorten(name, 24));
  const lines = report.matrices.flatMap((matrix) => matrix.symmetric
    ? [{ matrix, label: matrix.label, x: i, y: j }]
    : [{ matrix, label: `${matrix.label}, ${a} → ${b}`, x: i, y: j }, { matrix, label: `${matrix.label}, ${b} → ${a}`, x: j, y: i }]);
  const isDefined = ({ matrix, x, y }) => !Number.isNaN(matrix.value(x, y));
  const byReason = new Map();
  for (const { matrix, label, x, y } of lines.filter((line) => !isDefined(line))) {
    const reason = report.reasons[matrix.reason(x, y)] || "undefined";
    byReason.set(reason, [...(byReason.get(reason) ?? []), label]);
  }
  return h("div", { class: "scroller" },
    h("table", { class: "data" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Measure"), ["Value", "p", "n"].map((text) => h("th", { scope: "col", class: "number" }, text)))),
      h("tbody", {}, lines.filter(isDefined).map(measureRow))),
    [...byReason].map(([reason, labels]) => h("p", { class: "hint" }, `Undefined: ${labels.join(", ")} (${reason}).`)));
}

function measureRow({ matrix, label, x, y }) {
  const [arrow, meaning] = { 1: [" ↗", "they rise together"], "-1": [" ↘", "one rises as the other falls"] }[matrix.direction(x, y)] ?? ["", null];
  return h("tr", {},
    h("th", { scope: "row", title: matrix.summary }, label),
    h("td", { class: "number", title: meaning }, fixed(matrix.value(x, y), 3) + arrow),
    h("td", { class: "number" }, readableP(matrix.pvalue(x, y))),
    h("td", { class: "number" }, matrix.count(x, y).toLocaleString("en-US")));
}

function columnContent(report, [name], width, panel) {
  const column = report.column.get(name);
  return [
    h("p", { class: "card-kind" }, cardKind(report, column)),
    histogram(column, 20),
    statistics(column.statistics, 99),
    ...column.notes.map((note) => h("p", { class: "note" }, note)),
    column.nearest.length > 0 && h("h3", {}, "Nearest columns"),
    column.nearest.length > 0 && nearestList(column, panel, 99),
    relatedFindings(report, [name], panel),
  ];
}

function relatedFindings(report, columns, panel) {
  const related = report.findings.map((finding, k) => [finding, k]).filter(([finding]) =>
    columns.every((name) => finding.view.columns.includes(name)));
  if (!related.length) return null;
  return h("div", {}, h("h3", {}, "Findings"), related.map(([finding, k]) => h("p", {}, h("button", {
    type: "button", class: "name", onclick: () => { panel.close(); goToFinding(k); } }, finding.title))));
}

function groupContent(report, columns, width, panel) {
  const group = report.groups.find((g) => columns.every((name) => g.members.includes(name)));
  const at = columns.map((name) => report.position.get(name)).filter((k) => k !== undefined);
  const share = (value) => (value === null || value === undefined ? "–" : percent(value));
  const facts = group && h("dl", { class: "stats" },
    h("dt", {}, "Keep"), h("dd", {}, group.representative),
    h("dt", {}, "Weakest link in the group"), h("dd", {}, fixed(group.weakest)),
    h("dt", {}, "Association with other columns kept"), h("dd", {}, share(group.association_kept)),
    report.target && [h("dt", {}, `Relevance for ${report.target} kept`), h("dd", {}, share(group.relevance_kept))]);
  const keeper = group && report.position.get(group.representative);
  const rows = at.map((k) => h("tr", {},
    h("th", { scope: "row" }, nameButton(panel, report.features[k])),
    h("td", {}, group && (k === keeper ? "keep" : "may go")),
    h("td", { class: "number" }, keeper === undefined || k === keeper ? "" : h("button", {
      type: "button", class: "name", title: "Show the pair", onclick: () => panel.openPair(keeper, k) }, fixed(report.auto.strength(keeper, k))))));
  return [
    submap(report, at, width, (i, j) => panel.openPair(i, j)),
    facts,
    h("h3", {}, "Members"),
    h("table", { class: "data" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Column"), h("th", { scope: "col" }, ""), h("th", { scope: "col", class: "number" }, group ? "Strength with the kept one" : ""))),
      h("tbody", {}, rows)),
  ];
}

// The association map of a few features, with names.
function submap(report, at, width, onpick = null) {
  const shown = at.slice(0, 40);
  const names = shown.map((k) => report.features[k]);
  const gutter = Math.min(widest(names) + 10, width * 0.4);
  const cell = Math.min((width - gutter) / shown.length, 56);
  const pick = (x, y) => {
    const [row, col] = [Math.floor((y - 4) / cell), Math.floor((x - gutter) / cell)];
    return shown[row] !== undefined && shown[col] !== undefined ? [shown[row], shown[col]] : null;
  };
  const frame = plotFrame(`Strengths within a group of ${at.length} columns`, width, cell * shown.length + 8, (context) => {
    paintCells(context, report.auto, shown, shown, gutter, 4, cell);
    context.textBaseline = "middle";
    context.textAlign = "right";
    context.fillStyle = theme.ink("ink");
    if (cell >= 11) names.forEach((name, k) => context.fillText(clipText(context, name, gutter - 10), gutter - 7, 4 + (k + 0.5) * cell));
    return (x, y) => pick(x, y) && cellWords(report, report.auto, ...pick(x, y));
  });
  if (onpick) {
    $("canvas", frame).addEventListener("click", (event) => {
      const found = pick(event.offsetX, event.offsetY);
      if (found && found[0] !== found[1]) onpick(...found);
    });
  }
  return frame;
}

const reversalOf = (report, [left, right, by]) =>
  report.reversals.find((r) => r.by === by && [r.left, r.right].includes(left) && [r.left, r.right].includes(right));

function reversalContent(report, columns, width, panel) {
  const reversal = reversalOf(report, columns);
  const at = columns.map((name) => report.position.get(name));
  const pictured = at.every((k) => k !== undefined);
  return [
    reversal && h("p", { class: "lead" }, `Over all rows the association is ${fixed(reversal.overall)}; within the levels of ${reversal.by} it is ${fixed(reversal.pooled)} on average.`),
    reversalPlot(reversal, width),
    pictured && isNumberPair(report, at[0], at[1]) && levelScatter(report, at, width, reversal?.within.length ?? 4),
    h("p", {}, h("button", { type: "button", class: "name", onclick: () => panel.open({ kind: "pair", columns: columns.slice(0, 2) }) }, "Show the pair over all rows")),
    h("p", {}, nameButton(panel, columns[2])),
  ];
}

// One line a level: its association, beside the association over all rows.
function reversalPlot(reversal, width) {
  if (!reversal) return null;
  const levels = reversal.within.slice(0, 15);
  const rows = [["all rows", reversal.overall, null], ["pooled within", reversal.pooled, null], ...levels];
  const step = 26;
  const height = rows.length * step + 66;
  return plotFrame(`Association of ${reversal.left} and ${reversal.right} within the levels of ${reversal.by}`, width, height, (context) => {
    const gutter = Math.min(widest(rows.map((row) => row[0])) + 6, width * 0.36);
    const box = { left: gutter + 12, right: width - 56, top: 20, bottom: height - 44 };
    const reach = Math.max(...rows.map((row) => Math.abs(row[1] ?? 0)), 0.05) * 1.1;
    const x = scaleOf(-reach, reach, box.left, box.right);
    drawBottomAxis(context, box, x, "association");
    context.strokeStyle = theme.ink("strong-line");
    context.beginPath();
    context.moveTo(x.at(0), box.top - 6);
    context.lineTo(x.at(0), box.bottom);
    context.stroke();
    context.textBaseline = "middle";
    const [below, above] = [ramp("diverging")[30], ramp("diverging")[225]].map(css);
    rows.forEach(([label, value, n], k) => {
      const y = box.top + (k + 0.5) * step;
      context.textAlign = "right";
      context.font = `${k < 2 ? "600 " : ""}12px ${theme.font}`;
      context.fillStyle = theme.ink("ink");
      context.fillText(clipText(context, label, gutter), box.left - 8, y);
      context.fillStyle = theme.ink("muted");
      if (n !== null) context.fillText(n.toLocaleString("en-US"), width - 2, y);
      if (value === null) return;
      context.fillStyle = context.strokeStyle = value < 0 ? below : above;
      context.lineWidth = 2;
      context.beginPath();
      context.moveTo(x.at(0), y);
      context.lineTo(x.at(value), y);
      context.stroke();
      context.beginPath();
      context.arc(x.at(value), y, k < 2 ? 6 : 4.5, 0, 7);
      context.fill();
    });
    context.font = `12px ${theme.font}`;
    context.textAlign = "right";
    context.fillStyle = theme.ink("muted");
    context.fillText("rows", width - 2, 8);
    return (_, y) => {
      const row = rows[Math.floor((y - box.top) / step)];
      return row && y >= box.top && `${row[0]}: ${fixed(row[1], 3)}${row[2] ? `, ${plural(row[2], "row")}` : ""}`;
    };
  });
}

// The scatter of two numbers in the colours of a third column's levels (`parts` of equal size, if it is a number), with trends.
function levelScatter(report, [i, j, by], width, parts) {
  const [xs, ys, levels, labels] = withLevels(report.samples[i], report.samples[j], report.samples[by], Math.min(parts, MOST_COLOURS));
  if (!xs.length) return null;
  const height = Math.round(width * 0.66);
  const plot = plotFrame(`Scatter of ${report.features[i]} and ${report.features[j]} by ${report.features[by]}`, width, height, (context) => {
    const box = { top: 30, bottom: height - 44, right: width - 12 };
    const y = scaleOf(...extent(ys), box.bottom, box.top);
    box.left = leftGutter(y);
    const x = scaleOf(...extent(xs), box.left, box.right);
    drawLeftAxis(context, box, y, report.features[j]);
    drawBottomAxis(context, box, x, report.features[i]);
    const [px, py] = [jittered(xs, 1).map(x.at), jittered(ys, 2).map(y.at)];
    context.globalAlpha = 0.45;
    xs.forEach((_, k) => {
      context.fillStyle = groupColour(levels[k]);
      context.beginPath();
      context.arc(clamp(px[k], box.left, box.right), clamp(py[k], box.top, box.bottom), 2, 0, 7);
      context.fill();
    });
    context.globalAlpha = 1;
    for (const [level, rows] of rowsByLevel(levels)) {
      if (rows.length > 9) drawCurve(context, trend(rows.map((k) => xs[k]), rows.map((k) => ys[k]), y.low, y.high).map(([a, b]) => [x.at(a), y.at(b)]), groupColour(level), 0);
    }
  });
  const legend = h("div", { class: "legend-groups" }, labels.map((label, k) => h("span", {}, h("b", { style: `background:${groupColour(k)}` }), h("em", { title: label }, label))));
  return h("div", {}, plot, legend);
}

function withLevels(left, right, by, parts) {
  const raw = by.coded ? by.codes : by.numbers;
  const [x, y] = [left.numbers, right.numbers];
  const rows = range(x.length).filter((k) => ![x[k], y[k], raw[k]].some(Number.isNaN));
  const kept = rows.map((k) => raw[k]);
  let levels;
  let labels;
  if (by.coded) {
    [levels, labels] = pooled(kept, by.labels, MOST_COLOURS);
  } else {
    const sorted = [...kept].sort((a, b) => a - b);
    const cuts = [...new Set(range(parts - 1).map((k) => quantile(sorted, (k + 1) / parts)))];
    levels = kept.map((value) => cuts.filter((cut) => value > cut).length);
    labels = [...cuts.map((cut) => `up to ${readable(cut)}`), "above"];
  }
  return [rows.map((k) => x[k]), rows.map((k) => y[k]), levels, labels];
}

// The two ends of the least-squares line, cut to low..high.
function trend(xs, ys, low, high) {
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const [mx, my] = [mean(xs), mean(ys)];
  const variance = mean(xs.map((v) => (v - mx) ** 2));
  if (!variance) return [];
  const slope = mean(xs.map((v, k) => (v - mx) * (ys[k] - my))) / variance;
  return extent(xs).map((x) => [x, clamp(my + slope * (x - mx), low, high)]);
}

function orderContent(report, [name], width, panel) {
  const order = report.orders.find((o) => o.name === name);
  return [
    order && h("p", { class: "lead" }, `Strength of the drift ${fixed(order.strength)}, p ${readableP(order.pvalue)}.`),
    orderPlot(order, width),
    h("p", {}, nameButton(panel, name)),
  ];
}

function orderPlot(order, width) {
  if (!order) return null;
  const series = Object.entries(order.means).slice(0, MOST_COLOURS);
  const height = Math.round(width * 0.5);
  const plot = plotFrame(`${order.name} along the rows`, width, height, (context) => {
    const all = series.flatMap(([, values]) => values.filter((v) => v !== null));
    const box = { top: 30, bottom: height - 44, right: width - 16 };
    const y = scaleOf(...extent(all), box.bottom, box.top);
    box.left = leftGutter(y);
    const x = scaleOf(...extent(order.positions), box.left, box.right);
    drawLeftAxis(context, box, y, series.length > 1 ? `share of each level of ${order.name}` : `mean of ${order.name}`);
    drawBottomAxis(context, box, x, "position in the table");
    series.forEach(([, values], k) => {
      const points = values.map((v, w) => [x.at(order.positions[w]), v === null ? null : y.at(v)]).filter((p) => p[1] !== null);
      drawCurve(context, points, groupColour(k));
      context.fillStyle = groupColour(k);
      points.forEach(([px, py]) => {
        context.beginPath();
        context.arc(px, py, 3, 0, 7);
        context.fill();
      });
    });
  });
  const legend = series.length > 1 && h("div", { class: "legend-groups" }, series.map(([label], k) =>
    h("span", {}, h("b", { style: `background:${groupColour(k)}` }), h("em", { title: label }, label))));
  return h("div", {}, plot, legend || null);
}
