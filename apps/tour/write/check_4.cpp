// Checks chapter 4's part to write yourself.
#include EXERCISE
#include "grader.h"

using namespace tour;

namespace {

// Times and lengths of queries, as numbers to compare.
Numbers numbers(const std::vector<Pair>& pairs) {
  Numbers all;
  for (const Pair& pair : pairs) {
    all.push_back(static_cast<double>(pair.time));
    all.push_back(static_cast<double>(pair.query.size()));
    all.push_back(pair.item.empty() ? -1 : pair.item[0]);
  }
  return all;
}

}  // namespace

int main() {
  Grader grader;
  const std::vector<Pair> searches{{20, "green tea", "teapot"}, {40, "light", "lamp"}},
      browsed{{10, "", "kettle"}, {30, "", "cup"}, {40, "", "mug"}};
  grader.expect("two streams by time, searches first on ties (time, letters of the query, first letter of the item)",
                {10, 0, 'k', 20, 9, 't', 30, 0, 'c', 40, 5, 'l', 40, 0, 'm'},
                [&] { return numbers(merged(searches, browsed)); });
  grader.expect("a user who only browses", {10, 0, 'k', 30, 0, 'c', 40, 0, 'm'},
                [&] { return numbers(merged({}, browsed)); });
  grader.expect("the exercise on paper: λ = 0.4, logits (ln 3, 0)", {0.4, 0.45, 0.15}, [] {
    return weights(0.4, {std::log(3), 0}, {true, true});
  });
  grader.expect("the same without the second channel", {0.4, 0.6, 0}, [] {
    return weights(0.4, {std::log(3), 0}, {true, false});
  });
  grader.expect("three channels with large logits, the first missing",
                {0.3, 0, 0.7 / (1 + std::exp(-1)), 0.7 / (1 + std::exp(1))}, [] {
                  return weights(0.3, {2000, 1000, 999}, {false, true, true});
                });
  grader.expect("fusion of three channels", {0.3 + 0.35 * 4, 0.35 * 2 - 0.35}, [] {
    return fuse({0.3, 0.35, 0.35}, {{1, 0}, {0, 2}, {4, -1}});
  });
  return grader.finish();
}
