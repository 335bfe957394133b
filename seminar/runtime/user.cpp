#include "seminar/runtime/user.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "seminar/runtime/cutter.h"

namespace seminar::runtime {
namespace {

constexpr int64_t lanes = f32::kernel_lanes;
// Candidates that are scored in one pass over the history.
constexpr int64_t at_once = 8;

// Which age embedding belongs to an age ≥ 1 (seminar/model/model.h, age_buckets).
int64_t age_bucket(int64_t age, int64_t count) {
  return std::min(count - 1, static_cast<int64_t>(2 * std::log2(static_cast<double>(age))));
}

}  // namespace

seminar_status User::create(const Model& model, const seminar_user_options& o) {
  model_ = &model;
  if (o.history < 1 || o.history > max_history)
    return failed(SEMINAR_BAD_ARGUMENT, "user: history must be from 1 to %d: %d", static_cast<int>(max_history),
                  o.history);
  if (o.k < 1 || o.k > max_history)
    return failed(SEMINAR_BAD_ARGUMENT, "user: k must be from 1 to %d: %d", static_cast<int>(max_history), o.k);
  if (o.codes != 0 && !model.has_codes())
    return failed(SEMINAR_UNSUPPORTED, "user: the model has no codes: export it with --pq");
  for (int m = 0; o.channel_weights && m < model.channels; ++m)
    if (!(o.channel_weights[m] >= 0 && o.channel_weights[m] <= 1))
      return failed(SEMINAR_BAD_ARGUMENT, "user: channel weight %d must be from 0 to 1: %g", m,
                    static_cast<double>(o.channel_weights[m]));
  capacity_ = o.history;
  padded_ = f32::round_up(capacity_, f32::code_block);
  asked_k_ = o.k;
  k_ = std::min(o.k, o.history);
  by_codes_ = o.codes != 0;
  const int64_t d = model.width, c = model.channels, h = model.heads;
  const auto cut = [&](Cutter&& part) {
    part(own_weights_, c);
    part(items_, capacity_);
    part(rows_, capacity_ * d);
    part(columns_, padded_ * d);
    part(mean_, d);
    part(channels_, c * d);
    part(scratch_, d);
    part(targets_, at_once * d);
    part(asked_, at_once * d);
    part(head_asked_, h * d);
    part(scores_, at_once * padded_);
    part(found_, capacity_);
    part(keys_, k_ * d);
    part(probabilities_, h * k_);
    part(pooled_, h * d);
    part(head_in_, 5 * d);
    part(hidden_, model.hidden);
    const int64_t tables = by_codes_ ? c * model.sub_quantizers : 0;
    part(codes_.codes, tables * padded_);
    part(codes_.low, tables * padded_);
    part(codes_.ninth, tables * padded_ / 8);
    part(codes_.gamma, by_codes_ ? c * padded_ : 0);
    part(codes_.max_abs_gamma, by_codes_ ? c : 0);
    part(pair_codes_, tables);
    part(byte_tables_, tables * f32::byte_table);
    part(table_, tables * model.centroids);
    return part.used();
  };
  const uint64_t bytes = cut(Cutter(nullptr));
  owned_ = model.memory.take(bytes);
  if (!owned_)
    return failed(SEMINAR_NO_MEMORY, "user: no memory for %llu bytes", static_cast<unsigned long long>(bytes));
  std::memset(owned_, 0, static_cast<std::size_t>(bytes));
  cut(Cutter(static_cast<std::byte*>(owned_)));
  codes_.channels = c;
  codes_.tables = model.sub_quantizers;
  codes_.centroids = model.centroids;
  codes_.stride = padded_;
  if (o.channel_weights) {
    std::copy_n(o.channel_weights, c, own_weights_);
    weights_ = own_weights_;
  } else {
    weights_ = model.gate_query ? nullptr : model.weights;
  }
  return SEMINAR_OK;
}

seminar_status User::check(const seminar_pair& pair) const {
  if (pair.item < 1 || pair.item >= model_->item_count())
    return failed(SEMINAR_BAD_ARGUMENT, "item must be from 1 to %lld: %d",
                  static_cast<long long>(model_->item_count() - 1), pair.item);
  if (!pair.query_vector) {
    if (pair.query < 0 || pair.query >= model_->queries.rows)
      return failed(SEMINAR_BAD_ARGUMENT, "query must be from 0 to %lld: %d",
                    static_cast<long long>(model_->queries.rows - 1), pair.query);
    return SEMINAR_OK;
  }
  for (int64_t j = 0; j < model_->width; ++j)
    if (!std::isfinite(pair.query_vector[j]))
      return failed(SEMINAR_BAD_ARGUMENT, "query vector: number %lld is not finite", static_cast<long long>(j));
  return SEMINAR_OK;
}

void User::fuse(const seminar_pair& pair, float* x, float* gamma) {
  model_->fuse_pair(pair.item, pair.query, pair.query_vector, weights_, channels_, x, gamma);
}

seminar_status User::append(const seminar_pair& pair) {
  if (const seminar_status status = check(pair); status != SEMINAR_OK) return status;
  const int64_t d = model_->width, at = length_ < capacity_ ? place(length_) : first_;
  if (by_codes_) {
    const seminar_status status = model_->pair_codes(pair.item, pair.query, pair.query_vector, scratch_, pair_codes_);
    if (status != SEMINAR_OK) return status;
  }
  float *row = rows_ + at * d, gamma[max_channels];
  fuse(pair, row, gamma);
  items_[at] = pair.item;
  if (by_codes_) codes_.set(at, pair_codes_, gamma);
  float* column = columns_ + at / lanes * lanes * d + at % lanes;
  for (int64_t j = 0; j < d; ++j) column[j * lanes] = row[j];
  if (length_ < capacity_)
    ++length_;
  else
    first_ = (first_ + 1) % capacity_;
  mean_is_old_ = true;
  return SEMINAR_OK;
}

void User::update_mean() {
  const int64_t d = model_->width;
  std::fill_n(mean_, d, 0.0f);
  for (int64_t i = 0; i < length_; ++i) model_->kernels->axpy(d, 1, rows_ + place(i) * d, mean_);
  for (int64_t j = 0; j < d && length_ > 0; ++j) mean_[j] /= static_cast<float>(length_);
  mean_is_old_ = false;
}

void User::scan_exactly(int64_t targets) {
  const int64_t blocks = (length_ + lanes - 1) / lanes;
  model_->kernels->column_dots(model_->width, blocks, targets, asked_, columns_, scores_, padded_);
}

int64_t User::top_by_codes(int64_t target) {
  const Model& m = *model_;
  const int64_t rows = m.channels * m.sub_quantizers, n = m.centroids, part = m.width / m.sub_quantizers;
  const float* asked = asked_ + target * m.width;
  std::fill_n(table_, rows * n, 0.0f);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < part; ++i)
      m.kernels->axpy(n, asked[row % m.sub_quantizers * part + i], m.codebooks + (row * part + i) * n,
                      table_ + row * n);
  return f32::code_top(codes_, length_, first_, table_, k_, byte_tables_, scores_, found_);
}

