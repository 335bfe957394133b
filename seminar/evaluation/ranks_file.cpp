#include "seminar/evaluation/ranks_file.h"

#include <array>

#include "seminar/evaluation/scorer.h"
#include "tensor/io/safetensors.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr const char* ranks_format = "seminar-ranks-1";
constexpr int64_t most_negatives = INT32_MAX;  // as many as items can have ids
constexpr std::array<std::pair<const char*, int64_t RankCount::*>, 3> columns{
    {{"above", &RankCount::above}, {"ties", &RankCount::ties}, {"negatives", &RankCount::negatives}}};
const std::string protocol_prefix = "protocol.";

}  // namespace

void save_ranks(const UserRanks& ranks, const std::string& model, const std::string& path) {
  const Shape shape{std::ssize(ranks.users)};
  SafetensorsWriter file;
  file.meta("format", ranks_format);
  file.meta("model", model);
  for (const auto& [key, value] : ranks.protocol) file.meta(protocol_prefix + key, value);
  file.add<int32_t>("users", shape, ranks.users);
  std::array<std::vector<int64_t>, columns.size()> values;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    for (const RankCount& rank : ranks.ranks) values[c].push_back(rank.*columns[c].second);
    file.add<int64_t>(columns[c].first, shape, values[c]);
  }
  file.save(path);
}

UserRanks load_ranks(const std::string& path) {
  const SafetensorsFile file(path);
  check(file.meta("format") == ranks_format, "{}: not ranks of this program: format '{}'", path, file.meta("format"));
  UserRanks ranks;
  for (const auto& [key, value] : file.metadata())
    if (key.starts_with(protocol_prefix)) ranks.protocol[key.substr(protocol_prefix.size())] = value;
  const auto users = file.view<int32_t>("users");
  ranks.users.assign(users.begin(), users.end());
  ranks.ranks.resize(users.size());
  for (const auto& [name, member] : columns) {
    const auto values = file.view<int64_t>(name);
    check(values.size() == users.size(), "{}: '{}': {} values for {} users", path, name, values.size(), users.size());
    for (std::size_t i = 0; i < values.size(); ++i) ranks.ranks[i].*member = values[i];
  }
  check(!users.empty(), "{}: no users", path);
  for (const RankCount& r : ranks.ranks)
    check(r.negatives >= 1 && r.negatives <= most_negatives && r.above >= 0 && r.above <= r.negatives && r.ties >= 0 &&
              r.ties <= r.negatives - r.above,
          "{}: damaged: {} above and {} equal of {} negatives", path, r.above, r.ties, r.negatives);
  return ranks;
}

void check_comparable(const UserRanks& a, const std::string& a_path, const UserRanks& b, const std::string& b_path) {
  for (const auto& [key, value] : a.protocol) {
    const auto other = b.protocol.find(key);
    if (other == b.protocol.end() && (key == history_key || key == kept_key)) continue;  // popularity reads no history
    check(other != b.protocol.end() && other->second == value, "{}: not comparable with {}: {} is '{}', not '{}'",
          b_path, a_path, key, other == b.protocol.end() ? "" : other->second, value);
  }
  for (const auto& [key, value] : b.protocol)
    check(a.protocol.contains(key) || key == history_key || key == kept_key,
          "{}: not comparable with {}: {} is '{}', not ''", b_path, a_path, key, value);
  check(a.users == b.users, "{}: not comparable with {}: other users", b_path, a_path);
  for (std::size_t i = 0; i < a.ranks.size(); ++i)
    check(a.ranks[i].negatives == b.ranks[i].negatives, "{}: not comparable with {}: user {} has {} negatives, not {}",
          b_path, a_path, a.users[i], b.ranks[i].negatives, a.ranks[i].negatives);
}

}  // namespace seminar::inline SEMINAR_PRECISION
