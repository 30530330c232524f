// Relevance to the target: every measure side by side, with intervals.

const FIRST_RELEVANCE = 30;

class RelevanceTable {
  constructor(report, panel) {
    this.report = report;
    this.panel = panel;
    this.table = $("#relevance-table");
    const defined = (row) => Object.keys(row.estimates).filter((name) => row.estimates[name][0] !== null);
    this.measures = [...new Set(report.relevance.flatMap(defined))];
    this.sort = { key: this.measures[0], falling: true };
    this.shown = FIRST_RELEVANCE;
    const more = $("#more-relevance");
    more.hidden = report.relevance.length <= this.shown;
    more.textContent = `Show all ${report.relevance.length} features`;
    more.addEventListener("click", () => this.showAll());
    this.scales = new Map(this.measures.map((name) => [name, this.scaleFor(name)]));
    this.render();
  }

  scaleFor(name) {
    const estimates = this.report.relevance.map((row) => row.estimates[name]).filter(Boolean);
    const numbers = estimates.flatMap(([value, low, high]) => [value, low, high]).filter((v) => v !== null);
    return [Math.min(0, ...numbers), Math.max(0.05, ...numbers)];
  }

  showAll() {
    this.shown = Infinity;
    $("#more-relevance").hidden = true;
    this.render();
  }

  rows() {
    const { key, falling } = this.sort;
    const size = (row) => (key === "name" ? 0 : Math.abs(row.estimates[key]?.[0] ?? -1));
    const compare = (a, b) => (key === "name" ? a.name.localeCompare(b.name) : size(a) - size(b));
    return [...this.report.relevance].sort((a, b) => (falling ? -compare(a, b) : compare(a, b))).slice(0, this.shown);
  }

  render() {
    const sortable = (key, label) => h("th", { scope: "col", "aria-sort": this.sort.key === key ? (this.sort.falling ? "descending" : "ascending") : "none" },
      h("button", { type: "button", class: "sort", "data-sort": key, onclick: () => this.sortBy(key) }, label));
    this.table.replaceChildren(
      h("thead", {}, h("tr", {}, sortable("name", "Feature"), this.measures.map((name) => sortable(name, measureLabel(name))))),
      h("tbody", {}, this.rows().map((row) => h("tr", { "data-name": row.name },
        h("th", { scope: "row" }, h("button", { type: "button", class: "name", title: row.name, onclick: () => this.open(row.name) }, row.name)),
        this.measures.map((name) => h("td", {}, this.estimate(row.estimates[name], name)))))));
  }

  open(name) {
    this.panel.open({ kind: "pair", columns: [name, this.report.target] });
  }

  sortBy(key) {
    this.sort = { key, falling: this.sort.key === key ? !this.sort.falling : key !== "name" };
    this.render();
    $(`[data-sort="${CSS.escape(key)}"]`, this.table).focus();
  }

  // Shows the rows of some features, lit.
  reveal(names) {
    const rowOf = (name) => $(`tr[data-name="${CSS.escape(name)}"]`, this.table);
    if (!names.every(rowOf)) this.showAll();
    $$("tbody tr", this.table).forEach((row) => row.classList.toggle("lit", names.includes(row.dataset.name)));
    const first = $("tr.lit", this.table) ?? this.table;
    first.scrollIntoView({ block: "center" });
    $("button", first).focus({ preventScroll: true });
  }

  estimate(numbers, measure) {
    if (!numbers || numbers[0] === null) return h("span", { class: "hint", title: "the measure does not apply or is undefined" }, "–");
    const [value, low, high, p] = numbers;
    const [from, to] = this.scales.get(measure);
    const at = (v) => (4 + (92 * (v - from)) / (to - from)).toFixed(2) + "%";
    const whisker = low !== null && high !== null && svg("line", { x1: at(low), x2: at(high), y1: 9, y2: 9, stroke: "var(--ink)", "stroke-width": 1.4 });
    const words = `${fixed(value, 3)}${whisker ? `, 95\u00a0% interval ${fixed(low, 3)} to ${fixed(high, 3)}` : ""}${p === null ? "" : `, p ${readableP(p)}`}`;
    return h("div", { class: "estimate", title: words },
      svg("svg", { role: "img", "aria-label": words },
        svg("line", { x1: at(0), x2: at(0), y1: 1, y2: 17, stroke: "var(--strong-line)" }),
        svg("line", { x1: at(0), x2: at(value), y1: 9, y2: 9, stroke: "var(--bar)", "stroke-width": 7, opacity: 0.45 }),
        whisker,
        svg("circle", { cx: at(value), cy: 9, r: 3.6, fill: "var(--accent)" })),
      h("span", {}, fixed(value)));
  }
}
