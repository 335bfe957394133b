// libtorch at the bench's work, in a process of its own: reads the name of a step a line (or "threads N"), answers with
// its microseconds; "peak": with the most memory so far, in MB. The steps are those of apps/bench/engine_suite.cpp and
// train_suite.cpp.
#include <sys/resource.h>
#include <torch/torch.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <string>

namespace {

using torch::Tensor;
namespace nn = torch::nn;
namespace F = torch::nn::functional;

Tensor mean_square(const Tensor& y) { return (y * y).mean(); }

// Pre-norm blocks, as nn/transformer.h has them.
struct EncoderImpl : nn::Module {
  nn::TransformerEncoder blocks{nullptr};
  nn::LayerNorm norm{nullptr};
  Tensor positions;
  EncoderImpl(int64_t width, int64_t heads, int64_t depth, int64_t length) {
    const auto layer = nn::TransformerEncoderLayer(nn::TransformerEncoderLayerOptions(width, heads)
                                                       .dim_feedforward(4 * width)
                                                       .dropout(0)
                                                       .activation(torch::kGELU));
    blocks = register_module("blocks", nn::TransformerEncoder(nn::TransformerEncoderOptions(layer, depth)));
    norm = register_module("norm", nn::LayerNorm(nn::LayerNormOptions({width})));
    positions = register_parameter("positions", torch::zeros({length, 1, width}));
  }
  // [T, B, width] -> [B, width]
  Tensor forward(const Tensor& x) { return norm(blocks(x + positions)).mean(0); }
};
TORCH_MODULE(Encoder);

struct TextStep {
  nn::Embedding table{nn::EmbeddingOptions(10000, 64)};
  Encoder encoder{64, 4, 2, 32};
  Tensor tokens = torch::randint(10000, {32, 256});
  torch::optim::Adam adam{parameters()};
  std::vector<Tensor> parameters() {
    std::vector<Tensor> all = encoder->parameters();
    all.push_back(table->weight);
    return all;
  }
  void operator()() {
    adam.zero_grad();
    mean_square(encoder(table(tokens))).backward();
    adam.step();
  }
};

struct ImageStep {
  nn::Linear embed{48, 128};
  Encoder encoder{128, 4, 4, 64};
  Tensor images = torch::randn({64, 3, 32, 32});
  torch::optim::Adam adam{parameters()};
  std::vector<Tensor> parameters() {
    std::vector<Tensor> all = encoder->parameters();
    for (const Tensor& p : embed->parameters()) all.push_back(p);
    return all;
  }
  void operator()() {
    adam.zero_grad();
    const Tensor patches =
        images.view({64, 3, 8, 4, 8, 4}).permute({2, 4, 0, 1, 3, 5}).reshape({64, 64, 48});  // [T, B, 48]
    mean_square(encoder(embed(patches))).backward();
    adam.step();
  }
};

void small_ops() {
  const Tensor x = torch::ones({64}, torch::requires_grad());
  Tensor y = x;
  for (int i = 0; i < 1000; ++i) y = y + x;
  y.sum().backward();
}

struct ClipStep {
  std::vector<Tensor> channels;
  Tensor scale = torch::tensor(14.0f, torch::requires_grad());
  ClipStep() {
    for (int c = 0; c < 3; ++c) channels.push_back(torch::randn({256, 100, 64}, torch::requires_grad()));
  }
  void operator()() {
    Tensor total = torch::zeros({});
    std::vector<Tensor> units;
    for (Tensor& x : channels) {
      x.mutable_grad() = Tensor();
      units.push_back(F::normalize(x, F::NormalizeFuncOptions().dim(-1)).view({256 * 5, 20, 64}));
    }
    const Tensor labels = torch::arange(20).repeat({256 * 5});
    for (std::size_t i = 0; i < 3; ++i)
      for (std::size_t j = i + 1; j < 3; ++j) {
        const Tensor logits = scale * torch::bmm(units[i], units[j].transpose(1, 2));
        total = total + (F::cross_entropy(logits.reshape({-1, 20}), labels) +
                         F::cross_entropy(logits.transpose(1, 2).reshape({-1, 20}), labels)) /
                            2;
      }
    total.backward();
  }
};

// Gate, multi-head target attention, head, from tables of distinct queries and items.
struct SearchUnitStep {
  static constexpr int64_t batch = 256, length = 1000, width = 64, heads = 4, items = 20000, queries = 2000;
  bool folded;
  std::vector<Tensor> tables;
  nn::Linear gate{4 * width, 4};
  Tensor wq = weight({heads, width, width}), wk = weight({heads, width, width}), wv = weight({heads, width, width}),
         wo = weight({heads * width, width});
  nn::Sequential head{nn::Linear(5 * width, width), nn::ReLU(), nn::Linear(width, 1)};
  Tensor query = torch::randint(queries, {batch * length}), item = torch::randint(items, {batch * length}),
         target_query = torch::randint(queries, {batch}), target_item = torch::randint(items, {batch}),
         labels = torch::arange(batch).remainder(2).to(torch::kFloat);
  torch::optim::Adam adam{parameters()};
  explicit SearchUnitStep(bool fold) : folded(fold) {
    for (int c = 0; c < 4; ++c)
      tables.push_back((torch::randn({c == 0 ? queries : items, width}) * 0.1).requires_grad_());
  }
  static Tensor weight(torch::IntArrayRef shape) { return (torch::randn(shape) / 8).requires_grad_(); }
  std::vector<Tensor> parameters() {
    std::vector<Tensor> all{wq, wk, wv, wo};
    for (const Tensor& p : gate->parameters()) all.push_back(p);
    for (const Tensor& p : head->parameters()) all.push_back(p);
    return all;
  }
  // Σ γ_m x^(m) [n, d]
  Tensor fuse(const Tensor& q, const Tensor& i) {
    std::vector<Tensor> x{tables[0].index_select(0, q)};
    for (int c = 1; c < 4; ++c) x.push_back(tables[c].index_select(0, i));
    const Tensor gamma = torch::softmax(gate(torch::cat(x, -1)), -1);
    return (gamma.unsqueeze(-1) * torch::stack(x, 1)).sum(1);
  }
  Tensor attend(const Tensor& target, const Tensor& keys) {
    if (folded) {  // (q W_Q W_Kᵀ) kᵀ and (Σ p k) W_V
      const Tensor asked = torch::matmul(target, torch::matmul(wq, wk.transpose(1, 2))).transpose(0, 1);  // [B, H, d]
      const Tensor p = torch::softmax(torch::bmm(asked, keys.transpose(1, 2)) / 8, -1);
      const Tensor pooled = torch::bmm(p, keys);  // [B, H, d]
      return torch::matmul(torch::matmul(pooled.transpose(0, 1), wv).transpose(0, 1).reshape({batch, -1}), wo);
    }
    std::vector<Tensor> found;
    for (int64_t h = 0; h < heads; ++h) {
      const Tensor q = torch::matmul(target, wq[h]).unsqueeze(1), k = torch::matmul(keys, wk[h]),
                   v = torch::matmul(keys, wv[h]);
      const Tensor p = torch::softmax(torch::bmm(q, k.transpose(1, 2)) / 8, -1);
      found.push_back(torch::bmm(p, v).squeeze(1));
    }
    return torch::matmul(torch::cat(found, -1), wo);
  }
  void operator()() {
    adam.zero_grad();
    for (Tensor& t : tables) t.mutable_grad() = Tensor();
    const Tensor keys = fuse(query, item).view({batch, length, width}), target = fuse(target_query, target_item);
    const Tensor lifelong = attend(target, keys), user = keys.mean(1);
    const Tensor logits = head->forward(torch::cat({lifelong, user, target, lifelong * target, user * target}, -1));
    F::binary_cross_entropy_with_logits(logits.squeeze(-1), labels).backward();
    adam.step();
  }
};

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024 / 1e6;
}

}  // namespace

