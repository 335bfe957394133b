// The same in C++: handles that close themselves, and the reasons for the first candidate's score.
//   rank_cpp MODEL HISTORY CANDIDATES       item ids separated by commas, the history oldest first
#include <seminar.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace {

void check(seminar_status status) {
  if (status != SEMINAR_OK) throw std::runtime_error(seminar_last_error());
}

using Model = std::unique_ptr<seminar_model, decltype(&seminar_model_close)>;
using User = std::unique_ptr<seminar_user, decltype(&seminar_user_destroy)>;

std::vector<seminar_pair> read_items(const Model& model, std::string_view list) {
  std::vector<seminar_pair> pairs;
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(','));
    seminar_pair pair{0, 0, nullptr};
    check(seminar_item_find(model.get(), name.data(), name.size(), &pair.item));
    pairs.push_back(pair);
    list.remove_prefix(std::min(list.size(), name.size() + 1));
  }
  return pairs;
}

std::string_view title(const Model& model, int32_t item) {
  const char* text = nullptr;
  size_t length = 0;
  check(seminar_item_text(model.get(), item, nullptr, nullptr, &text, &length));
  return {text, length};
}

void rank(const char* path, std::string_view history, std::string_view candidates) {
  seminar_model* opened = nullptr;
  check(seminar_model_open(path, nullptr, &opened));
  const Model model(opened, seminar_model_close);
  seminar_user_options options;
  check(seminar_user_defaults(model.get(), &options));
  seminar_user* made = nullptr;
  check(seminar_user_create(model.get(), &options, &made));
  const User user(made, seminar_user_destroy);

  const std::vector<seminar_pair> behaviours = read_items(model, history), pairs = read_items(model, candidates);
  for (const seminar_pair& behaviour : behaviours) check(seminar_user_append(user.get(), &behaviour));
  std::vector<float> scores(pairs.size());
  std::vector<int32_t> retrieved(pairs.size() * static_cast<size_t>(options.k));
  const seminar_reasons reasons{retrieved.data(), nullptr};
  check(seminar_rank(user.get(), pairs.data(), pairs.size(), scores.data(), &reasons));
  for (size_t i = 0; i < pairs.size(); ++i) {
    const std::string_view text = title(model, pairs[i].item);
    std::printf("%9.5f  %.*s\n", static_cast<double>(scores[i]), static_cast<int>(text.size()), text.data());
  }
  std::printf("retrieved for the first:\n");
  for (int32_t i = 0; !pairs.empty() && i < options.k && retrieved[static_cast<size_t>(i)] >= 0; ++i) {
    const std::string_view text = title(model, behaviours[static_cast<size_t>(retrieved[static_cast<size_t>(i)])].item);
    std::printf("  %.*s\n", static_cast<int>(text.size()), text.data());
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s MODEL HISTORY CANDIDATES (item ids separated by commas)\n", argv[0]);
    return 2;
  }
  try {
    rank(argv[1], argv[2], argv[3]);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
  return 0;
}
