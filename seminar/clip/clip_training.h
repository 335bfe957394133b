// Training CLIP on pairs and measuring it by retrieval among pairs held out.
#pragma once

#include <functional>
#include <optional>

#include "seminar/clip/clip.h"
#include "seminar/clip/pairs.h"
#include "seminar/data/tokenizer.h"

namespace seminar::inline SEMINAR_PRECISION {

struct ClipRunSettings {
  int64_t seed = 42, threads = 0, epochs = 80, batch = 64, held_out = 100;
  double lr = 5e-4, weight_decay = 0.1, dropout = 0.1, augment = 1;

  void visit(auto&& f) {
    f(SettingInfo{"seed", "seed of every random draw, and of what is held out", 0, 9e15, {}}, seed);
    f(SettingInfo{"threads", "threads (0: all cores)", 0, 1024, {}}, threads);
    f(SettingInfo{"epochs", "passes over the pairs", 0, 100000, {}}, epochs);
    f(SettingInfo{"batch", "pairs a step", 2, 65536, {}}, batch);
    f(SettingInfo{"held-out", "pairs that are not trained on", 2, 1000000, {}}, held_out);
    f(SettingInfo{"lr", "Adam's highest learning rate", 0, 10, {}}, lr);
    f(SettingInfo{"weight-decay", "AdamW's", 0, 10, {}}, weight_decay);
    f(SettingInfo{"dropout", "in both towers", 0, 0.95, {}}, dropout);
    f(SettingInfo{"augment", "strength of shifts, scales and colours of training pictures (0: none)", 0, 1, {}},
      augment);
  }
};

/// Retrieval of each query's own partner among N candidates: shares with it among the best 1, 5 and 10. Ties count
/// against it.
struct PairRecall {
  double at1 = 0, at5 = 0, at10 = 0;
};
/// a and b [N, dim], unit rows; row i of both is a pair. Finds b by a.
PairRecall pair_recall(const Tensor& a, const Tensor& b);

/// Unit vectors [N, dim] of pictures of the model's size and of texts; no graph is recorded.
Tensor encode_images(const Clip& clip, std::span<const Image> images);
Tensor encode_texts(const Clip& clip, const Tokenizer& tokenizer, std::span<const std::string> texts);

struct ClipProgress {
  int64_t epoch = 0, step = 0, steps = 0, pairs = 0;
  double loss = 0;                              ///< of the step; of the whole epoch with `to_text`
  std::optional<PairRecall> to_text, to_image;  ///< on the held-out pairs, after the last step of an epoch
};
/// Trains `clip` in place; the last `held_out` pairs of a seeded order are kept back. Returns the recall image to text
/// and text to image of the final model. `progress` is called after every step; false stops. Throws Error if fewer than
/// two pairs are left or the loss is not finite.
std::pair<PairRecall, PairRecall> train_clip(Clip& clip, const Tokenizer& tokenizer, const PicturePairs& pairs,
                                             const ClipRunSettings& run,
                                             const std::function<bool(const ClipProgress&)>& progress);

/// A tokenizer of the captions that training sees.
Tokenizer train_tokenizer(const PicturePairs& pairs, const ClipRunSettings& run, int64_t vocabulary);

}  // namespace seminar::inline SEMINAR_PRECISION
