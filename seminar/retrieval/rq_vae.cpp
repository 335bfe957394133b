#include "seminar/retrieval/rq_vae.h"

#include <algorithm>
#include <cmath>

#include "nn/optim.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t points_at_start = 4096;

Tensor minus(const Tensor& a, const Tensor& b) { return binary("residual", Binary::sub, a, b); }

// Rows of `points` drawn with replacement.
Tensor draw_rows(const Tensor& points, int64_t count, Rng& rng) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(static_cast<int32_t>(rng.below(points.size(0))));
  return gather_rows("draw_rows", points, Ids(std::move(ids)));
}

}  // namespace

ResidualQuantizer::ResidualQuantizer(const Tensor& points, const ResidualOptions& options, int64_t iterations) {
  check(options.levels >= 1, "residual quantizer: at least one level: {}", options.levels);
  Tensor rest = points.contiguous();
  for (int64_t level = 0; level < options.levels; ++level) {
    const uint64_t seed = Rng(options.seed).split(static_cast<uint64_t>(level)).next();
    const KMeansResult found = kmeans(rest, {options.centroids, iterations, seed});
    codebooks_.push_back(found.centroids);
    rest = minus(rest, gather_rows("residual", found.centroids, Ids(found.assignment)));
  }
}

Tensor ResidualQuantizer::decode(const Tensor& x) const {
  Tensor rest = x.contiguous();
  for (const Tensor& codebook : codebooks_)
    rest = minus(rest, gather_rows("residual", codebook, Ids(nearest(rest, codebook))));
  return minus(x, rest);
}

double ResidualQuantizer::bits() const {
  return static_cast<double>(codebooks_.size()) * std::log2(static_cast<double>(codebooks_[0].size(0)));
}

RqVae::RqVae(int64_t width, const RqVaeOptions& o, Rng rng)
    : encoder({width, o.hidden, o.latent}, rng.split("encoder")),
      decoder({o.latent, o.hidden, width}, rng.split("decoder")) {
  check(o.levels >= 1 && o.centroids >= 1, "rq-vae: levels and centroids must be at least 1: {}, {}", o.levels,
        o.centroids);
  for (int64_t level = 0; level < o.levels; ++level)
    codebooks.emplace_back(Tensor::zeros({o.centroids, o.latent}), true);
}

RqVae::Quantized RqVae::quantize(const Var& z) const {
  Quantized out;
  Tensor rest = z.value();
  const auto add_to = [](Var& total, const Var& part) { total = total.defined() ? total + part : part; };
  for (const Param& codebook : codebooks) {
    const Var word = embedding(codebook, Ids(nearest(rest, codebook.var().value())));
    const Var miss = word - Var(rest);  // the residual is a constant here: only the codewords move
    add_to(out.codebook_loss, mean(miss * miss));
    add_to(out.sum, detach(word));
    // |z - sg(q so far)|²: the encoder moves towards its codes at every level.
    const Var away = z - out.sum;
    add_to(out.commitment_loss, mean(away * away));
    rest = minus(rest, word.value());
  }
  return out;
}

RqVae::Forward RqVae::operator()(const Tensor& x, double commitment) const {
  const Var z = encoder(x, Mode());
  const Quantized q = quantize(z);
  const Var through = z + detach(q.sum - z);
  const Var reconstruction = decoder(through, Mode());
  const Var miss = reconstruction - Var(x);
  return {reconstruction,
          mean(miss * miss) + q.codebook_loss + scale(q.commitment_loss, static_cast<real>(commitment))};
}

Tensor RqVae::decode(const Tensor& x) const {
  const NoGrad guard;
  return (*this)(x, 0).reconstruction.value();
}

double RqVae::bits() const {
  return static_cast<double>(codebooks.size()) * std::log2(static_cast<double>(codebooks[0].shape()[0]));
}

RqVae train_rq_vae(const Tensor& points, const RqVaeOptions& o) {
  check(points.rank() == 2 && points.size(0) >= 1, "rq-vae: needs points [n, d], not {}", points.shape());
  const Rng rng(o.seed);
  RqVae model = build<RqVae>(points.size(1), o, rng.split("init"));
  const Tensor source = points.contiguous();
  {
    const NoGrad guard;
    Rng start = rng.split("start");
    const Tensor z = model.encoder(draw_rows(source, std::min(points_at_start, source.size(0)), start), Mode()).value();
    Tensor rest = z.contiguous();
    for (std::size_t level = 0; level < model.codebooks.size(); ++level) {
      const KMeansResult found = kmeans(rest, {o.centroids, 10, rng.split(level).next()});
      Tensor target = model.codebooks[level].var().value();
      std::copy_n(found.centroids.data(), found.centroids.numel(), target.write());
      rest = minus(rest, gather_rows("rq_vae", found.centroids, Ids(found.assignment)));
    }
  }
  const Params params = parameters(model);
  AdamOptions adam_options;
  adam_options.lr = o.lr;
  Adam adam(params, adam_options);
  Rng draws = rng.split("batches");
  for (int64_t step = 0; step < o.steps; ++step) {
    backward(model(draw_rows(source, o.batch, draws), o.commitment).loss);
    adam.set_lr(o.lr * cosine_schedule(step, o.steps / 20 + 1, o.steps));
    adam.step();
  }
  return model;
}

}  // namespace seminar::inline SEMINAR_PRECISION
