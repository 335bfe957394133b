// What the head reads besides the sequence (paper §3.3.2): x_user, x_u2i and x_context, from the data as they are. With
// settings.side "none" a model has none of it.
// B targets, T candidates of each, d width.
#pragma once

#include "nn/layers.h"
#include "seminar/data/batch.h"
#include "seminar/model/encoders.h"

namespace seminar::inline SEMINAR_PRECISION {

struct Side {
  /// A class of every item by which behaviours are counted: the item itself, its category, its brand or author.
  std::vector<std::vector<int32_t>> classes;
  std::optional<Embedding> user;                ///< of the user's attributes: x_user is their mean
  std::optional<Linear> u2i;                    ///< of u2i_features
  std::optional<Embedding> hour, weekday, gap;  ///< of the moment, UTC, and of the time since the last behaviour
  Side(const ModelSettings& settings, const Vocabulary& vocabulary, Rng rng);

  /// How many vectors of width d it gives.
  int64_t vectors() const { return (user ? 1 : 0) + (u2i ? 1 : 0) + (hour ? 1 : 0); }
  /// [x_user ; x_u2i ; x_context], as far as they are wanted: [B, T, vectors · d].
  Var operator()(const Dataset& data, const Batch& batch) const;
  void visit(auto&& f) const {
    f("user", user);
    f("u2i", u2i);
    f("hour", hour);
    f("weekday", weekday);
    f("gap", gap);
  }
};

/// The side that the settings want; nothing for "none".
std::optional<Side> make_side(const ModelSettings& settings, const Vocabulary& vocabulary, Rng rng);

inline constexpr int64_t numbers_of_class = 4;
/// What the user did with each candidate's classes before the target, over the whole history and not only its last L:
/// for each class whether, log(1 + how often), and of the last time log(1 + seconds ago) / 20 and
/// log(1 + behaviours ago) / 10; zeros if never, and for class 0, which is none. [B, T, 4 · classes]
Tensor u2i_features(const Dataset& data, const Batch& batch, const std::vector<std::vector<int32_t>>& classes);

/// The moment a target is asked for: its own time, that of its action, or that of the last behaviour if the action is
/// yet to come. Unix time in µs.
int64_t moment_of(const Dataset& data, const Target& target);

}  // namespace seminar::inline SEMINAR_PRECISION
