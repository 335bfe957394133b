#include "tensor/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "tensor/pool.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr std::size_t header_bytes = 64;

Storage* new_storage(int64_t count) {
  const std::size_t bytes = header_bytes + static_cast<std::size_t>(count) * sizeof(real);
  return new (pool::allocate(bytes)) Storage{1, 0, bytes};
}

}  // namespace

void Tensor::drop() {
  // The only owner need not tell others: a locked decrement is what small tensors cost most.
  if (unique() || storage_->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
    pool::release(storage_, storage_->bytes);
}

Tensor Tensor::empty(const Shape& shape) {
  const int64_t count = checked_numel("tensor", shape);
  Tensor t;
  t.storage_ = new_storage(count);
  t.shape_ = shape;
  t.strides_ = shape.contiguous_strides();
  return t;
}

Tensor Tensor::full(const Shape& shape, real value) {
  Tensor t = empty(shape);
  t.fill(value);
  return t;
}

Tensor Tensor::from(const Shape& shape, std::span<const real> values) {
  Tensor t = empty(shape);
  check(t.numel() == static_cast<int64_t>(values.size()), "tensor: {} values for shape {}", values.size(), shape);
  std::copy(values.begin(), values.end(), t.write());
  return t;
}

Tensor Tensor::normal(const Shape& shape, Rng& rng, double std) {
  Tensor t = empty(shape);
  real* x = t.write();
  for (int64_t i = 0, n = t.numel(); i < n; ++i) x[i] = static_cast<real>(std * rng.normal());
  return t;
}

Tensor Tensor::uniform(const Shape& shape, Rng& rng, double low, double high) {
  Tensor t = empty(shape);
  real* x = t.write();
  for (int64_t i = 0, n = t.numel(); i < n; ++i) x[i] = static_cast<real>(rng.uniform(low, high));
  return t;
}

real* Tensor::write() {
  if (!storage_) throw Bug("tensor: write to an undefined tensor");
  storage_->version.store(version() + 1, std::memory_order_relaxed);  // one thread writes at a time
  return storage_->numbers() + offset_;
}

real Tensor::item() const {
  check_defined("item");
  check(numel() == 1, "item: needs one element, not shape {}", shape_);
  return *data();
}

real Tensor::at(std::initializer_list<int64_t> index) const {
  check_defined("at");
  check(static_cast<int>(index.size()) == rank(), "at: {} indices for shape {}", index.size(), shape_);
  int64_t offset = 0;
  int axis = 0;
  for (int64_t i : index) {
    check(i >= 0 && i < shape_[axis], "at: index {} outside axis {} of shape {}", i, axis, shape_);
    offset += i * strides_[axis++];
  }
  return data()[offset];
}

std::vector<real> Tensor::to_vector() const {
  check_defined("to_vector");
  const Tensor t = contiguous();
  return {t.data(), t.data() + t.numel()};
}

Tensor Tensor::contiguous() const {
  check_defined("contiguous");
  return contiguous_ ? *this : clone();
}

Tensor Tensor::clone() const {
  check_defined("clone");
  Tensor t = empty(shape_);
  real* y = t.write();
  if (contiguous_) {
    std::copy_n(data(), numel(), y);
    return t;
  }
  const int64_t n = shape_[-1], step = strides_[-1];
  for_each_row(shape_, strides_, [&, x = data()](int64_t offset, int64_t row) {
    for (int64_t i = 0; i < n; ++i) y[row * n + i] = x[offset + i * step];
  });
  return t;
}

Tensor Tensor::reshape(Shape shape) const {
  check_defined("reshape");
  int unknown = -1;
  for (int i = 0; i < shape.rank(); ++i) {
    check(shape[i] >= -1, "reshape: negative size: {}", shape);
    if (shape[i] != -1) continue;
    check(unknown < 0, "reshape: more than one -1: {}", shape);
    unknown = i;
  }
  if (unknown >= 0) {
    Shape known = shape;
    known[unknown] = 1;
    const int64_t count = checked_numel("reshape", known);
    check(count > 0 && numel() % count == 0, "reshape: {} does not fit {}", shape_, shape);
    shape[unknown] = numel() / count;
  }
  check(checked_numel("reshape", shape) == numel(), "reshape: {} does not fit {}", shape_, shape);
  Tensor t = contiguous();
  t.shape_ = shape;
  t.strides_ = shape.contiguous_strides();
  return t;
}

Tensor Tensor::slice(int axis, int64_t begin, int64_t end) const {
  check_defined("slice");
  axis = normal_axis("slice", axis, rank());
  check(begin >= 0 && begin <= end && end <= shape_[axis], "slice: [{}, {}) outside axis {} of {}", begin, end, axis,
        shape_);
  Tensor t = *this;
  t.offset_ += begin * strides_[axis];
  t.shape_[axis] = end - begin;
  t.update_contiguous();
  return t;
}

Tensor Tensor::transpose() const {
  check_defined("transpose");
  check(rank() >= 2, "transpose: needs two axes, not shape {}", shape_);
  Tensor t = *this;
  std::swap(t.shape_[-1], t.shape_[-2]);
  std::swap(t.strides_[-1], t.strides_[-2]);
  t.update_contiguous();
  return t;
}

Tensor Tensor::swap_axes(int a, int b) const {
  check_defined("swap_axes");
  a = normal_axis("swap_axes", a, rank());
  b = normal_axis("swap_axes", b, rank());
  Tensor t = *this;
  std::swap(t.shape_[a], t.shape_[b]);
  std::swap(t.strides_[a], t.strides_[b]);
  t.contiguous_ = false;
  return t.clone();
}

Tensor Tensor::permute(std::span<const int> axes) const {
  check_defined("permute");
  Tensor t = *this;
  std::array<bool, Shape::max_rank> used{};
  bool fits = static_cast<int>(axes.size()) == rank();
  for (int i = 0; fits && i < rank(); ++i) {
    const int axis = normal_axis("permute", axes[static_cast<std::size_t>(i)], rank());
    fits = !std::exchange(used[static_cast<std::size_t>(axis)], true);
    t.shape_[i] = shape_[axis];
    t.strides_[i] = strides_[axis];
  }
  check(fits, "permute: axes [{}] of a tensor {}", fmt::join(axes, ", "), shape_);
  t.contiguous_ = rank() < 2 && contiguous_;
  return t.clone();
}

void Tensor::fill(real value) {
  real* x = write();
  if (contiguous_) {
    std::fill_n(x, numel(), value);
    return;
  }
  for_each_row(shape_, strides_, [&](int64_t offset, int64_t) {
    for (int64_t i = 0; i < shape_[-1]; ++i) x[offset + i * strides_[-1]] = value;
  });
}

void Tensor::update_contiguous() {
  int64_t n = 1;
  contiguous_ = true;
  for (int i = rank() - 1; i >= 0; --i) {
    if (shape_[i] != 1 && strides_[i] != n) contiguous_ = false;
    n *= shape_[i];
  }
  if (n == 0) contiguous_ = true;
}

}  // namespace seminar::inline SEMINAR_PRECISION
