#include "tensor/rows.h"

#include <algorithm>
#include <numeric>

namespace seminar::inline SEMINAR_PRECISION {

Groups group_by_id(std::span<const int32_t> ids) {
  Groups g;
  const int64_t n = static_cast<int64_t>(ids.size());
  g.order.resize(ids.size());
  if (n == 0) {
    g.offsets = {0};
    return g;
  }
  const auto [least, largest] = std::minmax_element(ids.begin(), ids.end());
  check(*least >= 0, "group_by_id: negative id: {}", *least);
  const int64_t count = *largest + int64_t{1};
  if (count <= 4 * n + 1024) {                                          // counting sort
    std::vector<int64_t> next(static_cast<std::size_t>(count) + 1, 0);  // place of an id's next position
    for (int32_t id : ids) ++next[static_cast<std::size_t>(id) + 1];
    for (int64_t id = 0; id < count; ++id) {
      if (next[id + 1] > 0) {
        g.ids.push_back(static_cast<int32_t>(id));
        g.offsets.push_back(next[id]);
      }
      next[id + 1] += next[id];
    }
    for (int64_t i = 0; i < n; ++i) g.order[next[ids[i]]++] = static_cast<int32_t>(i);
  } else {
    std::iota(g.order.begin(), g.order.end(), 0);
    std::stable_sort(g.order.begin(), g.order.end(), [&](int32_t a, int32_t b) { return ids[a] < ids[b]; });
    for (int64_t i = 0; i < n; ++i)
      if (i == 0 || ids[g.order[i]] != ids[g.order[i - 1]]) {
        g.ids.push_back(ids[g.order[i]]);
        g.offsets.push_back(i);
      }
  }
  g.offsets.push_back(n);
  return g;
}

Tensor gather_rows(const char* op, const Tensor& table, const Ids& ids) {
  check(table.defined(), "{}: input 0 is undefined", op);
  check(table.rank() == 2, "{}: the table must have two axes, not shape {}", op, table.shape());
  const int64_t count = table.size(0), width = table.size(1), n = ids.numel();
  const Tensor source = table.contiguous();
  Tensor out = Tensor::empty(ids.shape().with(width));
  real* y = out.write();
  parallel_for(n, row_grain(width), [&, x = source.data()](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t id = ids[i];
      check(id >= 0 && id < count, "{}: index {} outside a table of {} rows", op, id, count);
      std::copy_n(x + id * width, width, y + i * width);
    }
  });
  return out;
}

void scatter_add_rows(Tensor& table, const Ids& ids, const Tensor& rows) {
  check(table.rank() == 2 && rows.defined() && rows.rank() >= 1 && rows.size(-1) == table.size(1) &&
            rows.numel() == ids.numel() * table.size(1),
        "scatter_add_rows: {} ids and rows {} for a table {}", ids.numel(), rows.shape(), table.shape());
  const int64_t width = table.size(1);
  const Groups groups = group_by_id(ids.span());
  check(groups.ids.empty() || groups.ids.back() < table.size(0),
        "scatter_add_rows: index {} outside a table of {} rows", groups.ids.empty() ? 0 : groups.ids.back(),
        table.size(0));
  const Tensor source = rows.contiguous();
  real* y = table.write();
  const Kernels& k = kernels();
  parallel_for(static_cast<int64_t>(groups.ids.size()), row_grain(4 * width),
               [&, x = source.data()](int64_t begin, int64_t end) {
                 for (int64_t g = begin; g < end; ++g)
                   for (int64_t i = groups.offsets[g]; i < groups.offsets[g + 1]; ++i)
                     k.axpy(width, 1, x + int64_t{groups.order[i]} * width, y + int64_t{groups.ids[g]} * width);
               });
}

namespace {

// Strides that walk `x` along the axes of `shape`: 0 where x is repeated.
Shape broadcast_strides(const Tensor& x, const Shape& shape) {
  Shape strides = shape;
  const int skip = shape.rank() - x.rank();
  for (int i = 0; i < shape.rank(); ++i) strides[i] = i < skip || x.size(i - skip) == 1 ? 0 : x.strides()[i - skip];
  return strides;
}

}  // namespace

