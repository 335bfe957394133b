// Scoring and top-K of one target: the paper's synthetic vectors (§4.1, Figure 2: different norms, equal weights), one
// thread on both sides.
#include <cblas.h>
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <memory>
#include <set>

#include "apps/bench/measure.h"
#include "apps/bench/rival.h"
#include "pq/byte_scan.h"
#include "pq/code_index.h"
#include "pq/multimodal.h"
#include "pq/select.h"
#include "seminar/retrieval/search.h"
#include "tensor/io/file.h"
#include "tensor/kernels.h"
#include "tensor/parallel.h"

namespace seminar::bench {
namespace {

constexpr int64_t dim = 64, channels = 4, top = 128, wide = top * 5 / 4, targets_measured = 100;
constexpr double means[channels] = {0.25, 0.5, 1, 2};

Tensor draw_channels(int64_t n, Rng rng) {
  Tensor x = Tensor::normal({n, channels, dim}, rng, 1);
  real* y = x.write();
  for (int64_t i = 0; i < x.numel(); ++i) y[i] += static_cast<real>(means[i / dim % channels]);
  return x;
}

// One user's behaviours, some targets, and room for their scores.
struct Problem {
  KeySet keys;
  Tensor fused, targets, target_channels;
  ByteKeys bytes;
  std::vector<real> scores;
  std::vector<Found> found;
  int64_t next = 0;

  explicit Problem(int64_t length)
      : keys{draw_channels(length, Rng(1)), Tensor::full({length, channels}, real{1} / channels), {}},
        fused(fused_keys(keys)),
        target_channels(draw_channels(targets_measured, Rng(2))),
        bytes(fused),
        scores(static_cast<std::size_t>(bytes.scores_size())),
        found(static_cast<std::size_t>(length)) {
    targets = fused_keys({target_channels, Tensor::full({targets_measured, channels}, real{1} / channels), {}});
  }
  int64_t length() const { return fused.size(0); }
  // A target after the other.
  const real* target() { return targets.data() + next++ % targets_measured * dim; }

