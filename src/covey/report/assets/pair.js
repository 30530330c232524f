// The picture of a pair: scatter with density, box plot or mosaic, as the kinds of its columns require.

const MOST_BOXES = 12;
const MOST_TILES = 9;
const MOST_NAME_WIDTH = 96;
const LEAN = 0.9;
const STRONG_RESIDUAL = 30; // Pearson residual at which a tile has its deepest colour

// A repeatable stream of numbers in 0..1, so that jitter looks the same each time.
function stream(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const quantile = (sorted, q) => {
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  return sorted[low] + (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]) * (at - low);
};

function midRanks(values) {
  const order = range(values.length).sort((a, b) => values[a] - values[b]);
  const ranks = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start;
    while (end < order.length && values[order[end]] === values[order[start]]) end++;
    for (let k = start; k < end; k++) ranks[order[k]] = (start + end + 1) / 2;
    start = end;
  }
  return ranks;
}

// Values moved a little when they fall on few levels, so that equal points are seen to be many.
function jittered(values, seed) {
  const levels = [...new Set(values)].sort((a, b) => a - b);
  if (levels.length < 2 || levels.length > Math.min(200, values.length / 8)) return values;
  const gap = quantile(levels.slice(1).map((value, k) => value - levels[k]).sort((a, b) => a - b), 0.25);
  const next = stream(seed);
  return values.map((value) => value + (next() - 0.5) * 0.62 * gap);
}

// How crowded the surroundings of each point are, 0..1.
function crowding(px, py, width, height) {
  const size = 6;
  const [w, hh] = [Math.ceil(width / size) + 3, Math.ceil(height / size) + 3];
  let grid = new Float32Array(w * hh);
  const cell = px.map((x, k) => (Math.floor(py[k] / size) + 1) * w + Math.floor(x / size) + 1);
  for (const c of cell) grid[c]++;
  for (let pass = 0; pass < 2; pass++) {
    const smooth = new Float32Array(w * hh);
    for (let c = w + 1; c < grid.length - w - 1; c++) {
      smooth[c] = (4 * grid[c] + 2 * (grid[c - 1] + grid[c + 1] + grid[c - w] + grid[c + w]) +
        grid[c - w - 1] + grid[c - w + 1] + grid[c + w - 1] + grid[c + w + 1]) / 16;
    }
    grid = smooth;
  }
  const values = cell.map((c) => grid[c]);
  const largest = values.reduce((a, b) => Math.max(a, b), 0);
  return values.map((v) => Math.sqrt(v / largest));
}

// Rows by the level that they have.
function rowsByLevel(levels) {
  const rows = new Map();
  levels.forEach((value, k) => rows.get(value)?.push(k) ?? rows.set(value, [k]));
  return rows;
}

// Medians of y along x: one for each level of x when there are few, else for each quantile bin.
function runningMedian(xs, ys) {
  const most = clamp(Math.floor(xs.length / 25), 2, 18);
  const byLevel = rowsByLevel(xs);
  const order = range(xs.length).sort((a, b) => xs[a] - xs[b]);
  // A bin ends where x changes, so that equal values are never torn apart.
  const edge = (b) => {
    let at = Math.round((b * order.length) / most);
    while (at > 0 && at < order.length && xs[order[at]] === xs[order[at - 1]]) at++;
    return at;
  };
  const bins = byLevel.size <= most
    ? [...byLevel.values()].filter((rows) => rows.length > 4)
    : range(most).map((b) => order.slice(edge(b), edge(b + 1))).filter((rows) => rows.length);
  const middle = (rows, values) => quantile(rows.map((k) => values[k]).sort((a, b) => a - b), 0.5);
  return bins.map((rows) => [middle(rows, xs), middle(rows, ys)]).sort((a, b) => a[0] - b[0]);
}

// The rows on which both sides are present.
function complete(left, right) {
  const kept = range(left.length).filter((k) => !Number.isNaN(left[k]) && !Number.isNaN(right[k]));
  return [kept.map((k) => left[k]), kept.map((k) => right[k])];
}

// A canvas with its drawing and, on hover, words about the mark under the pointer.
function plotFrame(label, width, height, draw) {
  const canvas = h("canvas", { role: "img", "aria-label": label });
  const wordsAt = draw(fit(canvas, width, height));
  if (wordsAt) {
    canvas.addEventListener("pointermove", (event) => {
      const words = wordsAt(event.offsetX, event.offsetY);
      if (words) tooltip.show(words, event.clientX, event.clientY);
      else tooltip.hide();
    });
    canvas.addEventListener("pointerleave", tooltip.hide);
  }
  return h("div", { class: "plot-frame" }, canvas);
}

