// The explorer in the browser: every control is moved by mouse or keyboard, and what the page then shows is compared
// with `seminar rank` under the same settings.
//   node explorer.mjs CHROMIUM SEMINAR SEMINAR_WASM FIXTURE SCREENSHOTS
import assert from "node:assert/strict";
import {execFileSync} from "node:child_process";
import {mkdirSync, readFileSync} from "node:fs";
import {pathToFileURL} from "node:url";
import {Seminar} from "../../seminar/runtime/seminar.mjs";
import {checkKeyboard, checkLooks, checkQuiet} from "./checks.mjs";
import {Chromium} from "./chromium.mjs";

const [chromium, seminar, wasm, fixture, screenshots] = process.argv.slice(2);
const users = 5, candidates = 20;
mkdirSync(screenshots, {recursive: true});
const runtime = await Seminar.load(readFileSync(wasm));

// Runs in the page: what it shows.
function shown() {
  const texts = (row) => [...row.cells].map((cell) => cell.textContent);
  const rows = (table) => [...document.querySelectorAll(`${table} tbody tr`)];
  return {
    result: document.querySelector("#result").textContent,
    ranking: rows("#ranking").map((row) => [...texts(row), Number(row.querySelector("input").value)]),
    retrieved: rows("#retrieved").map((row) => [...texts(row), row.querySelector("svg").getAttribute("aria-label")]),
    lost: document.querySelector("#lost").textContent,
    target: Number(document.querySelector("[name=target]:checked").value),
    request: JSON.parse(document.querySelector("#request").textContent),
    gammas: [...document.querySelectorAll("#sliders output")].map((output) => output.textContent),
  };
}

class Explorer {
  constructor(tab, page, modelPath, gated) {
    this.tab = tab;
    this.modelPath = modelPath;
    this.model = runtime.open(readFileSync(modelPath));
    this.data = JSON.parse(/<script type="application\/json" id="page-data">(.*?)<\/script>/s.exec(readFileSync(page, "utf8"))[1]);
    this.user = Math.floor(users * 3 / 4);
    this.settings = this.own = {weights: null, k: this.model.k, codes: false};
    this.target = 0;
    this.gated = gated;
    this.compared = 0;
  }

  request({weights, k, codes}) {
    const name = (item) => this.model.describe(item).name, user = this.data.users[this.user];
    return {history: user.history.map(([item, query]) => (query ? {item: name(item), query: this.model.queryText(query)} : name(item))),
            candidates: user.candidates.map(name), k, codes, ...(weights && {weights}), explain: true};
  }
  rank(settings) {
    const input = JSON.stringify(this.request(settings));
    return JSON.parse(execFileSync(seminar, ["rank", "--model", this.modelPath], {input, encoding: "utf8"}));
  }

