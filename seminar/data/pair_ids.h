// Query-item pairs of a batch, by number.
#pragma once

#include "tensor/tensor.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Pairs as indices into a batch's distinct queries and items.
struct PairIds {
  Ids query, item;
  int64_t numel() const { return item.numel(); }
};

}  // namespace seminar::inline SEMINAR_PRECISION
