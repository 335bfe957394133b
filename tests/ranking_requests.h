// Ranking requests drawn at random, whose options, histories and queries differ from one to the next.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "tensor/random.h"

namespace seminar {

/// For the tiny data (items 101 to 130) exported with `history`; histories may be empty or longer than that.
inline std::string random_ranking_request(Rng& rng, int64_t history) {
  static const char* const queries[] = {"", "red", "blue", "old red", "blue blue old", "never red asked"};
  const auto pairs = [&](int64_t count) {
    std::vector<std::string> list;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t item = 101 + rng.below(30);
      list.push_back(rng.chance(0.5)
                         ? fmt::format("\"{}\"", item)
                         : fmt::format("{{\"item\":\"{}\",\"query\":\"{}\"}}", item, queries[rng.below(6)]));
    }
    return fmt::format("[{}]", fmt::join(list, ","));
  };
  const int64_t behaviours = rng.chance(0.2) ? 0 : rng.below(2 * history + 4);
  std::string text = fmt::format("{{\"history\":{},\"candidates\":{}", pairs(behaviours), pairs(rng.below(12)));
  if (rng.chance(0.3)) text += fmt::format(",\"k\":{}", 1 + rng.below(history));
  if (rng.chance(0.3)) text += ",\"codes\":true";
  if (rng.chance(0.3)) text += ",\"explain\":true";
  static const char* const weights[] = {"", ",\"weights\":[0.5,0.25,1]", ",\"weights\":[0.1,0.75,0.5]"};
  return text + weights[rng.below(3)] + "}";
}

}  // namespace seminar
