// The feature network: every column, its spanning tree, and the pairs above a threshold.

const MOST_EDGES = 6000;
const MOST_NAMES = 90;

// Positions from a radial drawing of the tree; each component gets its own sector.
function radialLayout(n, tree) {
  const near = range(n).map(() => []);
  tree.forEach(([a, b]) => {
    near[a].push(b);
    near[b].push(a);
  });
  const leaves = new Array(n).fill(1);
  const x = new Float64Array(n);
  const y = new Float64Array(n);
  const walk = (root) => {
    const order = [[root, -1]];
    for (let k = 0; k < order.length; k++) {
      const [node, parent] = order[k];
      for (const child of near[node]) if (child !== parent) order.push([child, node]);
    }
    for (const [node, parent] of [...order].reverse()) {
      const children = near[node].filter((c) => c !== parent);
      leaves[node] = Math.max(children.reduce((sum, c) => sum + leaves[c], 0), 1);
    }
    return order;
  };
  const seen = new Set();
  const roots = range(n).sort((a, b) => near[b].length - near[a].length).filter((node) => {
    if (seen.has(node)) return false;
    walk(node).forEach(([member]) => seen.add(member));
    return true;
  });
  const total = roots.reduce((sum, root) => sum + leaves[root], 0);
  let turn = 0;
  const place = (root, depth0) => {
    const stack = [[root, -1, turn, turn + (2 * Math.PI * leaves[root]) / total, depth0]];
    turn = stack[0][3];
    while (stack.length) {
      const [node, parent, from, to, depth] = stack.pop();
      const angle = (from + to) / 2;
      [x[node], y[node]] = [depth * Math.cos(angle), depth * Math.sin(angle)];
      const children = near[node].filter((c) => c !== parent);
      const all = children.reduce((sum, c) => sum + leaves[c], 0);
      let at = from;
      for (const child of children) {
        const end = at + ((to - from) * leaves[child]) / all;
        stack.push([child, node, at, end, depth + 1]);
        at = end;
      }
    }
  };
  roots.forEach((root) => place(root, roots.length > 1 ? 1 : 0));
  return { x, y };
}

// Springs along edges, repulsion between all nodes, a weak pull to the middle; a step at a time.
class Springs {
  constructor(n, tree, edges) {
    Object.assign(this, radialLayout(n, tree));
    this.n = n;
    this.links = [...tree.map(([a, b, s]) => [a, b, s, 0.22]), ...edges.map(([a, b, s]) => [a, b, s, 0.05 * s])];
    this.heat = 0.6;
    this.steps = n > 250 ? 140 : 260;
  }

  step() {
    const { n, x, y, links } = this;
    const [fx, fy] = [new Float64Array(n), new Float64Array(n)];
    for (let a = 0; a < n; a++) {
      for (let b = a + 1; b < n; b++) {
        const [dx, dy] = [x[a] - x[b], y[a] - y[b]];
        const push = 0.35 / (dx * dx + dy * dy + 0.02);
        fx[a] += dx * push;
        fy[a] += dy * push;
        fx[b] -= dx * push;
        fy[b] -= dy * push;
      }
      fx[a] -= x[a] * 0.012;
      fy[a] -= y[a] * 0.018;
    }
    for (const [a, b, strength, pull] of links) {
      const [dx, dy] = [x[a] - x[b], y[a] - y[b]];
      const length = Math.hypot(dx, dy) || 1e-6;
      const force = (pull * 4 * (length - (1.5 - strength))) / length;
      fx[a] -= dx * force;
      fy[a] -= dy * force;
      fx[b] += dx * force;
      fy[b] += dy * force;
    }
    for (let a = 0; a < n; a++) {
      const size = Math.hypot(fx[a], fy[a]) || 1;
      const move = Math.min(size, this.heat) / size;
      x[a] += fx[a] * move;
      y[a] += fy[a] * move;
    }
    this.heat *= 0.985;
    this.steps--;
  }
}

const threshold = () => Number($("#network-threshold").value);

// Columns as nodes and pairs as lines on one canvas; places and names come from the springs of the whole network.
class NetworkCanvas {
  constructor(report, panel, canvas, matrix) {
    Object.assign(this, { report, panel, canvas, matrix, n: report.features.length, tree: [], drawn: [], lit: null });
    this.nodes = range(this.n);
    this.peers = [this];
    this.canvas.addEventListener("pointermove", (event) => this.onmove(event));
    this.canvas.addEventListener("pointerleave", () => this.light(null));
    this.canvas.addEventListener("click", (event) => this.onclick(event));
    this.canvas.addEventListener("keydown", (event) => this.onkey(event));
    this.canvas.addEventListener("blur", () => this.light(null));
  }