Tensor binary(const char* name, Binary op, const Tensor& a, const Tensor& b) {
  check(a.defined() && b.defined(), "{}: input {} is undefined", name, a.defined() ? 1 : 0);
  const Kernels& k = kernels();
  if (a.shape() == b.shape() && a.is_contiguous() && b.is_contiguous())
    return map_elements([&](int64_t n, real* y, const real* x, const real* z) { k.binary(op, n, y, x, 1, z, 1); }, a,
                        b);
  Tensor y = Tensor::empty(broadcast_shape(name, a.shape(), b.shape()));
  if (y.numel() == 0) return y;
  if (y.rank() == 0) {
    k.binary(op, 1, y.write(), a.data(), 0, b.data(), 0);
    return y;
  }
  const Tensor ca = a.contiguous(), cb = b.contiguous();
  const Shape sa = broadcast_strides(ca, y.shape()), sb = broadcast_strides(cb, y.shape());
  const int64_t n = y.size(-1), rows = y.shape().rows();
  std::vector<int64_t> row_a(static_cast<std::size_t>(rows)), row_b(static_cast<std::size_t>(rows));
  for_each_row(y.shape(), sa, [&](int64_t offset, int64_t r) { row_a[r] = offset; });
  for_each_row(y.shape(), sb, [&](int64_t offset, int64_t r) { row_b[r] = offset; });
  parallel_for(rows, row_grain(n), [&, py = y.write()](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r)
      k.binary(op, n, py + r * n, ca.data() + row_a[r], sa[-1], cb.data() + row_b[r], sb[-1]);
  });
  return y;
}

Tensor expanded(const Tensor& x, const Shape& shape) {
  check(x.defined(), "expand: input 0 is undefined");
  check(broadcasts_to(x.shape(), shape), "expand: {} does not broadcast to {}", x.shape(), shape);
  if (x.shape() == shape) return x.contiguous();
  return binary("expand", Binary::add, x, Tensor::zeros(shape));
}

namespace {

// y[o, b, :] = Σ of x[o, i, :] over the i of block b: sums of at most `block` numbers, 0 if there are none.
void sum_blocks(const AxisSplit& x, int64_t block, const real* from, real* y) {
  const Kernels& k = kernels();
  const int64_t blocks = std::max<int64_t>(1, (x.size + block - 1) / block);
  parallel_for(x.outer * blocks, row_grain(std::min(x.size, block) * x.inner), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t first = r % blocks * block, count = std::min(block, x.size - first);
      const real* rows = from + (r / blocks * x.size + first) * x.inner;
      if (x.inner == 1) {
        y[r] = k.sum(count, rows);
        continue;
      }
      std::fill_n(y + r * x.inner, x.inner, real{0});
      for (int64_t i = 0; i < count; ++i) k.axpy(x.inner, 1, rows + i * x.inner, y + r * x.inner);
    }
  });
}

}  // namespace

Tensor sum_axis(const Tensor& x, int axis) {
  check(x.defined(), "sum: input 0 is undefined");
  axis = normal_axis("sum", axis, x.rank());
  AxisSplit split = split_at(x.shape(), axis);
  // Numbers of a row are summed in lanes, rows one after the other.
  const int64_t block = split.inner == 1 ? 16384 : 1024;
  Shape shape = x.shape();
  shape[axis] = 1;
  Tensor source = x.contiguous();
  while (split.size > block) {
    const int64_t blocks = (split.size + block - 1) / block;
    Tensor partial = Tensor::empty({split.outer, blocks, split.inner});
    sum_blocks(split, block, source.data(), partial.write());
    split.size = blocks;
    source = partial;
  }
  Tensor y = Tensor::empty(shape);
  sum_blocks(split, block, source.data(), y.write());
  return y;
}

bool broadcasts_to(const Shape& from, const Shape& to) {
  const int extra = to.rank() - from.rank();
  if (extra < 0) return false;
  for (int i = 0; i < from.rank(); ++i)
    if (from[i] != 1 && from[i] != to[i + extra]) return false;
  return true;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  check(broadcasts_to(shape, x.shape()), "sum_to: {} is not {} repeated", x.shape(), shape);
  Tensor y = x;
  // Neighbouring leading axes are summed as one.
  if (const int extra = x.rank() - shape.rank(); extra > 0) {
    Shape rest{1}, inner;
    for (int i = 0; i < extra; ++i) rest[0] *= x.size(i);
    for (int i = extra; i < x.rank(); ++i) {
      rest.push_back(x.size(i));
      inner.push_back(x.size(i));
    }
    y = sum_axis(y.reshape(rest), 0).reshape(inner);
  }
  for (int i = 0; i < shape.rank(); ++i)
    if (shape[i] == 1 && y.size(i) != 1) y = sum_axis(y, i);
  return y;
}

real sum_all(const Tensor& x) {
  check(x.defined(), "sum: input 0 is undefined");
  const Tensor flat = x.reshape({x.numel()});
  return flat.numel() == 0 ? 0 : sum_axis(flat, 0).item();
}

void add_into(Tensor& y, const Tensor& x) {
  check(x.defined() && y.shape() == x.shape(), "add_into: {} is added to {}", x.shape(), y.shape());
  update_elements(
      y, [](int64_t n, real* to, const real* from) { kernels().axpy(n, 1, from, to); }, x);
}

}  // namespace seminar::inline SEMINAR_PRECISION
