#include "pq/multimodal.h"

#include <algorithm>

#include "tensor/kernels.h"
#include "tensor/parallel.h"
#include "tensor/rows.h"

namespace seminar::inline SEMINAR_PRECISION {

MultimodalQuantizer::MultimodalQuantizer(std::vector<ProductQuantizer> channels) : channels_(std::move(channels)) {
  check(!channels_.empty(), "multi-modal quantizer: no channels");
  for (const ProductQuantizer& q : channels_)
    check(q.codebooks().shape() == channels_[0].codebooks().shape(),
          "multi-modal quantizer: channels differ: {} and {}", channels_[0].codebooks().shape(), q.codebooks().shape());
  const int64_t c = std::ssize(channels_), s = channels_[0].sub_quantizers(), k = channels_[0].centroids(),
                width = channels_[0].dim() / s;
  columns_ = Tensor::empty({c, s, width, k});
  real* y = columns_.write();
  for (int64_t row = 0; row < c * s; ++row)
    for (int64_t i = 0; i < width; ++i)
      for (int64_t v = 0; v < k; ++v)
        y[(row * width + i) * k + v] = channels_[row / s].codebooks().data()[(row % s * k + v) * width + i];
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
  parallel_for(c * c * s, 1, [&, out = tables.write()](int64_t table, int64_t) {
    const real* a = channels_[table / (c * s)].codebooks().data() + table % s * k * width;
    const real* b = channels_[table / s % c].codebooks().data() + table % s * k * width;
    for (int64_t u = 0; u < k; ++u)
      for (int64_t v = 0; v < k; ++v) out[(table * k + u) * k + v] = kernels().dot(width, a + u * width, b + v * width);
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
  check(count(target) == 1, "folded_table: {} target codes", target.size());
  return asymmetric_table(decode(target).reshape({std::ssize(channels_), channels_[0].dim()}), gamma);
}

Tensor MultimodalQuantizer::asymmetric_table(const Tensor& target, const Tensor& gamma) const {
  const int64_t c = std::ssize(channels_), d = channels_[0].dim();
  check(target.shape() == Shape({c, d}) && gamma.shape() == Shape{c},
        "asymmetric_table: target {}, gamma {} for {} channels of width {}", target.shape(), gamma.shape(), c, d);
  const Tensor x = target.contiguous(), g = gamma.contiguous();
  std::vector<real> fused(static_cast<std::size_t>(d), 0);
  for (int64_t i = 0; i < c; ++i) kernels().axpy(d, g.data()[i], x.data() + i * d, fused.data());
  Tensor fused_target = Tensor::from({d}, fused);
  Tensor table = channel_table(fused_target);
  return binary("asymmetric_table", Binary::mul, table, g.reshape({c, 1, 1}));
}

Tensor MultimodalQuantizer::channel_table(const Tensor& fused_target) const {
  const int64_t c = std::ssize(channels_), d = channels_[0].dim(), s = channels_[0].sub_quantizers(),
                k = channels_[0].centroids(), width = d / s;
  check(fused_target.shape() == Shape{d}, "channel_table: target {} for width {}", fused_target.shape(), d);
  const Tensor x = fused_target.contiguous();
  Tensor table = Tensor::zeros({c, s, k});
  real* y = table.write();
  for (int64_t row = 0; row < c * s; ++row)
    for (int64_t i = 0; i < width; ++i)
      kernels().axpy(k, x.data()[row % s * width + i], columns_.data() + (row * width + i) * k, y + row * k);
  return table;
}

std::vector<real> MultimodalQuantizer::scan_weighted(const Tensor& table, std::span<const Code> behaviours,
                                                     const Tensor& gamma) const {
  const int64_t c = std::ssize(channels_), s = channels_[0].sub_quantizers(), k = channels_[0].centroids(),
                length = count(behaviours);
  check(table.shape() == Shape({c, s, k}) && gamma.shape() == Shape({length, c}),
        "scan_weighted: table {}, gamma {} for {} behaviours", table.shape(), gamma.shape(), length);
  const Tensor t = table.contiguous(), g = gamma.contiguous();
  std::vector<real> scores(static_cast<std::size_t>(length));
  parallel_for(length, row_grain(c * s), [&](int64_t begin, int64_t end) {
    for (int64_t l = begin; l < end; ++l) {
      real score = 0;
      for (int64_t j = 0; j < c; ++j) {
        real sum = 0;
        for (int64_t b = 0; b < s; ++b) sum += t.data()[(j * s + b) * k + behaviours[(l * c + j) * s + b]];
        score += g.data()[l * c + j] * sum;
      }
      scores[l] = score;
    }
  });
  return scores;
}

Tensor MultimodalQuantizer::decode(std::span<const Code> behaviours) const {
  const int64_t c = std::ssize(channels_), d = channels_[0].dim(), s = channels_[0].sub_quantizers(),
                length = count(behaviours);
  Tensor out = Tensor::empty({length, c, d});
  real* y = out.write();
  std::vector<Code> own(static_cast<std::size_t>(length * s));
  for (int64_t j = 0; j < c; ++j) {
    for (int64_t l = 0; l < length; ++l) std::copy_n(behaviours.begin() + (l * c + j) * s, s, own.begin() + l * s);
    const Tensor x = channels_[j].decode(own);
    for (int64_t l = 0; l < length; ++l) std::copy_n(x.data() + l * d, d, y + (l * c + j) * d);
  }
  return out;
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