int main() {
  torch::manual_seed(1);
  std::map<std::string, std::function<void()>> steps{{"small_ops", small_ops}};
  // Made when they are first asked for: together they would need gigabytes.
  const auto step = [&](const std::string& name) -> std::function<void()>& {
    std::function<void()>& found = steps[name];
    if (!found && name == "text_encoder") found = [s = std::make_shared<TextStep>()] { (*s)(); };
    if (!found && name == "vit") found = [s = std::make_shared<ImageStep>()] { (*s)(); };
    if (!found && name == "clip_loss") found = [s = std::make_shared<ClipStep>()] { (*s)(); };
    if (!found && name == "psu_written") found = [s = std::make_shared<SearchUnitStep>(false)] { (*s)(); };
    if (!found && name == "psu_folded") found = [s = std::make_shared<SearchUnitStep>(true)] { (*s)(); };
    return found;
  };
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "peak") {
      std::printf("%.1f\n", peak_megabytes());
      std::fflush(stdout);
      continue;
    }
    const auto begin = std::chrono::steady_clock::now();
    if (line.rfind("threads ", 0) == 0)
      torch::set_num_threads(std::stoi(line.substr(8)));
    else
      step(line)();
    std::printf("%.1f\n", std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
    std::fflush(stdout);
  }
}
