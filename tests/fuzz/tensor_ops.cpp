#include "tests/fuzz/tensor_ops.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "autograd/ops.h"
#include "nn/clip_loss.h"
#include "nn/layers.h"
#include "nn/weighted_gather.h"

namespace seminar {
namespace {

// The same value twice: as the ops left it, often a view, and as a row-major copy with the same gradient.
struct Pair {
  Var view, plain;
};

// Reads a program from bytes; after the last byte all is 0.
class Reader {
 public:
  explicit Reader(const std::string& text) : text_(text) {}
  bool at_end() const { return next_ >= text_.size(); }
  int64_t below(int64_t n) { return at_end() ? 0 : static_cast<unsigned char>(text_[next_++]) % n; }
  // From -2 to 5: mostly sizes and axes, some of them wrong.
  int64_t size() { return below(16) < 14 ? below(6) : below(8) - 2; }
  int axis() { return static_cast<int>(below(6)) - 2; }
  Shape shape() {
    Shape s;
    for (int64_t rank = below(5); rank > 0; --rank) s.push_back(size());
    return s;
  }
  Ids ids(const Shape& shape) {
    std::vector<int32_t> values;
    for (int64_t i = 0; i < std::min<int64_t>(shape.numel(), 1000); ++i)
      values.push_back(static_cast<int32_t>(below(8)) - (below(32) == 0 ? 2 : 0));
    return Ids(shape, std::move(values));
  }
  // 0 = o_0 ≤ o_1 ≤ … ≤ end, or not.
  Ids offsets(int64_t end) {
    std::vector<int32_t> values{0};
    while (values.back() < end && values.size() < 8)
      values.push_back(values.back() + static_cast<int32_t>(below(16) == 0 ? -1 : 1 + below(3)));
    if (below(8) != 0) values.back() = static_cast<int32_t>(end);
    return Ids(std::move(values));
  }
  Tensor numbers(const Shape& shape) {
    Rng rng(static_cast<uint64_t>(below(256)));
    return Tensor::uniform(shape, rng, -2, 2);
  }
  Tensor mask(const Shape& shape) {
    Tensor m = numbers(shape);
    real* x = m.write();
    for (int64_t i = 0; i < m.numel(); ++i) x[i] = x[i] > 0 ? 1 : 0;
    return m;
  }

