// The explorer's page: what is chosen, and showing it.
import {Seminar} from "seminar";
import {mean, ownSettings, rankRequest, rankUser, shareOut} from "ranking";
import {headBars, historyStrip} from "pictures";

const at = (selector) => document.querySelector(selector);
const namedLost = 8;
const percent = (share) => `${(100 * share).toFixed(1)} %`;

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const cell = (className, ...children) => element("td", {className}, ...children);

function pageBytes(id) {
  return Uint8Array.from(atob(at(id).textContent), (c) => c.charCodeAt(0));
}

class Explorer {
  constructor(data, model) {
    this.data = data;
    this.model = model;
    try {
      this.ownWeights = model.weights();
    } catch {
      this.ownWeights = null; // a gate: they differ from pair to pair
    }
    this.makeControls();
    this.chooseUser();
  }

  get user() { return this.data.users[at("#user").selectedIndex]; }
  title(item) {
    const {name, title} = this.model.describe(item);
    return title || name;
  }

  // The controls.
  makeControls() {
    const {data, model} = this;
    at("#about").textContent = `${data.model}, a SEMINAR model of ${data.data}: ${model.items} items, ${model.channels} channels, ` +
      `${model.heads} heads, d = ${model.width}. It runs in this page; nothing is loaded or sent.`;
    at("#model-name").textContent = data.model;
    at("#user").append(...data.users.map(({name, behaviours}) => element("option", {}, `${name}, ${behaviours} behaviours`)));
    at("#user").selectedIndex = data.users.length * 3 / 4; // a long history, but not the longest
    at("#own-weights").textContent = this.ownWeights ? "the model's own" : "the model's gate, for each pair its own";
    this.sliders = data.channels.map((channel, i) => this.makeSlider(channel, i));
    at("#k").max = model.history;
    at("[value=codes]").disabled = !model.hasCodes;
    at("#no-codes").hidden = Boolean(model.hasCodes);
    at("#user").addEventListener("change", () => this.chooseUser());
    at("#reset").addEventListener("click", () => {
      this.useOwnSettings();
      this.rank();
    });
    at("#sliders").addEventListener("input", () => (at("[value=fixed]").checked = true));
    at("#settings").addEventListener("submit", (event) => event.preventDefault());
    at("[value=own]").addEventListener("input", () => this.setSliders());
    for (const control of [at("#sliders"), at("#k"), ...document.querySelectorAll("input[type=radio]")])
      control.addEventListener("input", () => this.rank());
    this.useOwnSettings();
  }
  makeSlider(channel, i) {
    const field = at("#slider").content.cloneNode(true).firstElementChild;
    const [label, output, input] = field.children;
    label.textContent = i === 0 ? `${channel}, λ` : `${channel}, share`;
    label.htmlFor = output.htmlFor = input.id = `weight-${i}`;
    at("#sliders").append(field);
    return {input, output};
  }
  setSliders() {
    const own = this.ownWeights ?? this.sliders.map(() => 1 / this.sliders.length);
    const rest = 1 - own[0];
    this.sliders.forEach(({input}, i) => (input.value = i === 0 ? own[0] : rest > 0 ? own[i] / rest : 1));
  }
  useOwnSettings() {
    at("[value=own]").checked = at("[value=exact]").checked = true;
    at("#k").value = this.model.k;
    this.setSliders();
  }
  settings() {
    const fixed = at("[value=fixed]").checked;
    return {weights: fixed ? this.sliders.map(({input}) => Number(input.value)) : null, k: Number(at("#k").value),
            codes: at("[value=codes]").checked};
  }

