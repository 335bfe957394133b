// What the ops share: loops over elements and rows, gathering and adding rows by index, sums over axes, broadcasting.
#pragma once

#include <vector>

#include "tensor/kernels.h"
#include "tensor/parallel.h"
#include "tensor/tensor.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Calls f(n, y, x...) in parallel for blocks of n elements, where y and each x point to the block's first element.
/// y is contiguous and has the shape of every x.
template <class F, class... X>
void update_elements(Tensor& y, const F& f, const X&... x) {
  const auto run = [&](const auto&... source) {
    parallel_for(y.numel(), element_grain, [&, out = y.write()](int64_t begin, int64_t end) {
      f(end - begin, out + begin, (source.data() + begin)...);
    });
  };
  run(x.contiguous()...);
}
/// A new tensor of x's shape that f fills, see update_elements.
template <class F, class... More>
Tensor map_elements(const F& f, const Tensor& x, const More&... more) {
  Tensor y = Tensor::empty(x.shape());
  update_elements(y, f, x, more...);
  return y;
}

/// Calls f(r, y, x...) in parallel for every row r along the last axis, where y and each x point to the row's first
/// number. y is contiguous and has the shape of every x; a row of it costs about four times its length.
template <class F, class... X>
void update_rows(Tensor& y, const F& f, const X&... x) {
  const int64_t n = y.rank() ? y.size(-1) : 1;
  if (y.numel() == 0) return;
  const auto run = [&](const auto&... source) {
    parallel_for(y.numel() / n, row_grain(4 * n), [&, out = y.write()](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) f(r, out + r * n, (source.data() + r * n)...);
    });
  };
  run(x.contiguous()...);
}
/// A new tensor of x's shape that f fills, see update_rows.
template <class F, class... More>
Tensor map_rows(const F& f, const Tensor& x, const More&... more) {
  Tensor y = Tensor::empty(x.shape());
  update_rows(y, f, x, more...);
  return y;
}

/// Positions grouped by id: those of `ids[g]` are order[offsets[g] .. offsets[g+1]), ascending. Ids ascend too.
struct Groups {
  std::vector<int32_t> ids;
  std::vector<int64_t> offsets;
  std::vector<int32_t> order;
};
/// Groups the positions 0..n-1 by id. Linear in n + max id when that is small, else by sorting. Throws Error for a
/// negative id.
Groups group_by_id(std::span<const int32_t> ids);

/// out[i, :] = table[ids[i], :]; throws Error naming `op` for an id outside the table. out: ids.shape + [width].
Tensor gather_rows(const char* op, const Tensor& table, const Ids& ids);
/// table[ids[i], :] += rows[i, :]; every table row has one owner, so the sum's order is fixed. Throws Error if the
/// table has no two axes, if the rows do not fit, and for an id outside the table.
void scatter_add_rows(Tensor& table, const Ids& ids, const Tensor& rows);

/// Asks for n numbers that will be needed soon.
inline void prefetch(const real* x, int64_t n) {
  for (int64_t i = 0; i < n; i += kernel_lanes) __builtin_prefetch(x + i);
}

/// a op b with numpy's broadcasting.
Tensor binary(const char* name, Binary op, const Tensor& a, const Tensor& b);
/// A contiguous copy of x, repeated by numpy's broadcasting to `shape`; throws Error unless broadcasts_to().
Tensor expanded(const Tensor& x, const Shape& shape);
/// Sum over axis `axis`, keeping it with size 1. Long sums are made of the sums of fixed blocks, so that in float
/// 20 million ones are 20 million.
Tensor sum_axis(const Tensor& x, int axis);
/// Whether numpy's broadcasting repeats `from` to `to`.
bool broadcasts_to(const Shape& from, const Shape& to);
/// Sums away what broadcasting from `shape` to x.shape() had repeated; throws Error unless broadcasts_to().
Tensor sum_to(const Tensor& x, const Shape& shape);
/// Sum of all elements, in fixed blocks.
real sum_all(const Tensor& x);
/// y += x; y contiguous. Throws Error if the shapes differ.
void add_into(Tensor& y, const Tensor& x);

}  // namespace seminar::inline SEMINAR_PRECISION
