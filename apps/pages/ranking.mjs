// What the explorer shows, computed by the runtime. Settings are {weights: one a channel, query first, or null for the
// model's own; k; codes}; users are those of the page's data.

export const ownSettings = (model) => ({weights: null, k: model.k, codes: false});

/** The weights γ of a pair that has all channels: the query's λ, and 1 - λ shared out among the item's. */
export function shareOut([lambda, ...shares]) {
  const total = shares.reduce((sum, share) => sum + share, 0);
  return [lambda, ...shares.map((share) => (total > 0 ? (1 - lambda) * share / total : 0))];
}

/** Ranks a user's candidates: their order, best first, and per candidate its score, its place from 1, and the retrieved
 *  behaviours [{position, age, attention: one a head}], best first. */
export function rankUser(model, {history, candidates}, settings) {
  const user = model.user(settings);
  try {
    for (const [item, query] of history) user.append({item, query});
    const {scores, retrieved, attention} = user.rank(candidates.map((item) => ({item})), {explain: true});
    const order = [...scores.keys()].sort((a, b) => scores[b] - scores[a] || a - b);
    const places = [];
    order.forEach((candidate, i) => (places[candidate] = i + 1));
    return {order, scores, places, retrieved: retrieved.map((positions, c) => positions.map((position, i) => ({
      position, age: history.length - position, attention: attention[c].map((head) => head[i])})))};
  } finally {
    user.close();
  }
}

/** The request for `seminar rank` that asks for the same. */
export function rankRequest(model, {history, candidates}, {weights, k, codes}) {
  const name = (item) => model.describe(item).name;
  return {
    history: history.map(([item, query]) => (query ? {item: name(item), query: model.queryText(query)} : name(item))),
    candidates: candidates.map(name), k, codes, ...(weights && {weights}), explain: true};
}

export const mean = (numbers) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
