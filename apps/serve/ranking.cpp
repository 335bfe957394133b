#include "apps/serve/ranking.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace seminar {
namespace {

using nlohmann::json;
constexpr int max_depth = 8;

// JSON as RFC 8259 has it, but no key twice (the parser would keep the last) and not nested without end.
json strict_json(std::string_view text) {
  std::vector<std::set<std::string>> keys;
  const json value = json::parse(
      text.begin(), text.end(),
      [&](int depth, json::parse_event_t event, json& parsed) {
        if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
          check(depth < max_depth, "request: nested deeper than {} levels", max_depth);
          keys.emplace_back();
        }
        if (event == json::parse_event_t::object_end || event == json::parse_event_t::array_end) keys.pop_back();
        if (event == json::parse_event_t::key)
          check(keys.back().insert(parsed.get<std::string>()).second, "request: key twice: {}", parsed.dump());
        return true;
      },
      false);
  check(!value.is_discarded(), "request: not valid JSON");
  check(value.is_object(), "request: must be an object: {}", value.type_name());
  return value;
}

std::string json_text(std::string_view text) {
  return json(std::string(text)).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string shown(const json& value) {
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > 60) text.resize(60);
  return text;
}

}  // namespace

struct Ranking::Request {
  struct Pair {
    int32_t item, query;
    int64_t vector;  // of the query, in `texts`; -1: known
  };
  std::vector<Pair> history, candidates;
  std::vector<std::vector<float>> vectors;
  int64_t k;
  bool codes, explain;
  std::vector<float> weights;
  std::string id;  // as JSON; empty: none
};

Ranking::Ranking(const seminar_model* model, int64_t history, const RankingLimits& limits)
    : model_(model), limits_(limits) {
  check_runtime(seminar_model_describe(model, &info_));
  check_runtime(seminar_user_defaults(model, &defaults_));
  if (history > 0) {
    defaults_.history = static_cast<int32_t>(history);
    defaults_.k = std::min(defaults_.k, defaults_.history);
  }
}

