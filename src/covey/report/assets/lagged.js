// Columns that go before others along the rows.

const laggedOf = (report, [leader, follower]) => report.lagged.find((pair) => pair.leader === leader && pair.follower === follower);

class LaggedTable {
  constructor(report, panel) {
    $("#lagged-table").replaceChildren(
      h("thead", {}, h("tr", {}, ["Goes before", "Follows"].map((text) => h("th", { scope: "col" }, text)),
        ["Rows between", "Correlation", "In the same row", "p"].map((text) => h("th", { scope: "col", class: "number" }, text)),
        h("th", { scope: "col" }, "At each lag"))),
      h("tbody", {}, report.lagged.map((pair) => h("tr", {},
        [pair.leader, pair.follower].map((name) => h("th", { scope: "row" }, nameButton(panel, name))),
        [pair.lag.toLocaleString("en-US"), fixed(pair.value), fixed(pair.at_zero), readableP(pair.pvalue)].map((text) => h("td", { class: "number" }, text)),
        h("td", {}, h("button", { type: "button", class: "spark", "aria-label": `Show the lags of ${pair.leader} and ${pair.follower}`,
          onclick: () => panel.open({ kind: "lagged", columns: [pair.leader, pair.follower] }) }, lagBars(pair, 150, 30)))))));
  }
}

// A bar a lag, small; the strongest is dark.
function lagBars(pair, width, height) {
  const step = width / pair.values.length;
  const reach = Math.max(...pair.values.map((v) => Math.abs(v ?? 0)), 0.05);
  const middle = (pair.values.length - 1) / 2;
  return svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    svg("line", { x1: 0, x2: width, y1: height / 2, y2: height / 2, stroke: "var(--strong-line)" }),
    pair.values.map((value, k) => {
      const tall = (Math.abs(value ?? 0) / reach) * (height / 2 - 1);
      return svg("rect", { x: k * step + step * 0.1, width: step * 0.8, y: value > 0 ? height / 2 - tall : height / 2, height: tall,
        fill: k - middle === pair.lag ? "var(--accent)" : "var(--bar)", opacity: k - middle === pair.lag ? 1 : 0.55 });
    }));
}

function laggedContent(report, columns, width, panel) {
  const pair = laggedOf(report, columns);
  return [
    pair && h("p", { class: "lead" }, `The correlation is ${fixed(pair.value)} with ${plural(pair.lag, "row")} between them and ${fixed(pair.at_zero)} in the same row.`),
    correlogram(pair, width),
    h("p", { class: "hint" }, `Right of the middle ${columns[0]} is earlier, left of it ${columns[1]} is.`),
    h("p", {}, nameButton(panel, columns[0]), h("br"), nameButton(panel, columns[1])),
    h("p", {}, h("button", { type: "button", class: "name", onclick: () => panel.open({ kind: "pair", columns }) }, "Show the pair in the same row")),
    relatedFindings(report, columns, panel),
  ];
}

function correlogram(pair, width) {
  if (!pair) return null;
  const height = Math.round(width * 0.5);
  const middle = (pair.values.length - 1) / 2;
  return plotFrame(`Correlation of ${pair.leader} and ${pair.follower} at each lag`, width, height, (context) => {
    const box = { top: 30, bottom: height - 44, right: width - 16 };
    const [low, high] = extent(pair.values.filter((v) => v !== null));
    const y = scaleOf(Math.min(low, 0), Math.max(high, 0), box.bottom, box.top);
    box.left = leftGutter(y);
    const x = scaleOf(-middle - 0.5, middle + 0.5, box.left, box.right);
    drawLeftAxis(context, box, y, "correlation");
    drawBottomAxis(context, box, x, `rows that ${shorten(pair.leader, 24)} is earlier`);
    const wide = Math.max(((box.right - box.left) / pair.values.length) * 0.8, 1);
    pair.values.forEach((value, k) => {
      if (value === null) return;
      context.fillStyle = theme.ink(k - middle === pair.lag ? "accent" : "bar");
      context.fillRect(x.at(k - middle) - wide / 2, Math.min(y.at(value), y.at(0)), wide, Math.abs(y.at(value) - y.at(0)));
    });
    return (px) => {
      const k = Math.round(((px - box.left) / (box.right - box.left)) * pair.values.length - 0.5);
      const value = pair.values[k];
      return value === undefined || value === null ? null : `${plural(Math.abs(k - middle), "row")} ${k < middle ? "later" : "earlier"}: ${fixed(value, 3)}`;
    };
  });
}
