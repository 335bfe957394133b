// Ranks the requests of a fixture with the WebAssembly build in Node, as replay.cpp does elsewhere.
//   node replay.mjs SEMINAR_MJS SEMINAR_WASM MODEL REQUESTS
import {readFileSync} from "node:fs";
import {pathToFileURL} from "node:url";

const [glue, wasm, modelPath, requestsPath] = process.argv.slice(2);
const {Seminar} = await import(pathToFileURL(glue));
const runtime = await Seminar.load(readFileSync(wasm));
const model = runtime.open(readFileSync(modelPath));

const numbers = readFileSync(requestsPath, "utf8").trim().split(/\s+/).map(Number);
let at = 0;
const take = (count) => numbers.slice(at, (at += count));
const pairs = (list) => Array.from({length: list.length / 2}, (_, i) => ({item: list[2 * i], query: list[2 * i + 1]}));

let count = 0, wrong = 0, worst = 0;
for (; at < numbers.length; ++count) {
  const [codes, k, behaviours] = take(3);
  const history = pairs(take(2 * behaviours));
  const [n] = take(1);
  const candidates = pairs(take(2 * n)), expected = take(n), retrieved = take(n * k);
  const user = model.user({k, codes: codes !== 0});
  for (const behaviour of history) user.append(behaviour);
  const answer = user.rank(candidates, {explain: true});
  user.close();
  const difference = Math.max(...answer.scores.map((score, i) => Math.abs(score - expected[i])));
  const same = answer.retrieved.every((found, i) => {
    const wanted = retrieved.slice(i * k, (i + 1) * k).filter((position) => position >= 0);
    return found.length === wanted.length && found.every((position, j) => position === wanted[j]);
  });
  const whole = answer.attention.every((heads) => heads.every((given) => Math.abs(given.reduce((a, b) => a + b, 0) - 1) < 1e-4));
  worst = Math.max(worst, difference);
  if (!(difference <= 1e-5) || !same || !whole) ++wrong;
}

// Names and numbers are kept apart: a text is an id or a query, a number a place in the model.
const scoresOf = (history, candidates) => {
  const user = model.user();
  history.forEach((behaviour) => user.append(behaviour));
  const {scores} = user.rank(candidates);
  user.close();
  return scores.join();
};
const names = (list) => list.map(({item, query}) => ({item: model.describe(item).name, query: model.queryText(query)}));
const few = [{item: 3, query: 1}, {item: 9, query: 0}], asked = [{item: 5, query: 2}, {item: 6, query: 0}];
if (scoresOf(few, asked) !== scoresOf(names(few), names(asked))) ++wrong;
if (model.describe(3).name === "3" || model.has("3") || !model.has(model.describe(3).name)) ++wrong;
if (model.readsTexts) {
  const text = `${model.queryText(1)} unheardofword`; // never asked; its known words are those of query 1
  const encoded = scoresOf(few, [{item: 5, queryVector: model.encode(text)}]);
  if (encoded !== scoresOf(few, [{item: 5, query: text}])) ++wrong;
}

// The best of the catalogue are those of ranking all of it.
{
  const user = model.user(), all = Array.from({length: model.items}, (_, i) => ({item: i + 1}));
  user.append({item: 3});
  const {scores} = user.rank(all), order = all.map(({item}) => item).sort((a, b) => scores[b - 1] - scores[a - 1] || a - b);
  const name = (item) => model.describe(item).name, unseen = order.filter((item) => item !== 3);
  if (user.top(5).items.join() !== unseen.slice(0, 5).map(name).join()) ++wrong;
  if (user.top(model.items, {withSeen: true}).items.join() !== order.map(name).join()) ++wrong;
  if (user.top(3, {allow: [name(7), 9], deny: [9]}).items.join() !== name(7)) ++wrong;
  if (user.top(1).scores[0] !== scores[unseen[0] - 1]) ++wrong;
  user.close();
}

// A model that is closed lives as long as its users; nothing is allocated for reasons that nobody wants.
{
  const second = runtime.open(readFileSync(modelPath)), user = second.user({history: 100000, k: 100000});
  second.close();
  user.append({item: 3});
  const grown = () => runtime.c.memory.buffer.byteLength, before = grown();
  user.rank(Array(1000).fill({item: 5}));
  if (grown() - before > 1 << 20) ++wrong;
  user.close();
}

// Texts go through, and mistakes are errors with the runtime's words.
const {name, title} = model.describe(1);
if (model.item(name) !== 1 || title.length === 0) ++wrong;
for (const mistake of [() => model.item("no such item"), () => model.user({k: 0}), () => model.user().append({item: -1}),
                       () => model.user().append({item: 1.7}), () => model.user().append({item: "1.7"}),
                       () => model.user().append({item: 2 ** 32 + 1}), () => model.user().append({item: 1, query: 0.5}),
                       () => model.user().append({item: null}), () => model.user().append({item: 1, queryVector: [1]}),
                       () => model.user().rank([{item: "no such item"}]), () => runtime.take(2 ** 32), () => model.user().top(0), () => model.user().top(2, {deny: [model.items + 1]}),
                       () => runtime.open(new Uint8Array(100))]) {
  try {
    mistake();
    ++wrong;
  } catch (error) {
    if (!(error.message.length > 5)) ++wrong;
  }
}
model.close();
console.log(`${count} requests, largest difference of a score ${worst.toExponential(1)}, ${wrong} wrong`);
process.exit(count === 0 || wrong > 0 ? 1 : 0);
