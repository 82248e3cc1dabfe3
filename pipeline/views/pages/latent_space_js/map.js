// The map: points, lines and clouds, drawn by deck.gl.
const plot = byId("plot");
let drawn = null, shown = [], states = {}, colour = null, hidden = new Set(), picked = null, lit = [], turning = null, moving = null;

const isFlat = () => shown[0].width === 2;
const isVisible = i => !(colour && colour.groups && hidden.has(colour.indices[i]));

function frame(view) {  // the box of the points, and all points (3n) in it, on one scale for all axes
  const w = view.width, low = Array(w).fill(Infinity), high = Array(w).fill(-Infinity);
  view.points.forEach((value, at) => { low[at % w] = Math.min(low[at % w], value); high[at % w] = Math.max(high[at % w], value); });
  const middle = low.map((value, d) => (value + high[d]) / 2), size = Math.max(...low.map((value, d) => high[d] - value)) || 1;
  const positions = new Float32Array(3 * n);
  for (let i = 0; i < n; i++) for (let d = 0; d < w; d++) positions[3 * i + d] = (view.points[i * w + d] - middle[d]) / size;
  return {positions, middle, size, reach: low.map((value, d) => (high[d] - value) / size)};
}

const place = (view, i) => Array.from(view.box.positions.subarray(3 * i, 3 * i + 3));
const inBox = (view, point) => point.map((value, d) => (value - view.box.middle[d]) / view.box.size);

function room(p) {  // where panel p is, as shares: side by side, or one above the other where there is little room
  const k = shown.length, across = plot.clientWidth >= 640;
  return across ? {x: p / k, y: 0, width: 1 / k, height: 1} : {x: 0, y: p / k, width: 1, height: 1 / k};
}

function fit(p, reach, target) {  // the state in which a box fills the panel
  const {width, height} = room(p), [x, y] = [plot.clientWidth * width, plot.clientHeight * height];
  if (!isFlat()) return {target, zoom: Math.log2(Math.min(x, y) * .64 / Math.max(...reach)), rotationX: 22, rotationOrbit: 35};
  return {target, zoom: Math.min(Math.log2(.86 * x / (reach[0] || 1e-6)), Math.log2(.84 * y / (reach[1] || 1e-6)))};
}

const whole = p => fit(p, shown[p].box.reach, [0, 0, 0]);

function layersOf(view, p) {
  const {positions} = view.box, colours = new Uint8ClampedArray(4 * n), sizes = new Float32Array(n);
  const dim = lit.length > 0, small = Math.min(1, plot.clientWidth / 800) * (isFlat() ? 1 : .8), chosen = new Set(lit);
  for (let i = 0; i < n; i++) {
    const seen = isVisible(i), alpha = !dim || chosen.has(i) || i === picked ? 215 : 70;
    colours.set([...colourOf(colour, i), seen ? alpha : 0], 4 * i);
    sizes[i] = seen ? radii[i] * small : 0;
  }
  const attribute = (value, size) => ({value, size});
  const point = i => place(view, i), line = rgb(ink("--ink")), marks = picked === null ? [] : [picked, ...lit];
  return [
    ...cloud(view, p), ...edges(view, p), ...spread.layers(view, p),
    new deck.ScatterplotLayer({id: `${p}-points`, pickable: true, billboard: true, radiusUnits: "pixels", stroked: false,
      data: {length: n, attributes: {getPosition: attribute(positions, 3), getRadius: attribute(sizes, 1), getFillColor: attribute(colours, 4)}}}),
    new deck.LineLayer({id: `${p}-joins`, data: [...lit], widthUnits: "pixels", getWidth: 1.5, getColor: [...line, 150],
      getSourcePosition: () => point(picked), getTargetPosition: point}),
    new deck.ScatterplotLayer({id: `${p}-rings`, data: marks, billboard: true, radiusUnits: "pixels", filled: false, stroked: true,
      lineWidthUnits: "pixels", getLineWidth: i => i === picked ? 3 : 1.5, getLineColor: line, getPosition: point,
      getRadius: i => radii[i] * small + (i === picked ? 5 : 2)}),
  ];
}

function cloud(view, p) {  // the tokens that are no points
  if (!view.density) return [];
  const {size, low, high} = view.density, cells = bytes(view.density.cells), image = new ImageData(size, size);
  for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) {
    image.data.set([128, 134, 146, cells[y * size + x] * .7], 4 * ((size - 1 - y) * size + x));
  }
  const [left, bottom] = inBox(view, low), [right, top] = inBox(view, high);
  return [new deck.BitmapLayer({id: `${p}-cloud`, image, bounds: [left, bottom, right, top]})];
}

