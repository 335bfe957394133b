// What the runtime's tests ask and get.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "tests/exported_model.h"

namespace seminar {

inline constexpr int64_t history = ExportedModel::history, k = ExportedModel::k;

inline std::vector<seminar_pair> pairs_of(const std::vector<int>& numbers) {
  std::vector<seminar_pair> pairs;
  for (std::size_t i = 0; i < numbers.size(); i += 2) pairs.push_back({numbers[i], numbers[i + 1], nullptr});
  return pairs;
}

struct Answer {
  std::vector<float> scores, attention;
  std::vector<int32_t> retrieved;
};

inline Answer rank(seminar_user* user, const std::vector<seminar_pair>& past,
                   const std::vector<seminar_pair>& candidates, const seminar_model* model, int64_t kept) {
  seminar_model_info info;
  check_runtime(seminar_model_describe(model, &info));
  check_runtime(seminar_user_clear(user));
  for (const seminar_pair& p : past) check_runtime(seminar_user_append(user, &p));
  Answer a{std::vector<float>(candidates.size()), std::vector<float>(candidates.size() * kept * info.heads),
           std::vector<int32_t>(candidates.size() * kept)};
  const seminar_reasons reasons{a.retrieved.data(), a.attention.data()};
  check_runtime(seminar_rank(user, candidates.data(), candidates.size(), a.scores.data(), &reasons));
  return a;
}

inline double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(static_cast<double>(a[i]) - b[i]));
  return most;
}

inline std::vector<std::byte> bytes_of(const std::string& path) {
  const std::string text = read_file(path);
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

}  // namespace seminar
