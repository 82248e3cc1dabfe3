// Beside the map: a token with its neighbours and weights, the tokens of a region, analogies.
function listOf(found, sign = 1, held = new Map()) {
  return "<ol>" + found.map(([value, j]) => `<li><button type="button" data-token="${j}">${breakable(data.labels[j])}</button> <small>${(sign * value).toFixed(2)}</small>${held.has(j) ? holds(held.get(j)) : ""}</li>`).join("") + "</ol>";
}

function holds(times) {  // a bar, filled as far as replicas support a neighbour
  const said = `in ${times} of ${replicas.count} replicas`;
  return `<span class="holds" role="img" aria-label="${said}" title="${said}" style="--share: ${times / replicas.count}"></span>`;
}

const kept = i => `<p>Two halves of the examples agree on ${Math.round(100 * stability[i])}% of them. The bars show in how many of ${replicas.count} such replicas each is found.</p>`;

const listen = panel => panel.querySelectorAll("button[data-token]").forEach(button => button.addEventListener("click", () => pick(+button.dataset.token)));

function pick(i, isClose = true) {
  const neighbours = near(i);
  picked = i;
  lit = isClose ? neighbours.map(([, j]) => j) : [];
  byId("search").value = data.labels[i];
  const panel = byId("token");
  const held = supportOf(i);
  const first = IS_LOW ? `<p>by distance</p>${listOf(neighbours, -1, held)}` : `<p>by angle (cosine); rare tokens count for less</p>${listOf(neighbours, 1, held)}`;
  panel.innerHTML = `<h2>${escaped(data.labels[i])}</h2><p>${[...facts(i), `length of the vector ${lengths[i].toFixed(2)}`].map(escaped).join(" · ")}</p>
    <h3>Nearest tokens</h3>${replicas ? kept(i) : ""}<div class="lists"><div>${first}</div><div><p>by dot product; long vectors lead</p>${listOf(byProduct(i))}</div></div>
    <h3>Weights are coordinates</h3>${weights(i)}`;
  listen(panel);
  draw();
  if (isClose) closeUp();
}

function weights(i) {
  const own = vector(i), order = [...own.keys()];
  const some = D > 16 ? order.sort((a, b) => Math.abs(own[b]) - Math.abs(own[a])).slice(0, 16).sort((a, b) => a - b) : order;
  const most = Math.max(...own.map(Math.abs), 1e-9), gap = 26, height = Math.max(some.length * gap + 10, 60), middle = height / 2;
  const nodes = some.map((d, row) => {
    const y = 18 + row * gap, line = own[d] >= 0 ? palette.signed[2] : palette.signed[0], width = .5 + 5.5 * Math.abs(own[d]) / most;
    return `<line x1="92" y1="${middle}" x2="215" y2="${y}" stroke="${line}" stroke-width="${width.toFixed(2)}" opacity=".75"/>
      <circle cx="222" cy="${y}" r="8" fill="none" stroke="currentColor"/><text x="238" y="${y + 4}" font-size="12" fill="currentColor">node ${d + 1}: ${own[d].toFixed(3)}</text>`;
  });
  return `<svg viewBox="0 0 360 ${height}" role="img" aria-label="The ${D} weights from this token's input node to the hidden nodes">
    ${nodes.join("")}<circle cx="84" cy="${middle}" r="9" fill="currentColor"/><text x="70" y="${middle + 4}" font-size="12" text-anchor="end" fill="currentColor">input node</text></svg>
    <p class="weights">${D > 16 ? `The 16 largest of ${D} weights` : D === 1 ? "The weight" : `The ${D} weights`} from the input node of this token to the hidden nodes: read together, they are its place.</p>`;
}

function tellPlaces() {  // the neighbourhoods and what lies there, for those who do not see the map
  const panel = byId("places"), places = shown[0].places || [];
  panel.hidden = !places.length;
  panel.querySelector("ul").innerHTML = places.map(([, , name, tokens]) => `<li><b>${escaped(name)}</b>: ${tokens.map(i =>
    `<button type="button" data-token="${i}">${escaped(data.labels[i])}</button>`).join(", ")}</li>`).join("");
  listen(panel);
}

const lasso = {
  path: null, on: false,
  toggle() {
    this.on = !this.on;
    byId("select").setAttribute("aria-pressed", this.on);
    plot.classList.toggle("selecting", this.on);
  },
  begin(event) { this.path = [[event.offsetX, event.offsetY]]; byId("labels").setPointerCapture(event.pointerId); },
  extend(event) { if (this.path) { this.path.push([event.offsetX, event.offsetY]); writeLabels(); } },
  end() {
    if (!this.path) return;
    const path = this.path, found = [];
    this.path = null;
    for (const viewport of drawn.getViewports()) for (const i of data.order) {
      const at = viewport.project(place(shown[+viewport.id], i));
      if (isVisible(i) && within([at[0] + viewport.x, at[1] + viewport.y], path) && !found.includes(i)) found.push(i);
    }
    this.toggle();
    writeLabels();
    tell(found);
  },
  draw(pen) {
    if (!this.path) return;
    pen.beginPath();
    this.path.forEach(([x, y], at) => at ? pen.lineTo(x, y) : pen.moveTo(x, y));
    pen.closePath();
    pen.globalAlpha = .15;
    pen.fillStyle = ink("--blue");
    pen.fill();
    pen.globalAlpha = 1;
    pen.lineWidth = 2;
    pen.strokeStyle = ink("--blue");
    pen.stroke();
  },
};

function within([x, y], path) {  // how often a ray from the point crosses the path: an odd number inside
  let inside = false;
  path.forEach(([ax, ay], at) => {
    const [bx, by] = path[(at + 1) % path.length];
    if ((ay > y) !== (by > y) && x < ax + (y - ay) / (by - ay) * (bx - ax)) inside = !inside;
  });
  return inside;
}

function tell(found) {
  byId("selection").hidden = false;
  byId("selected").textContent = found.length === 1 ? "1 token in the region" : `${found.length.toLocaleString("en")} tokens in the region`;
  byId("names").value = found.map(i => data.labels[i]).join("\n");
  byId("copied").textContent = "";
}

async function copy() {  // a page from disk or in a frame may not reach the clipboard: then the text is marked
  const box = byId("names");
  try {
    await navigator.clipboard.writeText(box.value);
    byId("copied").textContent = "copied";
  } catch {
    box.focus();
    box.select();
    byId("copied").textContent = document.execCommand("copy") ? "copied" : "press Ctrl-C";
  }
}

function analogy() {
  const given = ["a", "b", "c"].map(name => labelled(byId(name).value));
  if (given.some(i => i === undefined)) { byId("answer").innerHTML = ""; return; }
  const unit = i => Array.from(vector(i), value => value / (lengths[i] || 1)), [a, b, c] = given.map(unit);
  const wanted = a.map((value, d) => value - b[d] + c[d]), length = Math.hypot(...wanted);
  byId("answer").innerHTML = listOf(best(j => cosine(wanted, length, j), given, 8));
  listen(byId("answer"));
}