 private:
  const std::string& text_;
  std::size_t next_ = 0;
};

using Op = std::function<Var(std::span<const Var>)>;
using UnaryOp = Var (*)(const Var&);
using BinaryOp = Var (*)(const Var&, const Var&);

// The next op of the program for inputs x, y, z; its other arguments are read here.
Op next_op(Reader& r, const Var& x) {
  static const std::vector<UnaryOp> unary{
#define UNARY(name, ...) name,
#include "tensor/unary_functions.h"
      transpose,
      log_softmax,
      detach,
      [](const Var& v) { return softmax(v); },
      [](const Var& v) { return normalize(v); },
      [](const Var& v) { return sum(v); },
      [](const Var& v) { return mean(v); }};
  static const std::vector<BinaryOp> binary{
      add, sub, mul, div, matmul, matmul_transposed, [](const Var& a, const Var& b) { return linear(a, b); }};
  const int axis = r.axis();
  switch (r.below(16)) {
    case 0:
    case 1:
      return [f = unary[r.below(std::ssize(unary))]](auto in) { return f(in[0]); };
    case 2:
    case 3:
      return [f = binary[r.below(std::ssize(binary))]](auto in) { return f(in[0], in[1]); };
    case 4:
      return [axis, begin = r.size(), end = r.size()](auto in) { return slice(in[0], axis, begin, end); };
    case 5:
      return [axis, other = r.axis()](auto in) { return swap_axes(in[0], axis, other); };
    case 6:
      return [shape = r.shape()](auto in) { return reshape(in[0], shape); };
    case 7:
      return [axis](auto in) { return concat(in, axis); };
    case 8:
      return [axis, mean_of = r.below(2)](auto in) { return mean_of ? mean(in[0], axis) : sum(in[0], axis); };
    case 9:
      return [mask = r.mask(r.shape())](auto in) { return softmax(in[0], mask); };
    case 10:
      return [ids = r.ids(r.shape())](auto in) { return embedding(in[0], ids); };
    case 11: {
      const Ids ids = r.ids({r.below(7)});
      return [ids, offsets = r.offsets(ids.numel())](auto in) { return embedding_bag(in[0], ids, offsets); };
    }
    case 12:
      return [offsets = r.offsets(x.rank() ? x.size(0) : 1), heads = r.below(4)](auto in) {
        return self_attention(in[0], offsets, heads, heads % 2 == 0);
      };
    case 13:
      return [kind = r.below(3), target = r.ids({r.below(6)}), weight = r.mask(r.shape())](auto in) {
        return kind == 0   ? cross_entropy(in[0], target)
               : kind == 1 ? bce_with_logits(in[0], in[1].value(), weight)
                           : masked_mean(in[0], weight);
      };
    case 14:
      return [chunks = r.size(), mask = r.below(2) ? r.mask(r.shape()) : Tensor()](auto in) {
        return clip_loss(in[0], in[1], Tensor::scalar(2), chunks, mask);
      };
    default:
      return [with_norm = r.below(2), ids = r.ids({r.below(5)})](auto in) {
        if (with_norm) return layer_norm(in[0], in[1], in[2]);
        return weighted_gather(in[0], in.subspan(1), std::vector<Ids>{ids, ids});
      };
  }
}

// Largest number that is compared: beyond it, sums in another order may differ by infinity.
constexpr real compared = 1e4F;

bool comparable(const Tensor& t) {
  const std::vector<real> x = t.to_vector();
  return std::all_of(x.begin(), x.end(), [](real v) { return std::abs(v) <= compared; });
}

void check_equal(const Tensor& a, const Tensor& b, const char* what) {
  if (!(a.shape() == b.shape()))
    throw std::logic_error(fmt::format("{} of a view and of a copy differ in shape", what));
  if (!comparable(a) || !comparable(b)) return;
  const std::vector<real> x = a.to_vector(), y = b.to_vector();
  real largest = 1;
  for (real v : x) largest = std::max(largest, std::abs(v));
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!(std::abs(x[i] - y[i]) <= real{1e-3F} * largest))
      throw std::logic_error(fmt::format("{} of a view and of a copy differ: {} and {}", what, x[i], y[i]));
}

void run(const std::string& text) {
  Reader r(text);
  std::vector<Pair> leaves, values;
  const auto add_leaf = [&](const Tensor& t) {
    leaves.push_back({Var::leaf(t), Var::leaf(t.clone())});
    values.push_back(leaves.back());
  };
  add_leaf(r.numbers({3, 4}));
  int64_t refused = 0;
  std::string first_refusal;
  for (int step = 0; step < 24 && !r.at_end(); ++step) {
    try {
      if (r.below(4) == 0) {
        add_leaf(r.numbers(r.shape()));
        continue;
      }
      std::vector<Var> views, plains;
      for (int i = 0; i < 3; ++i) {
        const bool undefined = r.below(64) == 63;
        const Pair p = undefined ? Pair() : values[static_cast<std::size_t>(r.below(std::ssize(values)))];
        views.push_back(p.view);
        plains.push_back(p.plain);
      }
      const Op op = next_op(r, views[0]);
      bool done = false;
      try {
        Var view = op(views);
        done = true;
        values.push_back({std::move(view), scale(op(plains), 1)});
      } catch (const Error& e) {
        if (done) throw std::logic_error(fmt::format("refused for a copy, not for a view: {}", e.what()));
        throw;
      }
      check_equal(values.back().view.value(), values.back().plain.value(), "the values");
      if (!comparable(values.back().view.value())) break;
    } catch (const Error& e) {
      if (refused++ == 0) first_refusal = e.what();
    }
  }
  const Pair last = values.back();
  if (last.view.needs_grad()) {
    Rng rng(5);
    const Tensor upstream = Tensor::uniform(last.view.shape(), rng, -1, 1);
    backward(last.view, upstream);
    backward(last.plain, upstream);
    for (const Pair& leaf : leaves) {
      const Tensor &a = leaf.view.grad(), &b = leaf.plain.grad();
      if (a.defined() != b.defined()) throw std::logic_error("a gradient of a view or of a copy is missing");
      if (a.defined()) check_equal(a, b, "the gradients");
    }
  }
  check(refused == 0, "{}", first_refusal);
}

}  // namespace

FuzzTarget tensor_ops() {
  // A leaf, then ops whose arguments are all right: (3 × 4) + (3 × 4), its transpose, a product of the two, and so on.
  std::string whole{"\1"};
  const auto op = [&](std::initializer_list<int> bytes) {
    whole += '\1';  // not a new leaf
    for (int b : bytes) whole += static_cast<char>(b);
  };
  op({0, 0, 0, 0, 0, 0, 2, 2, 0});  // x + x
  op({0, 1, 0, 0, 0, 0, 2, 0, 0});  // exp of it
  op({0, 1, 0, 0, 0, 0, 2, 8, 0});  // the sum along an axis
  return {"tensor_ops", {whole}, run};
}

}  // namespace seminar
