// The tokens, their vectors and their colours.
const byId = name => document.getElementById(name);
const data = JSON.parse(byId("data").textContent);
const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
const floats = text => new Float32Array(bytes(text).buffer);
const escaped = text => String(text).replace(/[&<>"]/g, c => ({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}[c]));
const breakable = text => escaped(text).replace(/[_=/]/g, "$&<wbr>");  // a long name goes on in a new line there
const cut = (text, most) => [...text].length > most ? [...text].slice(0, most - 1).join("") + "…" : text;
const short = (text, most) => {  // of `column=value` the value tells more
  const [column, ...rest] = text.split("="), third = Math.floor(most / 3);
  if ([...text].length <= most || [...column].length <= third || !rest.join("=")) return cut(text, most);
  const value = cut(rest.join("="), most - third - 1);
  return cut(column, most - [...value].length - 1) + "=" + value;
};
const n = data.labels.length, D = data.dimension, vectors = floats(data.vectors);
const vector = i => vectors.subarray(i * D, i * D + D);
const dot = (a, b) => { let sum = 0; for (let d = 0; d < D; d++) sum += a[d] * b[d]; return sum; };
const lengths = data.labels.map((_, i) => Math.hypot(...vector(i)));
const most = Math.max(...data.counts.slice(0, 1), 1);
const radii = Float32Array.from(data.counts, count => 2 + 7 * Math.sqrt(count / most));
for (const panel of data.views) for (const view of panel) {
  view.points = floats(view.points);
  view.replicas = view.replicas && floats(view.replicas);
}
for (const colour of data.colours) if (colour.values) colour.values = floats(colour.values);

const darkness = matchMedia("(prefers-color-scheme: dark)"), calm = matchMedia("(prefers-reduced-motion: reduce)");
const ink = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const rgb = hex => [1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16));
const palette = data.palette, UNKNOWN = rgb(palette.other);
const onPage = colours => colours[darkness.matches ? "dark" : "light"];

function groupColour(names, g) {
  const colours = onPage(palette.categories);
  return names[g] === "other" ? palette.other : colours[g % colours.length];
}

function along(stops, share) {  // the colour at a share of the way along a scale
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1), at = Math.min(Math.floor(place), stops.length - 2);
  const [low, high] = [rgb(stops[at]), rgb(stops[at + 1])];
  return low.map((value, c) => Math.round(value + (high[c] - value) * (place - at)));
}

const scaleOf = colour => colour.scale === "diverging" ? palette.signed : onPage(palette.sequential);

function colourOf(colour, i) {
  if (!colour) return rgb(onPage(palette.plain));
  if (colour.groups) return rgb(groupColour(colour.groups, colour.indices[i]));
  if (!Number.isFinite(colour.values[i])) return UNKNOWN;
  return along(scaleOf(colour), (colour.values[i] - colour.low) / (colour.high - colour.low || 1));
}

const replicas = data.replicas, stability = replicas && floats(replicas.stability);
const nearest = replicas && new Int32Array(bytes(replicas.nearest).buffer), support = replicas && bytes(replicas.support);

function supportOf(i) {  // token -> in how many replicas it is among the nearest of token i
  const found = new Map();
  for (let k = 0; replicas && k < replicas.width; k++) found.set(nearest[i * replicas.width + k], support[i * replicas.width + k]);
  return found;
}

function facts(i) {  // what is known about a token, as lines
  const effects = data.colours.filter(colour => colour.texts && !(colour.name in data.about) && colour.scale === "diverging");
  return [`${data.counts[i].toLocaleString("en")} in training`,
    ...Object.entries(data.about).filter(([, values]) => values[i]).map(([name, values]) => `${name}: ${values[i]}`),
    ...effects.map(colour => `${colour.name}: ${colour.texts[i]}`)];
}

function best(score, left, k = 10) {  // the tokens with the highest scores, without some
  const found = [];
  for (let j = 0; j < n; j++) if (!left.includes(j)) found.push([score(j), j]);
  return found.sort((a, b) => b[0] - a[0]).slice(0, k);
}

const cosine = (v, length, j) => dot(v, vector(j)) / (length * lengths[j] || 1);
const sureness = data.counts.map(count => Math.sqrt(count / (count + data.rare)));  // rare tokens count for less
const byAngle = i => best(j => cosine(vector(i), lengths[i], j) * sureness[j], [i]).map(([, j]) => [cosine(vector(i), lengths[i], j), j]);
const byProduct = i => best(j => dot(vector(i), vector(j)), [i]);
const byDistance = i => best(j => -Math.hypot(...vector(j).map((value, d) => value - vector(i)[d])), [i]);
const IS_LOW = D <= data.low;  // with so few coordinates nearly all angles are the same: the distance tells more
const near = i => IS_LOW ? byDistance(i) : byAngle(i);
