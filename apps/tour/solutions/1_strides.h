// Chapter 1, the solution.
#pragma once

#include <utility>
#include <vector>

namespace tour {

using Longs = std::vector<long>;

struct View {
  long offset = 0;
  Longs sizes, strides;
};

inline Longs contiguous_strides(const Longs& sizes) {
  Longs strides(sizes.size());
  long n = 1;
  for (std::size_t axis = sizes.size(); axis-- > 0; n *= sizes[axis]) strides[axis] = n;
  return strides;
}

inline long address(const View& view, const Longs& index) {
  long at = view.offset;
  for (std::size_t axis = 0; axis < index.size(); ++axis) at += index[axis] * view.strides[axis];
  return at;
}

inline View slice(const View& view, std::size_t axis, long begin, long end) {
  View part = view;
  part.offset += begin * view.strides[axis];
  part.sizes[axis] = end - begin;
  return part;
}

inline View transpose(const View& view) {
  View swapped = view;
  const std::size_t last = view.sizes.size() - 1;
  std::swap(swapped.sizes[last], swapped.sizes[last - 1]);
  std::swap(swapped.strides[last], swapped.strides[last - 1]);
  return swapped;
}

inline bool without_gaps(const View& view) {
  const Longs wanted = contiguous_strides(view.sizes);
  for (std::size_t axis = 0; axis < view.sizes.size(); ++axis)
    if (view.sizes[axis] != 1 && view.strides[axis] != wanted[axis]) return false;
  return true;
}

}  // namespace tour
