// Gathering and adding rows by index, sums over axes, broadcasting: what the ops share.
#pragma once

#include <vector>

#include "tensor/kernels.h"
#include "tensor/tensor.h"

namespace seminar::inline SEMINAR_PRECISION {

/// Positions grouped by id: those of `ids[g]` are order[start[g] .. start[g+1]), ascending. Ids ascend too.
struct Groups {
  std::vector<int32_t> ids;
  std::vector<int64_t> start;
  std::vector<int32_t> order;
};
/// Groups the positions 0..n-1 by id. Linear in n + max id when that is small, else by sorting.
Groups group_by_id(std::span<const int32_t> ids);

/// out[i, :] = table[ids[i], :]; throws Error naming `op` for an id outside the table. out: ids.shape + [width].
Tensor gather_rows(const char* op, const Tensor& table, const Ids& ids);
/// table[ids[i], :] += rows[i, :]; every table row has one owner, so the sum's order is fixed.
void scatter_add_rows(Tensor& table, const Ids& ids, const Tensor& rows);

/// Asks for n numbers that will be needed soon.
inline void prefetch(const real* x, int64_t n) {
  for (int64_t i = 0; i < n; i += kernel_lanes) __builtin_prefetch(x + i);
}

/// a op b with numpy's broadcasting.
Tensor binary(const char* name, Binary op, const Tensor& a, const Tensor& b);
/// Sum over axis `axis`, keeping it with size 1.
Tensor sum_axis(const Tensor& x, int axis);
/// Sums away what broadcasting from `shape` to x.shape() had repeated.
Tensor sum_to(const Tensor& x, const Shape& shape);
/// Sum of all elements, in fixed blocks.
real sum_all(const Tensor& x);
/// y += x, same shape; y contiguous.
void add_into(Tensor& y, const Tensor& x);

}  // namespace seminar::inline SEMINAR_PRECISION
