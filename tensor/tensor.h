// Numbers with a shape: a handle to reference-counted storage plus shape and strides. It knows no gradients.
// A view is a reshape, a slice or a transpose of the last two axes; kernels take contiguous rows.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "tensor/random.h"
#include "tensor/real.h"
#include "tensor/shape.h"

namespace seminar::inline SEMINAR_PRECISION {

/// The memory of one or more tensors; its version counts the writes. The numbers follow this header, 64-byte aligned.
struct Storage {
  std::atomic<int64_t> references;
  std::atomic<int64_t> version;
  std::size_t bytes;  ///< of the whole block
  real* numbers() { return reinterpret_cast<real*>(reinterpret_cast<char*>(this) + 64); }
};
static_assert(sizeof(Storage) <= 64);

class Tensor {
 public:
  /// No numbers at all: defined() is false.
  Tensor() = default;
  Tensor(const Tensor& t)
      : storage_(t.storage_), offset_(t.offset_), shape_(t.shape_), strides_(t.strides_), contiguous_(t.contiguous_) {
    if (storage_) storage_->references.fetch_add(1, std::memory_order_relaxed);
  }
  /// The tensor that is moved from becomes undefined.
  Tensor(Tensor&& t) noexcept { swap(t); }
  Tensor& operator=(Tensor t) noexcept {
    swap(t);
    return *this;
  }
  ~Tensor() {
    if (storage_) drop();
  }

  /// Not initialised.
  static Tensor empty(const Shape& shape);
  static Tensor zeros(const Shape& shape) { return full(shape, 0); }
  static Tensor full(const Shape& shape, real value);
  static Tensor scalar(real value) { return full({}, value); }
  /// A copy of `values` (row-major); throws Error if the count differs from the shape's.
  static Tensor from(const Shape& shape, std::span<const real> values);
  static Tensor from(const Shape& shape, std::initializer_list<real> values) {
    return from(shape, std::span<const real>(values.begin(), values.size()));
  }
  /// Independent N(0, std²) numbers.
  static Tensor normal(const Shape& shape, Rng& rng, double std = 1);
  static Tensor uniform(const Shape& shape, Rng& rng, double low, double high);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  const Shape& strides() const { return strides_; }
  int rank() const { return shape_.rank(); }
  /// A negative axis counts from the end; throws Error for an axis that is not there.
  int64_t size(int axis) const { return shape_[normal_axis("size", axis, rank())]; }
  /// Number of elements: 1 for a scalar, 0 for an undefined tensor.
  int64_t numel() const { return storage_ ? shape_.numel() : 0; }
  bool is_contiguous() const { return contiguous_; }

  /// The first number, null if undefined. Row-major only if is_contiguous().
  const real* data() const { return storage_ ? storage_->numbers() + offset_ : nullptr; }
  /// For writing; counts as one write to the storage (see version()).
  real* write();
  /// The only element; throws Error if there are more.
  real item() const;
  /// Element at an index of every axis.
  real at(std::initializer_list<int64_t> index) const;
  std::vector<real> to_vector() const;

  /// Number of writes to the storage so far.
  int64_t version() const { return storage_ ? storage_->version.load(std::memory_order_relaxed) : 0; }
  /// True if no other tensor shares the storage.
  bool unique() const { return storage_ && storage_->references.load(std::memory_order_acquire) == 1; }

  /// Itself if row-major without gaps, else a copy that is.
  Tensor contiguous() const;
  Tensor clone() const;
  /// Same numbers in another shape (one size may be -1); a view, or a copy if not contiguous.
  Tensor reshape(Shape shape) const;
  /// Rows [begin, end) of `axis`, as a view.
  Tensor slice(int axis, int64_t begin, int64_t end) const;
  /// The last two axes swapped, as a view.
  Tensor transpose() const;
  /// Any two axes swapped; a contiguous copy.
  Tensor swap_axes(int a, int b) const;
  /// Axis i of the result is axis axes[i] of this; a contiguous copy.
  Tensor permute(std::span<const int> axes) const;

  void fill(real value);

 private:
  void check_defined(const char* op) const { check(defined(), "{}: the tensor is undefined", op); }
  void update_contiguous();
  void drop();
  void swap(Tensor& t) noexcept {
    std::swap(storage_, t.storage_);
    std::swap(offset_, t.offset_);
    std::swap(shape_, t.shape_);
    std::swap(strides_, t.strides_);
    std::swap(contiguous_, t.contiguous_);
  }

  Storage* storage_ = nullptr;
  int64_t offset_ = 0;
  Shape shape_, strides_;
  bool contiguous_ = true;
};

/// Calls f(offset of the row in the tensor, row number) for every row along the last axis.
template <class F>
void for_each_row(const Shape& shape, const Shape& strides, F&& f) {
  const int outer = shape.rank() - 1;
  const int64_t rows = shape.rows();
  if (shape.numel() == 0) return;
  Shape index = shape.leading();
  for (int a = 0; a < outer; ++a) index[a] = 0;
  int64_t offset = 0;
  for (int64_t r = 0; r < rows; ++r) {
    f(offset, r);
    for (int a = outer - 1; a >= 0; --a) {
      offset += strides[a];
      if (++index[a] < shape[a]) break;
      offset -= strides[a] * shape[a];
      index[a] = 0;
    }
  }
}

/// Integer indices with a shape, shared and never changed: item ids, word ids, positions.
class Ids {
 public:
  Ids() = default;
  explicit Ids(std::vector<int32_t> values) {
    shape_[0] = static_cast<int64_t>(values.size());
    values_ = std::make_shared<const std::vector<int32_t>>(std::move(values));
  }
  Ids(const Shape& shape, std::vector<int32_t> values) : shape_(shape) {
    check(checked_numel("ids", shape) == static_cast<int64_t>(values.size()), "ids: {} values for shape {}",
          values.size(), shape);
    values_ = std::make_shared<const std::vector<int32_t>>(std::move(values));
  }
  Ids(const Ids&) = default;
  /// Ids that are moved from are empty.
  Ids(Ids&& ids) noexcept { swap(ids); }
  Ids& operator=(Ids ids) noexcept {
    swap(ids);
    return *this;
  }
  const Shape& shape() const { return shape_; }
  int64_t numel() const { return values_ ? static_cast<int64_t>(values_->size()) : 0; }
  /// Not checked: 0 <= i < numel().
  int32_t operator[](int64_t i) const { return (*values_)[static_cast<std::size_t>(i)]; }
  const int32_t* data() const { return values_ ? values_->data() : nullptr; }
  std::span<const int32_t> span() const { return {data(), static_cast<std::size_t>(numel())}; }
  /// The same indices in another shape.
  Ids reshape(const Shape& shape) const {
    check(checked_numel("ids", shape) == numel(), "ids: cannot reshape {} to {}", shape_, shape);
    Ids r = *this;
    r.shape_ = shape;
    return r;
  }

 private:
  void swap(Ids& ids) noexcept {
    std::swap(values_, ids.values_);
    std::swap(shape_, ids.shape_);
  }

  std::shared_ptr<const std::vector<int32_t>> values_;
  Shape shape_{0};
};

}  // namespace seminar::inline SEMINAR_PRECISION
