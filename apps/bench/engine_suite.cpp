// Training steps of the engine's parts: forward, backward and Adam, against libtorch at the same work.
#include "apps/bench/measure.h"
#include "apps/bench/rival.h"
#include "nn/clip_loss.h"
#include "nn/optim.h"
#include "nn/transformer.h"
#include "seminar/clip/image_patches.h"
#include "tensor/parallel.h"

namespace seminar::bench {
namespace {

// A word encoder with what a step of it needs.
struct TextStep {
  static constexpr int64_t words = 10000, length = 32, width = 64, batch = 256;
  Embedding table;
  TransformerEncoder encoder;
  Ids tokens, start;
  Adam adam;
  void visit(auto&& f) const {
    f("table", table);
    f("encoder", encoder);
  }
  explicit TextStep(Rng rng)
      : table(words, width, rng.split("table"), 0.1),
        encoder(width, 4, 2, length, rng.split("encoder")),
        tokens(draw(rng.split("tokens"))),
        start(starts()),
        adam(parameters(*this), {}) {}
  void operator()() {
    const Var y = encoder(table(tokens), start, Mode());
    backward(mean(y * y));
    adam.step();
  }

 private:
  static Ids draw(Rng rng) {
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < batch * length; ++i) ids.push_back(static_cast<int32_t>(rng.below(words)));
    return Ids(std::move(ids));
  }
  static Ids starts() {
    std::vector<int32_t> ids;
    for (int64_t i = 0; i <= batch; ++i) ids.push_back(static_cast<int32_t>(i * length));
    return Ids(std::move(ids));
  }
};

struct ImageStep {
  static constexpr int64_t size = 32, patch = 4, width = 128, batch = 64, tokens = size / patch * (size / patch);
  Linear embed;
  TransformerEncoder encoder;
  Tensor images;
  Ids start;
  Adam adam;
  void visit(auto&& f) const {
    f("embed", embed);
    f("encoder", encoder);
  }
  explicit ImageStep(Rng rng)
      : embed(3 * patch * patch, width, rng.split("embed")),
        encoder(width, 4, 4, tokens, rng.split("encoder")),
        images(Tensor::normal({batch, 3, size, size}, rng, 1)),
        start(starts()),
        adam(parameters(*this), {}) {}
  void operator()() {
    const Var patches = reshape(image_patches(images, patch), {batch * tokens, 3 * patch * patch});
    const Var y = encoder(embed(patches), start, Mode());
    backward(mean(y * y));
    adam.step();
  }

 private:
  static Ids starts() {
    std::vector<int32_t> ids;
    for (int64_t i = 0; i <= batch; ++i) ids.push_back(static_cast<int32_t>(i * tokens));
    return Ids(std::move(ids));
  }
};

void small_ops() {
  const Var x = Var::leaf(Tensor::full({64}, 1));
  Var y = x;
  for (int i = 0; i < 1000; ++i) y = y + x;
  backward(sum(y));
}

struct ClipStep {
  static constexpr int64_t batch = 256, length = 100, width = 64, chunks = 5;
  std::vector<Param> channels;
  Param scale{Tensor::scalar(14)};
  Tensor mask = Tensor::full({batch, length}, 1);
  explicit ClipStep(Rng rng) {
    for (int c = 0; c < 3; ++c) channels.emplace_back(Tensor::normal({batch, length, width}, rng, 1));
  }
  void operator()() {
    Var total;
    std::vector<Var> units;
    for (const Param& x : channels) units.push_back(normalize(x));
    for (std::size_t i = 0; i < units.size(); ++i)
      for (std::size_t j = i + 1; j < units.size(); ++j) {
        const Var part = clip_loss(units[i], units[j], scale, chunks, mask);
        total = total.defined() ? total + part : part;
      }
    backward(total);
    zero_grad(parameters(*this));
  }
  void visit(auto&& f) const {
    f("channels", channels);
    f("scale", scale);
  }
};

}  // namespace

std::vector<Line> engine_suite(const std::string& rivals, int repeats) {
  std::vector<Line> lines;
  Rival torch(rivals + "/torch_rival", "");
  if (torch.missing()) return lines;
  TextStep text(Rng(1));
  ImageStep image(Rng(1));
  ClipStep clip(Rng(1));
  for (const int count : {1, 2}) {
    const int before = threads();
    set_threads(count);
    torch.ask(fmt::format("threads {}", count));
    const std::string on = count == 1 ? ", 1 thread" : ", 2 threads";
    const auto line = [&](const std::string& work, const std::string& name, double goal, const Work& ours) {
      lines.push_back(
          compare_timed(work + on, "libtorch", count == 2 ? goal : 0, repeats, ours, [&] { return torch.ask(name); }));
    };
    line("text encoder step, T = 32, d = 64, batch 256", "text_encoder", 1.6, [&] { text(); });
    line("ViT step, 32 x 32, patch 4, d = 128, batch 64", "vit", 1.3, [&] { image(); });
    line("CLIP loss and gradient, 3 pairs, 5 chunks", "clip_loss", 4, [&] { clip(); });
    line("1,000 small ops with gradients", "small_ops", 12, small_ops);
    set_threads(before);
  }
  return lines;
}

}  // namespace seminar::bench
