// Names on the map: with a halo, the most telling first, each only where no other name stands.
const MOST_LABELS = 140, placed = [];

function writeLabels() {
  const canvas = byId("labels"), ratio = window.devicePixelRatio || 1, pen = canvas.getContext("2d");
  const [wide, high] = [plot.clientWidth, plot.clientHeight];
  canvas.width = wide * ratio;
  canvas.height = high * ratio;
  pen.scale(ratio, ratio);
  pen.lineJoin = "round";
  placed.length = 0;
  if (drawn) for (const viewport of drawn.getViewports()) writeOn(pen, viewport, shown[+viewport.id]);
  lasso.draw(pen);
}

function writeOn(pen, viewport, view) {
  if (!view) return;
  const {x, y, width, height} = viewport, boxes = [], spot = point => { const at = viewport.project(point); return [at[0] + x, at[1] + y]; };
  const put = (text, at, size, style, token) => {
    pen.font = `${style.weight || 400} ${size}px system-ui, sans-serif`;
    const w = pen.measureText(text).width, right = Math.min(at[0] + w / 2, x + width - 3), left = Math.max(right - w, x + 3), top = at[1] - size - (style.up || 0);
    const box = [left - 3, top - 2, left + w + 3, top + size + 3];
    if (!style.always && (top < y || top + size > y + height || boxes.some(b => box[0] < b[2] && b[0] < box[2] && box[1] < b[3] && b[1] < box[3]))) return false;
    boxes.push(box);
    pen.lineWidth = 3.5;
    pen.strokeStyle = ink("--paper");
    pen.globalAlpha = style.alpha || 1;
    pen.strokeText(text, left, top + size);
    pen.fillStyle = style.colour || ink("--ink");
    pen.fillText(text, left, top + size);
    pen.globalAlpha = 1;
    placed.push({text, token, box});
    return true;
  };
  if (shown.length > 1) put(view.name, [x + width / 2, y + 18], 14, {weight: 650, always: true});
  const name = (i, style) => {
    const at = spot(place(view, i));
    if (at[0] < x || at[0] > x + width || at[1] < y || at[1] > y + height) return false;
    return put(short(data.labels[i], plot.clientWidth < 500 ? 20 : 32), at, style.size || 11, {up: radii[i] * .8 + 2, ...style}, i);
  };
  if (picked !== null) name(picked, {weight: 700, size: 13, always: true});
  lit.forEach(i => isVisible(i) && name(i, {weight: 600}));
  const isFar = states[+viewport.id].zoom < whole(+viewport.id).zoom + 1.2;
  if (isFar && !lit.length) for (const [px, py, text] of view.places) {
    put(text, spot(inBox(view, [px, py])), plot.clientWidth < 500 ? 13 : 17, {weight: 650, colour: ink("--soft"), alpha: .9});
  }
  let count = 0, tried = 0;
  const most = Math.min(MOST_LABELS, width * height / 5000), enough = turning === null ? n : 300;
  for (const i of data.order) {
    if (count >= most || tried++ > enough) break;
    if (i !== picked && !lit.includes(i) && isVisible(i) && name(i, lit.length ? {alpha: .55} : {})) count++;
  }
}