// The picture of features i and j, `width` pixels wide; numbers by their ranks if asked.
function pairPlot(report, i, j, width, ranks = false) {
  const [left, right] = [report.samples[i], report.samples[j]];
  const names = [report.features[i], report.features[j]];
  if (left.coded && right.coded) return mosaic(left, right, names, width);
  if (left.coded) return boxes(left, right, names, width, ranks);
  if (right.coded) return boxes(right, left, [names[1], names[0]], width, ranks);
  return scatter(left, right, names, width, ranks);
}

const NOTHING = () => h("p", { class: "note" }, "No sampled row has both columns.");

function scatter(left, right, names, width, ranks) {
  let [xs, ys] = complete(left.numbers, right.numbers);
  if (!xs.length) return NOTHING();
  if (ranks) [xs, ys] = [[...midRanks(xs)], [...midRanks(ys)]];
  const height = Math.min(Math.round(width * 0.78), 440);
  const title = (k) => (ranks ? `${names[k]} (rank)` : names[k]);
  return plotFrame(`Scatter of ${names[0]} and ${names[1]}, ${xs.length} rows`, width, height, (context) => {
    const box = { top: 30, bottom: height - 44, right: width - 12 };
    const y = scaleOf(...extent(ys), box.bottom, box.top, right.kind === "datetime" && !ranks);
    box.left = leftGutter(y);
    const x = scaleOf(...extent(xs), box.left, box.right, left.kind === "datetime" && !ranks);
    drawLeftAxis(context, box, y, title(1));
    drawBottomAxis(context, box, x, title(0));
    const px = (ranks ? xs : jittered(xs, 1)).map((v) => clamp(x.at(v), box.left, box.right));
    const py = (ranks ? ys : jittered(ys, 2)).map((v) => clamp(y.at(v), box.top, box.bottom));
    drawDots(context, box, px, py);
    drawCurve(context, runningMedian(xs, ys).map(([a, b]) => [x.at(a), y.at(b)]), theme.ink("ink"));
  });
}

const extent = (values) => values.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);

function drawDots(context, box, px, py) {
  const crowd = crowding(px.map((v) => v - box.left), py.map((v) => v - box.top), box.right - box.left, box.bottom - box.top);
  const colours = ramp("sequential").map(css);
  const radius = px.length < 400 ? 3 : px.length < 1500 ? 2.3 : 1.8;
  context.globalAlpha = 0.8;
  for (const k of range(px.length).sort((a, b) => crowd[a] - crowd[b])) {
    context.fillStyle = colours[Math.round(95 + 160 * crowd[k])];
    context.beginPath();
    context.arc(px[k], py[k], radius, 0, 7);
    context.fill();
  }
  context.globalAlpha = 1;
}

function drawCurve(context, points, colour, halo = 5) {
  const stroke = (width, style) => {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.lineJoin = "round";
    context.beginPath();
    points.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
    context.stroke();
  };
  if (points.length < 2) return;
  if (halo) stroke(halo, theme.ink("surface"));
  stroke(2, colour);
}

// Rows of numbers by category: the most frequent categories, by falling median, then the rest together.
function boxRows(codes, numbers, labels) {
  const rows = [...rowsByLevel(codes)].sort((a, b) => b[1].length - a[1].length);
  const shown = rows.length > MOST_BOXES ? rows.slice(0, MOST_BOXES - 1) : rows;
  const named = shown.map(([code, members]) => ({ label: labels[code], members }));
  const rest = rows.slice(shown.length).flatMap(([, members]) => members);
  const described = (row) => ({ ...row, ...fiveNumbers(row.members.map((k) => numbers[k])) });
  const sorted = named.map(described).sort((a, b) => b.median - a.median);
  return rest.length ? [...sorted, described({ label: `${rows.length - shown.length} more`, members: rest })] : sorted;
}

function fiveNumbers(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const [lower, median, upper] = [0.25, 0.5, 0.75].map((q) => quantile(sorted, q));
  const reach = 1.5 * (upper - lower);
  return {
    values, lower, median, upper,
    low: sorted.find((v) => v >= lower - reach),
    high: sorted.findLast((v) => v <= upper + reach),
  };
}