  place(width, height) {
    const { x, y } = this.springs;
    const margin = { x: this.n > 80 ? 40 : 80, y: 34 };
    const [x0, x1] = extent([...x]);
    const [y0, y1] = extent([...y]);
    const scale = Math.min((width - 2 * margin.x) / (x1 - x0 || 1), (height - 2 * margin.y) / (y1 - y0 || 1));
    const stretch = [Math.min((width - 2 * margin.x) / (x1 - x0 || 1), scale * 1.7), Math.min((height - 2 * margin.y) / (y1 - y0 || 1), scale * 1.7)];
    this.px = [...x].map((v) => width / 2 + (v - (x0 + x1) / 2) * stretch[0]);
    this.py = [...y].map((v) => height / 2 + (v - (y0 + y1) / 2) * stretch[1]);
  }

  radius(k) {
    return (this.n > 120 ? 3 : 5) + Math.min(Math.sqrt(this.degree[k]) * 1.6, 6) + (this.isTarget(k) ? 2 : 0);
  }

  isTarget(k) {
    return this.report.features[k] === this.report.target;
  }

  paint() {
    const width = this.canvas.parentElement.clientWidth;
    const height = clamp(width * 0.6, 320, this.n > 120 ? 760 : 600);
    const context = fit(this.canvas, width - 2, height);
    this.place(width - 2, height);
    this.drawEdges(context, threshold());
    this.drawNodes(context);
    this.drawNames(context, width - 2);
  }

  matrixOf() {
    return this.matrix;
  }

  direction(a, b) {
    return this.matrix.direction(a, b);
  }