float User::attend(int64_t target, int64_t found, float* attention) {
  const Model& m = *model_;
  const int64_t d = m.width, h = m.heads;
  const float* x = targets_ + target * d;
  for (int64_t i = 0; i < found; ++i) {
    float* key = keys_ + i * d;
    std::copy_n(rows_ + place(found_[i].position) * d, d, key);
    if (m.ages > 0) m.kernels->axpy(d, 1, m.age + age_bucket(length_ - found_[i].position, m.ages) * d, key);
  }
  matvec(*m.kernels, h * d, d, m.esu_ask, x, head_asked_);
  std::fill_n(pooled_, h * d, 0.0f);
  for (int64_t head = 0; head < h; ++head) {
    float* p = probabilities_ + head * k_;
    matvec(*m.kernels, found, d, keys_, head_asked_ + head * d, p);
    m.kernels->softmax(found, p, p, nullptr);
    for (int64_t i = 0; i < found; ++i) m.kernels->axpy(d, p[i], keys_ + i * d, pooled_ + head * d);
    if (attention) {
      std::copy_n(p, found, attention + head * asked_k_);
      std::fill_n(attention + head * asked_k_ + found, asked_k_ - found, 0.0f);
    }
  }
  float *lifelong = head_in_, *product = head_in_ + 3 * d;
  matvec(*m.kernels, d, h * d, m.esu_value, pooled_, lifelong);
  std::copy_n(mean_, d, head_in_ + d);
  std::copy_n(x, d, head_in_ + 2 * d);
  for (int64_t j = 0; j < d; ++j) {
    product[j] = lifelong[j] * x[j];
    product[d + j] = mean_[j] * x[j];
  }
  matvec(*m.kernels, m.hidden, 5 * d, m.head_in, head_in_, hidden_);
  for (int64_t i = 0; i < m.hidden; ++i) hidden_[i] = std::max(0.0f, hidden_[i] + m.head_bias[i]);
  return m.kernels->dot(m.hidden, m.head_out, hidden_);
}

seminar_status User::rank(const seminar_pair* candidates, std::size_t n, float* scores,
                          const seminar_reasons& reasons) {
  for (std::size_t i = 0; i < n; ++i)
    if (const seminar_status status = check(candidates[i]); status != SEMINAR_OK) {
      char why[256];
      std::snprintf(why, sizeof why, "%.255s", last_failure());
      return failed(status, "candidate %llu: %s", static_cast<unsigned long long>(i), why);
    }
  const Model& m = *model_;
  const int64_t d = m.width;
  float gamma[max_channels];
  if (mean_is_old_) update_mean();
  for (std::size_t begin = 0; begin < n; begin += at_once) {
    const int64_t targets = static_cast<int64_t>(std::min<std::size_t>(at_once, n - begin));
    for (int64_t t = 0; t < targets; ++t) {
      fuse(candidates[begin + static_cast<std::size_t>(t)], targets_ + t * d, gamma);
      matvec(*m.kernels, d, d, by_codes_ ? m.code_ask : m.gsu_ask, targets_ + t * d, asked_ + t * d);
    }
    if (!by_codes_) scan_exactly(targets);
    for (int64_t t = 0; t < targets; ++t) {
      const std::size_t candidate = begin + static_cast<std::size_t>(t), k = static_cast<std::size_t>(asked_k_);
      const int64_t found =
          by_codes_ ? top_by_codes(t) : f32::select_top(length_, scores_ + t * padded_, first_, k_, found_);
      if (found < 0) return failed(SEMINAR_BAD_FILE, "the model holds vectors that are not numbers");
      float* attention =
          reasons.attention ? reasons.attention + candidate * k * static_cast<std::size_t>(m.heads) : nullptr;
      scores[candidate] = attend(t, found, attention);
      if (!std::isfinite(scores[candidate]))
        return failed(SEMINAR_BAD_FILE, "item %d: the score is not finite: the model file is damaged",
                      candidates[candidate].item);
      for (int64_t i = 0; reasons.retrieved && i < asked_k_; ++i)
        reasons.retrieved[candidate * k + static_cast<std::size_t>(i)] = i < found ? found_[i].position : -1;
    }
  }
  return SEMINAR_OK;
}

}  // namespace seminar::runtime
