// Every op's row (autograd/op_row.h), in double precision: gradients against differences, the naive reference, views as
// inputs, bits for several thread counts, leaks, messages.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "autograd/op_row.h"
#include "autograd/ops.h"
#include "tensor/io/file.h"
#include "tensor/parallel.h"
#include "tensor/rows.h"

using namespace seminar;

namespace {

struct Result {
  Tensor value;
  std::vector<Tensor> gradients;
  bool operator==(const Result& r) const {
    if (value.to_vector() != r.value.to_vector()) return false;
    for (std::size_t i = 0; i < gradients.size(); ++i)
      if (gradients[i].to_vector() != r.gradients[i].to_vector()) return false;
    return true;
  }
};

Result run(const OpSample& sample, const std::vector<Tensor>& inputs, const Tensor& upstream) {
  std::vector<Var> leaves;
  for (const Tensor& t : inputs) leaves.push_back(Var::leaf(t));
  const Var y = sample.apply(leaves);
  Result r{y.value().contiguous(), {}};
  backward(y, upstream);
  for (const Var& v : leaves)
    r.gradients.push_back(v.grad().defined() ? v.grad().contiguous() : Tensor::zeros(v.shape()));
  return r;
}

Tensor value_of(const OpSample& sample, const std::vector<Tensor>& inputs) {
  const NoGrad guard;
  const std::vector<Var> constants(inputs.begin(), inputs.end());
  return sample.apply(constants).value().contiguous();
}

// A random upstream: with ones, a softmax backward that is wrong by a factor passes.
Tensor random_upstream(const Tensor& like) {
  Rng rng(3);
  return Tensor::normal(like.shape(), rng);
}

// The same numbers as a transposed view, or as a part of a larger tensor.
Tensor transposed_view(const Tensor& t) { return t.rank() < 2 ? t : t.transpose().clone().transpose(); }
Tensor slice_of_larger(const Tensor& t) {
  if (t.rank() < 1) return t;
  Shape shape = t.shape();
  shape[-1] += 3;
  Tensor larger = Tensor::full(shape, 7);
  real* y = larger.write();
  const Tensor source = t.contiguous();
  for (int64_t r = 0; r < t.shape().rows(); ++r)
    std::copy_n(source.data() + r * t.size(-1), t.size(-1), y + r * shape[-1] + 2);
  return larger.slice(-1, 2, 2 + t.size(-1));
}

// Calls f(name, sample number, sample) for all samples of all rows.
template <class F>
void each_sample(F f) {
  for (const auto& [op, row] : op_rows()) {
    const std::string& name = op;
    Rng rng(7);
    const std::vector<OpSample> samples = row.samples(rng);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      CAPTURE(name);
      CAPTURE(i);
      f(samples[i]);
    }
  }
}

// The same for a check of every op: each must have a sample with an input, so that none is left out.
template <class F>
void check_every_op(F f) {
  std::set<std::string> checked;
  for (const auto& [op, row] : op_rows()) {
    const std::string& name = op;
    CAPTURE(name);
    Rng rng(7);
    for (const OpSample& sample : row.samples(rng)) {
      f(name, sample);
      if (!sample.inputs.empty()) checked.insert(name);
    }
  }
  for (const auto& [op, row] : op_rows()) {
    const std::string& name = op;
    CAPTURE(name);
    CHECK(checked.count(name) == 1);
  }
}

// Shapes that differ from this one: an axis longer, one more or one less, a scalar.
std::vector<Shape> other_shapes(const Shape& shape) {
  std::vector<Shape> others{{}, {1}, {7}, {2, 2}, {0}};
  for (int axis = 0; axis < shape.rank(); ++axis) {
    others.push_back(shape);
    ++others.back()[axis];
  }
  if (shape.rank() > 0) others.push_back(shape.leading());
  others.push_back(shape.with(2));
  Shape more{1};
  for (int64_t s : shape) more.push_back(s);
  others.push_back(more);
  std::erase(others, shape);
  return others;
}

}  // namespace

