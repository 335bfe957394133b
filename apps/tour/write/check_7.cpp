// Checks chapter 7's part to write yourself.
#include EXERCISE
#include "grader.h"

using namespace tour;

namespace {

Numbers flat(const std::vector<std::vector<double>>& rows) {
  Numbers all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return all;
}

Numbers numbers(const std::vector<std::size_t>& codes) { return {codes.begin(), codes.end()}; }

}  // namespace

int main() {
  Grader grader;
  const std::vector<std::vector<std::vector<double>>> query{{{1, 0}, {0, 1}}, {{1, 1}, {-1, 1}}},
      text{{{2, 0}, {0, -1}}, {{0, 0}, {1, -1}}};
  const std::vector<double> target{1, 2, 1, 2};  // ½ (2, 0, 1, 1) + ½ (0, 4, 1, 3)
  grader.expect("the exercise on paper: codes of channel 0", {0, 0}, [&] {
    return numbers(encode({0.9, 0.2, 0.8, 1.1}, query));
  });
  grader.expect("codes of channel 1", {1, 1}, [&] { return numbers(encode({0.1, -0.8, 0.9, -0.7}, text)); });
  grader.expect("equally near: the first centroid", {0, 0}, [&] { return numbers(encode({0.5, 0.5, 0, 5}, query)); });
  grader.expect("the table of channel 0 with γ = ½", {0.5, 1, 1.5, 0.5},
                [&] { return flat(score_table(target, 0.5, query)); });
  grader.expect("the score of the behaviour, both channels added", {0.5}, [&] {
    return Numbers{score(score_table(target, 0.5, query), {0, 0}) + score(score_table(target, 0.5, text), {1, 1})};
  });
  grader.expect("look-ups equal decoding and multiplying", {2 * (1 * 0 + 2 * 1 + 1 * -1 + 2 * 1)}, [&] {
    return Numbers{score(score_table(target, 2, query), {1, 1})};
  });
  const std::vector<std::vector<double>> points{{0, 0}, {0, 2}, {10, 0}, {10, 4}, {13, 2}};
  grader.expect("one step of k-means; the third centroid has no points", {0, 1, 11, 2, -50, -50}, [&] {
    return flat(kmeans_step(points, {{1, 1}, {9, 1}, {-50, -50}}));
  });
  grader.expect("k-means stands still once it has found the clusters", {0, 1, 11, 2}, [&] {
    return flat(kmeans_step(points, {{0, 1}, {11, 2}}));
  });
  return grader.finish();
}
