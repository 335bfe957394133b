// A user's history and the ranking of candidates against it (paper §3.3.2 and §3.3.3): GSU, ESU and head, as
// seminar/model/seminar_model.h computes them, with everything folded that a trained model allows. All memory is taken
// when the user is made.
//
// Behaviours stand in a ring of `capacity` places. Their fused vectors are kept twice: as rows, for the few that are
// retrieved, and as columns of 16 (tensor/kernels.h), for the scan of all.
#pragma once

#include "pq/code_scan.h"
#include "pq/scan_kernels.h"
#include "pq/select.h"
#include "seminar/runtime/model.h"

namespace seminar::runtime {

class User {
 public:
  /// Takes the memory; the options are checked here.
  seminar_status create(const Model& model, const seminar_user_options& options);
  void release() { model_->memory.give(owned_); }
  seminar_status append(const seminar_pair& pair);
  void clear() {
    first_ = length_ = 0;
    mean_is_old_ = true;
  }
  int64_t length() const { return length_; }
  const Model& model() const { return *model_; }
  /// The item of a behaviour, 0 for the oldest that is kept.
  int32_t item(int64_t position) const { return items_[place(position)]; }
  seminar_status check(const seminar_pair& pair) const;
  const Memory& memory() const { return model_->memory; }
  /// What seminar_rank does; the candidates are checked here, before anything is written.
  seminar_status rank(const seminar_pair* candidates, std::size_t n, float* scores, const seminar_reasons& reasons);

 private:
  void fuse(const seminar_pair& pair, float* x, float* gamma);
  void update_mean();
  // Scores of all behaviours, by place in the ring, for `targets` fused targets.
  void scan_exactly(int64_t targets);
  // The k best behaviours for a target by their codes, in found_; -1 if a score is NaN.
  int64_t top_by_codes(int64_t target);
  float attend(int64_t target, int64_t found, float* attention);
  int64_t place(int64_t position) const { return (first_ + position) % capacity_; }

  const Model* model_ = nullptr;
  void* owned_ = nullptr;
  int64_t capacity_ = 0, padded_ = 0, k_ = 0, first_ = 0, length_ = 0;
  int64_t asked_k_ = 0;  // k of the options, which may be more than the history
  bool by_codes_ = false, mean_is_old_ = true;
  const float* weights_ = nullptr;                 // of channels; null: the gate
  float *own_weights_, *rows_, *columns_, *mean_;  // [C], [places, d], [places / 16, d, 16], [d]
  int32_t* items_;                                 // [places]
  f32::CodeColumns codes_ = {};
  uint16_t* pair_codes_;  // [C S]
  uint8_t* byte_tables_;
  // Working memory of one call.
  float *channels_, *targets_, *asked_, *head_asked_, *scores_, *table_, *keys_, *probabilities_, *pooled_, *head_in_,
      *hidden_;
  float* scratch_;
  f32::Found* found_;
};

}  // namespace seminar::runtime