  /** The page shows what `seminar rank` answers. */
  async compare(what) {
    const page = await this.tab.call(shown), now = this.rank(this.settings), own = this.rank(this.own);
    const title = (candidate) => this.model.describe(this.data.users[this.user].candidates[candidate]).title;
    const order = (scores) => [...scores.keys()].sort((a, b) => scores[b] - scores[a] || a - b);
    const places = order(now.scores), ownPlaces = order(own.scores);
    assert.equal(page.target, this.target, what);
    assert.deepEqual(page.request, this.request(this.settings), what);
    assert.equal(page.ranking.length, candidates);
    page.ranking.forEach(([place, gained, label, score, candidate], i) => {
      assert.equal(candidate, places[i], `${what}: place ${i + 1}`);
      assert.equal(place, `${i + 1}`);
      assert.ok(label.startsWith(title(candidate)), `${label} is ${title(candidate)}`);
      assert.equal(label.endsWith("true next"), candidate === 0);
      assert.ok(Math.abs(Number(score) - now.scores[candidate]) <= 0.5e-4 + 1e-5 * Math.max(1, Math.abs(Number(score))), `${what}: ${score} is ${now.scores[candidate]}`);
      assert.equal(Number(gained.replace("−", "-")), ownPlaces.indexOf(candidate) - i, `${what}: gained`);
    });
    this.compareRetrieved(page, now.retrieved[this.target], own.retrieved[this.target].map(({position}) => position), what);
    assert.match(page.result, new RegExp(`^True.*\\. Place ${places.indexOf(0) + 1} of ${candidates}, .*own settings place ${ownPlaces.indexOf(0) + 1}, `), what);
    ++this.compared;
    return page;
  }
  compareRetrieved(page, now, own, what) {
    const {history} = this.data.users[this.user], title = (position) => this.model.describe(history[position][0]).title;
    assert.equal(page.retrieved.length, now.length, what);
    now.forEach(({position, attention}, i) => {
      const [place, before, behaviour, , heads] = page.retrieved[i], query = history[position][1], old = own.indexOf(position);
      assert.equal(place, `${i + 1}`);
      assert.equal(before, old < 0 ? "new" : `${old + 1}`, what);
      assert.equal(behaviour, `${title(position)}${history.length - position} ago, ` +
        (query ? `searched “${this.model.queryText(query)}”` : "browsed"), `${what}: retrieved ${i + 1}`);
      const given = heads.match(/[\d.]+(?= %)/g).map(Number);
      assert.equal(given.length, attention.length);
      given.forEach((share, h) => assert.ok(Math.abs(share - 100 * attention[h]) <= 0.05 + 1e-3, `${what}: ${heads} is ${attention}`));
    });
    const kept = now.map(({position}) => position), lost = own.filter((position) => !kept.includes(position));
    assert.match(page.result, new RegExp(`${kept.length} behaviours retrieved, ${own.length - lost.length} of them among the ${own.length} `));
    for (const position of lost.slice(0, 8)) assert.ok(page.lost.includes(`${title(position)} (${history.length - position} ago)`), what);
  }

  /** Focuses a control and presses keys on it. */
  async keys(selector, ...pressed) {
    await this.tab.call((wanted) => document.querySelector(wanted).focus(), selector);
    for (const key of pressed) await this.tab.press(key);
  }
  number(selector) { return this.tab.call((wanted) => Number(document.querySelector(wanted).value), selector); }
  async weights() {
    const weights = [];
    for (let i = 0; i < this.model.channels; ++i) weights.push(await this.number(`#weight-${i}`));
    return weights;
  }

