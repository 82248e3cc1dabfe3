// What people press and type: search, view, colour, legend, keys.
const lower = data.labels.map(label => label.toLowerCase());
const labelled = text => { const at = lower.indexOf(text.trim().toLowerCase()); return at < 0 ? undefined : at; };
const grams = text => { const padded = `  ${text} `; return new Set([...padded].slice(0, -2).map((_, at) => padded.slice(at, at + 3))); };

function similar(text, k = 5) {  // the labels that share most groups of three letters with what was typed
  const own = grams(text), share = label => { const its = grams(label); let both = 0; for (const gram of own) both += its.has(gram); return both / (own.size + its.size - both || 1); };
  return lower.map((label, i) => [share(label), i]).sort((a, b) => b[0] - a[0]).slice(0, k).map(([, i]) => i);
}

const search = {
  found: [], at: -1,
  type() {
    const text = byId("search").value.trim().toLowerCase(), list = byId("found");
    this.found = [];
    if (text) for (const i of data.order) if (this.found.length < 20 && lower[i].includes(text)) this.found.push(i);
    this.found.sort((a, b) => (lower[b] === text) - (lower[a] === text) || lower[b].startsWith(text) - lower[a].startsWith(text));
    const isMissing = text && !this.found.length;
    if (isMissing) this.found = similar(text);
    list.innerHTML = (isMissing ? `<li id="nothing" role="presentation">Nothing has “${escaped(text)}” in its name. The nearest names:</li>` : "")
      + this.found.map((i, at) => `<li role="option" id="option-${at}" data-at="${at}" aria-selected="false">${escaped(data.labels[i])}</li>`).join("");
    this.at = -1;
    this.unfold(text !== "");
    byId("search").removeAttribute("aria-activedescendant");
    const exact = labelled(text);
    if (exact !== undefined && exact !== picked) pick(exact);
  },
  unfold(isOpen) { byId("found").hidden = !isOpen; byId("search").setAttribute("aria-expanded", isOpen); },
  mark(at) {
    this.at = (at + this.found.length) % this.found.length;
    byId("found").querySelectorAll("[role=option]").forEach((option, o) => option.setAttribute("aria-selected", o === this.at));
    byId("search").setAttribute("aria-activedescendant", `option-${this.at}`);
    byId(`option-${this.at}`).scrollIntoView({block: "nearest"});
  },
  take(at) { if (this.found[at] !== undefined) { this.unfold(false); pick(this.found[at]); } },
  key(event) {
    if (event.key === "Escape") this.unfold(false);
    if (event.key === "Enter") this.take(Math.max(this.at, 0));
    const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
    if (step && this.found.length) { event.preventDefault(); this.unfold(true); this.mark(this.at < 0 && step < 0 ? -1 : this.at + step); }
  },
};

function writeLegend() {
  const legend = byId("legend");
  legend.innerHTML = "";
  if (!colour) return;
  if (!colour.groups) {
    const stops = scaleOf(colour).join(", ");
    legend.innerHTML = `<span>${escaped(colour.name)}</span> <span class="scale">${escaped(colour.ends[0])} <i style="background: linear-gradient(90deg, ${stops})"></i> ${escaped(colour.ends[1])}</span>`;
    return;
  }
  colour.groups.forEach((name, g) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", !hidden.has(g));
    button.innerHTML = `<i style="background: ${groupColour(colour.groups, g)}"></i>${escaped(name)}`;
    button.title = "show or hide these tokens";
    button.addEventListener("click", () => { hidden.has(g) ? hidden.delete(g) : hidden.add(g); button.setAttribute("aria-pressed", !hidden.has(g)); draw(); });
    legend.append(button);
  });
}

function paint(index) {
  colour = data.colours[index] || null;
  hidden = new Set();
  writeLegend();
  draw();
}

function turnTo(index) {
  show(index);
  byId("turn").hidden = isFlat();
  byId("hints").innerHTML = shown.flatMap(view => view.hints.map((hint, i) => `${shown.length > 1 ? escaped(view.name) + ", " : ""}${escaped(view.axes[i])}: ${escaped(hint)}`)).join("<br>");
  byId("ends").hidden = !byId("hints").innerHTML;
  byId("nearness").hidden = !byId("ends").hidden;
  tellPlaces();
  spread.tell();
  if (!isFlat() && !calm.matches && drawn) start();
}

function key(event) {
  const steps = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[event.key];
  const zoom = {"+": .5, "=": .5, "-": -.5}[event.key];
  if (event.target !== plot || !(steps || zoom || event.key === "0" || event.key === "Escape")) return;
  event.preventDefault();
  stop();
  if (event.key === "Escape" && lasso.on) lasso.toggle();
  if (event.key === "0") showAll();
  if (zoom) view_(state => ({zoom: state.zoom + zoom}));
  if (steps && isFlat()) view_(state => ({target: [state.target[0] + 60 * steps[0] / 2 ** state.zoom, state.target[1] + 60 * steps[1] / 2 ** state.zoom, 0]}));
  if (steps && !isFlat()) view_(state => ({rotationOrbit: state.rotationOrbit + 8 * steps[0], rotationX: state.rotationX + 8 * steps[1]}));
}

function showAll() {
  lit = [];
  draw();
  move(shown.map((_, p) => whole(p)));
}

async function begin() {
  const on = (name, event, act) => byId(name).addEventListener(event, act);
  data.views.forEach((panel, i) => byId("view").add(new Option(panel.map(view => view.name).join(" | "), i)));
  byId("view").hidden = data.views.length < 2;
  data.colours.forEach((one, i) => byId("colour").add(new Option(`colour: ${one.name}`, i)));
  byId("colour").add(new Option("colour: none", -1));
  data.order.slice(0, 2000).forEach(i => { const option = document.createElement("option"); option.value = data.labels[i]; byId("names_of").append(option); });
  on("view", "change", () => turnTo(+byId("view").value));
  on("colour", "change", () => paint(+byId("colour").value));
  on("search", "input", () => search.type());
  on("search", "keydown", event => search.key(event));
  on("search", "blur", () => search.unfold(false));
  on("found", "mousedown", event => { event.preventDefault(); const option = event.target.closest("[data-at]"); if (option) search.take(+option.dataset.at); });
  on("all", "click", showAll);
  on("turn", "click", () => turning === null ? start() : stop());
  on("spread", "click", () => spread.toggle());
  on("select", "click", () => lasso.toggle());
  on("labels", "pointerdown", event => lasso.begin(event));
  on("labels", "pointermove", event => lasso.extend(event));
  on("labels", "pointerup", () => lasso.end());
  on("copy", "click", copy);
  on("plot", "keydown", key);
  ["a", "b", "c"].forEach(name => on(name, "change", analogy));
  darkness.addEventListener("change", () => { writeLegend(); draw(); });
  const draws = await open();
  if (!draws) plot.innerHTML = "<p style='padding: 18px'>This browser has no WebGL, so the map is not drawn. Search, neighbours and weights work.</p><canvas id='labels' hidden></canvas>";
  ["all", "select", "view", "colour"].forEach(name => { if (!draws) byId(name).hidden = true; });
  new ResizeObserver(() => { const at = data.views.indexOf(shown); if (drawn && at >= 0) turnTo(at); }).observe(plot);
  byId("ends").open = plot.clientWidth >= 640;  // on a phone the chosen token comes sooner
  turnTo(0);
  paint(0);
  pick(data.order[0], false);
  document.body.dataset.ready = "yes";
}
