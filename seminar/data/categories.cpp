#include "seminar/data/categories.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t items_of_a_class = 100;  // one of these many must have the attribute

}  // namespace

std::vector<int32_t> item_classes(const Dataset& data, int64_t least) {
  std::vector<int64_t> items_with(static_cast<std::size_t>(data.attributes()), 0);
  std::vector<int32_t> last(items_with.size(), 0);  // a list that names an attribute twice counts once
  for (int32_t item = 1; item <= data.items(); ++item)
    for (const int32_t a : data.item_attributes(item))
      if (std::exchange(last.at(a), item) != item) ++items_with[a];
  std::vector<int32_t> classes{0};
  for (int32_t item = 1; item <= data.items(); ++item) {
    int32_t best = 0;
    for (const int32_t a : data.item_attributes(item)) {
      if (items_with[a] < least) continue;
      if (best == 0 || std::pair(items_with[a], a) < std::pair(items_with[best], best)) best = a;
    }
    classes.push_back(best);
  }
  return classes;
}

std::vector<int32_t> item_categories(const Dataset& data) {
  return item_classes(data, (data.items() + items_of_a_class - 1) / items_of_a_class);
}

}  // namespace seminar::inline SEMINAR_PRECISION
