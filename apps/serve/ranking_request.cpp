#include "apps/serve/ranking_request.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "apps/serve/runtime_scorer.h"
#include "tensor/io/json.h"

namespace seminar {
namespace {

using nlohmann::json;
constexpr int max_depth = 8;

json strict_json(std::string_view text) {
  json value = parse_json(text, "request", max_depth);
  check(value.is_object(), "request: must be an object: {}", value.type_name());
  return value;
}

std::string shown(const json& value) {
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > 60) text.resize(60);
  return text;
}

bool boolean(const json& value, const std::string& name) {
  check(value.is_boolean(), "{}: must be true or false: {}", name, shown(value));
  return value.get<bool>();
}

const std::string& word(const json& value, const std::string& name) {
  check(value.is_string(), "{}: must be a text: {}", name, shown(value));
  return value.get_ref<const std::string&>();
}

class RequestReader {
 public:
  RequestReader(const RankingRules& rules, RankingRequest& out) : rules_(rules), out_(out) {}

  void read(const json& root) {
    Query common;
    if (root.contains("query")) {
      common = query(root["query"], "query");
      check(common.error.empty(), "query: {}", common.error);
    }
    for (const auto& [key, value] : root.items()) {
      if (key == "k") {
        out_.k = static_cast<int32_t>(json_whole(value, key, 1, rules_.defaults.history));
      } else if (key == "codes") {
        out_.codes = boolean(value, key);
      } else if (key == "explain") {
        out_.explain = boolean(value, key);
      } else if (key == "top") {
        out_.top = json_whole(value, key, 1, std::min<int64_t>(rules_.limits.candidates, rules_.info.items));
      } else if (key == "allow") {
        out_.allow_some = true;
        out_.allow = items(value, "allow");
      } else if (key == "deny") {
        out_.deny = items(value, "deny");
      } else if (key == "seen") {
        out_.seen = boolean(value, key);
      } else if (key == "weights") {
        read_weights(value);
      } else if (key == "history") {
        read_history(value);
      } else if (key == "candidates") {
        read_candidates(value, common);
      } else {
        check(key == "query" || key == "id", "request: unknown key: {}", json_text(key));
      }
    }
    check(root.contains("candidates") || out_.top > 0, "request: no candidates");
    check(!root.contains("candidates") || out_.top == 0, "request: candidates and top: only one of them");
    for (const char* key : {"allow", "deny", "seen"})
      check(out_.top > 0 || !root.contains(key), "{}: only with top", key);
    out_.query = {0, common.known, common.vector};
    check_work();
  }

 private:
  struct Query {
    int32_t known = 0;
    int64_t vector = -1;
    std::string error;
  };

  const Query& query(const json& value, const std::string& name) {
    const std::string& text = word(value, name);
    const auto [at, fresh] = seen_.try_emplace(text);
    Query& q = at->second;
    if (!fresh || text.empty()) return q;
    const seminar_status status = seminar_query_find(rules_.model, text.data(), text.size(), &q.known);
    if (status == SEMINAR_OK) return q;
    if (status != SEMINAR_NOT_FOUND) check_runtime(status);
    std::vector<float> vector(static_cast<std::size_t>(rules_.info.width));
    if (seminar_query_encode(rules_.model, text.data(), text.size(), vector.data()) != SEMINAR_OK) {
      q.error = fmt::format("{}: {}", seminar_last_error(), shown(value));
    } else {
      q.vector = std::ssize(out_.vectors);
      out_.vectors.push_back(std::move(vector));
    }
    return q;
  }

  // An item, or an item with a query. One that is not known has item 0, and its error is kept.
  RankingRequest::Pair pair(const json& value, const std::string& name, const Query& otherwise) {
    const Query* q = &otherwise;
    const json* item = &value;
    if (value.is_object()) {
      check(value.contains("item"), "{}: no item", name);
      item = &value["item"];
      for (const auto& [key, inner] : value.items()) {
        check(key == "item" || key == "query", "{}: unknown key: {}", name, json_text(key));
        if (key == "query") q = &query(inner, name + ".query");
      }
    }
    const std::string& id = word(*item, name);
    RankingRequest::Pair out{0, q->known, q->vector};
    if (!q->error.empty()) {
      out_.errors.push_back({name + ".query", q->error});
    } else if (seminar_item_find(rules_.model, id.data(), id.size(), &out.item) != SEMINAR_OK) {
      out.item = 0;
      if (!rules_.skip_unknown) out_.errors.push_back({name, fmt::format("no item {} in the model", shown(*item))});
    }
    return out;
  }

  static void check_list(const json& values, const char* name, int64_t limit) {
    check(values.is_array(), "{}: must be a list: {}", name, shown(values));
    check(std::ssize(values) <= limit, "{}: at most {}: {}", name, limit, values.size());
  }
  void read_history(const json& values) {
    check_list(values, "history", rules_.limits.history);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const RankingRequest::Pair p = pair(values[i], fmt::format("history[{}]", i), {});
      if (p.item == 0) continue;
      out_.history.push_back(p);
      out_.positions.push_back(static_cast<int64_t>(i));
    }
  }
  void read_candidates(const json& values, const Query& common) {
    check_list(values, "candidates", rules_.limits.candidates);
    for (std::size_t i = 0; i < values.size(); ++i)
      out_.candidates.push_back(pair(values[i], fmt::format("candidates[{}]", i), common));
  }
  // Items without queries, as their numbers.
  std::vector<int32_t> items(const json& values, const char* name) {
    check_list(values, name, rules_.info.items);
    std::vector<int32_t> list;
    for (std::size_t i = 0; i < values.size(); ++i)
      if (const RankingRequest::Pair p = pair(values[i], fmt::format("{}[{}]", name, i), {}); p.item != 0)
        list.push_back(p.item);
    return list;
  }
  void read_weights(const json& values) {
    check(values.is_array() && std::ssize(values) == rules_.info.channels, "weights: must be {} numbers: {}",
          rules_.info.channels, shown(values));
    for (const json& w : values) {
      check(w.is_number() && w >= 0 && w <= 1, "weights: must be from 0 to 1: {}", shown(w));
      out_.weights.push_back(w.get<float>());
    }
  }
  void check_work() const {
    const int64_t n = std::max(std::ssize(out_.candidates), out_.top), heads = rules_.info.heads,
                  k = std::min<int64_t>({out_.k, std::ssize(out_.history), rules_.defaults.history}),
                  most = out_.explain ? rules_.limits.explained : rules_.limits.work;
    check(n * k * heads <= most, "{}candidates × k × heads: at most {}: {} × {} × {}", out_.explain ? "explain: " : "",
          most, n, k, heads);
  }

  const RankingRules& rules_;
  RankingRequest& out_;
  std::map<std::string, Query> seen_;
};

}  // namespace

std::string json_text(std::string_view text) {
  return json(std::string(text)).dump(-1, ' ', false, json::error_handler_t::replace);
}

RankingRequest read_request(const RankingRules& rules, std::string_view text) {
  RankingRequest out;
  out.k = rules.defaults.k;
  out.codes = rules.defaults.codes != 0;
  try {
    const json root = strict_json(text);
    if (root.contains("id")) {
      const json& id = root["id"];
      check(id.is_string() || id.is_number_integer(), "id: must be a text or a whole number: {}", shown(id));
      out.id = id.dump(-1, ' ', false, json::error_handler_t::replace);
    }
    RequestReader(rules, out).read(root);
  } catch (const Error& e) {
    throw RequestError(e.what(), out.id);
  }
  return out;
}

}  // namespace seminar
