// A card for each column.

const CARD_STATISTICS = 5;

function cardKind(report, column) {
  const share = column.n_missing / report.nRows;
  const missing = share > 0 ? `, ${percent(share, share < 0.01 ? 2 : 1)} missing` : "";
  return `${column.kind === "id" ? "identifier" : column.kind}, ${plural(column.n_unique, "distinct value")}${missing}`;
}

function statistics(entries, most) {
  const shown = Object.entries(entries).slice(0, most);
  if (!shown.length) return null;
  return h("dl", { class: "stats" }, shown.map(([name, value]) => {
    const text = readable(value);
    return [h("dt", {}, name.replaceAll("_", " ")), h("dd", { title: text }, text)];
  }));
}

function nearestList(column, panel, most) {
  return h("ul", { class: "nearest" }, column.nearest.slice(0, most).map(([other, strength, sign]) => h("li", {},
    h("button", { type: "button", class: "name", title: `${column.name} and ${other}`, onclick: () => panel.open({ kind: "pair", columns: [column.name, other] }) }, other),
    h("span", {}, fixed(strength) + ({ 1: " ↗", "-1": " ↘" }[sign] ?? "")))));
}

class Cards {
  constructor(report, panel) {
    this.report = report;
    this.panel = panel;
    this.box = $("#cards");
    this.cards = report.columns.map((column) => this.card(column));
    $("#cards-filter").addEventListener("input", () => this.filter());
    $("#cards-order").addEventListener("change", () => this.arrange());
    this.arrange();
  }

  card(column) {
    return h("article", { class: "card", "aria-label": column.name },
      h("h3", {}, h("button", { type: "button", class: "name", title: column.name, onclick: () => this.panel.openColumn(column.name) }, column.name)),
      h("p", { class: "card-kind" }, cardKind(this.report, column)),
      histogram(column, 6),
      statistics(column.statistics, CARD_STATISTICS),
      column.nearest.length > 0 && nearestList(column, this.panel, 3));
  }

  arrange() {
    const { columns } = this.report;
    const keys = {
      table: (k) => k,
      missing: (k) => -columns[k].n_missing,
      nearest: (k) => -(columns[k].nearest[0]?.[1] ?? 0),
    };
    const key = keys[$("#cards-order").value];
    const compare = key ? (a, b) => key(a) - key(b) : (a, b) => columns[a].name.localeCompare(columns[b].name);
    this.box.replaceChildren(...range(columns.length).sort(compare).map((k) => this.cards[k]));
    this.filter();
  }

  filter() {
    const word = $("#cards-filter").value.trim().toLowerCase();
    let shown = 0;
    this.report.columns.forEach((column, k) => {
      const fits = column.name.toLowerCase().includes(word) || column.kind.startsWith(word);
      this.cards[k].hidden = !fits;
      shown += fits;
    });
    const all = this.report.columns.length;
    $("#cards-count").textContent = word ? `${shown} of ${plural(all, "column")}` : plural(all, "column");
  }
}
