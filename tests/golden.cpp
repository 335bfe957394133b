// golden DIR…: runs the reference cases (tests/golden/README.md) in the given folders and prints each one's worst
// error: the largest difference in a tensor, divided by its largest number (at least 0.01). An op it does not know is a
// failure.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "nn/attention.h"
#include "nn/clip_loss.h"
#include "nn/optim.h"
#include "nn/transformer.h"
#include "pq/multimodal.h"
#include "seminar/clip/image_patches.h"
#include "seminar/evaluation/metrics.h"
#include "seminar/model/fusion.h"
#include "tensor/io/safetensors.h"

using namespace seminar;

namespace {

constexpr double tolerance = sizeof(real) == 8 ? 1e-9 : 1e-4;

// One case: inputs by name (leaves where the file has their gradient), and the worst error so far.
class Case {
 public:
  explicit Case(const std::string& path) : file(path), attrs(nlohmann::json::parse(file.meta("attrs"))) {}

  Var var(const std::string& name) {
    if (const auto it = leaves_.find(name); it != leaves_.end()) return it->second;
    return leaves_
        .emplace(name, file.has("grad." + name) ? Var::leaf(file.tensor("in." + name)) : Var(file.tensor("in." + name)))
        .first->second;
  }
  Tensor tensor(const std::string& name) const { return file.tensor("in." + name); }
  Ids ids(const std::string& name) const {
    const auto values = file.view<int64_t>("in." + name);
    return {file.entry("in." + name).shape, std::vector<int32_t>(values.begin(), values.end())};
  }
  // A mask of integers as numbers.
  Tensor mask(const std::string& name) const {
    const Ids values = ids(name);
    Tensor t = Tensor::empty(values.shape());
    std::copy_n(values.data(), values.numel(), t.write());
    return t;
  }
  double number(const char* name) const { return attrs.at(name).get<double>(); }
  int axis() const { return attrs.at("axis").get<int>(); }

  void compare(const Tensor& got, const std::string& expected_name) {
    const Tensor expected = file.tensor(expected_name), value = got.contiguous();
    check(value.shape() == expected.shape(), "{}: shape {}, expected {}", expected_name, value.shape(),
          expected.shape());
    double size = 0.01, difference = 0;
    for (int64_t i = 0; i < value.numel(); ++i) {
      const double e = static_cast<double>(expected.data()[i]), d = std::abs(static_cast<double>(value.data()[i]) - e);
      size = std::max(size, std::abs(e));
      difference = std::isnan(d) ? INFINITY : std::max(difference, d);
    }
    worst = std::max(worst, difference / size);
  }
  void compare(double got, const std::string& expected_name) {
    compare(Tensor::scalar(static_cast<real>(got)).reshape(file.entry(expected_name).shape), expected_name);
  }

  // Compares the output, runs backward and compares all gradients.
  void finish(const Var& y) {
    compare(y.value(), "out");
    if (y.needs_grad()) backward(y, file.tensor("upstream"));
    for (const auto& [name, leaf] : leaves_)
      if (file.has("grad." + name))
        compare(leaf.grad().defined() ? leaf.grad() : Tensor::zeros(leaf.shape()), "grad." + name);
  }
  // Makes a module's parameter the leaf of an input, so that finish() checks its gradient.
  void adopt(const std::string& name, const Param& p) {
    const Tensor value = tensor(name);
    check(value.shape() == p.shape(), "in.{}: shape {}, expected {}", name, value.shape(), p.shape());
    Tensor target = p.var().value();
    std::copy_n(value.data(), value.numel(), target.write());
    leaves_.insert_or_assign(name, p.var());
  }

  SafetensorsFile file;
  nlohmann::json attrs;
  double worst = 0;

