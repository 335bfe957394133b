#include "pq/multimodal.h"

#include <algorithm>

#include "tensor/kernels.h"
#include "tensor/parallel.h"

namespace seminar::inline SEMINAR_PRECISION {

MultimodalQuantizer::MultimodalQuantizer(std::vector<ProductQuantizer> channels) : channels_(std::move(channels)) {
  check(!channels_.empty(), "multi-modal quantizer: no channels");
  for (const ProductQuantizer& q : channels_)
    check(q.codebooks().shape() == channels_[0].codebooks().shape(),
          "multi-modal quantizer: channels differ: {} and {}", channels_[0].codebooks().shape(), q.codebooks().shape());
}

int64_t MultimodalQuantizer::count(std::span<const Code> behaviours) const {
  check(std::ssize(behaviours) % codes_per_behaviour() == 0, "multi-modal quantizer: {} codes, {} a behaviour",
        behaviours.size(), codes_per_behaviour());
  for (Code c : behaviours)
    check(c < channels_[0].centroids(), "multi-modal quantizer: code {} of {} centroids", c, channels_[0].centroids());
  return std::ssize(behaviours) / codes_per_behaviour();
}

std::vector<MultimodalQuantizer::Code> MultimodalQuantizer::encode(const Tensor& behaviours) const {
  const int64_t c = std::ssize(channels_), d = channels_[0].dim(), s = channels_[0].sub_quantizers();
  check(behaviours.rank() == 3 && behaviours.size(1) == c && behaviours.size(2) == d,
        "encode: behaviours {} for {} channels of width {}", behaviours.shape(), c, d);
  const int64_t length = behaviours.size(0);
  std::vector<Code> codes(static_cast<std::size_t>(length * c * s));
  for (int64_t j = 0; j < c; ++j) {
    const std::vector<Code> own = channels_[j].encode(behaviours.slice(1, j, j + 1).reshape({length, d}));
    for (int64_t l = 0; l < length; ++l) std::copy_n(own.begin() + l * s, s, codes.begin() + (l * c + j) * s);
  }
  return codes;
}

Tensor MultimodalQuantizer::pair_tables() const {
  const int64_t c = std::ssize(channels_), s = channels_[0].sub_quantizers(), k = channels_[0].centroids(),
                width = channels_[0].dim() / s;
  Tensor tables = Tensor::empty({c, c, s, k, k});
  parallel_for(c * c * s, 1, [&, out = tables.write()](int64_t at, int64_t) {
    const real* a = channels_[at / (c * s)].codebooks().data() + at % s * k * width;
    const real* b = channels_[at / s % c].codebooks().data() + at % s * k * width;
    for (int64_t u = 0; u < k; ++u)
      for (int64_t v = 0; v < k; ++v) out[(at * k + u) * k + v] = kernels().dot(width, a + u * width, b + v * width);
  });
  return tables;
}

std::vector<real> MultimodalQuantizer::score_pairs(const Tensor& tables, std::span<const Code> target,
                                                   std::span<const Code> behaviours, const Tensor& gamma) const {
  const int64_t c = std::ssize(channels_), s = channels_[0].sub_quantizers(), k = channels_[0].centroids(),
                length = count(behaviours);
  check(count(target) == 1 && gamma.shape() == Shape{c} && tables.shape() == Shape({c, c, s, k, k}),
        "score_pairs: target codes {}, gamma {}, tables {}", target.size(), gamma.shape(), tables.shape());
  std::vector<real> scores(static_cast<std::size_t>(length), 0);
  for (int64_t l = 0; l < length; ++l)
    for (int64_t i = 0; i < c; ++i)
      for (int64_t j = 0; j < c; ++j) {
        real sum = 0;
        for (int64_t b = 0; b < s; ++b)
          sum += tables.data()[(((i * c + j) * s + b) * k + target[i * s + b]) * k + behaviours[(l * c + j) * s + b]];
        scores[l] += gamma.data()[i] * gamma.data()[j] * sum;
      }
  return scores;
}

Tensor MultimodalQuantizer::folded_table(std::span<const Code> target, const Tensor& gamma) const {
  const int64_t c = std::ssize(channels_), s = channels_[0].sub_quantizers();
  check(count(target) == 1, "folded_table: {} target codes", target.size());
  Tensor decoded = Tensor::empty({c, channels_[0].dim()});
  real* y = decoded.write();
  for (int64_t i = 0; i < c; ++i) {
    const Tensor x = channels_[i].decode(target.subspan(static_cast<std::size_t>(i * s), static_cast<std::size_t>(s)));
    std::copy_n(x.data(), x.numel(), y + i * x.numel());
  }
  return asymmetric_table(decoded, gamma);
}

Tensor MultimodalQuantizer::asymmetric_table(const Tensor& target, const Tensor& gamma) const {
  const int64_t c = std::ssize(channels_), d = channels_[0].dim(), s = channels_[0].sub_quantizers(),
                k = channels_[0].centroids(), width = d / s;
  check(target.shape() == Shape({c, d}) && gamma.shape() == Shape{c},
        "asymmetric_table: target {}, gamma {} for {} channels of width {}", target.shape(), gamma.shape(), c, d);
  const Tensor x = target.contiguous(), g = gamma.contiguous();
  std::vector<real> fused(static_cast<std::size_t>(d), 0);
  for (int64_t i = 0; i < c; ++i) kernels().axpy(d, g.data()[i], x.data() + i * d, fused.data());
  Tensor table = Tensor::empty({c, s, k});
  real* y = table.write();
  for (int64_t j = 0; j < c; ++j)
    for (int64_t b = 0; b < s; ++b)
      for (int64_t v = 0; v < k; ++v)
        y[(j * s + b) * k + v] = g.data()[j] * kernels().dot(width, fused.data() + b * width,
                                                             channels_[j].codebooks().data() + (b * k + v) * width);
  return table;
}

std::vector<real> MultimodalQuantizer::scan(const Tensor& table, std::span<const Code> behaviours) const {
  const int64_t per_key = codes_per_behaviour(), k = channels_[0].centroids(), length = count(behaviours);
  check(table.numel() == per_key * k, "scan: table {} for {} codes of {} centroids", table.shape(), per_key, k);
  const Tensor t = table.contiguous();
  std::vector<real> scores(static_cast<std::size_t>(length));
  parallel_for(length, row_grain(per_key), [&](int64_t begin, int64_t end) {
    for (int64_t l = begin; l < end; ++l) {
      real sum = 0;
      for (int64_t i = 0; i < per_key; ++i) sum += t.data()[i * k + behaviours[l * per_key + i]];
      scores[l] = sum;
    }
  });
  return scores;
}

std::vector<real> MultimodalQuantizer::score_decoded(const Tensor& fused_target, std::span<const Code> behaviours,
                                                     const Tensor& gamma) const {
  const int64_t c = std::ssize(channels_), d = channels_[0].dim(), s = channels_[0].sub_quantizers(),
                length = count(behaviours);
  check(fused_target.shape() == Shape{d} && gamma.shape() == Shape{c}, "score_decoded: target {}, gamma {}",
        fused_target.shape(), gamma.shape());
  std::vector<real> scores(static_cast<std::size_t>(length), 0);
  for (int64_t l = 0; l < length; ++l)
    for (int64_t j = 0; j < c; ++j) {
      const Tensor x = channels_[j].decode(
          behaviours.subspan(static_cast<std::size_t>((l * c + j) * s), static_cast<std::size_t>(s)));
      scores[l] += gamma.data()[j] * kernels().dot(d, fused_target.data(), x.data());
    }
  return scores;
}

void add_quantizer(SafetensorsWriter& file, const std::string& prefix, const MultimodalQuantizer& quantizer) {
  for (std::size_t c = 0; c < quantizer.channels().size(); ++c)
    file.add(fmt::format("{}.{}", prefix, c), quantizer.channels()[c].codebooks());
}

MultimodalQuantizer load_quantizer(const SafetensorsFile& file, const std::string& prefix) {
  std::vector<ProductQuantizer> channels;
  while (file.has(fmt::format("{}.{}", prefix, channels.size())))
    channels.emplace_back(file.tensor(fmt::format("{}.{}", prefix, channels.size())));
  check(!channels.empty(), "{}: no codebooks '{}.0'", file.path(), prefix);
  return MultimodalQuantizer(std::move(channels));
}

}  // namespace seminar::inline SEMINAR_PRECISION