  // What follows from them.
  chooseUser() {
    this.target = 0; // the true next item
    this.own = rankUser(this.model, this.user, ownSettings(this.model));
    this.rank();
  }
  rank() {
    const settings = this.settings();
    this.now = rankUser(this.model, this.user, settings);
    this.showSettings(settings);
    this.showRanking();
    this.showTarget();
    at("#request").textContent = JSON.stringify(rankRequest(this.model, this.user, settings));
  }
  showSettings({weights, k}) {
    const gamma = weights ? shareOut(weights) : this.ownWeights;
    this.sliders.forEach(({input, output}, i) => {
      output.textContent = gamma ? `γ = ${gamma[i].toFixed(2)}` : "by the gate";
      input.setAttribute("aria-valuetext", `${input.value}, ${output.textContent}`);
    });
    at("output[for=k]").textContent = `${k}`;
  }
  showRanking() {
    const {order, scores, places} = this.now;
    const best = scores[order[0]], range = Math.max(best - scores[order.at(-1)], 1e-9);
    at("#ranking tbody").replaceChildren(...order.map((candidate) => {
      const gained = this.own.places[candidate] - places[candidate];
      const choice = element("input", {type: "radio", name: "target", value: candidate, checked: candidate === this.target});
      choice.addEventListener("input", () => {
        this.target = candidate;
        this.showTarget();
      });
      const name = element("span", {}, this.title(this.user.candidates[candidate]));
      if (candidate === 0) name.append(" ", element("span", {className: "tag"}, "true next"));
      const bar = element("span", {className: "bar"});
      bar.style.width = `${100 * (1 - (best - scores[candidate]) / range)}%`;
      return element("tr", {}, cell("n", `${places[candidate]}`), cell("n", gained > 0 ? `+${gained}` : `${gained}`.replace("-", "−")),
                     cell("", element("label", {}, choice, name)), cell("n", scores[candidate].toFixed(4), bar));
    }));
  }

  // The chosen candidate.
  showTarget() {
    const {now, own, target} = this, table = at("#ranking");
    for (const row of table.querySelectorAll("tbody tr")) row.className = row.querySelector("input").checked ? "chosen" : "";
    const row = table.querySelector(".chosen");
    if (!table.contains(document.activeElement)) table.scrollTop = row.offsetTop - table.clientHeight / 2;
    const found = now.retrieved[target], before = own.retrieved[target].map(({position}) => position);
    const kept = found.filter(({position}) => before.includes(position)).length;
    const title = (candidate) => this.title(this.user.candidates[candidate]);
    const standing = (what, c) => `${what}: ${title(c)}. Place ${now.places[c]} of ${now.scores.length}, score ${now.scores[c].toFixed(4)}; ` +
      `by the model's own settings place ${own.places[c]}, score ${own.scores[c].toFixed(4)}. `;
    at("#result").textContent = standing("True next item", 0) + (target === 0 ? "" : standing("Chosen", target)) +
      `${found.length} behaviours retrieved, ${kept} of them among the ${before.length} of the model's own settings.`;
    at("#retrieved-title").textContent = `Retrieved for ${title(target)}`;
    this.showRetrieved(found, before);
  }
  showRetrieved(found, before) {
    const {history} = this.user, most = Math.max(...found.flatMap(({attention}) => attention));
    at("#retrieved tbody").replaceChildren(...found.map(({position, age, attention}, i) => {
      const [item, query] = history[position], old = before.indexOf(position);
      const label = attention.map((given, head) => `head ${head + 1}: ${percent(given)}`).join(", ");
      return element("tr", {}, cell("n", `${i + 1}`), cell("n", old < 0 ? "new" : `${old + 1}`),
                     cell("", this.title(item), element("small", {}, `${age} ago, ` + (query ? `searched “${this.model.queryText(query)}”` : "browsed"))),
                     cell("", headBars(attention, most, label), percent(mean(attention))));
    }));
    const positions = found.map(({position}) => position), lost = before.filter((position) => !positions.includes(position));
    const named = lost.slice(0, namedLost).map((position) => `${this.title(history[position][0])} (${history.length - position} ago)`);
    at("#lost").textContent = lost.length === 0 ? "Nothing that the model's own settings retrieve is left out." :
      `Left out of what the model's own settings retrieve: ${named.join("; ")}` +
      (lost.length > namedLost ? `; and ${lost.length - namedLost} more.` : ".");
    const bars = (list) => list.map(({position, attention}) => [position, mean(attention)]);
    at("#history").replaceChildren(historyStrip(history.length, bars(found), bars(this.own.retrieved[this.target]),
      `${history.length} behaviours, the newest at the right; attention to those that are retrieved`));
  }
}

try {
  const runtime = await Seminar.load(pageBytes("#page-wasm"));
  new Explorer(JSON.parse(at("#page-data").textContent), runtime.open(pageBytes("#page-model")));
} catch (error) {
  at("#result").textContent = `The explorer cannot run here: ${error.message}`;
  throw error;
}
