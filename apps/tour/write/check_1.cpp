// Checks chapter 1's part to write yourself.
#include EXERCISE
#include "grader.h"

using namespace tour;

namespace {

Numbers numbers(const Longs& longs) { return {longs.begin(), longs.end()}; }

Numbers numbers(const View& view) {
  Numbers all{static_cast<double>(view.offset)};
  all.insert(all.end(), view.sizes.begin(), view.sizes.end());
  all.insert(all.end(), view.strides.begin(), view.strides.end());
  return all;
}

// x [3, 4, 2], row-major.
const View x{0, {3, 4, 2}, {8, 2, 1}};

}  // namespace

int main() {
  Grader grader;
  grader.expect("strides of [3, 4, 2]", {8, 2, 1}, [] { return numbers(contiguous_strides({3, 4, 2})); });
  grader.expect("strides of [5, 1, 7, 2]", {14, 14, 2, 1}, [] { return numbers(contiguous_strides({5, 1, 7, 2})); });
  grader.expect("address of x[1, 2, 1]", {13}, [] { return Numbers{double(address(x, {1, 2, 1}))}; });
  grader.expect("address in a view with an offset", {24}, [] {
    return Numbers{double(address({4, {2, 3}, {3, 8}}, {4, 1}))};
  });
  grader.expect("behaviours 1 and 2: offset, sizes, strides", {2, 3, 2, 2, 8, 2, 1},
                [] { return numbers(slice(x, 1, 1, 3)); });
  grader.expect("a slice of a slice", {12, 1, 2, 2, 8, 2, 1},
                [] { return numbers(slice(slice(x, 1, 2, 4), 0, 1, 2)); });
  grader.expect("x transposed", {0, 3, 2, 4, 8, 1, 2}, [] { return numbers(transpose(x)); });
  grader.expect("the exercise on paper: y = slice, then transposed; y[2, 1, 0]", {19}, [] {
    return Numbers{double(address(transpose(slice(x, 1, 1, 3)), {2, 1, 0}))};
  });
  grader.expect("which of x, a slice of axis 0, a slice of axis 1, x transposed, [4, 1] with strides 1 9 have no gaps",
                {1, 1, 0, 0, 1}, [] {
                  Numbers answers;
                  for (const View& view : {x, View{8, {2, 4, 2}, {8, 2, 1}}, View{2, {3, 2, 2}, {8, 2, 1}},
                                           View{0, {3, 2, 4}, {8, 1, 2}}, View{0, {4, 1}, {1, 9}}})
                    answers.push_back(without_gaps(view));
                  return answers;
                });
  return grader.finish();
}
