// The reading edition (apps/tour/seminar_from_scratch.cpp) computes what the engine computes: start values, losses over
// 20 steps, retrieved behaviours and codes, from the same seed. And it is one file of at most 1,000 lines that includes
// nothing of ours.
#include <doctest/doctest.h>

#define SEMINAR_FROM_SCRATCH_NO_MAIN
#include "apps/tour/seminar_from_scratch.cpp"
#include "pq/multimodal.h"
#include "seminar/model/seminar_model.h"
#include "tests/model_checks.h"

using namespace seminar;
namespace scratch = from_scratch;

namespace {

constexpr int steps = 20;
constexpr double loss_tolerance = 1e-9;  // both compute in double

ModelSettings model_settings() {
  ModelSettings s = small_settings("lambda", "bag");
  s.lambda = 0.3;
  return s;
}

RunSettings run_settings() {
  RunSettings run = small_run();
  run.dropout = 0;
  return run;
}

scratch::Settings scratch_settings() {
  scratch::Settings s;
  const ModelSettings m = model_settings();
  const RunSettings run = run_settings();
  s.d = static_cast<int>(m.dim), s.heads = static_cast<int>(m.heads), s.hidden = static_cast<int>(m.hidden);
  s.ages = static_cast<int>(m.ages);
  s.chunks = static_cast<int>(run.chunks), s.k = static_cast<int>(run.k), s.lambda = m.lambda;
  return s;
}

std::vector<int> ints(std::span<const int32_t> ids) { return {ids.begin(), ids.end()}; }

scratch::Data scratch_data(const Dataset& data) {
  scratch::Data out;
  for (int64_t u = 0; u < data.users(); ++u) {
    out.user_items.push_back(ints(data.user_items(u)));
    out.user_queries.push_back(ints(data.user_queries(u)));
  }
  for (int32_t i = 0; i <= data.items(); ++i) {
    out.item_words.push_back(ints(data.item_words(i)));
    out.item_attributes.push_back(ints(data.item_attributes(i)));
  }
  for (int32_t q = 0; q < data.queries(); ++q) out.query_words.push_back(ints(data.query_words(q)));
  out.words = static_cast<int>(data.words()), out.attributes = static_cast<int>(data.attributes());
  return out;
}

// A parameter of the engine in the layout of the reading edition: a matrix per head, and linear maps as [in, out].
scratch::Params scratch_layout(const Params& params) {
  scratch::Params out;
  for (const NamedParam& p : params) {
    const Tensor value = p.var.value().contiguous();
    const auto matrix = [&](const std::string& name, int64_t rows, int64_t cols, int64_t offset, bool transposed) {
      scratch::Var m =
          scratch::matrix(static_cast<int>(transposed ? cols : rows), static_cast<int>(transposed ? rows : cols));
      for (int i = 0; i < m->rows; ++i)
        for (int j = 0; j < m->cols; ++j)
          m->row(i)[j] = static_cast<double>(value.data()[offset + (transposed ? j * cols + i : i * cols + j)]);
      out[name] = m;
    };
    const Shape shape = p.var.shape();
    if (shape.rank() == 3)
      for (int64_t h = 0; h < shape[0]; ++h)
        matrix(fmt::format("{}.{}", p.name, h), shape[1], shape[2], h * shape[1] * shape[2], false);
    else if (shape.rank() == 2)
      matrix(p.name, shape[0], shape[1], 0, p.name.ends_with(".weight"));
    else
      matrix(p.name, 1, value.numel(), 0, false);
  }
  return out;
}

void check_equal(const scratch::Params& a, const scratch::Params& b, double tolerance) {
  REQUIRE(a.size() == b.size());
  for (const auto& entry : a) {
    const std::string& name = entry.first;
    const scratch::Var& x = entry.second;
    CAPTURE(name);
    REQUIRE(b.count(name) == 1);
    const scratch::Var& y = b.at(name);
    REQUIRE(x->rows == y->rows);
    REQUIRE(x->cols == y->cols);
    for (std::size_t i = 0; i < x->value.size(); ++i)
      REQUIRE(std::abs(x->value[i] - y->value[i]) <= tolerance * std::max(1.0, std::abs(y->value[i])));
  }
}

// Some training targets for each step.
std::vector<Target> targets_of(const Dataset& data, int step) {
  const std::vector<Target> all = all_targets(data);
  std::vector<Target> some;
  for (std::size_t i = 0; i < 8; ++i) some.push_back(all[(static_cast<std::size_t>(step) * 8 + i) % all.size()]);
  return some;
}

std::vector<scratch::Target> scratch_targets(const std::vector<Target>& targets) {
  std::vector<scratch::Target> out;
  for (const Target& t : targets) out.push_back({t.user, t.position});
  return out;
}

// Trains both for 20 steps on the same batches; `mine` and `theirs` give the losses of a step.
template <class Theirs, class Mine>
void train_both(Model& model, const Dataset& data, const scratch::Params& params, Theirs theirs, Mine mine) {
  const scratch::Data copy = scratch_data(data);
  const RunSettings run = run_settings();
  Adam adam(model.params(), {.lr = 3e-3});
  scratch::Adam other{params, 3e-3};
  double last = 0;
  for (int step = 0; step < steps; ++step) {
    CAPTURE(step);
    const std::vector<Target> targets = targets_of(data, step);
    const Rng rng = Rng(5).split(static_cast<uint64_t>(step));
    const scratch::Rng same = scratch::Rng(5).split(static_cast<uint64_t>(step));
    const Batch batch = make_batch(data, targets, {run.history, run.negatives, run.hide_query}, rng);
    const scratch::Batch drawn = scratch::draw_batch(copy, scratch_targets(targets), static_cast<int>(run.history),
                                                     static_cast<int>(run.negatives), run.hide_query, same);
    REQUIRE(drawn.items == batch.items);
    REQUIRE(drawn.queries == batch.queries);
    const Var loss = theirs(batch, Mode{true, 0, rng});
    const scratch::Var own = mine(copy, drawn, same);
    last = static_cast<double>(loss.value().item());

    CHECK(std::abs(own->value[0] - last) <= loss_tolerance * std::max(1.0, std::abs(last)));
    backward(loss);
    adam.step();
    scratch::backward(own);
    other.step();
  }
}

}  // namespace

