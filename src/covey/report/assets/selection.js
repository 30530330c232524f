// A comparison of selectors drawn: scores against the number of columns.

startPage(({ header }) => {
  const looks = new Map(header.algorithms.map((look) => [look.name, look]));
  $$(".algorithm").forEach((place) => place.append(sample(looks.get(place.dataset.algorithm))));
  const made = new CurvePanel("columns", header.curve, looks);
  $("#curve").append(made.figure);
  const legend = new Legend(header.algorithms, () => made.draw(legend.hidden));
  legend.redraw();
});
