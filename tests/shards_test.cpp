// Batches cut into shards: whose targets they are, what their gradients sum to, and training with them. As one rank;
// tests/mpi_test.cpp has several.
#include <doctest/doctest.h>

#include <set>

#include "seminar/distributed/gradient_sum.h"
#include "seminar/distributed/scaling.h"
#include "tensor/rows.h"
#include "tests/model_checks.h"

using namespace seminar;

namespace {

// One of several ranks, of which the others agree to nothing or to all.
struct OneOf : Communicator {
  OneOf(int64_t rank, int64_t size, char others = 1) : rank_(rank), size_(size), others_(others) {}
  int64_t rank() const override { return rank_; }
  int64_t size() const override { return size_; }
  std::vector<std::string> all_gather(std::string_view mine) override {
    std::vector<std::string> all(static_cast<std::size_t>(size_), std::string(1, others_));
    all[static_cast<std::size_t>(rank_)] = mine;
    return all;
  }
  std::vector<std::string> all_to_all(std::span<const std::string> parts) override {
    return {parts.begin(), parts.end()};
  }
  int64_t start_all_to_all(const void*, void*, int64_t) override { return 0; }
  int64_t start_all_gather(void*, int64_t) override { return 0; }
  void wait(int64_t) override {}
  void progress() override {}

 private:
  int64_t rank_, size_;
  char others_;
};

}  // namespace