 private:
  std::map<std::string, Var> leaves_;
};

using Run = std::function<void(Case&)>;

Run unary(Var (*f)(const Var&)) {
  return [f](Case& c) { c.finish(f(c.var("x"))); };
}
Run binary(Var (*f)(const Var&, const Var&)) {
  return [f](Case& c) { c.finish(f(c.var("a"), c.var("b"))); };
}

void transformer_layer(Case& c) {
  const Tensor x = c.tensor("x");
  const TransformerBlock block(x.size(2), c.attrs.at("heads").get<int64_t>(), c.tensor("linear1.weight").size(0),
                               Rng(1));
  const std::pair<const char*, const Linear*> linears[] = {
      {"self_attn.out_proj.", &block.out_proj}, {"linear1.", &block.linear1}, {"linear2.", &block.linear2}};
  for (const auto& [name, layer] : linears) {
    c.adopt(std::string(name) + "weight", layer->weight);
    c.adopt(std::string(name) + "bias", *layer->bias);
  }
  c.adopt("self_attn.in_proj_weight", block.in_proj.weight);
  c.adopt("self_attn.in_proj_bias", *block.in_proj.bias);
  for (const auto& [name, norm] :
       {std::pair<std::string, const LayerNorm*>{"norm1.", &block.norm1}, {"norm2.", &block.norm2}}) {
    c.adopt(name + "weight", norm->weight);
    c.adopt(name + "bias", norm->bias);
  }
  c.finish(block.padded(c.var("x"), c.mask("mask"), Mode()));
}

void mhta(Case& c) {
  const Var q = c.var("q");
  const Var y = target_attention(reshape(q, {q.size(0), 1, q.size(1)}), c.var("k"), c.mask("mask"), c.var("wq"),
                                 c.var("wk"), c.var("wv"), c.var("wo"));
  c.finish(reshape(y, {q.size(0), y.size(2)}));
}

// Steps through the given gradients and compares the parameter after each step.
void optimizer(Case& c, const std::function<std::function<void()>(const Params&, Case&)>& make) {
  const Param p(c.tensor("param"));
  const auto step = make({{"param", p.var()}}, c);
  const Tensor grads = c.tensor("grads");
  std::vector<Var> path;
  for (int64_t i = 0; i < grads.size(0); ++i) {
    p.var().set_grad(grads.slice(0, i, i + 1).reshape(p.shape()));
    step();
    Shape row{1};
    for (int64_t s : p.shape()) row.push_back(s);
    path.push_back(p.var().value().clone().reshape(row));
  }
  c.compare(concat(path, 0).value(), "out");
}

std::function<void()> adam_step(const Params& params, Case& c) {
  const AdamOptions o{c.number("lr"), c.attrs.at("betas")[0], c.attrs.at("betas")[1], c.number("eps")};
  const std::vector<ParamGroup> groups{{params, 1, c.attrs.value("weight_decay", 0.0)}};
  return [adam = std::make_shared<Adam>(groups, o)] { adam->step(); };
}

void clip(Case& c, bool chunked) {
  const auto units = [&](const char* name) {
    const Var x = normalize(c.var(name));
    return chunked ? x : reshape(x, {1, x.size(0), x.size(1)});
  };
  c.finish(clip_loss(units("a"), units("b"), Tensor::scalar(static_cast<real>(1 / c.number("temperature"))),
                     chunked ? c.attrs.at("chunks").get<int64_t>() : 1));
}

void ndcg(Case& c) {
  const Tensor scores = c.tensor("scores");
  const int64_t n = scores.size(1);
  double total = 0;
  for (int64_t r = 0; r < scores.size(0); ++r) {
    const real* row = scores.data() + r * n;
    const int64_t above = std::count_if(row + 1, row + n, [&](real s) { return s > row[0]; });
    total += seminar::ndcg({above, std::count(row + 1, row + n, row[0]), n - 1}, c.attrs.at("k").get<int64_t>());
  }
  c.compare(total / static_cast<double>(scores.size(0)), "out");
}

void pq_scores(Case& c) {
  const Tensor books = c.tensor("codebooks"), gamma = c.tensor("gamma"), target = c.tensor("target");
  std::vector<ProductQuantizer> channels;
  for (int64_t m = 0; m < books.size(0); ++m)
    channels.emplace_back(books.slice(0, m, m + 1).reshape({books.size(1), books.size(2), books.size(3)}));
  const MultimodalQuantizer q(std::move(channels));
  const auto codes = [&](const char* name) {
    const Ids ids = c.ids(name);
    return std::vector<uint16_t>(ids.data(), ids.data() + ids.numel());
  };
  const auto behaviours = codes("codes"), target_codes = codes("target_codes");
  const auto compare = [&](const std::vector<real>& scores, const char* name) {
    c.compare(Tensor::from({std::ssize(scores)}, scores), name);
  };
  compare(q.scan(q.asymmetric_table(target, gamma), behaviours), "out.asymmetric");
  compare(q.scan(q.folded_table(target_codes, gamma), behaviours), "out.symmetric");
  compare(q.score_pairs(q.pair_tables(), target_codes, behaviours, gamma), "out.symmetric");
}

const std::map<std::string, Run>& runs() {
  static const std::map<std::string, Run> all{
      {"add", binary(add)},
      {"sub", binary(sub)},
      {"mul", binary(mul)},
      {"div", binary(div)},
      {"exp", unary(exp)},
      {"log", unary(log)},
      {"tanh", unary(tanh)},
      {"sigmoid", unary(sigmoid)},
      {"relu", unary(relu)},
      {"gelu", unary(gelu)},
      {"sqrt", unary(sqrt)},
      {"transpose", unary(transpose)},
      {"log_softmax", unary(log_softmax)},
      {"matmul", binary(matmul)},
      {"softmax", [](Case& c) { c.finish(softmax(c.var("x"))); }},
      {"sum", [](Case& c) { c.finish(c.attrs.contains("axis") ? sum(c.var("x"), c.axis()) : sum(c.var("x"))); }},
      {"mean", [](Case& c) { c.finish(c.attrs.contains("axis") ? mean(c.var("x"), c.axis()) : mean(c.var("x"))); }},
      {"concat",
       [](Case& c) {
         c.finish(concat({c.var("a"), c.var("b")}, c.axis()));
       }},
      {"embedding", [](Case& c) { c.finish(embedding(c.var("table"), c.ids("ids"))); }},
      {"linear", [](Case& c) { c.finish(linear(c.var("x"), c.var("weight"), c.var("bias"))); }},
      {"layer_norm",
       [](Case& c) {
         c.finish(layer_norm(c.var("x"), c.var("weight"), c.var("bias"), static_cast<real>(c.number("eps"))));
       }},
      {"normalize", [](Case& c) { c.finish(normalize(c.var("x"), static_cast<real>(c.number("eps")))); }},
      {"cross_entropy", [](Case& c) { c.finish(cross_entropy(c.var("logits"), c.ids("target"))); }},
      {"bce_with_logits", [](Case& c) { c.finish(bce_with_logits(c.var("logits"), c.tensor("target"))); }},
      {"clip_loss", [](Case& c) { clip(c, false); }},
      {"clip_loss_chunked", [](Case& c) { clip(c, true); }},
      {"fusion", [](Case& c) { c.finish(fuse(c.var("x"), c.var("gamma"))); }},
      {"gating", [](Case& c) { c.finish(gated_fuse(c.var("x"), c.var("weight"), c.var("bias"))); }},
      {"decomposed_scores",
       [](Case& c) {
         c.finish(decomposed_scores(c.var("xt"), c.var("xl"), c.var("gamma"), c.var("wq"), c.var("wk")));
       }},
      {"mhta", mhta},
      {"transformer_layer", transformer_layer},
      {"patch_embedding",
       [](Case& c) {
         const Var w = c.var("weight");
         c.finish(linear(image_patches(c.var("image"), w.size(2)), reshape(w, {w.size(0), -1}), c.var("bias")));
       }},
      {"optim_adam", [](Case& c) { optimizer(c, adam_step); }},
      {"optim_adamw", [](Case& c) { optimizer(c, adam_step); }},
      {"optim_sgd",
       [](Case& c) {
         optimizer(c, [](const Params& params, Case& k) -> std::function<void()> {
           return [sgd = std::make_shared<Sgd>(params, k.number("lr"), k.number("momentum"))] { sgd->step(); };
         });
       }},
      {"auc",
       [](Case& c) {
         const Ids labels = c.ids("labels");
         c.compare(
             auc(c.tensor("scores").to_vector(), std::vector<uint8_t>(labels.data(), labels.data() + labels.numel())),
             "out");
       }},
      {"ndcg", ndcg},
      {"pq_scores", pq_scores},
  };
  return all;
}

// Empty if the case passes, else why it fails.
std::string run_case(const std::string& path, double& worst) {
  try {
    Case c(path);
    const std::string op = c.file.meta("op");
    const auto run = runs().find(op);
    if (run == runs().end()) return fmt::format("unknown op '{}'", op);
    run->second(c);
    worst = c.worst;
    return worst <= tolerance ? "" : fmt::format("above {:g}", tolerance);
  } catch (const std::exception& e) {
    return e.what();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || std::string_view(argv[1]) == "--help") {
    fmt::print("usage: {} DIR…\nRuns every *.safetensors reference case in the folders; tolerance {:g}.\n", argv[0],
               tolerance);
    return argc < 2 ? 2 : 0;
  }
  int64_t passed = 0, failed = 0;
  for (int i = 1; i < argc; ++i) {
    std::error_code code;
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i], code))
      if (entry.path().extension() == ".safetensors") paths.push_back(entry.path().string());
    if (code || paths.empty()) {
      fmt::print(stderr, "golden: {}: {}\n", argv[i], code ? code.message() : "no *.safetensors files");
      return 2;
    }
    std::sort(paths.begin(), paths.end());
    for (const std::string& path : paths) {
      double worst = 0;
      const std::string why = run_case(path, worst);
      ++(why.empty() ? passed : failed);
      fmt::print("{:<24} {:>9.2e}  {}{}\n", std::filesystem::path(path).stem().string(), worst,
                 why.empty() ? "" : "FAILED: ", why);
    }
  }
  fmt::print("{} passed, {} failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
