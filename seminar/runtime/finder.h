// The best items of the whole catalogue for a user, without ranking all of them. Every item has a key of 8-bit numbers,
// its fused vector for no query. For a user some items are ranked exactly, a linear function of the keys is fitted to
// their scores, all keys are scanned with it, and the best of them are ranked exactly. Later rounds fit the function to
// the better ones of what was ranked so far. What is returned has exact scores.
#pragma once

#include "seminar/runtime/user.h"

namespace seminar::runtime {

class Finder {
 public:
  /// Makes the keys and takes all memory.
  seminar_status create(const Model& model);
  void release() { model_->memory.give(owned_); }
  const Memory& memory() const { return model_->memory; }
  /// What seminar_top does; the arguments are checked here.
  seminar_status top(User& user, const seminar_pair& query, std::size_t n, const seminar_filter& filter, int32_t* items,
                     float* scores, std::size_t* found);

 private:
  void make_keys();
  void mark(User& user, const seminar_filter& filter);
  seminar_status rank(User& user, const seminar_pair& query, int64_t count);
  void key(int64_t item, double* z) const;
  void fit(int64_t first, int64_t count);
  void scan();
  int64_t sample(int64_t most);
  int64_t best(int64_t most);
  void sort_ranked();

  const Model* model_ = nullptr;
  void* owned_ = nullptr;
  int64_t items_ = 0, width_ = 0, blocks_ = 0, most_ranked_ = 0, ranked_ = 0, open_ = 0;
  int8_t* keys_;     // [blocks, width / 4, 16, 4]
  float* scales_;    // [blocks * 16]
  uint8_t* closed_;  // [items + 1]: not wanted, or ranked already
  float* scan_;      // [blocks * 16]
  float* room_;      // [C, d]
  f32::Found* found_;
  int32_t* ranked_items_;
  float* ranked_scores_;
  double *normal_, *slope_, *row_;  // [d + 1, d + 1], [d + 1], [d + 1]
};

}  // namespace seminar::runtime