  /** The sliders stand at the model's own weights; those of a gate at the same for every channel. */
  async checkOwnWeights() {
    const {gammas} = await this.tab.call(shown), channels = this.model.channels;
    const own = this.gated ? Array(channels).fill(1 / channels) : this.model.weights();
    const shares = own.map((w, c) => (c === 0 ? w : w / (1 - own[0])));
    (await this.weights()).forEach((w, c) => assert.ok(Math.abs(w - shares[c]) <= 0.005 + 1e-9, `slider ${c}: ${w} is ${shares[c]}`));
    assert.deepEqual(gammas, own.map((w) => (this.gated ? "by the gate" : `γ = ${w.toFixed(2)}`)));
  }
  async moveSliders() {
    for (const [i, pressed] of [["PageUp", "ArrowRight"], ["ArrowLeft", "ArrowLeft", "PageDown"], ["End"], ["Home"]].entries()) {
      const before = await this.weights(), channel = i % this.model.channels;
      await this.keys(`#weight-${channel}`, ...pressed);
      const weights = await this.weights();
      assert.notEqual(weights[channel], before[channel], `weight ${channel} moves`);
      this.settings = {...this.settings, weights};
      const {gammas} = await this.compare(`weights ${weights}`), rest = weights.slice(1).reduce((a, b) => a + b, 0);
      assert.deepEqual(gammas, weights.map((w, c) => `γ = ${(c === 0 ? w : rest > 0 ? (1 - weights[0]) * w / rest : 0).toFixed(2)}`));
    }
    await this.click("[value=own]", {...this.settings, weights: null}, "own weights");
    await this.checkOwnWeights();
    await this.click("[value=fixed]", {...this.settings, weights: await this.weights()}, "weights by the sliders");
  }
  async moveK() {
    for (const pressed of [["ArrowLeft", "ArrowLeft", "ArrowLeft"], ["Home"], ["PageUp", "PageUp", "ArrowRight"], ["End"]]) {
      await this.keys("#k", ...pressed);
      const k = await this.number("#k");
      assert.notEqual(k, this.settings.k);
      this.settings = {...this.settings, k};
      await this.compare(`K = ${k}`);
    }
    assert.equal(this.settings.k, this.model.history);
  }
  async click(selector, settings, what) {
    await this.tab.click(selector);
    this.settings = settings;
    return this.compare(what);
  }
  async chooseTargets() {
    for (const candidate of [7, 3]) {
      await this.tab.click(`[name=target][value="${candidate}"]`);
      this.target = candidate;
      const {result} = await this.compare(`candidate ${candidate}`);
      assert.ok(result.includes("Chosen: "));
    }
    const {ranking} = await this.tab.call(shown), at = ranking.findIndex((row) => row.at(-1) === this.target);
    const down = at + 1 < candidates;
    await this.tab.press(down ? "ArrowDown" : "ArrowUp");
    this.target = ranking[at + (down ? 1 : -1)].at(-1);
    await this.compare("the next candidate, by keyboard");
  }
  async chooseUser() {
    await this.keys("#user", "ArrowUp");
    --this.user;
    this.target = 0;
    await this.compare("another user");
  }
  async reset() {
    await this.keys("#weight-0", "PageUp");
    await this.keys("#reset", "Enter");
    this.settings = this.own;
    const {ranking, lost} = await this.compare("reset");
    assert.ok(ranking.every(([, gained]) => gained === "0"));
    assert.match(lost, /^Nothing/);
    await this.checkOwnWeights();
  }
}

async function explore(browser, name, steps) {
  const page = `${fixture}/explorer-${name}.html`, model = `${fixture}/${name}.safetensors`, url = pathToFileURL(page).href;
  execFileSync(seminar, ["explore", "--data", `${fixture}/run/data`, "--model", model, "--wasm", wasm, "--users", `${users}`,
                         "--candidates", `${candidates}`, "--out", page], {stdio: ["ignore", "ignore", "inherit"]});
  const tab = await browser.tab();
  await tab.look({width: 1400});
  await tab.open(url);
  await tab.until("document.querySelector('#result').textContent.startsWith('True next')");
  const explorer = new Explorer(tab, page, model, name === "gate");
  await explorer.compare("at first");
  await steps(explorer, tab);
  assert.equal(await tab.value("document.querySelectorAll('b, i').length"), 0, "texts of the data are not markup");
  checkQuiet(tab, url);
  console.log(`${name}: ${explorer.compared} rankings are those of 'seminar rank'`);
}

const browser = new Chromium(chromium);
try {
  await explore(browser, "lambda", async (explorer, tab) => {
    await explorer.checkOwnWeights();
    await explorer.moveK();
    await explorer.moveSliders();
    await explorer.click("[value=codes]", {...explorer.settings, codes: true}, "by codes");
    await explorer.chooseTargets();
    await explorer.chooseUser();
    await explorer.click("[value=exact]", {...explorer.settings, codes: false}, "exact");
    await explorer.click("[value=codes]", {...explorer.settings, codes: true}, "by codes again");
    await explorer.reset();
    await explorer.click("[value=codes]", {...explorer.settings, codes: true}, "by codes, all else as it was");
    await tab.click("summary");
    assert.ok(await tab.value("document.querySelector('details').open"), "details open");
    await checkLooks(tab, screenshots, "explorer");
    await checkKeyboard(tab);
  });
  await explore(browser, "gate", async (explorer, tab) => {
    assert.ok(await tab.value("document.querySelector('[value=codes]').disabled"), "no codes");
    await explorer.checkOwnWeights();
    await explorer.moveSliders();
    await explorer.reset();
  });
} finally {
  await browser.close();
}