TEST_SUITE("from scratch") {
  TEST_CASE("the same seed gives the same start values") {
    const TinyData tiny;
    const scratch::Data copy = scratch_data(tiny.data);
    const Vocabulary vocabulary = Vocabulary::of(tiny.data, model_settings());
    const double tolerance = 0;
    check_equal(scratch::psu_params(copy, scratch_settings(), scratch::Rng(3)),
                scratch_layout(parameters(Psu(model_settings(), vocabulary, Rng(3)))), tolerance);
    check_equal(scratch::seminar_params(copy, scratch_settings(), scratch::Rng(3)),
                scratch_layout(parameters(SeminarModel(model_settings(), vocabulary, Rng(3)))), tolerance);
  }

  TEST_CASE("PSU, then SEMINAR restored from it: the losses of 20 steps each, and the retrieved behaviours") {
    const TinyData tiny;
    const Vocabulary vocabulary = Vocabulary::of(tiny.data, model_settings());
    const RunSettings run = run_settings();
    const scratch::Settings s = scratch_settings();
    const scratch::Data copy = scratch_data(tiny.data);
    Psu psu(model_settings(), vocabulary, Rng(3));
    const scratch::Params psu_params = scratch::psu_params(copy, s, scratch::Rng(3));
    train_both(
        psu, tiny.data, psu_params,
        [&](const Batch& batch, const Mode& mode) { return psu.loss(tiny.data, batch, run, mode, nullptr); },
        [&](const scratch::Data& data, const scratch::Batch& batch, const scratch::Rng& rng) {
          return scratch::psu_loss(psu_params, data, batch, s, rng);
        });

    SeminarModel model(model_settings(), vocabulary, Rng(4));
    model.restore(psu, true);
    scratch::Params params = scratch::seminar_params(copy, s, scratch::Rng(4));
    scratch::restore(psu_params, params);
    train_both(
        model, tiny.data, params,
        [&](const Batch& batch, const Mode& mode) { return model.loss(tiny.data, batch, run, mode, nullptr); },
        [&](const scratch::Data& data, const scratch::Batch& batch, const scratch::Rng&) {
          return scratch::seminar_loss(params, data, batch, s);
        });

    const std::vector<Target> targets = targets_of(tiny.data, 0);
    const Batch batch = make_batch(tiny.data, targets, {run.history, run.negatives, 1}, Rng(9));
    const scratch::Batch drawn = scratch::draw_batch(copy, scratch_targets(targets), static_cast<int>(run.history),
                                                     static_cast<int>(run.negatives), 1, scratch::Rng(9));
    const std::optional<Retrieved> retrieved = model.retrieve(tiny.data, batch, run);
    REQUIRE(retrieved);
    const scratch::Forward forward = scratch::seminar_forward(params, copy, drawn, s);
    REQUIRE(std::ssize(forward.kept) == retrieved->rows());
    for (int64_t n = 0; n < retrieved->rows(); ++n) {
      CAPTURE(n);
      std::vector<int> kept;
      for (int64_t i = 0; i < retrieved->k; ++i)
        if (retrieved->mask.data()[n * retrieved->k + i] != 0)
          kept.push_back(retrieved->positions[n * retrieved->k + i]);
      CHECK(forward.kept[static_cast<std::size_t>(n)] == kept);
    }
    const std::vector<real> scores = model.score(tiny.data, batch, run).to_vector();
    for (std::size_t i = 0; i < scores.size(); ++i)
      CHECK(std::abs(forward.logits->value[i] - static_cast<double>(scores[i])) < loss_tolerance);

    // The channels' codes, by codebooks that the engine trained, and the scores by look-up.
    const int pieces = 2;
    std::vector<ProductQuantizer> quantizers;
    std::vector<scratch::Codebook> codebooks;
    std::vector<Tensor> channels;
    for (const scratch::Var& x : {forward.channels.query, forward.channels.item[0], forward.channels.item[1]}) {
      Tensor t = Tensor::empty({x->rows, x->cols});
      for (int64_t i = 0; i < t.numel(); ++i) t.write()[i] = static_cast<real>(x->value[static_cast<std::size_t>(i)]);
      quantizers.push_back(ProductQuantizer::train(t, pieces, {.clusters = 4, .iterations = 5, .seed = 1}));
      channels.push_back(t);
      scratch::Codebook codebook;
      const Tensor books = quantizers.back().codebooks();
      for (int64_t b = 0; b < pieces; ++b) {
        scratch::Var part = scratch::matrix(4, static_cast<int>(books.size(2)));
        for (int64_t i = 0; i < 4 * books.size(2); ++i)
          part->value[static_cast<std::size_t>(i)] = static_cast<double>(books.data()[b * 4 * books.size(2) + i]);
        codebook.push_back(part);
      }
      codebooks.push_back(codebook);
      const std::vector<int> codes = scratch::quantize(x, codebook);
      const std::vector<ProductQuantizer::Code> theirs = quantizers.back().encode(t);
      CHECK(codes == std::vector<int>(theirs.begin(), theirs.end()));
    }
    const MultimodalQuantizer quantizer(quantizers);
    Rng draw(8);
    const Tensor target = Tensor::normal({model_settings().dim}, draw), table = quantizer.channel_table(target);
    std::vector<double> q;
    for (const real v : target.to_vector()) q.push_back(static_cast<double>(v));
    for (int64_t j = 0; j < 3; ++j) {
      const std::vector<scratch::Row> own = scratch::score_table(q.data(), codebooks[static_cast<std::size_t>(j)]);
      for (int64_t b = 0; b < pieces; ++b)
        for (int64_t c = 0; c < 4; ++c)
          CHECK(own[static_cast<std::size_t>(b)][static_cast<std::size_t>(c)] ==
                doctest::Approx(static_cast<double>(table.at({j, b, c}))).epsilon(loss_tolerance));
    }
  }

  TEST_CASE("k-means by itself: every centroid is the mean of its points") {
    scratch::Var points = scratch::matrix(60, 2);
    scratch::Rng rng(1);
    for (double& v : points->value) v = rng.normal();
    const scratch::Codebook codebook = scratch::train_codebook(points, 1, 4, scratch::Rng(2));
    const std::vector<int> codes = scratch::quantize(points, codebook);
    for (int c = 0; c < 4; ++c) {
      double sum = 0;
      int count = 0;
      for (int n = 0; n < 60; ++n)
        if (codes[static_cast<std::size_t>(n)] == c) sum += points->row(n)[0], ++count;
      if (count > 0) CHECK(codebook[0]->row(c)[0] == doctest::Approx(sum / count).epsilon(0.05).scale(1));
    }
  }

  TEST_CASE("one file of at most 1,000 lines, without an include of ours") {
    const std::string text = read_file(SEMINAR_SOURCE_DIR "/apps/tour/seminar_from_scratch.cpp");
    CHECK(std::count(text.begin(), text.end(), '\n') <= 1000);
    CHECK(text.find("#include \"") == std::string::npos);
    for (const char* other : {"seminar/", "tensor/", "fmt/", "cblas"})
      CHECK(text.find(fmt::format("#include <{}", other)) == std::string::npos);
  }
}
