// How sure a place is: where each replica puts the chosen token and its neighbours; on a plane the chosen one has an ellipse.
const HALF = Math.sqrt(2 * Math.log(2)), STEPS = 48;  // a normal distribution has half of its mass within so many deviations

const spread = {
  on: D === 2,
  is_known: () => shown.some(view => view.replicas),
  toggle() { this.on = !this.on; this.tell(); draw(); },
  tell() {
    byId("spread").hidden = byId("spread_says").hidden = !drawn || !this.is_known();
    byId("spread").setAttribute("aria-pressed", this.on);
    byId("spread_says").hidden ||= !this.on;
    if (this.is_known()) byId("spread_says").textContent = `The small dots are where ${replicas.count} replicas, each learned from half of the examples, put the chosen token and its neighbours${isFlat() ? "; the ellipse holds half of the places that more of them would give the chosen one" : ""}.`;
  },
  layers(view, p) {
    if (!this.on || !view.replicas || picked === null) return [];
    const marks = [picked, ...lit].filter(isVisible), tint = i => colourOf(colour, i);
    const dots = marks.flatMap(i => whereabouts(view, i).map(at => ({at, i})));
    const lines = view.width === 2 ? ellipse(whereabouts(view, picked)) : [];
    return [
      new deck.LineLayer({id: `${p}-ellipses`, data: lines, widthUnits: "pixels", getWidth: 2, getColor: [...tint(picked), 220],
        getSourcePosition: line => line[0], getTargetPosition: line => line[1]}),
      new deck.ScatterplotLayer({id: `${p}-spread`, data: dots, billboard: true, radiusUnits: "pixels", getRadius: 2.2, stroked: false,
        getPosition: dot => dot.at, getFillColor: dot => [...tint(dot.i), 190]}),
    ];
  },
};

function whereabouts(view, i) {  // the places of a token in the replicas that have learned it
  const w = view.width, found = [];
  for (let at = i * w; at < view.replicas.length; at += n * w) {
    const point = Array.from(view.replicas.subarray(at, at + w));
    if (point.every(Number.isFinite)) found.push([...inBox(view, point), 0].slice(0, 3));
  }
  return found;
}

function ellipse(points) {  // as lines; around the mean, with the covariance of the points
  if (points.length < 3) return [];
  const mean = [0, 1].map(d => points.reduce((sum, point) => sum + point[d], 0) / points.length);
  const covariance = (a, b) => points.reduce((sum, point) => sum + (point[a] - mean[a]) * (point[b] - mean[b]), 0) / (points.length - 1);
  const first = Math.sqrt(covariance(0, 0)), along = first ? covariance(0, 1) / first : 0, across = Math.sqrt(Math.max(covariance(1, 1) - along * along, 0));
  const corner = step => { const turn = 2 * Math.PI * step / STEPS, [x, y] = [HALF * Math.cos(turn), HALF * Math.sin(turn)]; return [mean[0] + first * x, mean[1] + along * x + across * y, 0]; };
  return Array.from({length: STEPS}, (_, step) => [corner(step), corner(step + 1)]);
}
