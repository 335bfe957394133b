#include "seminar/runtime/finder.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "seminar/runtime/cutter.h"

namespace seminar::runtime {
namespace {

constexpr int64_t key_lanes = f32::byte_lanes;
// Items that are ranked exactly: a sample, then in each round the larger of a number and a share of the catalogue, and
// more where more are asked for.
constexpr int64_t least_sample = 256, rounds = 4, a_round = 500, share = 512;

int64_t sample_size(int64_t width) { return std::max(least_sample, 4 * (width + 1)); }
int64_t round_size(int64_t items, int64_t n) { return std::max({a_round, items / share, n}); }

}  // namespace

seminar_status Finder::create(const Model& model) {
  model_ = &model;
  items_ = model.item_count() - 1;
  width_ = (model.width + 3) / 4 * 4;
  blocks_ = items_ / key_lanes + 1;  // item 0 has a key as well
  most_ranked_ = std::min(items_, sample_size(model.width) + rounds * round_size(items_, items_));
  const int64_t p = model.width + 1;
  const auto cut = [&](Cutter&& part) {
    part(keys_, blocks_ * key_lanes * width_);
    part(scales_, blocks_ * key_lanes);
    part(closed_, blocks_ * key_lanes);
    part(scan_, blocks_ * key_lanes);
    part(found_, blocks_ * key_lanes);
    part(room_, model.channels * model.width);
    part(ranked_items_, most_ranked_);
    part(ranked_scores_, most_ranked_);
    part(normal_, p * p);
    part(slope_, p);
    part(row_, p);
    return part.used();
  };
  const uint64_t bytes = cut(Cutter(nullptr));
  owned_ = model.memory.take(bytes);
  if (!owned_)
    return failed(SEMINAR_NO_MEMORY, "finder: no memory for %llu bytes", static_cast<unsigned long long>(bytes));
  std::memset(owned_, 0, static_cast<std::size_t>(bytes));
  cut(Cutter(static_cast<std::byte*>(owned_)));
  make_keys();
  return SEMINAR_OK;
}

void Finder::make_keys() {
  const Model& m = *model_;
  float x[max_width], gamma[max_channels];
  const float* own = m.gate_query ? nullptr : m.weights;
  for (int64_t item = 1; item <= items_; ++item) {
    const auto id = static_cast<int32_t>(item);
    m.fuse_pair(id, 0, nullptr, own, room_, x, gamma);
    float most = 0;
    for (int64_t j = 0; j < m.width; ++j) most = std::max(most, std::abs(x[j]));
    if (!(most > 0) || !std::isfinite(most)) continue;
    scales_[item] = most / 127;
    int8_t* block = keys_ + item / key_lanes * width_ * key_lanes + item % key_lanes * 4;
    for (int64_t j = 0; j < m.width; ++j)
      block[j / 4 * key_lanes * 4 + j % 4] = static_cast<int8_t>(std::lround(x[j] / most * 127));
  }
}

// The key of an item and a one.
void Finder::key(int64_t item, double* z) const {
  const int8_t* block = keys_ + item / key_lanes * width_ * key_lanes + item % key_lanes * 4;
  for (int64_t j = 0; j < model_->width; ++j)
    z[j] = static_cast<double>(scales_[item]) * block[j / 4 * key_lanes * 4 + j % 4];
  z[model_->width] = 1;
}

// Closes what is not wanted.
void Finder::mark(User& user, const seminar_filter& filter) {
  const auto has = [](const uint8_t* bits, int64_t i) { return (bits[i / 8] >> (i % 8) & 1) != 0; };
  open_ = items_;
  closed_[0] = 1;
  for (int64_t i = 1; i <= items_; ++i) {
    closed_[i] = (filter.allow && !has(filter.allow, i)) || (filter.deny && has(filter.deny, i)) ? 1 : 0;
    open_ -= closed_[i];
  }
  for (int64_t i = 0; !filter.with_seen && i < user.length(); ++i) {
    uint8_t& closed = closed_[user.item(i)];
    open_ -= closed == 0 ? 1 : 0;
    closed = 1;
  }
}

// Takes up to `most` open items evenly over the catalogue to the end of the ranked ones.
int64_t Finder::sample(int64_t most) {
  const int64_t step = std::max<int64_t>(1, open_ / most);
  int64_t taken = 0, seen = 0;
  for (int64_t i = 1; i <= items_ && taken < most; ++i)
    if (closed_[i] == 0 && seen++ % step == 0) ranked_items_[ranked_ + taken++] = static_cast<int32_t>(i);
  return taken;
}

// The same with the best of a scan.
int64_t Finder::best(int64_t most) {
  scan();
  for (int64_t i = 0; i <= items_; ++i)
    if (closed_[i] != 0) scan_[i] = -INFINITY;
  const int64_t count = f32::select_top(items_ + 1, scan_, 0, std::min(most, items_ + 1), found_);
  int64_t taken = 0;
  for (int64_t i = 0; i < count; ++i)
    if (closed_[found_[i].position] == 0) ranked_items_[ranked_ + taken++] = found_[i].position;
  return taken;
}

// Ranks the `count` items behind the ranked ones.
seminar_status Finder::rank(User& user, const seminar_pair& query, int64_t count) {
  constexpr int64_t a_call = 64;
  seminar_pair pairs[a_call];
  for (int64_t done = 0; done < count;) {
    const int64_t n = std::min(a_call, count - done);
    for (int64_t i = 0; i < n; ++i) pairs[i] = {ranked_items_[ranked_ + i], query.query, query.query_vector};
    const seminar_status status =
        user.rank(pairs, static_cast<std::size_t>(n), ranked_scores_ + ranked_, seminar_reasons{});
    if (status != SEMINAR_OK) return status;
    for (int64_t i = 0; i < n; ++i) closed_[ranked_items_[ranked_ + i]] = 1;
    ranked_ += n;
    done += n;
  }
  open_ -= count;
  return SEMINAR_OK;
}

// The slope w of least squares, with a little of the ridge: (Σ z zᵀ + ε I) w = Σ z s over `count` ranked items.
void Finder::fit(int64_t first, int64_t count) {
  const int64_t p = model_->width + 1;
  std::fill_n(normal_, p * p, 0.0);
  std::fill_n(slope_, p, 0.0);
  for (int64_t r = first; r < first + count; ++r) {
    key(ranked_items_[r], row_);
    for (int64_t i = 0; i < p; ++i) {
      for (int64_t j = 0; j <= i; ++j) normal_[i * p + j] += row_[i] * row_[j];
      slope_[i] += row_[i] * static_cast<double>(ranked_scores_[r]);
    }
  }
  double trace = 0;
  for (int64_t i = 0; i < p; ++i) trace += normal_[i * p + i];
  const double ridge = 1e-6 * trace / static_cast<double>(p) + 1e-12;
  // Cholesky: L Lᵀ, then L y = b, Lᵀ w = y.
  for (int64_t i = 0; i < p; ++i) {
    normal_[i * p + i] += ridge;
    for (int64_t j = 0; j <= i; ++j) {
      double sum = normal_[i * p + j];
      for (int64_t k = 0; k < j; ++k) sum -= normal_[i * p + k] * normal_[j * p + k];
      normal_[i * p + j] = i == j ? std::sqrt(std::max(sum, ridge)) : sum / normal_[j * p + j];
    }
  }
  for (int64_t i = 0; i < p; ++i) {
    for (int64_t k = 0; k < i; ++k) slope_[i] -= normal_[i * p + k] * slope_[k];
    slope_[i] /= normal_[i * p + i];
  }
  for (int64_t i = p; i-- > 0;) {
    for (int64_t k = i + 1; k < p; ++k) slope_[i] -= normal_[k * p + i] * slope_[k];
    slope_[i] /= normal_[i * p + i];
  }
}

// The slope's scores of all keys, in whole numbers (pq/byte_scan.cpp).
void Finder::scan() {
  int16_t x[f32::max_byte_width] = {};
  const double whole = static_cast<double>(std::min<int64_t>(32767, INT32_MAX / (127 * width_)));
  double most = 0;
  for (int64_t j = 0; j < model_->width; ++j) most = std::max(most, std::abs(slope_[j]));
  for (int64_t j = 0; j < model_->width && most > 0; ++j)
    x[j] = static_cast<int16_t>(std::lround(slope_[j] / most * whole));
  f32::scan_kernels().byte_scores(width_, blocks_, x, keys_, scales_, static_cast<float>(most / whole), scan_);
}

seminar_status Finder::top(User& user, const seminar_pair& query, std::size_t n, const seminar_filter& filter,
                           int32_t* items, float* scores, std::size_t* found) {
  if (n < 1 || n > static_cast<std::size_t>(items_))
    return failed(SEMINAR_BAD_ARGUMENT, "n must be from 1 to %lld: %llu", static_cast<long long>(items_),
                  static_cast<unsigned long long>(n));
  const std::size_t bytes = static_cast<std::size_t>(items_ / 8 + 1);
  if ((filter.allow || filter.deny) && filter.bytes != bytes)
    return failed(SEMINAR_BAD_ARGUMENT, "filter: must have %llu bytes: %llu", static_cast<unsigned long long>(bytes),
                  static_cast<unsigned long long>(filter.bytes));
  if (&user.model() != model_) return failed(SEMINAR_BAD_ARGUMENT, "user: of another model than the finder");
  const seminar_pair asked{1, query.query, query.query_vector};
  if (const seminar_status s = user.check(asked); s != SEMINAR_OK) return s;
  const auto wanted = static_cast<int64_t>(n);
  ranked_ = 0;
  mark(user, filter);
  const int64_t round = round_size(items_, wanted);
  const bool all = open_ <= sample_size(model_->width) + rounds * round;
  if (const seminar_status s =
          rank(user, query, sample(all ? std::max<int64_t>(open_, 1) : sample_size(model_->width)));
      s != SEMINAR_OK)
    return s;
  for (int64_t step = 0; step < rounds && !all; ++step) {
    // First all, then the better ones of what is ranked: there the function has to be right.
    int64_t fitted = ranked_;
    if (step > 0) {
      sort_ranked();
      fitted = std::max(sample_size(model_->width), ranked_ / (step + 1));
    }
    fit(0, fitted);
    if (const seminar_status s = rank(user, query, best(round)); s != SEMINAR_OK) return s;
  }
  sort_ranked();
  const int64_t count = std::min(wanted, ranked_);
  std::copy_n(ranked_items_, count, items);
  std::copy_n(ranked_scores_, count, scores);
  *found = static_cast<std::size_t>(count);
  return SEMINAR_OK;
}

// Best first, ties by the lower item.
void Finder::sort_ranked() {
  for (int64_t i = 0; i < ranked_; ++i) found_[i] = {ranked_scores_[i], ranked_items_[i]};
  std::sort(found_, found_ + ranked_, [](const f32::Found& a, const f32::Found& b) {
    return a.score != b.score ? a.score > b.score : a.position < b.position;
  });
  for (int64_t i = 0; i < ranked_; ++i) {
    ranked_scores_[i] = found_[i].score;
    ranked_items_[i] = found_[i].position;
  }
}

}  // namespace seminar::runtime
