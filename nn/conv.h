// Convolution and pooling over pictures and sequences, by unfolding windows into rows and multiplying matrices.
#pragma once

#include "nn/layers.h"

namespace seminar::inline SEMINAR_PRECISION {

/// How windows lie on a picture: `padding` zeros on every side, a step of `stride`.
struct Windows {
  int64_t stride = 1, padding = 0;
};

/// The windows of x [B, C, H, W] as columns: [B, C h w, H' W'] with H' = ⌊(H + 2 padding - h) / stride⌋ + 1.
Var unfold(const Var& x, int64_t height, int64_t width, const Windows& windows = {});
/// x [B, C, H, W], weight [O, C, h, w], bias [O] or undefined -> [B, O, H', W'].
Var conv2d(const Var& x, const Var& weight, const Var& bias = {}, const Windows& windows = {});
/// x [B, C, L], weight [O, C, k], bias [O] or undefined -> [B, O, L'].
Var conv1d(const Var& x, const Var& weight, const Var& bias = {}, const Windows& windows = {});
/// The largest number, or the mean, of every `size` x `size` window: x [B, C, H, W] -> [B, C, H', W']; stride 0: size.
Var max_pool2d(const Var& x, int64_t size, int64_t stride = 0);
Var mean_pool2d(const Var& x, int64_t size, int64_t stride = 0);

/// A convolution with its parameters; weights and bias from U(±1/√(C size²)).
struct Conv2d {
  Param weight, bias;
  Windows windows;
  Conv2d(int64_t in, int64_t out, int64_t size, Rng rng, const Windows& options = {});
  /// x [B, in, H, W] -> [B, out, H', W']
  Var operator()(const Var& x) const { return conv2d(x, weight, bias, windows); }
  void visit(auto&& f) const {
    f("weight", weight);
    f("bias", bias);
  }
};

}  // namespace seminar::inline SEMINAR_PRECISION
