// Sizes (or strides) of a tensor, up to six axes, held without allocation.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "tensor/error.h"

namespace seminar {

class Shape {
 public:
  static constexpr int max_rank = 6;

  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span<const int64_t>(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const int64_t> sizes) {
    for (int64_t s : sizes) push_back(s);
  }

  /// Number of axes.
  int rank() const { return rank_; }
  /// Size of axis `axis`; a negative one counts from the end. Throws Error for an axis that is not there.
  int64_t operator[](int axis) const { return sizes_[place(axis)]; }
  int64_t& operator[](int axis) { return sizes_[place(axis)]; }
  const int64_t* begin() const { return sizes_.data(); }
  const int64_t* end() const { return sizes_.data() + rank_; }

  void push_back(int64_t size) {
    check(rank_ < max_rank, "shape: more than {} axes", max_rank);
    sizes_[rank_++] = size;
  }
  /// Product of all sizes; 1 for a scalar. Throws Error if it does not fit into 64 bits.
  int64_t numel() const {
    int64_t n = 1;
    bool overflow = false;
    for (int64_t s : *this) {
      if (s == 0) return 0;
      overflow |= __builtin_mul_overflow(n, s, &n);
    }
    if (overflow) [[unlikely]]
      too_large();
    return n;
  }
  /// The shape without its last axis.
  Shape leading() const { return Shape(std::span<const int64_t>(begin(), rank_ ? rank_ - 1 : 0)); }
  /// Product of all sizes but the last: the number of rows.
  int64_t rows() const { return leading().numel(); }
  /// This shape with one more axis of `size` at the end.
  Shape with(int64_t size) const {
    Shape s = *this;
    s.push_back(size);
    return s;
  }
  /// Row-major strides of a contiguous tensor of this shape.
  Shape contiguous_strides() const {
    Shape st = *this;
    int64_t n = 1;
    for (int i = rank_ - 1; i >= 0; --i) {
      st.sizes_[i] = n;
      n *= sizes_[i];
    }
    return st;
  }
  bool operator==(const Shape& other) const;

 private:
  [[noreturn]] void too_large() const;
  int place(int axis) const {
    check(axis >= -rank_ && axis < rank_, "shape: axis {} of a tensor with {} axes", axis, rank_);
    return axis < 0 ? axis + rank_ : axis;
  }

  std::array<int64_t, max_rank> sizes_{};
  int rank_ = 0;
};

}  // namespace seminar

template <>
struct fmt::formatter<seminar::Shape> : fmt::formatter<std::string_view> {
  fmt::appender format(const seminar::Shape& s, fmt::format_context& context) const;
};

namespace seminar {

/// The axis as a number from 0; throws Error naming `op` when it is out of range.
inline int normal_axis(const char* op, int axis, int rank) {
  check(axis >= -rank && axis < rank, "{}: axis {} of a tensor with {} axes", op, axis, rank);
  return axis < 0 ? axis + rank : axis;
}

/// The number of elements of a new tensor; throws Error naming `op` for a negative size and for 2^46 elements or more.
int64_t checked_numel(const char* op, const Shape& shape);

/// A row-major tensor as [outer, size, inner], where `size` is that of one axis.
struct AxisSplit {
  int64_t outer = 1, size = 1, inner = 1;
};
/// Splits a shape around an axis from 0 to rank - 1.
inline AxisSplit split_at(const Shape& shape, int axis) {
  AxisSplit s;
  s.size = shape[axis];
  for (int a = 0; a < axis; ++a) s.outer *= shape[a];
  for (int a = axis + 1; a < shape.rank(); ++a) s.inner *= shape[a];
  return s;
}

/// The shape that numpy's broadcasting gives; throws Error naming `op` when the two do not fit.
inline Shape broadcast_shape(const char* op, const Shape& a, const Shape& b) {
  const int rank = a.rank() > b.rank() ? a.rank() : b.rank();
  Shape out;
  for (int i = 0; i < rank; ++i) {
    const int ia = i - (rank - a.rank()), ib = i - (rank - b.rank());
    const int64_t sa = ia < 0 ? 1 : a[ia], sb = ib < 0 ? 1 : b[ib];
    check(sa == sb || sa == 1 || sb == 1, "{}: shapes do not broadcast: {} and {}", op, a, b);
    out.push_back(sa == 1 ? sb : sa);
  }
  return out;
}

}  // namespace seminar