function edges(view, p) {  // the box of a space, so that one sees it turn
  if (view.width === 2) return [];
  const corners = [0, 1, 2, 3, 4, 5, 6, 7].map(c => [0, 1, 2].map(d => ((c >> d) & 1 ? .5 : -.5) * view.box.reach[d]));
  const pairs = corners.flatMap((corner, c) => [1, 2, 4].filter(bit => !(c & bit)).map(bit => [corner, corners[c | bit]]));
  return [new deck.LineLayer({id: `${p}-box`, data: pairs, getSourcePosition: pair => pair[0], getTargetPosition: pair => pair[1],
    getColor: [128, 134, 146, 110], widthUnits: "pixels", getWidth: 1})];
}

function draw() {
  if (!drawn) return;
  drawn.setProps({layers: shown.flatMap(layersOf)});
}

function show(index) {  // another view of the menu
  stop();
  shown = data.views[index];
  shown.forEach(view => { view.box = view.box || frame(view); });
  states = Object.fromEntries(shown.map((_, p) => [p, whole(p)]));
  if (!drawn) return;
  const share = value => `${100 * value}%`;
  const views = shown.map((_, p) => {
    const at = room(p), box = {id: String(p), x: share(at.x), y: share(at.y), width: share(at.width), height: share(at.height), controller: true};
    return isFlat() ? new deck.OrthographicView({...box, flipY: false}) : new deck.OrbitView({...box, orbitAxis: "Z", fovy: 40});
  });
  drawn.setProps({views, viewState: states, layerFilter: ({layer, viewport}) => layer.id.startsWith(`${viewport.id}-`)});
  draw();
}

const view_ = change => { states = Object.fromEntries(Object.entries(states).map(([p, state]) => [p, {...state, ...change(state, +p)}])); if (drawn) drawn.setProps({viewState: states}); };

function move(ends) {  // glide to other states; at once where motion is not wanted
  cancelAnimationFrame(moving);
  if (calm.matches || !drawn) { view_((_, p) => ends[p]); return; }
  const from = states, start = performance.now(), mix = (a, b, t) => Array.isArray(a) ? a.map((value, d) => mix(value, b[d], t)) : a + (b - a) * t;
  const step = now => {
    const t = Math.min(1, (now - start) / 450), eased = t * (2 - t);
    view_((state, p) => Object.fromEntries(Object.keys(ends[p]).map(key => [key, mix(from[p][key], ends[p][key], eased)])));
    if (t < 1) moving = requestAnimationFrame(step);
  };
  moving = requestAnimationFrame(step);
}

function closeUp() {  // the chosen token and its neighbours fill the view
  if (picked === null) return;
  move(shown.map((view, p) => {
    const points = [picked, ...lit].map(i => place(view, i)), span = d => points.map(point => point[d]);
    const low = [0, 1, 2].map(d => Math.min(...span(d))), high = [0, 1, 2].map(d => Math.max(...span(d)));
    if (!isFlat()) return {target: place(view, picked), zoom: whole(p).zoom + .8};
    const {target, zoom} = fit(p, low.map((value, d) => high[d] - value), low.map((value, d) => (value + high[d]) / 2));
    return {target, zoom: Math.max(whole(p).zoom, Math.min(zoom, whole(p).zoom + 6))};
  }));
}

function start() {
  byId("turn").textContent = "Stop turning";
  const step = () => { view_(state => ({rotationOrbit: state.rotationOrbit + .25})); turning = requestAnimationFrame(step); };
  turning = requestAnimationFrame(step);
}

function stop() {
  cancelAnimationFrame(turning);
  cancelAnimationFrame(moving);
  turning = null;
  byId("turn").textContent = "Turn";
}

async function open() {  // false where there is no WebGL
  if (!document.createElement("canvas").getContext("webgl2")) return false;
  const code = await new Response(new Blob([bytes(byId("deck").textContent)]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  const script = document.createElement("script");
  script.textContent = code;
  document.head.append(script);
  return new Promise(done => {
    drawn = new deck.Deck({
      parent: plot, views: [], viewState: {}, layers: [], pickingRadius: 6, useDevicePixels: Math.min(2, devicePixelRatio),
      onLoad: () => done(true), onAfterRender: writeLabels, getCursor: ({isHovering}) => isHovering ? "pointer" : "grab",
      onViewStateChange: ({viewId, viewState}) => { stop(); states = {...states, [viewId]: viewState}; view_(() => linked(viewId, viewState)); },
      getTooltip: ({index, layer}) => layer && layer.id.endsWith("points") && index >= 0 ? {html: `<b>${escaped(data.labels[index])}</b><br>${facts(index).map(escaped).join("<br>")}`} : null,
      onClick: ({index, layer}) => { if (layer && layer.id.endsWith("points") && index >= 0) pick(index); },
    });
  });
}

const linked = (from, {rotationX, rotationOrbit}) => isFlat() ? {} : {rotationX, rotationOrbit};  // spaces side by side turn together
