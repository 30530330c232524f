// Cells of a matrix as coloured squares.

const undefinedColour = () => theme.ink("undefined");

// Cells of a matrix, one by one with their values where there is room, else as one picture.
function paintCells(context, matrix, rows, cols, left, top, cell) {
  const colours = rampOf(matrix);
  if (cell < 7) {
    paintPicture(context, matrix, rows, cols, left, top, cell, colours);
    return;
  }
  const gap = cell > 14 ? 1 : 0.5;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = `${Math.min(cell * 0.32, 13)}px ${theme.font}`;
  rows.forEach((i, r) => cols.forEach((j, c) => {
    const value = matrix.value(i, j);
    const [x, y] = [left + c * cell, top + r * cell];
    const colour = Number.isNaN(value) ? null : colours[level(matrix, value)];
    context.fillStyle = colour ? css(colour) : undefinedColour();
    context.fillRect(x, y, cell - gap, cell - gap);
    if (cell < 30 || i === j) return;
    context.fillStyle = colour ? inkOn(colour) : theme.ink("muted");
    context.fillText(fixed(value).replace(/^(−?)0\./, "$1."), x + cell / 2, y + cell / 2);
  }));
  context.font = `12px ${theme.font}`;
}

function paintPicture(context, matrix, rows, cols, left, top, cell, colours) {
  const picture = new OffscreenCanvas(cols.length, rows.length);
  const pen = picture.getContext("2d");
  const pixels = pen.createImageData(cols.length, rows.length);
  const packed = new Uint32Array(pixels.data.buffer);
  const pack = ([r, g, b]) => 0xff000000 | (b << 16) | (g << 8) | r;
  const words = colours.map(pack);
  const none = pack(parseHex(undefinedColour()));
  let k = 0;
  for (const i of rows) {
    for (const j of cols) {
      const value = matrix.value(i, j);
      packed[k++] = Number.isNaN(value) ? none : words[level(matrix, value)];
    }
  }
  pen.putImageData(pixels, 0, 0);
  context.imageSmoothingEnabled = cell < 1;
  context.drawImage(picture, left, top, cols.length * cell, rows.length * cell);
}
