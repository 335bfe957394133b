#include "nn/conv.h"

#include <algorithm>
#include <cmath>

#include "autograd/op_row.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

// Where the numbers of the windows come from.
struct Layout {
  int64_t batch, channels, rows, columns, height, width, out_rows, out_columns;
  Windows windows;
  int64_t window() const { return channels * height * width; }
  int64_t places() const { return out_rows * out_columns; }

  // Calls f(number in x, number in the unfolded picture) for one picture: y[(c, i, j), (r, s)] = x[c, r stride + i -
  // padding, s stride + j - padding], without those that are padding.
  template <class F>
  void each(int64_t picture, const F& f) const {
    for (int64_t k = 0; k < window(); ++k) {
      const int64_t c = k / (height * width), i = k / width % height, j = k % width;
      for (int64_t r = 0; r < out_rows; ++r) {
        const int64_t row = r * windows.stride + i - windows.padding;
        if (row < 0 || row >= rows) continue;
        for (int64_t s = 0; s < out_columns; ++s) {
          const int64_t column = s * windows.stride + j - windows.padding;
          if (column < 0 || column >= columns) continue;
          f(((picture * channels + c) * rows + row) * columns + column,
            (picture * window() + k) * places() + r * out_columns + s);
        }
      }
    }
  }
};

Layout layout_of(const char* name, const Shape& x, int64_t height, int64_t width, const Windows& windows) {
  check(x.rank() == 4, "{}: needs pictures [B, C, H, W], not shape {}", name, x);
  check(height >= 1 && width >= 1 && windows.stride >= 1 && windows.padding >= 0 &&
            x[2] + 2 * windows.padding >= height && x[3] + 2 * windows.padding >= width,
        "{}: windows of {} x {}, stride {}, padding {} do not fit {}", name, height, width, windows.stride,
        windows.padding, x);
  return {x[0],
          x[1],
          x[2],
          x[3],
          height,
          width,
          (x[2] + 2 * windows.padding - height) / windows.stride + 1,
          (x[3] + 2 * windows.padding - width) / windows.stride + 1,
          windows};
}

// The numbers of every window side by side: [B, C, size², H' W'].
Var windows_of(const char* name, const Var& x, int64_t size, int64_t stride, Shape& result) {
  check_inputs(name, {x});
  const Windows windows{stride > 0 ? stride : size, 0};
  const Layout l = layout_of(name, x.shape(), size, size, windows);
  result = {l.batch, l.channels, l.out_rows, l.out_columns};
  return reshape(unfold(x, size, size, windows), {l.batch, l.channels, size * size, l.places()});
}

}  // namespace

// y[(c, i, j), (r, s)] = x[c, r stride + i - padding, s stride + j - padding]:  dx is the sum of what was read from it.
Var unfold(const Var& x, int64_t height, int64_t width, const Windows& windows) {
  check_inputs("unfold", {x});
  const Layout l = layout_of("unfold", x.shape(), height, width, windows);
  const Tensor source = x.value().contiguous();
  Tensor y = Tensor::zeros({l.batch, l.window(), l.places()});
  parallel_for(l.batch, 1, [&, to = y.write(), from = source.data()](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) l.each(b, [&](int64_t i, int64_t o) { to[o] = from[i]; });
  });
  return record("unfold", y, {x}, [l](const Tensor& g, Sink in) {
    real* dx = in.acc(0).write();
    parallel_for(l.batch, 1, [&, from = g.data()](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) l.each(b, [&](int64_t i, int64_t o) { dx[i] += from[o]; });
    });
  });
}
OP_ROW(unfold,
       {.samples =
            [](Rng& rng) {
              return std::vector<OpSample>{
                  one_input(
                      Tensor::normal({2, 2, 4, 3}, rng),
                      [](const Var& x) {
                        return unfold(x, 2, 3, {1, 1});
                      },
                      [](const Tensor& x) {
                        return tabulate({2, 12, 15}, [&](int64_t i) {
                          const int64_t k = i / 15 % 12, row = i % 15 / 3 + k % 6 / 3 - 1, column = i % 3 + k % 3 - 1;
                          return row < 0 || row >= 4 || column < 0 || column >= 3 ? 0
                                                                                  : x.at({i / 180, k / 6, row, column});
                        });
                      }),
                  one_input(Tensor::normal({1, 1, 5, 5}, rng),
                            [](const Var& x) {
                              return unfold(x, 2, 2, {2, 0});
                            }),
                  one_input(Tensor::normal({0, 1, 2, 2}, rng), [](const Var& x) { return unfold(x, 1, 1); })};
            },
        .errors = {{[] {
                      unfold(Tensor::zeros({2, 3}), 1, 1);
                    },
                    "unfold: needs pictures [B, C, H, W], not shape [2, 3]"},
                   {[] {
                      unfold(Tensor::zeros({1, 1, 2, 2}), 3, 1);
                    },
                    "unfold: windows of 3 x 1, stride 1, padding 0 do not fit [1, 1, 2, 2]"}}});