  void by_bytes(const real* t) {
    bytes.top({t, static_cast<std::size_t>(dim)}, fused, top, wide, scores.data(), found.data());
  }
  void by_blas(const real* t) {
    cblas_sgemv(CblasRowMajor, CblasNoTrans, static_cast<int>(length()), dim, 1, fused.data(), dim, t, 1, 0,
                scores.data(), 1);
  }
  void by_blas_and_select(const real* t) {
    by_blas(t);
    select_top(length(), scores.data(), 0, top, found.data());
  }
  void nth_element(const real* of) {
    for (int64_t i = 0; i < length(); ++i) found[i] = {of[i], static_cast<int32_t>(i)};
    std::nth_element(found.begin(), found.begin() + top, found.end(),
                     [](const Found& a, const Found& b) { return a.score > b.score; });
  }
  std::set<int32_t> best() const {
    std::set<int32_t> positions;
    for (int64_t i = 0; i < top; ++i) positions.insert(found[i].position);
    return positions;
  }
};

// The mean share of the exact top K that f leaves in found.
double recall(Problem& p, const std::function<void(const real*)>& f) {
  double share = 0;
  for (int64_t t = 0; t < targets_measured; ++t) {
    const real* target = p.targets.data() + t * dim;
    p.by_blas_and_select(target);
    const std::set<int32_t> exact = p.best();
    f(target);
    int64_t both = 0;
    for (const int32_t position : p.best()) both += static_cast<int64_t>(exact.count(position));
    share += static_cast<double>(both) / top;
  }
  return share / targets_measured;
}

void quantizer_lines(Problem& p, int repeats, std::vector<Line>& lines) {
  std::vector<ProductQuantizer> all;
  const Tensor sample = draw_channels(8192, Rng(3));
  for (int64_t c = 0; c < channels; ++c)
    all.push_back(ProductQuantizer::train(sample.slice(1, c, c + 1).reshape({8192, dim}), 8, {512, 4, 1}));
  const MultimodalQuantizer quantizer(std::move(all));
  const auto codes = quantizer.encode(p.keys.channels);
  const CodeIndex index(codes, channels, 8, 512, {});
  const Tensor gamma = Tensor::full({channels}, real{1} / channels), pair_tables = quantizer.pair_tables();
  const Tensor target = p.target_channels.slice(0, 0, 1);
  const Tensor asked = target.reshape({channels, dim});
  const auto ours = [&] { index.top(quantizer.asymmetric_table(asked, gamma), top); };
  const auto select = [&](const std::vector<real>& scores) {
    select_top(p.length(), scores.data(), 0, top, p.found.data());
  };
  const std::string work = "top-K by PQ, 4 channels, 8 x 512, tables made";
  lines.push_back(compare(work, "the paper's M^2 look-ups", 20, repeats, ours,
                          [&] { select(quantizer.score_pairs(pair_tables, quantizer.encode(target), codes, gamma)); }));
  lines.push_back(compare(work, "folded look-ups, key after key", 3, repeats, ours,
                          [&] { select(quantizer.scan(quantizer.asymmetric_table(asked, gamma), codes)); }));
}

void faiss_lines(Problem& p, const std::string& rivals, int repeats, std::vector<Line>& lines) {
  const std::string file = (std::filesystem::temp_directory_path() / "seminar-bench-vectors.safetensors").string();
  SafetensorsWriter writer;
  writer.add("keys", p.fused);
  writer.add("targets", p.targets);
  writer.save(file);
  Rival faiss(rivals + "/faiss_rival", fmt::format("'{}' {}", file, top), "OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1");
  if (!faiss.missing()) {
    for (const auto& [method, goal] : {std::pair{"FastScan 64x4 + refine 2", 8.0}, std::pair{"flat", 0.0}}) {
      std::string rest;
      faiss.ask(method, &rest);
      lines.push_back(compare_timed(
          "score + top-K, 8-bit scan, exact second pass", fmt::format("faiss {}", method), goal, repeats,
          [&] { p.by_bytes(p.target()); }, [&, name = method] { return faiss.ask(name); }));
      lines.back().note = "faiss' recall" + rest.substr(0, rest.find('\n'));
    }
  }
  remove_file(file);
}

}  // namespace

std::vector<Line> retrieval_suite(const std::string& rivals, int repeats) {
  const int before = threads();
  set_threads(1);
  openblas_set_num_threads(1);
  std::vector<Line> lines;
  Problem p(10000);
  std::vector<std::vector<real>> exact;  // of so many targets that no branch is remembered
  for (int64_t t = 0; t < targets_measured; ++t) {
    p.by_blas(p.target());
    exact.push_back(p.scores);
  }
  std::size_t turn = 0;
  const auto next = [&] { return exact[turn++ % exact.size()].data(); };
  lines.push_back(compare(
      "top-K itself, L = 10,000, K = 128", "std::nth_element", 15, repeats,
      [&] { select_top(p.length(), next(), 0, top, p.found.data()); }, [&] { p.nth_element(next()); }));
  const std::string work = "score + top-K, 8-bit scan, exact second pass";
  const auto ours = [&] { p.by_bytes(p.target()); };
  lines.push_back(
      compare(work, "OpenBLAS sgemv, our top-K", 3, repeats, ours, [&] { p.by_blas_and_select(p.target()); }));
  lines.back().note = fmt::format("Recall@128 {:.4f}; {}", recall(p, [&](const real* t) { p.by_bytes(t); }),
                                  share_of_reading(p.length() * dim, lines.back().ours));
  lines.push_back(compare(work, "OpenBLAS sgemv, std::nth_element", 6, repeats, ours, [&] {
    p.by_blas(p.target());
    p.nth_element(p.scores.data());
  }));
  quantizer_lines(p, repeats, lines);
  faiss_lines(p, rivals, repeats, lines);
#ifdef SEMINAR_HNSWLIB
  {
    const auto index = hnsw_search(true)->index(p.keys);
    const SearchTarget target{p.target_channels.slice(0, 0, 1).reshape({channels, dim}),
                              Tensor::full({channels}, real{1} / channels)};
    lines.push_back(compare(work, "cascading HNSW (hnswlib)", 10, repeats, ours, [&] { index->top(target, top); }));
  }
#endif
  Problem large(100000);
  lines.push_back(
      compare("the same scan, L = 10,000", "L = 100,000", 11, repeats, ours, [&] { large.by_bytes(large.target()); }));
  lines.back().at_most = true;
  set_threads(before);
  return lines;
}

}  // namespace seminar::bench
