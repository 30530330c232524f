// The association map: clustered, zoomable, by mouse, touch and keyboard.

function cellWords(report, matrix, i, j) {
  if (i === j) return report.features[i];
  const value = matrix.value(i, j);
  const joint = matrix.symmetric ? " and " : " → ";
  const title = `${report.features[i]}${joint}${report.features[j]}`;
  if (Number.isNaN(value)) return `${title}\n${report.reasons[matrix.reason(i, j)] || "undefined"}`;
  const direction = { 1: ", rising together", "-1": ", in opposite directions" }[matrix.direction(i, j)] ?? "";
  const p = matrix.pvalue(i, j);
  return `${title}\n${matrix.label} ${fixed(value, 3)}${direction}\n${Number.isNaN(p) ? "" : `p ${readableP(p)}, `}n ${matrix.count(i, j).toLocaleString("en-US")}`;
}

class Heatmap {
  constructor(report, panel) {
    this.report = report;
    this.panel = panel;
    this.size = report.features.length;
    this.matrix = report.auto;
    this.window = { row: 0, col: 0, span: this.size };
    this.cursor = null;
    this.canvas = $("#heatmap-canvas");
    this.listen();
    this.draw();
  }

  listen() {
    const select = $("#heatmap-measure");
    select.append(...this.report.matrices.map((m) => h("option", { value: m.name, selected: m === this.matrix }, m.label)));
    select.addEventListener("change", () => {
      this.matrix = this.report.matrices.find((m) => m.name === select.value);
      this.draw();
    });
    $("#zoom-in").addEventListener("click", () => this.zoom(0.6));
    $("#zoom-out").addEventListener("click", () => this.zoom(1 / 0.6));
    $("#zoom-all").addEventListener("click", () => this.showAll());
    this.canvas.addEventListener("keydown", (event) => this.onkey(event));
    this.canvas.addEventListener("wheel", (event) => this.onwheel(event), { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => this.onpress(event));
    this.canvas.addEventListener("pointermove", (event) => this.onmove(event));
    this.canvas.addEventListener("pointerup", (event) => this.onrelease(event));
    this.canvas.addEventListener("pointerleave", () => tooltip.hide());
    this.canvas.addEventListener("blur", () => this.moveCursor(null));
    document.addEventListener("themechange", () => this.draw());
    addEventListener("resize", debounced(() => this.draw()));
  }

  // Sizes follow from the room there is and the names that are shown.
  layout() {
    const available = this.canvas.parentElement.clientWidth;
    const { span, row, col } = this.window;
    const names = [...this.report.features.slice(row, row + span), ...this.report.features.slice(col, col + span)];
    const wanted = Math.min(widest(names) + 12, available * 0.26, 190);
    const most = clamp(innerHeight - 190, 420, 820);
    const roomy = Math.min(available - wanted - 4, most - wanted) / span >= 11;
    const gutter = roomy ? wanted : 6;
    const side = Math.min(available - gutter - 4, Math.max(most - gutter, 320), span * 58);
    return { gutter, side, cell: side / span, labelled: roomy };
  }

  draw() {
    const { gutter, side, cell, labelled } = (this.shape = this.layout());
    const { row, col, span } = this.window;
    const context = fit(this.canvas, gutter + side + 4, gutter + side + 4);
    const index = (start) => range(span).map((k) => start + k);
    paintCells(context, this.matrix, index(row), index(col), gutter, gutter, cell);
    context.save();
    context.beginPath();
    context.rect(gutter - 1, gutter - 1, side + 4, side + 4);
    context.clip();
    this.outlineGroups(context);
    context.restore();
    if (labelled) this.label(context);
    this.outlineCursor(context);
    this.legend();
  }

  outlineGroups(context) {
    const { gutter, cell } = this.shape;
    context.strokeStyle = theme.ink("ink");
    context.lineWidth = 1.5;
    for (const { members } of this.report.groups) {
      const at = members.map((name) => this.report.position.get(name)).sort((a, b) => a - b);
      if (at.length < 2 || at.at(-1) - at[0] !== at.length - 1) continue;
      context.strokeRect(gutter + (at[0] - this.window.col) * cell - 0.5, gutter + (at[0] - this.window.row) * cell - 0.5, at.length * cell, at.length * cell);
    }
  }

  label(context) {
    const { gutter, cell } = this.shape;
    const { row, col, span } = this.window;
    context.font = `${clamp(cell * 0.8, 10, 12)}px ${theme.font}`;
    context.textBaseline = "middle";
    for (const k of range(span)) {
      const mark = (index) => {
        const isTarget = this.report.features[index] === this.report.target;
        context.fillStyle = theme.ink(isTarget ? "accent" : "ink");
        return clipText(context, this.report.features[index], gutter - 10);
      };
      context.textAlign = "right";
      context.fillText(mark(row + k), gutter - 6, gutter + (k + 0.5) * cell);
      context.save();
      context.translate(gutter + (k + 0.5) * cell, gutter - 6);
      context.rotate(-Math.PI / 2);
      context.textAlign = "left";
      context.fillText(mark(col + k), 0, 0);
      context.restore();
    }
  }

  outlineCursor(context) {
    if (!this.cursor) return;
    const { gutter, cell } = this.shape;
    const [x, y] = [gutter + (this.cursor[1] - this.window.col) * cell, gutter + (this.cursor[0] - this.window.row) * cell];
    const size = Math.max(cell, 5);
    context.lineWidth = 4;
    context.strokeStyle = theme.ink("surface");
    context.strokeRect(x - 1, y - 1, size + 1, size + 1);
    context.lineWidth = 2;
    context.strokeStyle = theme.ink("accent");
    context.strokeRect(x - 1, y - 1, size + 1, size + 1);
  }

  legend() {
    const { signed, scale } = this.matrix;
    $("#heatmap-legend").replaceChildren(
      h("span", {}, signed ? readable(-scale, 2) : "0"),
      h("i", { style: `background:${gradient(signed ? "diverging" : "sequential")}` }),
      h("span", {}, readable(scale, 2)),
      h("b", { style: `background:${undefinedColour()}` }), h("span", {}, "undefined"));
    $("#heatmap-summary").textContent = this.matrix.summary + (this.matrix.symmetric ? "" : " Rows determine columns.");
  }

  // Changes the span by a factor, around the cursor or the middle.
  zoom(factor, around = this.cursor) {
    const { row, col, span } = this.window;
    const next = clamp(Math.round(span * factor), Math.min(6, this.size), this.size);
    const [r, c] = around ?? [row + span / 2, col + span / 2];
    this.window.span = next;
    this.panTo(r - ((r - row) / span) * next, c - ((c - col) / span) * next);
  }

  panTo(row, col) {
    const last = this.size - this.window.span;
    this.window.row = clamp(Math.round(row), 0, last);
    this.window.col = clamp(Math.round(col), 0, last);
    this.draw();
  }

  showAll() {
    this.window.span = this.size;
    this.panTo(0, 0);
  }

  // Zooms to some features and puts the cursor on their first pair.
  focusOn(names) {
    const at = names.map((name) => this.report.position.get(name)).filter((k) => k !== undefined).sort((a, b) => a - b);
    if (at.length) {
      const span = at.at(-1) - at[0] + 1;
      this.window.span = clamp(span + 8, Math.min(12, this.size), this.size);
      this.panTo(at[0] - (this.window.span - span) / 2, at[0] - (this.window.span - span) / 2);
    }
    this.canvas.focus();
    if (at.length) this.moveCursor([at[0], at[1] ?? at[0]]);
  }

  moveCursor(cell) {
    this.cursor = cell;
    if (!cell) {
      tooltip.hide();
      this.draw();
      return;
    }
    const { row, col, span } = this.window;
    const follow = (at, start) => (at < start ? at : at >= start + span ? at - span + 1 : start);
    this.panTo(follow(cell[0], row), follow(cell[1], col));
    const words = cellWords(this.report, this.matrix, ...cell);
    const bounds = this.canvas.getBoundingClientRect();
    const at = (k, start) => this.shape.gutter + (k - start + 1) * this.shape.cell;
    tooltip.show(words, bounds.left + at(cell[1], this.window.col) - 8, bounds.top + at(cell[0], this.window.row) - 10);
    announce(words.replaceAll("\n", ", "));
  }

  onkey(event) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    const [i, j] = this.cursor ?? [this.window.row, this.window.col];
    const within = (k) => clamp(k, 0, this.size - 1);
    if (step && event.ctrlKey) return;
    if (step) this.moveCursor(this.cursor ? [within(i + step[0]), within(j + step[1])] : [i, j]);
    else if (event.key === "Home") this.moveCursor([i, 0]);
    else if (event.key === "End") this.moveCursor([i, this.size - 1]);
    else if (event.key === "+" || event.key === "=") this.zoom(0.6);
    else if (event.key === "-") this.zoom(1 / 0.6);
    else if (event.key === "0") this.showAll();
    else if ((event.key === "Enter" || event.key === " ") && this.cursor) this.choose(i, j);
    else return;
    event.preventDefault();
  }

  onwheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.zoom(event.deltaY < 0 ? 0.8 : 1.25, this.cellAt(event));
  }

  cellAt(event) {
    const { gutter, side, cell } = this.shape;
    const [x, y] = [event.offsetX - gutter, event.offsetY - gutter];
    if (x < 0 || y < 0 || x >= side || y >= side) return null;
    return [this.window.row + Math.floor(y / cell), this.window.col + Math.floor(x / cell)];
  }

  onpress(event) {
    this.press = { x: event.offsetX, y: event.offsetY, ...this.window, moved: false };
    if (event.pointerType === "mouse") this.canvas.setPointerCapture(event.pointerId);
  }

  onmove(event) {
    if (this.press) {
      const [dx, dy] = [event.offsetX - this.press.x, event.offsetY - this.press.y];
      if (Math.hypot(dx, dy) > 5) this.press.moved = true;
      if (this.press.moved) {
        this.panTo(this.press.row - dy / this.shape.cell, this.press.col - dx / this.shape.cell);
        return;
      }
    }
    const cell = this.cellAt(event);
    this.canvas.style.cursor = cell ? "pointer" : "default";
    if (cell) tooltip.show(cellWords(this.report, this.matrix, ...cell), event.clientX, event.clientY);
    else tooltip.hide();
  }

  onrelease(event) {
    const cell = this.press && !this.press.moved && this.cellAt(event);
    this.press = null;
    if (cell) this.choose(...cell);
  }

  choose(i, j) {
    tooltip.hide();
    if (i === j) this.panel.openColumn(this.report.features[i]);
    else this.panel.openPair(i, j);
  }
}
