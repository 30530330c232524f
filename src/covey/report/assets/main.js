// The page as a whole: findings, search, links between sections, print.

const FIRST_FINDINGS = 15;

function goTo(id) {
  const section = $(`#${id}`);
  beginThrough(section);
  section.scrollIntoView();
}

function goToFinding(k) {
  const finding = $(`#finding-${k}`);
  finding.hidden = false;
  finding.scrollIntoView({ block: "center" });
  finding.focus({ preventScroll: true });
}

class Findings {
  constructor(report, show) {
    this.items = $$(".finding");
    this.kind = "";
    this.all = this.items.length <= FIRST_FINDINGS;
    $$(".chip").forEach((chip) => chip.addEventListener("click", () => this.choose(chip)));
    $$(".show").forEach((button) => {
      const { view } = report.findings[Number(button.dataset.finding)];
      button.addEventListener("click", () => show(view));
    });
    $("#more-findings")?.addEventListener("click", () => {
      this.all = true;
      this.filter();
    });
    this.filter();
  }

  choose(chip) {
    this.kind = chip.dataset.kind;
    $$(".chip").forEach((other) => other.setAttribute("aria-pressed", other === chip));
    this.filter();
  }

  filter() {
    const fitting = this.items.filter((item) => !this.kind || item.dataset.kind === this.kind);
    const shown = new Set(this.all ? fitting : fitting.slice(0, FIRST_FINDINGS));
    this.items.forEach((item) => (item.hidden = !shown.has(item)));
    const more = $("#more-findings");
    if (!more) return;
    more.hidden = shown.size === fitting.length;
    more.textContent = `Show all ${fitting.length} findings`;
  }
}

// The search box: a list of fitting columns and findings, moved through with the arrow keys.
class Search {
  constructor(report, panel) {
    this.input = $("#search");
    this.results = $("#search-results");
    this.entries = [
      ...report.columns.map((column) => ({ text: column.name, note: column.kind, go: () => panel.openColumn(column.name) })),
      ...report.findings.map((finding, k) => ({ text: finding.title, note: "finding", go: () => goToFinding(k) })),
    ].map((entry) => ({ ...entry, low: entry.text.toLowerCase() }));
    this.input.addEventListener("input", () => this.update());
    this.input.addEventListener("focus", () => this.update());
    this.input.addEventListener("blur", () => this.show([]));
    this.input.addEventListener("keydown", (event) => this.onkey(event));
  }

  update() {
    const words = this.input.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) {
      this.show([]);
      return;
    }
    const rank = (entry) => (entry.low === words.join(" ") ? 0 : entry.low.startsWith(words[0]) ? 1 : 2);
    const found = this.entries.filter((entry) => words.every((word) => entry.low.includes(word)));
    this.show(found.sort((a, b) => rank(a) - rank(b)).slice(0, 40), true);
  }

  show(found, open = false) {
    this.found = found;
    this.results.hidden = !open;
    this.input.setAttribute("aria-expanded", open);
    this.results.replaceChildren(...found.map((entry, k) => h("li", {
      role: "option", id: `result-${k}`, title: entry.text, onpointerdown: (event) => event.preventDefault(), onclick: () => this.go(k),
    }, h("span", {}, entry.text), h("span", {}, entry.note))));
    if (open && !found.length) this.results.append(h("li", { class: "none" }, "Nothing found."));
    this.select(0);
  }

  select(k) {
    this.at = k;
    [...this.results.children].forEach((item, other) => item.setAttribute("aria-selected", other === k));
    this.results.children[k]?.scrollIntoView({ block: "nearest" });
    if (this.found.length) this.input.setAttribute("aria-activedescendant", `result-${k}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  onkey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.found.length) this.select((this.at + step + this.found.length) % this.found.length);
    else if (event.key === "Enter" && this.found.length) this.go(this.at);
    else if (event.key === "Escape" && this.input.value) this.clear();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  clear() {
    this.input.value = "";
    this.show([]);
  }

  go(k) {
    const entry = this.found[k];
    this.clear();
    this.input.blur();
    entry.go();
  }
}

function startKeys(panel) {
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "Escape" && panel.isOpen) panel.close();
    else if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      $("#search").focus();
    }
  });
}

function listMeasures(report) {
  $("#how-measures").append(...report.matrices.filter((m) => m.summary).map((m) => h("div", {}, h("dt", {}, m.label), h("dd", {}, m.summary))));
}

// On paper: everything unfolded, in light colours, with the picture of each of the first findings.
function startPrint(report, parts, applyTheme) {
  let before = null;
  addEventListener("beforeprint", () => {
    if (before) return;
    before = document.documentElement.dataset.theme;
    [...waiting.keys()].forEach(begin);
    applyTheme("light");
    parts.network?.finish();
    parts.pairs?.paint(true);
    $$(".finding").slice(0, FIRST_FINDINGS).forEach((item, k) => {
      const picture = pictureOf(report, report.findings[k].view, 300);
      $(".figure", item).replaceChildren(...(picture ? [picture] : []));
    });
  });
  addEventListener("afterprint", () => {
    $$(".figure").forEach((figure) => figure.replaceChildren());
    parts.pairs?.paint();
    applyTheme(before);
    before = null;
  });
}

async function start() {
  const applyTheme = startTheme();
  const report = new Report(await readPayload());
  const panel = new Panel(report);
  const parts = {};
  const show = (view) => {
    if (view.kind === "heatmap" && parts.heatmap) {
      goTo("heatmap");
      parts.heatmap.focusOn(view.columns);
    } else if (view.kind === "relevance" && report.relevance.length) {
      beginThrough($("#relevance"));
      if (view.columns.length) parts.relevance.reveal(view.columns);
      else goTo("relevance");
    } else if (view.kind === "network") {
      beginThrough($("#network"));
      goTo("network");
      parts.network?.reveal(view.columns);
    } else if (view.kind === "factors") {
      goTo("factors");
    } else if (["pair", "group", "reversal", "order", "lagged"].includes(view.kind)) {
      panel.open(view);
    } else if (view.columns.length) {
      panel.openColumn(view.columns[0]);
    } else {
      goTo("columns");
    }
  };
  new Findings(report, show);
  new Search(report, panel);
  startKeys(panel);
  startNavigation();
  listMeasures(report);
  startPrint(report, parts, applyTheme);
  $$("main button[data-column]").forEach((button) => button.addEventListener("click", () => panel.openColumn(button.dataset.column)));
  if (report.features.length > 1) {
    parts.heatmap = new Heatmap(report, panel);
    whenNear($("#network"), () => (parts.network = new Network(report, panel)));
    whenNear($("#pairs"), () => (parts.pairs = new PairGrid(report, panel)));
  }
  if (report.lagged.length) whenNear($("#lagged"), () => (parts.lagged = new LaggedTable(report, panel)));
  if (report.relevance.length) whenNear($("#relevance"), () => (parts.relevance = new RelevanceTable(report, panel)));
  whenNear($("#columns"), () => (parts.cards = new Cards(report, panel)));
  document.documentElement.dataset.ready = Math.round(performance.now());
}

start().catch((error) => {
  const note = $("#failure");
  note.hidden = false;
  note.textContent = `The pictures could not be drawn in this browser (${error.message}); the findings below stand.`;
  throw error;
});
