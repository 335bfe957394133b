// Small pictures in SVG.

const svgNames = "http://www.w3.org/2000/svg";

function svgElement(name, attributes) {
  const element = document.createElementNS(svgNames, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function picture(width, height, label, attributes = {}) {
  return svgElement("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, ...attributes});
}

/** An upright bar a head; `most` is the value of a full one. */
export function headBars(attention, most, label) {
  const wide = 8, high = 20, svg = picture(wide * attention.length, high + 1, label, {class: "heads"});
  svg.append(svgElement("path", {class: "axis", d: `M0 ${high + 0.5}H${wide * attention.length}`}));
  attention.forEach((given, head) => {
    const h = high * given / most;
    svg.append(svgElement("rect", {class: "now", x: wide * head + 1, y: high - h, width: wide - 2, height: h}));
  });
  return svg;
}

/** The history from its oldest behaviour at the left: bars upwards for `now`, downwards for `own`, each a list of
 *  [position, value]. */
export function historyStrip(length, now, own, label) {
  const wide = 600, high = 50, step = wide / length, bar = Math.min(0.8 * step, 15);
  const most = Math.max(...now.concat(own).map(([, value]) => value));
  const svg = picture(wide, 2 * high + 3, label, {preserveAspectRatio: "none"});
  const place = (position) => step * (position + 0.5) - bar / 2;
  for (const [position, value] of now) {
    const h = high * value / most;
    svg.append(svgElement("rect", {class: "now", x: place(position), y: high - h, width: bar, height: h}));
  }
  for (const [position, value] of own)
    svg.append(svgElement("rect", {class: "own", x: place(position), y: high + 3, width: bar, height: high * value / most,
                                   "vector-effect": "non-scaling-stroke"}));
  svg.append(svgElement("path", {class: "axis", d: `M0 ${high + 1}H${wide}`, "vector-effect": "non-scaling-stroke"}));
  return svg;
}