function boxes(coded, number, names, width, ranks) {
  let [codes, numbers] = complete(coded.codes, number.numbers);
  if (!codes.length) return NOTHING();
  if (ranks) numbers = [...midRanks(numbers)];
  const rows = boxRows(codes, numbers, coded.labels);
  const step = rows.length > 6 ? 30 : 42;
  const height = rows.length * step + 78;
  const dates = number.kind === "datetime" && !ranks;
  return plotFrame(`Box plots of ${names[1]} by ${names[0]}, ${codes.length} rows`, width, height, (context) => {
    const gutter = Math.min(widest(rows.map((row) => row.label)), width * 0.36);
    const box = { left: gutter + 14, right: width - 50, top: 28, bottom: height - 44 };
    const x = scaleOf(...extent(numbers), box.left, box.right, dates);
    drawBottomAxis(context, box, x, ranks ? `${names[1]} (rank)` : names[1]);
    context.textAlign = "left";
    context.textBaseline = "alphabetic";
    context.fillText(clipText(context, names[0], width - 90), 2, 14);
    context.textAlign = "right";
    context.fillStyle = theme.ink("muted");
    context.fillText("rows", width - 2, 14);
    rows.forEach((row, k) => drawBox(context, row, box, x, box.top + (k + 0.5) * step, step, gutter, width));
    const word = dates ? (v) => readableDate(v) : readable;
    return (_, y) => {
      const row = rows[Math.floor((y - box.top) / step)];
      return row && y >= box.top && `${row.label}\n${plural(row.values.length, "row")}\nmedian ${word(row.median)}\nquartiles ${word(row.lower)} to ${word(row.upper)}`;
    };
  });
}

function drawBox(context, row, box, x, y, step, gutter, width) {
  const half = step * 0.27;
  const next = stream(row.values.length);
  context.fillStyle = theme.ink("bar");
  context.globalAlpha = row.values.length > 300 ? 0.18 : 0.35;
  for (const value of row.values.slice(0, 1500)) {
    context.beginPath();
    context.arc(x.at(value), y + (next() - 0.5) * step * 0.78, 1.4, 0, 7);
    context.fill();
  }
  context.globalAlpha = 1;
  context.strokeStyle = theme.ink("ink");
  context.lineWidth = 1.2;
  context.beginPath();
  context.moveTo(x.at(row.low), y);
  context.lineTo(x.at(row.lower), y);
  context.moveTo(x.at(row.upper), y);
  context.lineTo(x.at(row.high), y);
  context.stroke();
  context.strokeRect(x.at(row.lower), y - half, Math.max(x.at(row.upper) - x.at(row.lower), 0.5), 2 * half);
  context.lineWidth = 3;
  context.beginPath();
  context.moveTo(x.at(row.median), y - half);
  context.lineTo(x.at(row.median), y + half);
  context.stroke();
  context.textBaseline = "middle";
  context.textAlign = "right";
  context.fillStyle = theme.ink("ink");
  context.fillText(clipText(context, row.label, gutter), box.left - 8, y);
  context.fillStyle = theme.ink("muted");
  context.fillText(row.values.length.toLocaleString("en-US"), width - 2, y);
}

// Codes beyond the most frequent few become one; labels to match. Codes come ordered by falling frequency.
function pooled(codes, labels, most) {
  if (labels.length <= most) return [codes, labels];
  return [codes.map((c) => Math.min(c, most - 1)), [...labels.slice(0, most - 1), `${labels.length - most + 1} more`]];
}

// Positions at least `gap` apart, as near as can be to the wanted ones (ascending), within low..high.
function apart(wanted, gap, low, high) {
  const placed = [];
  for (const at of wanted) placed.push(Math.max(at, placed.length ? placed.at(-1) + gap : low));
  for (let k = placed.length - 1, most = high; k >= 0; k--, most -= gap) {
    if (placed[k] > most) placed[k] = most;
    else most = placed[k];
  }
  return placed;
}

function mosaicTiles(leftCodes, rightCodes, nLeft, nRight) {
  const counts = range(nLeft).map(() => new Array(nRight).fill(0));
  leftCodes.forEach((a, k) => counts[a][rightCodes[k]]++);
  const total = leftCodes.length;
  const across = counts.map((row) => row.reduce((a, b) => a + b, 0));
  const down = range(nRight).map((b) => counts.reduce((sum, row) => sum + row[b], 0));
  let before = 0;
  return across.map((sum, a) => {
    let above = 0;
    const tiles = range(nRight).map((b) => {
      const expected = (sum * down[b]) / total;
      const tile = { a, b, count: counts[a][b], expected, top: above / sum, bottom: (above + counts[a][b]) / sum };
      above += counts[a][b];
      return tile;
    });
    const column = { start: before / total, end: (before + sum) / total, tiles };
    before += sum;
    return column;
  });
}

