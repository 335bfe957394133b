#include "apps/serve/ranking.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

namespace seminar {
namespace {

// Between two looks at the deadline; the runtime scores candidates eight at a time.
constexpr std::size_t plain_slice = 64, explained_slice = 8, appended = 4096;
constexpr std::size_t max_errors = 100;

void check_time(const Deadline& deadline) {
  if (deadline.over()) throw TooLate("ranking took longer than is allowed");
}

}  // namespace

Ranking::Ranking(const seminar_model* model, int64_t history, const RankingLimits& limits, bool skip_unknown)
    : rules_{model, {}, {}, limits, skip_unknown} {
  check_runtime(seminar_model_describe(model, &rules_.info));
  check_runtime(seminar_user_defaults(model, &rules_.defaults));
  if (history > 0) {
    rules_.defaults.history = static_cast<int32_t>(history);
    rules_.defaults.k = std::min(rules_.defaults.k, rules_.defaults.history);
  }
}

void Ranking::use_options() {
  const RankingRequest& r = request_;
  const bool same = user_ && options_.k == r.k && (options_.codes != 0) == r.codes && weights_ == r.weights;
  if (same) return check_runtime(seminar_user_clear(user_.get()));
  user_.reset();
  weights_ = r.weights;
  options_ = rules_.defaults;
  options_.k = r.k;
  options_.codes = r.codes;
  options_.channel_weights = weights_.empty() ? nullptr : weights_.data();
  user_ = make_user(rules_.model, options_);
}

seminar_pair Ranking::as_pair(const RankingRequest::Pair& p) const {
  return {p.item, p.query, p.vector < 0 ? nullptr : request_.vectors[static_cast<std::size_t>(p.vector)].data()};
}

void Ranking::append_history(const Deadline& deadline) {
  for (std::size_t i = 0; i < request_.history.size(); ++i) {
    if (i % appended == 0) check_time(deadline);
    const seminar_pair behaviour = as_pair(request_.history[i]);
    check_runtime(seminar_user_append(user_.get(), &behaviour));
  }
}

// Makes the best items of the catalogue the candidates.
void Ranking::find_top() {
  RankingRequest& r = request_;
  if (!finder_) finder_ = make_finder(rules_.model);
  const std::size_t bytes = static_cast<std::size_t>(rules_.info.items) / 8 + 1, n = static_cast<std::size_t>(r.top);
  const auto bits = [&](const std::vector<int32_t>& items) {
    std::vector<uint8_t> list(bytes);
    for (const int32_t i : items) list[static_cast<std::size_t>(i) / 8] |= static_cast<uint8_t>(1 << (i % 8));
    return list;
  };
  const std::vector<uint8_t> allow = bits(r.allow), deny = bits(r.deny);
  const seminar_filter filter{r.allow_some ? allow.data() : nullptr, deny.data(), bytes, r.seen};
  const seminar_pair query = as_pair(r.query);
  std::vector<int32_t> items(n);
  scores_.resize(n);
  std::size_t found = 0;
  check_runtime(seminar_top(finder_.get(), user_.get(), &query, n, &filter, items.data(), scores_.data(), &found));
  for (std::size_t i = 0; i < found; ++i) r.candidates.push_back({items[i], r.query.query, r.query.vector});
}

// Scores all candidates, and writes the reasons of each if they are asked for.
void Ranking::rank_slices(const Deadline& deadline, bool write) {
  const std::size_t n = pairs_.size(), k = static_cast<std::size_t>(options_.k),
                    heads = static_cast<std::size_t>(rules_.info.heads);
  const bool explain = request_.explain;
  const std::size_t step = explain ? explained_slice : plain_slice;
  scores_.resize(n);
  retrieved_.resize(explain ? std::min(n, step) * k : 0);
  attention_.resize(retrieved_.size() * heads);
  const seminar_reasons room{explain ? retrieved_.data() : nullptr, explain ? attention_.data() : nullptr};
  seconds_ = 0;
  for (std::size_t begin = 0; begin < n; begin += step) {
    check_time(deadline);
    const std::size_t count = std::min(step, n - begin);
    const auto start = std::chrono::steady_clock::now();
    check_runtime(seminar_rank(user_.get(), pairs_.data() + begin, count, scores_.data() + begin, &room));
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    for (std::size_t c = 0; explain && write && c < count; ++c) {
      write_reasons(retrieved_.data() + c * k, attention_.data() + c * heads * k);
      check_size(reasons_.size());
    }
  }
}

void Ranking::rank_again() { rank_slices({}, false); }

// An item's id in the data set, as JSON.
std::string Ranking::item_name(int32_t item) const {
  const char* name = nullptr;
  std::size_t length = 0;
  check_runtime(seminar_item_text(rules_.model, item, &name, &length, nullptr, nullptr));
  return json_text({name, length});
}

void Ranking::write_reasons(const int32_t* retrieved, const float* attention) {
  const std::size_t k = static_cast<std::size_t>(options_.k), heads = static_cast<std::size_t>(rules_.info.heads),
                    kept = std::min(request_.history.size(), static_cast<std::size_t>(options_.history)),
                    dropped = request_.history.size() - kept;
  for (std::size_t i = 0; i < k && retrieved[i] >= 0; ++i) {
    const std::size_t behaviour = static_cast<std::size_t>(retrieved[i]) + dropped;
    reasons_ += fmt::format("{}{{\"position\":{},\"item\":{},\"attention\":[", i == 0 ? "" : ",",
                            request_.positions[behaviour], item_name(request_.history[behaviour].item));
    for (std::size_t h = 0; h < heads; ++h) reasons_ += fmt::format("{}{}", h == 0 ? "" : ",", attention[h * k + i]);
    reasons_ += "]}";
  }
  reason_ends_.push_back(reasons_.size());
}

void Ranking::check_size(std::size_t bytes) const {
  const int64_t most = rules_.limits.answer_bytes;
  check(static_cast<int64_t>(bytes) <= most, "answer: more than {} bytes", most);
}

std::string Ranking::answer(std::string_view text, const Deadline& deadline) {
  pairs_.clear();
  reasons_.clear();
  reason_ends_.clear();
  request_ = read_request(rules_, text);
  try {
    use_options();
    append_history(deadline);
    if (request_.top > 0) find_top();
    for (const RankingRequest::Pair& p : request_.candidates)
      if (p.item != 0) pairs_.push_back(as_pair(p));
    rank_slices(deadline, true);
    return write();
  } catch (const TooLate&) {
    throw;
  } catch (const Error& e) {
    throw RequestError(e.what(), request_.id);
  }
}

std::string Ranking::write() const {
  const std::vector<RankingRequest::Pair>& candidates = request_.candidates;
  std::string out = "{";
  if (!request_.id.empty()) out += fmt::format("\"id\":{},", request_.id);
  if (request_.top > 0) {
    out += "\"items\":[";
    for (std::size_t c = 0; c < candidates.size(); ++c)
      out += fmt::format("{}{}", c == 0 ? "" : ",", item_name(candidates[c].item));
    out += "],";
  }
  out += "\"scores\":[";
  for (std::size_t c = 0, known = 0; c < candidates.size(); ++c) {
    if (c > 0) out += ',';
    out += candidates[c].item == 0 ? "null" : fmt::format("{}", scores_[known++]);
  }
  out += ']';
  if (!request_.errors.empty()) {
    const std::size_t told = std::min(request_.errors.size(), max_errors), more = request_.errors.size() - told;
    out += ",\"errors\":[";
    for (std::size_t i = 0; i < told; ++i)
      out += fmt::format("{}{{\"at\":{},\"error\":{}}}", i == 0 ? "" : ",", json_text(request_.errors[i].place),
                         json_text(request_.errors[i].what));
    if (more > 0) out += fmt::format(",{{\"at\":\"\",\"error\":\"and {} more\"}}", more);
    out += ']';
  }
  if (request_.explain) {
    out += ",\"retrieved\":[";
    for (std::size_t c = 0, known = 0; c < candidates.size(); ++c) {
      out += c == 0 ? "[" : ",[";
      if (candidates[c].item != 0) {
        const std::size_t begin = known == 0 ? 0 : reason_ends_[known - 1];
        out.append(reasons_, begin, reason_ends_[known++] - begin);
      }
      out += ']';
    }
    out += ']';
  }
  check_size(out.size());
  return out + "}";
}

std::string error_answer(const Error& error) {
  const auto* request = dynamic_cast<const RequestError*>(&error);
  const std::string id = request && !request->id.empty() ? fmt::format("\"id\":{},", request->id) : "";
  return fmt::format("{{{}\"error\":{}}}", id, json_text(error.what()));
}

}  // namespace seminar
