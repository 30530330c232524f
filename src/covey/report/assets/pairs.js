// The table of all pairs: only the rows in view exist as elements, so a hundred thousand pairs scroll smoothly.

const ROW = 30;
const ON_PAPER = 40;

class PairGrid {
  constructor(report, panel) {
    this.report = report;
    this.panel = panel;
    this.box = $("#pairs-grid");
    this.list();
    this.columns = this.describeColumns();
    this.sort = { column: 2, falling: true };
    this.current = -1;
    this.build();
    this.listen();
    this.refresh();
  }

  list() {
    const n = this.report.features.length;
    const count = (n * (n - 1)) / 2;
    this.left = new Uint16Array(count);
    this.right = new Uint16Array(count);
    let k = 0;
    for (let i = 0; i < n; i++) {
      for (let j = i + 1; j < n; j++, k++) {
        this.left[k] = i;
        this.right[k] = j;
      }
    }
    this.order = Uint32Array.from({ length: count }, (_, pair) => pair);
    this.kept = this.order;
  }

  describeColumns() {
    const { auto, matrices, features } = this.report;
    const byName = range(features.length).sort((a, b) => features[a].localeCompare(features[b]));
    const rank = new Uint16Array(features.length);
    byName.forEach((feature, k) => (rank[feature] = k));
    const named = (label, side) => ({ label, key: (k) => rank[side[k]], text: (k) => features[side[k]], rising: true, width: "minmax(130px, 1.5fr)" });
    const measured = (matrix) => ({
      label: matrix.label,
      number: true,
      title: matrix.summary + (matrix.symmetric ? "" : " (the larger direction)"),
      key: (k) => Math.abs(matrix.strength(this.left[k], this.right[k])),
      text: (k) => fixed(matrix.strength(this.left[k], this.right[k]), 3),
      matrix,
      width: "minmax(112px, 1fr)",
    });
    return [
      named("Column", this.left),
      named("and", this.right),
      measured(auto),
      { label: "p", number: true, key: (k) => auto.pvalue(this.left[k], this.right[k]), text: (k) => readableP(auto.pvalue(this.left[k], this.right[k])), rising: true, width: "minmax(96px, .9fr)" },
      { label: "n", number: true, key: (k) => auto.count(this.left[k], this.right[k]), text: (k) => auto.count(this.left[k], this.right[k]).toLocaleString("en-US"), width: "minmax(74px, .7fr)" },
      ...matrices.filter((m) => m !== auto).map(measured),
    ];
  }

  build() {
    this.template = this.columns.map((column) => column.width).join(" ");
    this.head = h("div", { class: "grid-head", role: "row", style: `grid-template-columns:${this.template}` }, this.columns.map((column, c) =>
      h("div", { role: "columnheader", class: column.number ? "number" : null, title: column.title },
        h("button", { type: "button", onclick: () => this.sortBy(c) }, column.label))));
    this.space = h("div", { class: "grid-space", role: "rowgroup", style: "position:relative" });
    this.box.append(this.head, this.space);
    this.box.setAttribute("aria-colcount", this.columns.length);
    this.box.style.setProperty("--columns", this.columns.length);
  }

  listen() {
    this.box.addEventListener("scroll", () => this.paint(), { passive: true });
    this.box.addEventListener("keydown", (event) => this.onkey(event));
    addEventListener("resize", debounced(() => this.paint()));
    document.addEventListener("themechange", () => this.paint());
    $("#pairs-filter").addEventListener("input", () => this.refresh());
  }

  sortBy(c) {
    this.sort = { column: c, falling: this.sort.column === c ? !this.sort.falling : !this.columns[c].rising };
    this.refresh();
  }