  drawEdges(context, threshold) {
    const colours = ramp("diverging").map(css);
    const neutral = theme.ink("muted");
    const isLit = ([a, b]) => this.lit !== null && (a === this.lit || b === this.lit);
    for (const edge of this.drawn) {
      const [a, b, strength, inTree] = edge;
      const direction = this.direction(a, b);
      context.strokeStyle = direction === 0 ? neutral : colours[direction < 0 ? 40 : 214];
      context.globalAlpha = this.lit === null ? (inTree ? 0.9 : 0.22 + 0.4 * strength) : isLit(edge) ? 1 : 0.1;
      context.lineWidth = 0.7 + 3.4 * strength * (this.n > 120 ? 0.6 : 1);
      context.setLineDash(inTree && strength < threshold ? [3, 4] : []);
      context.beginPath();
      context.moveTo(this.px[a], this.py[a]);
      context.lineTo(this.px[b], this.py[b]);
      context.stroke();
    }
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  drawNodes(context) {
    const near = this.lit === null ? null : new Set(this.drawn.flatMap(([a, b]) => (a === this.lit || b === this.lit ? [a, b] : [])));
    for (const k of this.nodes) {
      context.globalAlpha = near && !near.has(k) && k !== this.lit ? 0.25 : 1;
      context.fillStyle = groupColour(this.report.groupOf.get(this.report.features[k]));
      context.strokeStyle = theme.ink(this.isTarget(k) ? "ink" : "surface");
      context.lineWidth = this.isTarget(k) || k === this.lit ? 3 : 1.5;
      context.beginPath();
      context.arc(this.px[k], this.py[k], this.radius(k), 0, 7);
      context.fill();
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  // Names from the most connected column down, each where it covers no other name.
  drawNames(context, width) {
    const taken = [];
    const weight = (k) => this.degree[k] + (this.isTarget(k) ? 1e6 : 0) + (k === this.lit ? 1e9 : 0);
    const clear = (box) => taken.every((t) => box.right < t.left || box.left > t.right || box.bottom < t.top || box.top > t.bottom);
    context.textBaseline = "middle";
    context.lineJoin = "round";
    for (const k of [...this.nodes].sort((a, b) => weight(b) - weight(a)).slice(0, MOST_NAMES)) {
      const text = shorten(this.report.features[k], 26);
      context.font = `${this.isTarget(k) || k === this.lit ? "600 " : ""}12px ${theme.font}`;
      const w = context.measureText(text).width;
      const r = this.radius(k) + 4;
      const spots = [[r, 0], [-r - w, 0], [-w / 2, r + 7], [-w / 2, -r - 7]];
      const boxes = spots.map(([dx, dy]) => ({ left: this.px[k] + dx - 1, right: this.px[k] + dx + w + 1, top: this.py[k] + dy - 7, bottom: this.py[k] + dy + 7, dx, dy }));
      const box = boxes.find((b) => b.left > 2 && b.right < width - 2 && clear(b)) ?? (k === this.lit ? boxes[0] : null);
      if (!box) continue;
      taken.push(box);
      context.textAlign = "left";
      context.lineWidth = 3.5;
      context.strokeStyle = theme.ink("surface");
      context.strokeText(text, box.left + 1, this.py[k] + box.dy);
      context.fillStyle = theme.ink("ink");
      context.fillText(text, box.left + 1, this.py[k] + box.dy);
    }
  }

  nodeAt(x, y) {
    const distance = (k) => Math.hypot(this.px[k] - x, this.py[k] - y) - this.radius(k);
    const nearest = this.nodes.reduce((best, k) => (distance(k) < distance(best) ? k : best));
    return distance(nearest) < 5 ? nearest : null;
  }

  edgeAt(x, y) {
    let [best, least] = [null, 5];
    for (const edge of this.drawn) {
      const [ax, ay, bx, by] = [this.px[edge[0]], this.py[edge[0]], this.px[edge[1]], this.py[edge[1]]];
      const t = clamp(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / ((bx - ax) ** 2 + (by - ay) ** 2 || 1), 0, 1);
      const d = Math.hypot(ax + t * (bx - ax) - x, ay + t * (by - ay) - y);
      if (d <= least) [best, least] = [edge, d];
    }
    return best;
  }

  light(k) {
    if (k === null) tooltip.hide();
    if (k === this.lit) return;
    this.peers.forEach((peer) => {
      peer.lit = k;
      peer.paint();
    });
  }

  onmove(event) {
    const node = this.nodeAt(event.offsetX, event.offsetY);
    const edge = node === null ? this.edgeAt(event.offsetX, event.offsetY) : null;
    this.light(node);
    this.canvas.style.cursor = node !== null || edge ? "pointer" : "default";
    if (node !== null) tooltip.show(this.words(node), event.clientX, event.clientY);
    else if (edge) tooltip.show(cellWords(this.report, this.matrixOf(edge[0], edge[1]), edge[0], edge[1]), event.clientX, event.clientY);
    else tooltip.hide();
  }

  words(node) {
    const group = this.report.groups[this.report.groupOf.get(this.report.features[node])];
    return this.report.features[node] + (group ? `\nin the group of ${group.representative}` : "");
  }

  onclick(event) {
    const node = this.nodeAt(event.offsetX, event.offsetY);
    const edge = this.edgeAt(event.offsetX, event.offsetY);
    tooltip.hide();
    if (node !== null) this.panel.openColumn(this.report.features[node]);
    else if (edge) this.panel.openPair(edge[0], edge[1]);
  }

  onkey(event) {
    const step = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (step) this.walk(step);
    else if ((event.key === "Enter" || event.key === " ") && this.lit !== null) this.panel.openColumn(this.report.features[this.lit]);
    else return;
    event.preventDefault();
  }

  // To the nearest node in a direction; the first step lights the most connected one.
  walk([dx, dy]) {
    if (this.lit === null) {
      this.light(this.nodes.reduce((best, k) => (this.degree[k] > this.degree[best] ? k : best)));
    } else {
      const cost = (k) => {
        const [x, y] = [this.px[k] - this.px[this.lit], this.py[k] - this.py[this.lit]];
        const along = x * dx + y * dy;
        return along <= 1 ? Infinity : along + 2.5 * Math.abs(x * dy - y * dx);
      };
      const next = this.nodes.filter((k) => k !== this.lit).reduce((best, k) => (cost(k) < cost(best) ? k : best));
      if (cost(next) < Infinity) this.light(next);
    }
    const bounds = this.canvas.getBoundingClientRect();
    tooltip.show(this.words(this.lit), bounds.left + this.px[this.lit], bounds.top + this.py[this.lit]);
    announce(this.words(this.lit));
  }
}

// The spanning tree and the strong pairs, each pair by itself.
class Network extends NetworkCanvas {
  constructor(report, panel) {
    super(report, panel, $("#network-canvas"), report.auto);
    this.tree = report.tree;
    this.edges = strongEdges(report.auto, this.n);
    this.treeKeys = new Set(report.tree.map(([a, b]) => Math.min(a, b) * this.n + Math.max(a, b)));
    this.springs = new Springs(this.n, report.tree, this.edges.slice(0, 3 * this.n).filter((edge) => edge[2] > 0.3));
    this.degree = new Float64Array(this.n);
    report.tree.forEach(([a, b]) => [a, b].forEach((k) => this.degree[k]++));
    if ($("#partial-canvas")) {
      this.twin = new PartialNetwork(this);
      this.peers = this.twin.peers = [this, this.twin];
    }
    this.startThreshold();
    this.listen();
    this.settle();
  }

  // Starts where about two more pairs a column than the tree has are drawn.
  startThreshold() {
    const slider = $("#network-threshold");
    const start = this.edges[Math.min(2 * this.n, this.edges.length - 1)]?.[2] ?? 0.5;
    slider.value = clamp(Math.ceil(start * 100) / 100, 0.1, 0.9);
    slider.addEventListener("input", () => this.draw());
  }

  // Lights a column that a finding tells of.
  reveal(names) {
    const node = this.report.position.get(names[0]);
    if (node !== undefined) this.light(node);
  }

  listen() {
    document.addEventListener("themechange", () => {
      this.draw();
      this.legend();
    });
    addEventListener("resize", debounced(() => this.draw()));
  }

  // Lets the springs come to rest: in view where motion is welcome, else at once.
  settle() {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const frame = (budget) => {
      const until = performance.now() + budget;
      while (this.springs.steps > 0 && performance.now() < until) this.springs.step();
      this.draw();
      if (this.springs.steps > 0) requestAnimationFrame(() => frame(14));
    };
    frame(still ? 5000 : 60);
    this.legend();
  }

  finish() {
    while (this.springs.steps > 0) this.springs.step();
    this.draw();
  }

  draw() {
    const least = threshold();
    $("#network-value").textContent = least.toFixed(2);
    this.drawn = [
      ...this.edges.filter(([a, b, s]) => s >= least && !this.treeKeys.has(a * this.n + b)),
      ...this.tree.map(([a, b, s]) => [Math.min(a, b), Math.max(a, b), s, true]),
    ];
    const more = this.drawn.length - this.tree.length;
    const capped = more && this.edges.length === MOST_EDGES && this.edges.at(-1)[2] >= least;
    $("#network-count").textContent = `${plural(more, "pair")}${capped ? " (the strongest)" : ""} beside the tree’s ${this.tree.length}`;
    this.paint();
    this.twin?.draw();
  }

  legend() {
    const { groups } = this.report;
    const shown = groups.slice(0, 10);
    $("#network-legend").replaceChildren(...shown.map((group, g) =>
      h("span", {}, h("b", { style: `background:${groupColour(g)}` }), h("em", { title: group.members.join(", ") }, `${shorten(group.representative, 30)} and ${group.members.length - 1} more`))),
      groups.length ? h("span", {}, h("b", { style: "background:var(--muted)" }), h("em", {}, groups.length > 10 ? "other groups repeat colours; grey: in no group" : "in no group")) : "");
  }
}

// The same columns at the same places, joined by their partial correlations (parts of a whole by those of log-ratios):
// links that go through other columns are gone.
class PartialNetwork extends NetworkCanvas {
  constructor({ report, panel, springs, degree }) {
    const named = (name) => report.matrices.find((m) => m.name === name);
    super(report, panel, $("#partial-canvas"), named("partial_correlation"));
    Object.assign(this, { springs, degree, ofParts: named("compositional_partial_correlation") });
    this.nodes = this.nodes.filter((k) => !Number.isNaN(this.matrix.value(k, k)));
    const pairs = (this.nodes.length * (this.nodes.length - 1)) / 2;
    const isReal = ([a, b]) => !(this.matrixOf(a, b).pvalue(a, b) * pairs > 0.01);
    const matrices = [this.matrix, this.ofParts].filter(Boolean);
    this.edges = matrices.flatMap((matrix) => strongEdges(matrix, this.n)).filter(isReal);
  }

  draw() {
    this.drawn = this.edges.filter(([, , strength]) => strength >= threshold());
    $("#partial-count").textContent = `${plural(this.drawn.length, "pair")} of ${plural(this.nodes.length, "column")}`;
    this.paint();
  }

  matrixOf(a, b) {
    return Number.isNaN(this.matrix.value(a, b)) && this.ofParts ? this.ofParts : this.matrix;
  }

  direction(a, b) {
    return Math.sign(this.matrixOf(a, b).value(a, b));
  }
}

// Defined pairs by falling strength, at most a few thousand.
function strongEdges(matrix, n) {
  const edges = [];
  for (let a = 0; a < n; a++) {
    for (let b = a + 1; b < n; b++) {
      const strength = Math.abs(matrix.strength(a, b));
      if (strength >= 0.02) edges.push([a, b, strength]);
    }
  }
  return edges.sort((a, b) => b[2] - a[2]).slice(0, MOST_EDGES);
}
