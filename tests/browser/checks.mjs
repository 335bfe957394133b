// What every page must do: load nothing, complain of nothing, fit the window, be readable, be reached by keyboard.
import assert from "node:assert/strict";
import {join} from "node:path";

// Runs in the page: texts that are too small (but for the letters in a chart's marks), or of too little contrast against
// what is behind them (WCAG 2, level AA for small text).
function hardTexts() {
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255).reduce((sum, c, i) =>
    sum + [0.2126, 0.7152, 0.0722][i] * (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4), 0);
  const over = ([r, g, b, a = 1], ground) => [r, g, b].map((c, i) => a * c + (1 - a) * ground[i]);
  const canvas = numbers(getComputedStyle(document.body).backgroundColor);
  function ground(element) {
    if (!element) return canvas;
    return over(numbers(getComputedStyle(element).backgroundColor), ground(element.parentElement));
  }
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let count = 0;
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement, text = texts.currentNode.data.trim();
    if (!text || element.closest("script, style, template, option") || !element.checkVisibility()) continue;
    const style = getComputedStyle(element), behind = ground(element);
    let colour = numbers(element instanceof SVGElement ? style.fill : style.color);
    let opacity = 1;
    for (let at = element; at; at = at.parentElement) opacity *= getComputedStyle(at).opacity;
    colour = over([...colour.slice(0, 3), (colour[3] ?? 1) * opacity], behind);
    const [a, b] = [luminance(colour), luminance(behind)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const {a: across, b: along} = element.getScreenCTM?.() ?? {a: 1, b: 0};
    const size = parseFloat(style.fontSize) * Math.hypot(across, along);
    ++count;
    if (size < 8 && text.length > 1) found.push(`${text.slice(0, 40)}: ${size.toFixed(1)} pixels`);
    if (contrast < 4.5) found.push(`${text.slice(0, 40)}: ${contrast.toFixed(2)}`);
  }
  return {count, found};
}

// Runs in the page: what paper should not show, or cuts off.
function notPrinted() {
  const shown = [...document.querySelectorAll("nav, form, td input")].filter((element) => element.checkVisibility());
  const cut = [...document.querySelectorAll(".wide")].filter((element) => element.scrollHeight > element.clientHeight + 1);
  return [...shown, ...cut].map((element) => element.outerHTML.slice(0, 80));
}

// Runs in the page: marks what Tab must reach, one of each group of radio buttons, and tells how much there is.
function markStops() {
  const stops = [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")].filter((stop) =>
    !stop.disabled && stop.checkVisibility() && (stop.type !== "radio" || stop.checked));
  stops.forEach((stop, i) => (stop.dataset.stop = i));
  return stops.length;
}

/** Tab goes to everything that can be used, in order, and what has the focus shows it. */
export async function checkKeyboard(tab) {
  const stops = await tab.call(markStops);
  assert.ok(stops > 0);
  await tab.click("h1"); // Tab goes on from there
  for (let i = 0; i < stops; ++i) {
    await tab.press("Tab");
    const {stop, outline, name} = await tab.value(`(({dataset, outerHTML}) => ({stop: dataset.stop, name: outerHTML.slice(0, 80),
      outline: getComputedStyle(document.activeElement).outlineStyle}))(document.activeElement)`);
    assert.equal(stop, `${i}`, `Tab ${i + 1} leads to ${name}`);
    assert.notEqual(outline, "none", `no outline: ${name}`);
  }
}

/** Wide and narrow, light and dark, and on paper: all texts readable, nothing beyond the window. Pictures of it go to `folder`. */
export async function checkLooks(tab, folder, name) {
  for (const [size, width] of [["wide", 1400], ["narrow", 400]])
    for (const scheme of ["light", "dark"]) {
      await tab.look({width, scheme});
      await tab.value("scrollTo(0, 0)");
      const {count, found} = await tab.call(hardTexts);
      assert.ok(count > 20, `${count} texts`);
      assert.deepEqual(found, [], `${size}, ${scheme}`);
      const [content, window] = await tab.value("[document.documentElement.scrollWidth, innerWidth]");
      assert.ok(content <= window, `${size}: ${content} pixels wide in a window of ${window}`);
      await tab.screenshot(join(folder, `${name}-${size}-${scheme}.png`), size === "wide" ? 2500 : 4000);
    }
  await tab.look({width: 700, media: "print"});
  assert.deepEqual(await tab.call(notPrinted), []);
  await tab.screenshot(join(folder, `${name}-print.png`), 2500);
  await tab.look({width: 1400});
}

/** Nothing was loaded but the page itself, and nothing was complained of. */
export function checkQuiet(tab, url) {
  assert.deepEqual(tab.complaints, []);
  assert.deepEqual(tab.requests.filter((request) => !request.startsWith("data:")), [url]);
}
