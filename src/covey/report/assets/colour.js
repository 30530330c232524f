// Colours: ramps that stay ordered for every kind of colour vision, in light and in dark.

// Light: pale to deep blue. Dark: the page's ground to pale yellow-white, so that strong always stands out.
const RAMPS = {
  light: {
    sequential: ["#f4f6f8", "#d6e4f0", "#a9cbe4", "#6aa6d2", "#2f7ab8", "#10518f", "#082a5c"],
    diverging: ["#7f3b08", "#c2660c", "#eda04f", "#f8d4a8", "#f4f5f5", "#b5d4ea", "#5ea3d0", "#1d6fae", "#0b3c73"],
  },
  dark: {
    sequential: ["#1f252c", "#1d3f5e", "#1f6390", "#2f8bb8", "#5fb4cf", "#a8d9dc", "#f3f7dc"],
    diverging: ["#ffd9a8", "#f0a04c", "#b96a1c", "#653a17", "#22282f", "#1f4a6b", "#2a7eb5", "#69b3e0", "#cfe8fa"],
  },
};

// Okabe and Ito's palette and two more, without the tones that vanish on the ground.
const GROUP_COLOURS = {
  light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5195", "#8c6d31"],
  dark: ["#56b4e9", "#ff8c42", "#2fbf94", "#f0a3cc", "#f0e442", "#4f8fd6", "#b39ddb", "#c9a66b"],
};
const MOST_COLOURS = GROUP_COLOURS.light.length;

const theme = {
  get dark() {
    return document.documentElement.dataset.theme === "dark";
  },
  ink(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  },
  get font() {
    return getComputedStyle(document.body).fontFamily;
  },
};

const parseHex = (hex) => [1, 3, 5].map((k) => parseInt(hex.slice(k, k + 2), 16));

// A ramp as 256 colours, each [r, g, b].
function ramp(name) {
  const stops = RAMPS[theme.dark ? "dark" : "light"][name].map(parseHex);
  return range(256).map((k) => {
    const at = (k / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    return stops[low].map((c, channel) => Math.round(c + (stops[low + 1][channel] - c) * (at - low)));
  });
}

const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;

// Where a matrix's value falls in its ramp, 0..255.
function level(matrix, value) {
  const share = matrix.signed ? (value / matrix.scale + 1) / 2 : value / matrix.scale;
  return clamp(Math.round(share * 255), 0, 255);
}

const rampOf = (matrix) => ramp(matrix.signed ? "diverging" : "sequential");

function gradient(name) {
  return `linear-gradient(90deg, ${RAMPS[theme.dark ? "dark" : "light"][name].join(", ")})`;
}

// Ink that can be read on a colour.
const inkOn = ([r, g, b]) => (0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#16191c" : "#ffffff");

const groupColour = (group) => (group === undefined ? theme.ink("muted") : GROUP_COLOURS[theme.dark ? "dark" : "light"][group % MOST_COLOURS]);

function startTheme() {
  const stored = (() => {
    try {
      return localStorage.getItem("covey-theme");
    } catch {
      return null;
    }
  })();
  const preference = matchMedia("(prefers-color-scheme: dark)");
  const apply = (name) => {
    document.documentElement.dataset.theme = name;
    document.dispatchEvent(new Event("themechange"));
  };
  apply(stored ?? (preference.matches ? "dark" : "light"));
  let chosen = Boolean(stored);
  preference.addEventListener("change", () => chosen || apply(preference.matches ? "dark" : "light"));
  $("#theme").addEventListener("click", () => {
    chosen = true;
    apply(theme.dark ? "light" : "dark");
    try {
      localStorage.setItem("covey-theme", document.documentElement.dataset.theme);
    } catch {
      // Some browsers forbid storage to local files; the choice then lasts until the page closes.
    }
  });
  return apply;
}