function mosaic(left, right, names, width) {
  const [leftAll, rightAll] = complete(left.codes, right.codes);
  if (!leftAll.length) return NOTHING();
  const [leftCodes, leftLabels] = pooled(leftAll, left.labels, MOST_TILES);
  const [rightCodes, rightLabels] = pooled(rightAll, right.labels, MOST_TILES);
  const columns = mosaicTiles(leftCodes, rightCodes, leftLabels.length, rightLabels.length).filter((c) => c.end > c.start);
  const label = `Mosaic of ${names[0]} and ${names[1]}, ${leftAll.length} rows`;
  const gutter = Math.min(widest(rightLabels), width * 0.28);
  const left0 = gutter + 26;
  // Names lie flat below their columns where every one has room, else they lean.
  const flat = columns.every((c) => widest([leftLabels[c.tiles[0].a]]) < (c.end - c.start) * (width - left0 - 6) - 6);
  const below = flat ? 52 : Math.min(widest(leftLabels), MOST_NAME_WIDTH) * Math.sin(LEAN) + 46;
  const height = Math.min(Math.round(width * 0.62), 360) + 28 + below;
  return plotFrame(label, width, height, (context) => {
    const box = { left: left0, right: width - 6, top: 28, bottom: height - below };
    const colours = ramp("diverging");
    const xAt = (share) => box.left + share * (box.right - box.left);
    const yAt = (share) => box.top + share * (box.bottom - box.top);
    for (const { start, end, tiles } of columns) {
      for (const tile of tiles) {
        const residual = (tile.count - tile.expected) / Math.sqrt(tile.expected || 1);
        const shade = Math.sign(residual) * Math.sqrt(Math.abs(residual) / STRONG_RESIDUAL);
        context.fillStyle = css(colours[clamp(Math.round(127.5 * (1 + shade)), 0, 255)]);
        const tall = yAt(tile.bottom) - yAt(tile.top);
        context.fillRect(xAt(start) + 1, yAt(tile.top) + 0.7, Math.max(xAt(end) - xAt(start) - 2, 0.7), Math.max(tall - 1.4, 0.4));
      }
    }
    drawMosaicRows(context, box, columns, rightLabels, gutter, yAt);
    drawMosaicColumns(context, box, columns, leftLabels, flat, xAt);
    context.textAlign = "left";
    context.textBaseline = "alphabetic";
    context.fillStyle = theme.ink("ink");
    context.fillText(clipText(context, names[1], width - 8), 2, 14);
    context.textAlign = "center";
    context.fillText(clipText(context, names[0], box.right - box.left), (box.left + box.right) / 2, height - 8);
    return (px, py) => {
      const column = columns.find((c) => px >= xAt(c.start) && px < xAt(c.end));
      const tile = column?.tiles.find((t) => py >= yAt(t.top) && py < yAt(t.bottom));
      return tile && `${names[0]}: ${leftLabels[tile.a]}\n${names[1]}: ${rightLabels[tile.b]}\n${plural(tile.count, "row")}, ` +
        `${percent(tile.bottom - tile.top, 1)} of this column\n${fixed(tile.count / tile.expected)} × what independence expects`;
    };
  });
}

function markLabels(context) {
  context.strokeStyle = theme.ink("strong-line");
  context.fillStyle = theme.ink("muted");
  context.lineWidth = 1;
  context.textBaseline = "middle";
}

function line(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}

function drawMosaicRows(context, box, columns, labels, gutter, yAt) {
  markLabels(context);
  context.textAlign = "right";
  const middles = columns[0].tiles.map((tile) => yAt((tile.top + tile.bottom) / 2));
  apart(middles, 14, box.top + 6, box.bottom).forEach((y, b) => {
    context.fillText(clipText(context, labels[b], gutter), box.left - 20, y);
    line(context, box.left - 16, y, box.left - 3, middles[b]);
  });
}

function drawMosaicColumns(context, box, columns, labels, flat, xAt) {
  markLabels(context);
  const centres = columns.map((column) => xAt((column.start + column.end) / 2));
  const name = (k) => labels[columns[k].tiles[0].a];
  if (flat) {
    context.textAlign = "center";
    centres.forEach((x, k) => context.fillText(name(k), x, box.bottom + 14));
    return;
  }
  context.textAlign = "right";
  apart(centres, 17, box.left + 6, box.right - 4).forEach((x, k) => {
    line(context, centres[k], box.bottom + 2, x, box.bottom + 12);
    context.save();
    context.translate(x, box.bottom + 16);
    context.rotate(-LEAN);
    context.fillText(clipText(context, name(k), MOST_NAME_WIDTH), 0, 0);
    context.restore();
  });
}

const isNumberPair = (report, i, j) => !report.samples[i].coded && !report.samples[j].coded;
const hasNumbers = (report, i, j) => !report.samples[i].coded || !report.samples[j].coded;
