// A split drawn: columns of each party, and the map of their correlations.

const FIRST_COLUMNS = 24;

// The names that a party holds: all that fit the filter, of many only the first until asked for.
class Holder {
  constructor(box) {
    this.items = $$(".columns li", box);
    this.low = this.items.map((item) => item.textContent.toLowerCase());
    this.more = $(".more", box);
    this.all = this.items.length <= FIRST_COLUMNS * 1.2;
    this.more?.addEventListener("click", () => {
      this.all = true;
      this.filter(this.word);
    });
  }

  // Returns how many names fit.
  filter(word) {
    this.word = word;
    let fitting = 0;
    this.items.forEach((item, k) => {
      const fits = this.low[k].includes(word);
      fitting += fits;
      item.hidden = !fits || (!this.all && fitting > FIRST_COLUMNS);
    });
    if (this.more) {
      this.more.hidden = this.all || fitting <= FIRST_COLUMNS;
      this.more.textContent = `Show all ${fitting.toLocaleString("en-US")}`;
    }
    return fitting;
  }
}

function startHolders() {
  const holders = $$(".holder").map((box) => new Holder(box));
  const input = $("#column-filter");
  const filter = () => {
    const word = input.value.trim().toLowerCase();
    const fitting = holders.reduce((sum, holder) => sum + holder.filter(word), 0);
    const all = holders.reduce((sum, holder) => sum + holder.items.length, 0);
    $("#column-count").textContent = word ? `${fitting.toLocaleString("en-US")} of ${plural(all, "column")}` : "";
  };
  input.addEventListener("input", filter);
  filter();
}

const STRIP = 7;

class SplitMap {
  constructor({ header, array }) {
    Object.assign(this, header);
    this.size = this.starts.length;
    this.matrix = new Matrix({ name: "", symmetric: true, scale: 1, values: header.values }, this.size, header.constants, array);
    this.parties.forEach((party, k) => (party.last = (this.parties[k + 1]?.first ?? this.size) - 1));
    this.owner = this.parties.flatMap((party, k) => Array(party.last - party.first + 1).fill(k));
    this.canvas = $("#map-canvas");
    this.cursor = null;
    this.listen();
    this.draw();
  }

  listen() {
    this.canvas.addEventListener("pointermove", (event) => this.onmove(event));
    this.canvas.addEventListener("pointerleave", () => tooltip.hide());
    this.canvas.addEventListener("keydown", (event) => this.onkey(event));
    this.canvas.addEventListener("blur", () => this.moveCursor(null));
    document.addEventListener("themechange", () => this.draw());
    addEventListener("resize", debounced(() => this.draw()));
  }

  // Names stand beside the cells where there is room for each, else those of the parties.
  layout() {
    const available = this.canvas.parentElement.clientWidth;
    const most = Math.min(available, clamp(innerHeight - 150, 420, 860));
    const single = this.size === this.names.length;
    const columns = Math.min(widest(this.names) + 10, available * 0.28, 190);
    const labelled = single && Math.min(available - columns, most) / this.size >= 10.5;
    const parties = Math.min(widest(this.parties.map((party) => party.name)) + 10, available * 0.28, 150);
    const left = (labelled ? columns : parties) + STRIP + 3;
    const top = STRIP + 3;
    const side = Math.min(available - left - 2, most, this.size * 46);
    return { left, top, side, cell: side / this.size, labelled };
  }

  draw() {
    const { left, top, side, cell, labelled } = (this.shape = this.layout());
    const context = fit(this.canvas, left + side + 2, top + side + 2);
    paintCells(context, this.matrix, range(this.size), range(this.size), left, top, cell);
    this.parties.forEach((party, k) => this.drawParty(context, party, k, labelled));
    if (labelled) this.drawNames(context);
    this.outlineCursor(context);
    this.legend();
  }

