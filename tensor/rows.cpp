#include "tensor/rows.h"

#include <algorithm>
#include <numeric>

#include "tensor/parallel.h"

namespace seminar::inline SEMINAR_PRECISION {

Groups group_by_id(std::span<const int32_t> ids) {
  Groups g;
  const int64_t n = static_cast<int64_t>(ids.size());
  g.order.resize(ids.size());
  if (n == 0) {
    g.start = {0};
    return g;
  }
  const int64_t top = *std::max_element(ids.begin(), ids.end()) + int64_t{1};
  if (top <= 4 * n + 1024) {  // counting sort
    std::vector<int64_t> at(static_cast<std::size_t>(top) + 1, 0);
    for (int32_t id : ids) ++at[static_cast<std::size_t>(id) + 1];
    for (int64_t id = 0; id < top; ++id) {
      if (at[id + 1] > 0) {
        g.ids.push_back(static_cast<int32_t>(id));
        g.start.push_back(at[id]);
      }
      at[id + 1] += at[id];
    }
    for (int64_t i = 0; i < n; ++i) g.order[at[ids[i]]++] = static_cast<int32_t>(i);
  } else {
    std::iota(g.order.begin(), g.order.end(), 0);
    std::stable_sort(g.order.begin(), g.order.end(), [&](int32_t a, int32_t b) { return ids[a] < ids[b]; });
    for (int64_t i = 0; i < n; ++i)
      if (i == 0 || ids[g.order[i]] != ids[g.order[i - 1]]) {
        g.ids.push_back(ids[g.order[i]]);
        g.start.push_back(i);
      }
  }
  g.start.push_back(n);
  return g;
}

Tensor gather_rows(const char* op, const Tensor& table, const Ids& ids) {
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
  const int64_t width = table.size(-1);
  const Groups groups = group_by_id(ids.span());
  const Tensor source = rows.contiguous();
  real* y = table.write();
  const Kernels& k = kernels();
  parallel_for(static_cast<int64_t>(groups.ids.size()), row_grain(4 * width),
               [&, x = source.data()](int64_t begin, int64_t end) {
                 for (int64_t g = begin; g < end; ++g)
                   for (int64_t i = groups.start[g]; i < groups.start[g + 1]; ++i)
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
  const Kernels& k = kernels();
  if (a.shape() == b.shape() && a.is_contiguous() && b.is_contiguous()) {
    Tensor y = Tensor::empty(a.shape());
    parallel_for(y.numel(), 16384, [&, py = y.write(), pa = a.data(), pb = b.data()](int64_t i, int64_t end) {
      k.binary(op, end - i, py + i, pa + i, 1, pb + i, 1);
    });
    return y;
  }
  Tensor y = Tensor::empty(broadcast_shape(name, a.shape(), b.shape()));
  if (y.numel() == 0) return y;
  if (y.rank() == 0) {
    k.binary(op, 1, y.write(), a.data(), 0, b.data(), 0);
    return y;
  }
  const Tensor ca = a.contiguous(), cb = b.contiguous();
  const Shape sa = broadcast_strides(ca, y.shape()), sb = broadcast_strides(cb, y.shape());
  const int64_t n = y.size(-1), rows = y.shape().rows();
  std::vector<int64_t> at_a(static_cast<std::size_t>(rows)), at_b(static_cast<std::size_t>(rows));
  for_each_row(y.shape(), sa, [&](int64_t offset, int64_t r) { at_a[r] = offset; });
  for_each_row(y.shape(), sb, [&](int64_t offset, int64_t r) { at_b[r] = offset; });
  parallel_for(rows, row_grain(n), [&, py = y.write()](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r)
      k.binary(op, n, py + r * n, ca.data() + at_a[r], sa[-1], cb.data() + at_b[r], sb[-1]);
  });
  return y;
}

Tensor sum_axis(const Tensor& x, int axis) {
  axis = normal_axis("sum", axis, x.rank());
  const Tensor source = x.contiguous();
  Shape shape = x.shape();
  const int64_t n = shape[axis];
  int64_t outer = 1, inner = 1;
  for (int a = 0; a < axis; ++a) outer *= shape[a];
  for (int a = axis + 1; a < shape.rank(); ++a) inner *= shape[a];
  shape[axis] = 1;
  Tensor y = Tensor::zeros(shape);
  real* py = y.write();
  const real* px = source.data();
  const Kernels& k = kernels();
  if (inner == 1) {
    parallel_for(outer, row_grain(n), [&](int64_t begin, int64_t end) {
      for (int64_t o = begin; o < end; ++o) py[o] = k.sum(n, px + o * n);
    });
    return y;
  }
  // Long sums (a bias gradient) are cut into fixed blocks of rows, added in order at the end.
  constexpr int64_t block = 1024;
  const int64_t blocks = (n + block - 1) / block;
  if (outer == 1 && blocks > 1) {
    Tensor partial = Tensor::zeros({blocks, inner});
    real* sums = partial.write();
    parallel_for(n, block, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) k.axpy(inner, 1, px + i * inner, sums + begin / block * inner);
    });
    for (int64_t b = 0; b < blocks; ++b) k.axpy(inner, 1, sums + b * inner, py);
    return y;
  }
  parallel_for(outer, row_grain(n * inner), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o)
      for (int64_t i = 0; i < n; ++i) k.axpy(inner, 1, px + (o * n + i) * inner, py + o * inner);
  });
  return y;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const int extra = x.rank() - shape.rank();
  Tensor y = x;
  // Neighbouring leading axes are summed as one.
  if (extra > 0) {
    int64_t lead = 1;
    Shape rest{1};
    for (int i = 0; i < x.rank(); ++i) i < extra ? void(lead *= x.size(i)) : rest.push_back(x.size(i));
    rest[0] = lead;
    y = sum_axis(y.reshape(rest), 0);
    Shape inner;
    for (int i = 1; i < rest.rank(); ++i) inner.push_back(rest[i]);
    y = y.reshape(inner);
  }
  for (int i = 0; i < shape.rank(); ++i)
    if (shape[i] == 1 && y.size(i) != 1) y = sum_axis(y, i);
  return y;
}

real sum_all(const Tensor& x) {
  constexpr int64_t block = 16384;
  const Tensor source = x.contiguous();
  const int64_t n = x.numel(), blocks = (n + block - 1) / block;
  std::vector<real> partial(static_cast<std::size_t>(blocks), 0);
  parallel_for(n, block, [&](int64_t begin, int64_t end) {
    partial[begin / block] = kernels().sum(end - begin, source.data() + begin);
  });
  return kernels().sum(blocks, partial.data());
}

void add_into(Tensor& y, const Tensor& x) {
  if (!x.is_contiguous()) return add_into(y, x.clone());
  parallel_for(y.numel(), 16384, [&, py = y.write(), px = x.data()](int64_t begin, int64_t end) {
    kernels().axpy(end - begin, 1, px + begin, py + begin);
  });
}

}  // namespace seminar::inline SEMINAR_PRECISION