  // Sorts all pairs, then keeps those whose names hold every word of the filter. Undefined values come last.
  refresh() {
    const { column, falling } = this.sort;
    const last = falling ? -Infinity : Infinity;
    const keys = Float64Array.from(this.left, (_, k) => {
      const key = this.columns[column].key(k);
      return Number.isNaN(key) ? last : key;
    });
    this.order = Uint32Array.from(this.left, (_, k) => k);
    this.order.sort(falling ? (a, b) => keys[b] - keys[a] || a - b : (a, b) => keys[a] - keys[b] || a - b);
    this.filter();
    $$("[role=columnheader]", this.head).forEach((head, c) => head.setAttribute("aria-sort", c === column ? (falling ? "descending" : "ascending") : "none"));
    this.current = -1;
    this.box.scrollTop = 0;
    this.paint();
  }

  filter() {
    const words = $("#pairs-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const holds = words.map((word) => this.report.features.map((name) => name.toLowerCase().includes(word)));
    this.kept = this.order.filter((k) => holds.every((has) => has[this.left[k]] || has[this.right[k]]));
    $("#pairs-count").textContent = words.length
      ? `${this.kept.length.toLocaleString("en-US")} of ${plural(this.order.length, "pair")}`
      : plural(this.order.length, "pair");
    this.box.setAttribute("aria-rowcount", this.kept.length + 1);
    this.space.style.height = `${this.kept.length * ROW}px`;
    this.box.style.height = `${Math.min(this.kept.length * ROW + this.head.offsetHeight + 20, 560)}px`;
  }

  paint(all = false) {
    const from = all ? 0 : Math.max(Math.floor(this.box.scrollTop / ROW) - 6, 0);
    const to = all ? ON_PAPER : Math.ceil((this.box.scrollTop + this.box.clientHeight) / ROW) + 6;
    const rows = range(Math.max(Math.min(to, this.kept.length) - from, 0)).map((k) => this.row(from + k));
    this.space.replaceChildren(...rows, all && this.kept.length > ON_PAPER
      ? h("p", { class: "hint" }, `The first ${ON_PAPER} of ${plural(this.kept.length, "pair")}.`) : "");
  }

  row(at) {
    const pair = this.kept[at];
    const cells = this.columns.map((column) => h("div", { role: "gridcell", class: column.number ? "number" : null, title: column.number ? null : column.text(pair) },
      column.matrix && this.swatch(column.matrix, pair), column.text(pair)));
    return h("div", {
      class: at === this.current ? "grid-row current" : "grid-row", role: "row", id: `pair-row-${at}`, "aria-rowindex": at + 2,
      "aria-selected": at === this.current ? "true" : null, style: `top:${at * ROW}px;grid-template-columns:${this.template}`,
      onclick: () => this.choose(at),
    }, cells);
  }

  swatch(matrix, pair) {
    const value = matrix.strength(this.left[pair], this.right[pair]);
    if (Number.isNaN(value)) return null;
    this.ramps ??= new Map();
    const key = `${matrix.signed}${theme.dark}`;
    if (!this.ramps.has(key)) this.ramps.set(key, rampOf(matrix).map(css));
    return h("i", { class: "swatch", style: `background:${this.ramps.get(key)[level(matrix, value)]}` });
  }

  choose(at) {
    this.moveTo(at);
    this.box.focus({ preventScroll: true });
    const pair = this.kept[at];
    this.panel.openPair(this.left[pair], this.right[pair]);
  }

  moveTo(at) {
    this.current = clamp(at, 0, this.kept.length - 1);
    const room = this.box.clientHeight - this.head.offsetHeight;
    const top = this.current * ROW;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    if (top + ROW > this.box.scrollTop + room) this.box.scrollTop = top + ROW - room;
    this.paint();
    this.box.setAttribute("aria-activedescendant", `pair-row-${this.current}`);
  }

  onkey(event) {
    if (event.target !== this.box || !this.kept.length) return;
    const page = Math.floor(this.box.clientHeight / ROW) - 2;
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    if (step !== undefined) this.moveTo(this.current + step);
    else if ((event.key === "Enter" || event.key === " ") && this.current >= 0) this.choose(this.current);
    else return;
    event.preventDefault();
  }
}