TEST_SUITE("shards") {
  TEST_CASE("shards have every target once between them, each user in one, and about as many each") {
    const TinyData tiny;
    for (const int64_t shards : {1, 2, 4, 16}) {
      const EpochTargets epoch(tiny.data, 5, 16, 6, Rng(2));
      const EpochShards parts(epoch, shards);
      std::set<std::pair<int32_t, int32_t>> seen;
      std::map<int32_t, int64_t> shard_of;
      int64_t all = 0;
      for (int64_t i = 0; i < parts.batches(); ++i) {
        int64_t rows = 0;
        for (int64_t s = 0; s < shards; ++s) {
          const std::vector<Target> part = parts(i, s);
          CHECK(std::ssize(part) <= 16 / shards);
          rows += std::ssize(part);
          for (const Target& t : part) {
            CHECK(seen.insert({t.user, t.position}).second);
            CHECK(shard_of.try_emplace(t.user, s).first->second == s);
          }
        }
        CHECK(rows == parts.rows(i));
        all += rows;
      }
      CHECK(all == epoch.size());
      CHECK(std::ssize(seen) == epoch.size());
      if (shards == 1)
        for (int64_t i = 0; i < epoch.batches(); ++i) CHECK(parts.rows(i) == std::ssize(epoch(i)));
      for (int64_t s = 0; s < shards; ++s)
        CHECK(std::abs(epoch.shard(s, shards).size() - epoch.size() / shards) <= 5);  // a user's targets
    }
    const EpochTargets odd(tiny.data, 0, 6, 6, Rng(2));
    CHECK_THROWS_WITH_AS(odd.shard(0, 4), "targets: shard 0 of 4 in batches of 6", Error);
  }

  TEST_CASE("the weighted gradients of shards are the gradient of the batch") {
    const TinyData tiny;
    RunSettings run = small_run();
    run.hide_query = 0;
    const auto model = small_model("seminar", tiny.data, small_settings());
    const Params params = model->params();
    const std::vector<Target> targets = all_targets(tiny.data);
    const auto loss = [&](std::size_t begin, std::size_t end) {
      const Batch batch =
          make_batch(tiny.data, std::span(targets).subspan(begin, end - begin), {run.history, 2, 0}, Rng(2));
      return model->loss(tiny.data, batch, run, Mode(), nullptr);
    };
    const auto gradients = [&] {
      std::map<std::string, Tensor> all;
      for (const NamedParam& p : params) {
        const Tensor gradient = dense_gradient(p.var);
        if (gradient.defined()) all[p.name] = gradient;
      }
      zero_grad(params);
      return all;
    };
    GradientSum whole(params, 1, alone());
    whole.backward(loss(0, targets.size()), 1);
    whole.finish();
    const auto expected = gradients();
    GradientSum sum(params, 4, alone());
    const std::size_t cuts[] = {0, 7, 7, 40, targets.size()};
    for (int s = 0; s < 4; ++s) {
      if (cuts[s] == cuts[s + 1])
        sum.skip();
      else
        sum.backward(loss(cuts[s], cuts[s + 1]),
                     static_cast<double>(cuts[s + 1] - cuts[s]) / static_cast<double>(targets.size()));
    }
    sum.finish();
    const auto found = gradients();
    REQUIRE(found.size() == expected.size());
    for (const auto& gradient : expected) {
      CAPTURE(gradient.first);
      REQUIRE(found.count(gradient.first) == 1);
      check_close(found.at(gradient.first), gradient.second);
    }
  }

  TEST_CASE("training with shards goes on where it stopped") {
    const TinyData tiny;
    RunSettings run = small_run();
    run.shards = 4;
    run.dropout = 0.3;
    for (const char* kind : {"psu", "seminar"}) {
      CAPTURE(kind);
      const auto train_until = [&](int64_t stop, bool resume) {
        const auto model = small_model(kind, tiny.data, small_settings());
        TrainOptions options;
        options.checkpoint = tiny.folder / "c";
        options.resume = resume;
        options.progress = [&](const TrainProgress& p) { return p.step != stop; };
        train(*model, tiny.data, run, options);
        std::vector<real> all;
        for (const NamedParam& p : model->params()) {
          const std::vector<real> values = p.var.value().to_vector();
          all.insert(all.end(), values.begin(), values.end());
        }
        return all;
      };
      const std::vector<real> straight = train_until(0, false);
      train_until(7, false);
      CHECK(train_until(0, true) == straight);
    }
  }

  TEST_CASE("ranks share work by whole blocks, and go on only if all agree") {
    // Borders of the shares of 10 things in blocks of 4, which are 3, the last of 2.
    const std::vector<std::vector<int64_t>> borders{{0, 10}, {0, 4, 10}, {0, 4, 8, 10}, {0, 0, 4, 8, 10}};
    for (const std::vector<int64_t>& border : borders)
      for (std::size_t r = 0; r + 1 < border.size(); ++r) {
        const OneOf world(static_cast<int64_t>(r), std::ssize(border) - 1);
        const Share share = share_of(world, 10, 4);
        CHECK(share.begin == border[r]);
        CHECK(share.end == border[r + 1]);
        CHECK(share_of(world, 0, 4).end == 0);
      }
    for (const char others : {0, 1})
      for (const bool mine : {false, true}) {
        OneOf world(1, 3, others);
        CHECK(all_agree(world, mine) == (mine && others == 1));
      }
    CHECK(all_agree(alone(), true));
    CHECK_FALSE(all_agree(alone(), false));
  }

  TEST_CASE("the model of a step: one rank sends nothing, more send what GradientSum sends") {
    const StepModel m{.target = 1e-3,
                      .update = 2e-3,
                      .latency = 1e-6,
                      .bandwidth = 1e9,
                      .dense = 1000,
                      .rows = 2,
                      .width = 5,
                      .table = 400};
    const StepTime one = predict(m, 1, 100, false);
    CHECK(one.bytes == 0);
    CHECK(one.total() == doctest::Approx(0.102));
    // Four ranks, 25 targets and 50 rows of 24 bytes each, 200 rows in all.
    const StepTime four = predict(m, 4, 100, false), sharded = predict(m, 4, 100, true);
    const double dense = 2 * 3 / 4.0 * 4000;
    CHECK(four.bytes == doctest::Approx(dense + 50 * 0.75 * 24 + 3 * 50 * 24));
    CHECK(four.total() == doctest::Approx(0.027 + four.bytes * 1e-9 + (6 + 12) * 1e-6));
    CHECK(sharded.bytes == doctest::Approx(dense + 50 * 0.75 * (4 + 48)));
    CHECK(four.memory == 4 * sharded.memory);
    CHECK(predict(m, 4, 10000, false).bytes == doctest::Approx(dense + 400 * 0.75 * 24 + 3 * 100 * 24));  // all rows
    StepModel two_cores = m;
    two_cores.cores = 2;
    CHECK(predict(two_cores, 4, 100, false).compute == doctest::Approx(0.054));
  }

  TEST_CASE("shards are a power of two that divides the batch") {
    RunSettings run;
    run.shards = 3;
    CHECK_THROWS_WITH_AS(check_settings(run), "--shards: must be a power of two: 3", Error);
    run.shards = 8;
    run.batch = 12;
    CHECK_THROWS_WITH_AS(check_settings(run), "--shards: must divide --batch 12: 8", Error);
    run.batch = 16;
    check_settings(run);
  }
}