  drawParty(context, party, k, labelled) {
    const { left, top, side, cell } = this.shape;
    const [from, to] = [party.first * cell, (party.last + 1) * cell];
    if (to <= from) return;
    const gap = to - from > 6 ? 1 : 0;
    context.fillStyle = party.nobody ? theme.ink("muted") : groupColour(k);
    context.fillRect(left - STRIP - 3, top + from, STRIP, to - from - gap);
    context.fillRect(left + from, top - STRIP - 3, to - from - gap, STRIP);
    if (party.last < this.size - 1) {
      context.fillStyle = theme.ink("ink");
      context.fillRect(left, top + to - 1, side, 1);
      context.fillRect(left + to - 1, top, 1, side);
    }
    if (labelled || to - from < 13) return;
    context.fillStyle = theme.ink("ink");
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.fillText(clipText(context, party.name, left - STRIP - 12), left - STRIP - 8, top + (from + to) / 2);
  }

  drawNames(context) {
    const { left, top, cell } = this.shape;
    context.font = `${clamp(cell * 0.85, 9, 12)}px ${theme.font}`;
    context.fillStyle = theme.ink("ink");
    context.textAlign = "right";
    context.textBaseline = "middle";
    this.names.forEach((name, k) => context.fillText(clipText(context, name, left - STRIP - 12), left - STRIP - 8, top + (k + 0.5) * cell));
  }

  outlineCursor(context) {
    if (!this.cursor) return;
    const { left, top, cell } = this.shape;
    const size = Math.max(cell, 5);
    context.lineWidth = 2;
    context.strokeStyle = theme.ink("accent");
    context.strokeRect(left + this.cursor[1] * cell - 1, top + this.cursor[0] * cell - 1, size + 1, size + 1);
  }

  legend() {
    $("#map-legend").replaceChildren(
      h("span", {}, "0"), h("i", { style: `background:${gradient("sequential")}` }), h("span", {}, "1"),
      h("b", { style: `background:${undefinedColour()}` }), h("span", {}, "undefined"));
  }

  nameOf(bin) {
    const [first, last] = [this.starts[bin], (this.starts[bin + 1] ?? this.names.length) - 1];
    const party = this.parties[this.owner[bin]].name;
    return first === last ? `${this.names[first]} (${party})` : `${this.names[first]} … ${this.names[last]} (${party})`;
  }

  words([i, j]) {
    const value = this.matrix.value(i, j);
    const strength = Number.isNaN(value) ? "undefined" : fixed(value);
    if (i === j && this.size === this.names.length) return this.nameOf(i);
    return `${this.nameOf(i)}\n${this.nameOf(j)}\n${this.size === this.names.length ? "correlation" : "mean correlation"} ${strength}`;
  }

  cellAt(event) {
    const { left, top, side, cell } = this.shape;
    const [x, y] = [event.offsetX - left, event.offsetY - top];
    return x < 0 || y < 0 || x >= side || y >= side ? null : [Math.floor(y / cell), Math.floor(x / cell)];
  }

  onmove(event) {
    const cell = this.cellAt(event);
    if (cell) tooltip.show(this.words(cell), event.clientX, event.clientY);
    else tooltip.hide();
  }

  onkey(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!step || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const within = (k) => clamp(k, 0, this.size - 1);
    this.moveCursor(this.cursor ? [within(this.cursor[0] + step[0]), within(this.cursor[1] + step[1])] : [0, 0]);
  }

  moveCursor(cell) {
    this.cursor = cell;
    this.draw();
    tooltip.hide();
    if (!cell) return;
    const bounds = this.canvas.getBoundingClientRect();
    const words = this.words(cell);
    tooltip.show(words, bounds.left + this.shape.left + (cell[1] + 1) * this.shape.cell, bounds.top + this.shape.top + cell[0] * this.shape.cell);
    announce(words.replaceAll("\n", ", "));
  }
}

startPage((payload) => {
  startHolders();
  if (payload.header.values) new SplitMap(payload);
});