Ranking::Request Ranking::read(std::string_view text) const {
  const json root = strict_json(text);
  Request r{{}, {}, {}, defaults_.k, defaults_.codes != 0, false, {}, {}};
  const auto boolean = [](const json& value, const std::string& name) {
    check(value.is_boolean(), "{}: must be true or false: {}", name, shown(value));
    return value.get<bool>();
  };
  const auto word = [](const json& value, const std::string& name) -> const std::string& {
    check(value.is_string(), "{}: must be a text: {}", name, shown(value));
    return value.get_ref<const std::string&>();
  };
  struct Query {
    int32_t known = 0;
    int64_t vector = -1;
  };
  std::map<std::string, Query> seen;
  const auto query = [&](const json& value, const std::string& name) {
    const std::string& q = word(value, name);
    if (q.empty()) return Query{};
    const auto [at, fresh] = seen.try_emplace(q);
    if (!fresh) return at->second;
    const seminar_status status = seminar_query_find(model_, q.data(), q.size(), &at->second.known);
    if (status == SEMINAR_NOT_FOUND) {
      std::vector<float> vector(static_cast<std::size_t>(info_.width));
      const seminar_status encoded = seminar_query_encode(model_, q.data(), q.size(), vector.data());
      check(encoded == SEMINAR_OK, "{}: {}: {}", name, seminar_last_error(), shown(value));
      at->second.vector = std::ssize(r.vectors);
      r.vectors.push_back(std::move(vector));
    } else {
      check_runtime(status);
    }
    return at->second;
  };
  Query common;
  if (root.contains("query")) common = query(root["query"], "query");
  const auto pair = [&](const json& value, const std::string& name, const Query& otherwise) {
    Query q = otherwise;
    const json* item = &value;
    if (value.is_object()) {
      check(value.contains("item"), "{}: no item", name);
      item = &value["item"];
      for (const auto& [key, inner] : value.items()) {
        check(key == "item" || key == "query", "{}: unknown key: {}", name, json_text(key));
        if (key == "query") q = query(inner, name + ".query");
      }
    }
    const std::string& id = word(*item, name);
    int32_t found = 0;
    check(seminar_item_find(model_, id.data(), id.size(), &found) == SEMINAR_OK, "{}: no item {} in the model", name,
          shown(*item));
    return Request::Pair{found, q.known, q.vector};
  };
  const auto pairs = [&](const char* name, int64_t limit, const Query& otherwise) {
    std::vector<Request::Pair> list;
    const json& values = root[name];
    check(values.is_array(), "{}: must be a list: {}", name, shown(values));
    check(std::ssize(values) <= limit, "{}: at most {}: {}", name, limit, values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      list.push_back(pair(values[i], fmt::format("{}[{}]", name, i), otherwise));
    return list;
  };
  for (const auto& [key, value] : root.items()) {
    if (key == "k") {
      check(value.is_number_integer() && value >= 1 && value <= defaults_.history, "k: must be from 1 to {}: {}",
            defaults_.history, shown(value));
      r.k = value.get<int64_t>();
    } else if (key == "codes") {
      r.codes = boolean(value, key);
    } else if (key == "explain") {
      r.explain = boolean(value, key);
    } else if (key == "id") {
      check(value.is_string() || value.is_number_integer(), "id: must be a text or a whole number: {}", shown(value));
      r.id = value.dump(-1, ' ', false, json::error_handler_t::replace);
    } else if (key == "weights") {
      check(value.is_array() && std::ssize(value) == info_.channels, "weights: must be {} numbers: {}", info_.channels,
            shown(value));
      for (const json& w : value) {
        check(w.is_number() && w >= 0 && w <= 1, "weights: must be from 0 to 1: {}", shown(w));
        r.weights.push_back(w.get<float>());
      }
    } else if (key == "history") {
      r.history = pairs("history", limits_.history, {});
    } else if (key == "candidates") {
      r.candidates = pairs("candidates", limits_.candidates, common);
    } else {
      check(key == "query", "request: unknown key: {}", json_text(key));
    }
  }
  check(root.contains("candidates"), "request: no candidates");
  return r;
}

void Ranking::use_options(const Request& r) {
  const bool same = user_ && options_.k == r.k && (options_.codes != 0) == r.codes && weights_ == r.weights;
  if (same) return check_runtime(seminar_user_clear(user_.get()));
  user_.reset();
  weights_ = r.weights;
  options_ = defaults_;
  options_.k = static_cast<int32_t>(r.k);
  options_.codes = r.codes;
  options_.channel_weights = weights_.empty() ? nullptr : weights_.data();
  user_ = make_user(model_, options_);
}

void Ranking::rank_again() {
  const seminar_reasons reasons{explain_ ? retrieved_.data() : nullptr, explain_ ? attention_.data() : nullptr};
  const auto begin = std::chrono::steady_clock::now();
  check_runtime(seminar_rank(user_.get(), pairs_.data(), pairs_.size(), scores_.data(), &reasons));
  seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::string Ranking::answer(std::string_view text) {
  Request r = read(text);
  use_options(r);
  const auto as_pair = [&](const Request::Pair& p) {
    return seminar_pair{p.item, p.query, p.vector < 0 ? nullptr : vectors_[static_cast<std::size_t>(p.vector)].data()};
  };
  vectors_ = std::move(r.vectors);
  for (const Request::Pair& p : r.history) {
    const seminar_pair behaviour = as_pair(p);
    check_runtime(seminar_user_append(user_.get(), &behaviour));
  }
  pairs_.clear();
  for (const Request::Pair& p : r.candidates) pairs_.push_back(as_pair(p));
  scores_.resize(pairs_.size());
  explain_ = r.explain;
  if (explain_) {
    retrieved_.resize(pairs_.size() * static_cast<std::size_t>(options_.k));
    attention_.resize(retrieved_.size() * static_cast<std::size_t>(info_.heads));
  }
  rank_again();
  return write(r);
}

std::string Ranking::write(const Request& r) const {
  std::string out = "{";
  if (!r.id.empty()) out += fmt::format("\"id\":{},", r.id);
  out += fmt::format("\"scores\":[{}]", fmt::join(scores_, ","));
  if (explain_) {
    const std::size_t k = static_cast<std::size_t>(options_.k), heads = static_cast<std::size_t>(info_.heads),
                      dropped = r.history.size() -
                                std::min<std::size_t>(r.history.size(), static_cast<std::size_t>(options_.history));
    out += ",\"retrieved\":[";
    for (std::size_t c = 0; c < pairs_.size(); ++c) {
      out += c == 0 ? "[" : ",[";
      for (std::size_t i = 0; i < k && retrieved_[c * k + i] >= 0; ++i) {
        const std::size_t position = static_cast<std::size_t>(retrieved_[c * k + i]) + dropped;
        const char* name = nullptr;
        std::size_t length = 0;
        check_runtime(seminar_item_text(model_, r.history[position].item, &name, &length, nullptr, nullptr));
        out += fmt::format("{}{{\"position\":{},\"item\":{},\"attention\":[", i == 0 ? "" : ",", position,
                           json_text({name, length}));
        for (std::size_t h = 0; h < heads; ++h)
          out += fmt::format("{}{}", h == 0 ? "" : ",", attention_[(c * heads + h) * k + i]);
        out += "]}";
      }
      out += "]";
    }
    out += "]";
  }
  return out + "}";
}

}  // namespace seminar