Var conv2d(const Var& x, const Var& weight, const Var& bias, const Windows& windows) {
  check_inputs("conv2d", {x, weight});
  check(weight.rank() == 4 && x.rank() == 4 && x.size(1) == weight.size(1), "conv2d: input {} for a weight {}",
        x.shape(), weight.shape());
  const int64_t out = weight.size(0);
  check(!bias.defined() || bias.shape() == Shape{out}, "conv2d: bias {} for a weight {}", bias.shape(), weight.shape());
  const Layout l = layout_of("conv2d", x.shape(), weight.size(2), weight.size(3), windows);
  Var y = matmul(reshape(weight, {out, l.window()}), unfold(x, l.height, l.width, windows));  // [B, O, H' W']
  if (bias.defined()) y = y + reshape(bias, {out, 1});
  return reshape(y, {l.batch, out, l.out_rows, l.out_columns});
}

Var conv1d(const Var& x, const Var& weight, const Var& bias, const Windows& windows) {
  check_inputs("conv1d", {x, weight});
  check(weight.rank() == 3 && x.rank() == 3 && x.size(1) == weight.size(1), "conv1d: input {} for a weight {}",
        x.shape(), weight.shape());
  check(windows.padding >= 0, "conv1d: negative padding: {}", windows.padding);
  // A picture of one row, whose padding stands at the ends only.
  Var row = reshape(x, {x.size(0), x.size(1), 1, x.size(2)});
  if (windows.padding > 0) {
    const Tensor zeros = Tensor::zeros({x.size(0), x.size(1), 1, windows.padding});
    row = concat({zeros, row, zeros}, 3);
  }
  const Var y =
      conv2d(row, reshape(weight, {weight.size(0), weight.size(1), 1, weight.size(2)}), bias, {windows.stride, 0});
  return reshape(y, {y.size(0), y.size(1), y.size(3)});
}

Var max_pool2d(const Var& x, int64_t size, int64_t stride) {
  Shape result;
  const Var windows = windows_of("max_pool2d", x, size, stride, result);
  return reshape(max(windows, 2), result);
}

Var mean_pool2d(const Var& x, int64_t size, int64_t stride) {
  Shape result;
  const Var windows = windows_of("mean_pool2d", x, size, stride, result);
  return reshape(mean(windows, 2), result);
}

Conv2d::Conv2d(int64_t in, int64_t out, int64_t size, Rng rng, const Windows& options)
    : weight([&] {
        const double bound = 1 / std::sqrt(static_cast<double>(in * size * size));
        Rng stream = rng.split("weight");
        return Tensor::uniform({out, in, size, size}, stream, -bound, bound);
      }()),
      bias([&] {
        const double bound = 1 / std::sqrt(static_cast<double>(in * size * size));
        Rng stream = rng.split("bias");
        return Tensor::uniform({out}, stream, -bound, bound);
      }()),
      windows(options) {}

}  // namespace seminar::inline SEMINAR_PRECISION
