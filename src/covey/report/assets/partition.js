// What the pages about parties share: colours of series, and how a page starts.

const setSeriesColours = () => GROUP_COLOURS[theme.dark ? "dark" : "light"].forEach((colour, k) => document.documentElement.style.setProperty(`--series-${k}`, colour));

const seriesColour = (k) => (k === null ? "var(--muted)" : `var(--series-${k % MOST_COLOURS})`);

// Starts the page; `build` gets what the page carries.
function startPage(build) {
  const work = async () => {
    const applyTheme = startTheme();
    setSeriesColours();
    document.addEventListener("themechange", setSeriesColours);
    startNavigation();
    build(await readPayload());
    startPaper(applyTheme);
    document.documentElement.dataset.ready = Math.round(performance.now());
  };
  work().catch((error) => {
    const note = $("#failure");
    note.hidden = false;
    note.textContent = `The pictures could not be drawn in this browser (${error.message}).`;
    throw error;
  });
}

// Paper is light, whatever the screen is.
function startPaper(applyTheme) {
  let before = null;
  addEventListener("beforeprint", () => {
    before ??= document.documentElement.dataset.theme;
    [...waiting.keys()].forEach(begin);
    applyTheme("light");
  });
  addEventListener("afterprint", () => {
    applyTheme(before);
    before = null;
  });
}
