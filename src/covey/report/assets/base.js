// Elements, numbers as people write them, and the report's data.

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

function setUp(node, properties, children) {
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(2).filter((child) => ![null, undefined, false].includes(child)));
  return node;
}

// Text always enters as text nodes, never as markup.
const h = (tag, properties = {}, ...children) => setUp(document.createElement(tag), properties, children);
const svg = (tag, properties = {}, ...children) =>
  setUp(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const range = (n) => Array.from({ length: n }, (_, k) => k);
const shorten = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
const minus = (text) => text.replaceAll("-", "−");
const plural = (n, word) => `${n.toLocaleString("en-US")} ${word}${n === 1 ? "" : "s"}`;

function power(value, digits) {
  const [mantissa, exponent] = value.toExponential(digits).split("e");
  const raised = String(Number(exponent)).replace(/./g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]));
  return `${minus(mantissa)} × 10${raised}`;
}

// A statistic or a datum: three or four significant digits, powers of ten only where they are needed.
function readable(value, digits = 4) {
  if (typeof value === "string") return value;
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e9) return minus(value.toLocaleString("en-US"));
  if (size >= 1e9 || size < 1e-3) return value === 0 ? "0" : power(value, 2);
  if (size >= 1000) return minus(Math.round(value).toLocaleString("en-US"));
  return minus(String(Number(value.toPrecision(digits))));
}

const fixed = (value, digits = 2) => (Number.isFinite(value) ? minus(value.toFixed(digits)).replace(/^−(0\.?0*)$/, "$1") : "–");

const percent = (share, digits = 0) => `${(share * 100).toFixed(digits)}\u00a0%`;

function readableP(p) {
  if (!Number.isFinite(p)) return "–";
  if (p < 1e-300) return "< 10⁻³⁰⁰";
  return p < 0.001 ? power(p, 1) : p.toFixed(3);
}

const readableDate = (seconds, span = Infinity) => {
  const text = new Date(seconds * 1000).toISOString();
  return span < 3 * 86400 ? text.slice(0, 16).replace("T", " ") : text.slice(0, 10);
};

const measureLabel = (name) =>
  ({ auto: "strength", cramers_v: "Cramér’s V", theils_u: "Theil’s U", pearson: "Pearson", spearman: "Spearman",
    kendall: "Kendall", hsic: "HSIC", chatterjee_xi: "Chatterjee’s ξ" })[name] ?? name.replaceAll("_", " ");

const ARRAYS = { u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, i4: Int32Array, f4: Float32Array };

function decodeBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let k = 0; k < raw.length; k++) bytes[k] = raw.charCodeAt(k);
  return bytes;
}

// Returns the header with each array reference [offset, length, dtype] still in place, and a reader for them.
async function readPayload() {
  const packed = decodeBase64($("#payload").textContent);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  const end = 4 + new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, end - 4)));
  return { header, array: ([offset, length, dtype]) => new ARRAYS[dtype](buffer, end + offset, length) };
}

// One measure over all pairs of features.
class Matrix {
  constructor(spec, size, constants, array) {
    Object.assign(this, { name: spec.name, summary: spec.summary, signed: spec.signed, symmetric: spec.symmetric });
    this.label = measureLabel(spec.name);
    this.size = size;
    this.scale = spec.scale;
    this.constants = constants;
    for (const part of ["values", "n", "reasons", "pvalues", "sign"]) this[part] = spec[part] && array(spec[part]);
  }

  position(i, j) {
    if (!this.symmetric) return i * this.size + j;
    if (i > j) [i, j] = [j, i];
    return i * this.size - (i * (i - 1)) / 2 + j - i;
  }

  value(i, j) {
    const code = this.values[this.position(i, j)];
    return code === this.constants.undefined ? NaN : (code / this.constants.levels) * this.scale;
  }

  // The larger direction, for a measure that has two.
  strength(i, j) {
    const value = this.value(i, j);
    return this.symmetric ? value : Math.max(value, this.value(j, i));
  }

  pvalue(i, j) {
    const code = this.pvalues ? this.pvalues[this.position(i, j)] : this.constants.noPvalue;
    return code === this.constants.noPvalue ? NaN : 10 ** (-code / this.constants.decade);
  }

  count(i, j) {
    return this.n[this.position(i, j)];
  }

  direction(i, j) {
    return this.sign ? this.sign[this.position(i, j)] : 0;
  }

  reason(i, j) {
    return this.reasons[this.position(i, j)];
  }
}

// Everything the page shows, with names resolved to positions.
class Report {
  constructor({ header, array }) {
    Object.assign(this, header);
    const size = this.features.length;
    this.matrices = header.matrices.map((spec) => new Matrix(spec, size, header.constants, array));
    this.auto = this.matrices.find((m) => m.name === "auto") ?? this.matrices[0];
    this.position = new Map(this.features.map((name, k) => [name, k]));
    this.column = new Map(this.columns.map((column) => [column.name, column]));
    this.samples = header.sample.columns.map((spec) => new Sample(spec, array));
    this.groupOf = new Map(this.groups.flatMap((group, g) => group.members.map((name) => [name, g])));
  }

  kind(feature) {
    return this.column.get(this.features[feature]).kind;
  }
}

// The sampled rows of one feature, as numbers or as codes of its labels; NaN is missing.
class Sample {
  constructor(spec, array) {
    this.kind = spec.kind;
    this.spec = spec;
    this.array = array;
    this.coded = Boolean(spec.labels) || spec.kind === "boolean";
    this.labels = spec.labels ?? (this.coded ? spec.levels.map((level) => readable(level)) : null);
  }

  get codes() {
    return Array.from(this.array(this.spec.values), (code) => (code === 255 ? NaN : code));
  }

  get numbers() {
    const raw = this.array(this.spec.values);
    if (this.spec.levels) return Array.from(raw, (code) => (code === 255 ? NaN : this.spec.levels[code]));
    return Array.from(raw, (value) => value + this.spec.offset);
  }
}

// Work that waits until its section comes near, or until the page is printed.
const waiting = new Map();

function whenNear(element, work) {
  waiting.set(element, work);
  watcher.observe(element);
}

const watcher = new IntersectionObserver(
  (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => begin(entry.target)),
  { rootMargin: "600px" },
);

function begin(element) {
  watcher.unobserve(element);
  const work = waiting.get(element);
  waiting.delete(element);
  work?.();
}

// Builds every waiting part down to an element, so that nothing above it grows while it is scrolled to.
function beginThrough(element) {
  for (const part of [...waiting.keys()]) {
    if (part === element || part.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING) begin(part);
  }
}

const tooltip = {
  show(text, x, y) {
    const box = $("#tooltip");
    box.textContent = text;
    box.hidden = false;
    const { width, height } = box.getBoundingClientRect();
    box.style.left = `${clamp(x + 14, 4, innerWidth - width - 4)}px`;
    box.style.top = `${y + 18 + height > innerHeight ? y - height - 10 : y + 18}px`;
  },
  hide() {
    $("#tooltip").hidden = true;
  },
};

const announce = (text) => {
  $("#announcer").textContent = text;
};

function debounced(work, wait = 150) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, wait);
  };
}

// The section that is being read is marked in the bar.
function startNavigation() {
  const links = new Map($$(".bar nav a").map((link) => [link.hash.slice(1), link]));
  links.forEach((link, anchor) => link.addEventListener("click", () => beginThrough($(`#${anchor}`))));
  const mark = (id) => links.forEach((link, anchor) => (anchor === id ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
  const seen = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => mark(entry.target.id)), { rootMargin: "-30% 0px -65%" });
  $$("section").forEach((section) => seen.observe(section));
}
