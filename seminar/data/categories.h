// Classes of items that the data do not name as such.
#pragma once

#include "seminar/data/dataset.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Of every item (entry 0: padding) the rarest of its attributes that at least `least` items have, 0 for none; of
/// equally rare ones the lower id.
std::vector<int32_t> item_classes(const Dataset& data, int64_t least);
/// The category of every item. Data sets list many attributes an item and name them as they like, so the category is
/// the most specific that is still a class: the rarest that at least one item in a hundred has.
std::vector<int32_t> item_categories(const Dataset& data);

}  // namespace seminar::inline SEMINAR_PRECISION