TEST_SUITE("op rows") {
  TEST_CASE("gradients agree with central differences") {
    constexpr int64_t checked_elements = 100;  // of each input, evenly spread
    each_sample([&](const OpSample& sample) {
      const Tensor upstream = random_upstream(value_of(sample, sample.inputs));
      const Result r = run(sample, sample.inputs, upstream);
      for (std::size_t input = 0; input < sample.inputs.size(); ++input) {
        CAPTURE(input);
        const Tensor& x = sample.inputs[input];
        const int64_t stride = std::max<int64_t>(1, x.numel() / checked_elements);
        for (int64_t i = 0; i < x.numel(); i += stride) {
          const double h = 1e-6 * std::max(1.0, std::abs(x.data()[i]));
          const auto moved = [&](double by) {
            std::vector<Tensor> inputs = sample.inputs;
            inputs[input] = x.clone();
            inputs[input].write()[i] += by;
            return value_of(sample, inputs);
          };
          const Tensor high = moved(h), low = moved(-h);
          double slope = 0;  // differences first: most outputs do not move at all
          for (int64_t j = 0; j < high.numel(); ++j) slope += (high.data()[j] - low.data()[j]) * upstream.data()[j];
          slope /= 2 * h;
          const double exact = r.gradients[input].data()[i];
          REQUIRE(std::abs(slope - exact) <= 1e-6 * std::max({1.0, std::abs(slope), std::abs(exact)}));
        }
      }
    });
  }

  TEST_CASE("values agree with the naive reference") {
    each_sample([](const OpSample& sample) {
      if (!sample.reference) return;
      const Tensor expected = sample.reference(sample.inputs), value = value_of(sample, sample.inputs);
      REQUIRE(expected.shape() == value.shape());
      for (int64_t i = 0; i < value.numel(); ++i)
        REQUIRE(std::abs(value.data()[i] - expected.data()[i]) <= 1e-12 * std::max(1.0, std::abs(expected.data()[i])));
    });
  }

  TEST_CASE("views as inputs, several thread counts and finite numbers") {
    const int before = threads();
    each_sample([](const OpSample& sample) {
      set_threads(1);
      const Tensor upstream = random_upstream(value_of(sample, sample.inputs));
      const Result one = run(sample, sample.inputs, upstream);
      for (real v : one.value.to_vector()) REQUIRE(std::isfinite(v));
      for (const Tensor& g : one.gradients)
        for (real v : g.to_vector()) REQUIRE(std::isfinite(v));
      for (int n : {2, 3, 8}) {
        set_threads(n);
        REQUIRE(run(sample, sample.inputs, upstream) == one);
      }
      for (const auto view : {transposed_view, slice_of_larger}) {
        std::vector<Tensor> inputs;
        for (const Tensor& t : sample.inputs) inputs.push_back(view(t));
        const Result r = run(sample, inputs, upstream);
        for (std::size_t i = 0; i <= r.gradients.size(); ++i) {
          const Tensor &a = i ? r.gradients[i - 1] : r.value, &b = i ? one.gradients[i - 1] : one.value;
          for (int64_t j = 0; j < a.numel(); ++j)
            REQUIRE(std::abs(a.data()[j] - b.data()[j]) <= 1e-12 * std::max(1.0, std::abs(b.data()[j])));
        }
      }
    });
    set_threads(before);
  }

  TEST_CASE("gradients are added to what is there, and only the inputs that want one get one") {
    each_sample([](const OpSample& sample) {
      const Tensor upstream = random_upstream(value_of(sample, sample.inputs));
      const Result once = run(sample, sample.inputs, upstream);
      const auto equal = [](const Tensor& gradient, const Tensor& expected, real times) {
        for (int64_t i = 0; i < expected.numel(); ++i)
          REQUIRE(std::abs(gradient.data()[i] - times * expected.data()[i]) <=
                  1e-12 * std::max(1.0, std::abs(expected.data()[i])));
      };
      std::vector<Var> leaves;
      for (const Tensor& t : sample.inputs) leaves.push_back(Var::leaf(t));
      backward(sample.apply(leaves) + sample.apply(leaves), upstream);
      for (std::size_t i = 0; i < leaves.size(); ++i)
        if (leaves[i].grad().defined()) equal(leaves[i].grad().contiguous(), once.gradients[i], 2);
      for (std::size_t wanted = 0; wanted < leaves.size(); ++wanted) {
        std::vector<Var> inputs(sample.inputs.begin(), sample.inputs.end());
        inputs[wanted] = Var::leaf(sample.inputs[wanted]);
        backward(sample.apply(inputs), upstream);
        REQUIRE(inputs[wanted].grad().defined());
        equal(inputs[wanted].grad().contiguous(), once.gradients[wanted], 1);
      }
    });
  }

  TEST_CASE("inputs stretched to magnitude 80 give finite values and gradients") {
    each_sample([](const OpSample& sample) {
      std::vector<Tensor> inputs;
      for (const Tensor& t : sample.inputs) {
        real largest = 0;
        for (real v : t.to_vector()) largest = std::max(largest, std::abs(v));
        inputs.push_back(binary("mul", Binary::mul, t, Tensor::scalar(largest > 0 ? 80 / largest : 1)));
      }
      const Result r = run(sample, inputs, random_upstream(value_of(sample, inputs)));
      for (real v : r.value.to_vector()) REQUIRE(std::isfinite(v));
      for (const Tensor& g : r.gradients)
        for (real v : g.to_vector()) REQUIRE(std::isfinite(v));
    });
  }

  TEST_CASE("no leaks, a zero upstream gives zero gradients, a second backward throws") {
    each_sample([](const OpSample& sample) {
      const int64_t alive = Node::alive();
      {
        const Tensor zeros = Tensor::zeros(value_of(sample, sample.inputs).shape());
        for (const Tensor& g : run(sample, sample.inputs, zeros).gradients)
          for (real v : g.to_vector()) REQUIRE(v == 0);
        std::vector<Var> leaves;
        for (const Tensor& t : sample.inputs) leaves.push_back(Var::leaf(t));
        const Var y = sample.apply(leaves);
        backward(y, zeros);
        REQUIRE_THROWS_WITH_AS(backward(y, zeros), doctest::Contains("was freed by an earlier backward()"), Error);
      }
      REQUIRE(Node::alive() == alive);
    });
  }

  TEST_CASE("every input that is undefined is named, but for the optional ones") {
    check_every_op([](const std::string& name, const OpSample& sample) {
      const std::vector<std::size_t>& optional = op_rows().at(name).optional;
      for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
        std::vector<Var> inputs(sample.inputs.begin(), sample.inputs.end());
        inputs[i] = Var();
        if (std::find(optional.begin(), optional.end(), i) != optional.end())
          REQUIRE(sample.apply(inputs).defined());
        else
          REQUIRE_THROWS_WITH_AS(sample.apply(inputs), doctest::Contains("is undefined"), Error);
      }
    });
  }

  TEST_CASE("an input of another shape is refused or computed with, in forward and backward") {
    check_every_op([](const std::string&, const OpSample& sample) {
      for (std::size_t i = 0; i < sample.inputs.size(); ++i)
        for (const Shape& shape : other_shapes(sample.inputs[i].shape())) {
          CAPTURE(i);
          CAPTURE(fmt::format("{}", shape));
          std::vector<Var> leaves;
          for (const Tensor& t : sample.inputs) leaves.push_back(Var::leaf(t));
          leaves[i] = Var::leaf(Tensor::full(shape, real{0.5}));
          try {
            const Var y = sample.apply(leaves);
            backward(y, random_upstream(y.value()));  // a gradient of the wrong shape would be a Bug
            for (const Var& leaf : leaves)
              if (leaf.grad().defined()) REQUIRE(leaf.grad().shape() == leaf.shape());
          } catch (const Error& e) {
            REQUIRE(std::string(e.what()).find(": ") != std::string::npos);
          }
        }
    });
  }

  TEST_CASE("NaN in gives NaN out or an error, wherever the number counts") {
    check_every_op([](const std::string&, const OpSample& sample) {
      constexpr int64_t checked_elements = 8;  // of each input, evenly spread
      const Tensor before = value_of(sample, sample.inputs);
      for (std::size_t i = 0; i < sample.inputs.size(); ++i) {
        const Tensor& x = sample.inputs[i];
        for (int64_t j = 0; j < x.numel(); j += std::max<int64_t>(1, x.numel() / checked_elements)) {
          CAPTURE(i);
          CAPTURE(j);
          const auto with = [&](real number) {
            std::vector<Tensor> inputs = sample.inputs;
            inputs[i] = x.clone();
            inputs[i].write()[j] = number;
            return inputs;
          };
          try {
            if (value_of(sample, with(x.data()[j] * real{1.5} + real{0.25})).to_vector() == before.to_vector())
              continue;
            const std::vector<real> y = value_of(sample, with(static_cast<real>(std::nan("")))).to_vector();
            REQUIRE(std::any_of(y.begin(), y.end(), [](real v) { return std::isnan(v); }));
          } catch (const Error&) {
          }
        }
      }
    });
  }

  TEST_CASE("wrong calls throw the stated message") {
    for (const auto& [op, row] : op_rows()) {
      const std::string& name = op;  // clang 14 captures no binding
      CAPTURE(name);
      for (const OpError& e : row.errors) CHECK_THROWS_WITH_AS(e.call(), doctest::Contains(e.message.c_str()), Error);
    }
  }

  TEST_CASE("the headers and the rows name the same ops") {
    const std::set<std::string> compositions{"mean",       "detach",     "clip_scale", "unsqueeze", "squeeze",
                                             "stack",      "maximum",    "minimum",    "conv1d",    "conv2d",
                                             "max_pool2d", "mean_pool2d"};  // record nothing of their own
    std::set<std::string> declared;
    const auto find_declared = [&](const char* file, const std::string& before, char after) {
      const std::string header = read_file(std::string(SEMINAR_SOURCE_DIR) + file);
      for (std::size_t at = header.find(before); at != std::string::npos; at = header.find(before, at + 1)) {
        const std::size_t begin = at + before.size();
        declared.insert(header.substr(begin, header.find(after, begin) - begin));
      }
    };
    for (const char* file : {"/autograd/ops.h", "/nn/clip_loss.h", "/nn/conv.h", "/nn/weighted_gather.h"})
      find_declared(file, "\nVar ", '(');
    find_declared("/tensor/unary_functions.h", "\nUNARY(", ',');
    for (const std::string& name : declared) {
      CAPTURE(name);
      CHECK((op_rows().count(name) == 1) != (compositions.count(name) == 1));
    }
    for (const auto& [op, row] : op_rows()) {
      const std::string& name = op;  // clang 14 captures no binding
      CAPTURE(name);
      CHECK(declared.count(name) == 1);
    }
  }
}
