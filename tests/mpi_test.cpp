// Run by mpirun as 2 and 4 ranks: what one rank computes alone, the ranks must compute together, bit for bit. Every
// rank does both and compares.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <filesystem>
#include <set>

#include "apps/commands/world.h"
#include "seminar/distributed/gradient_sum.h"
#include "tests/model_checks.h"

using namespace seminar;

namespace {

constexpr int64_t shards = 4;

std::vector<real> values(const Params& params) {
  std::vector<real> all;
  for (const NamedParam& p : params) {
    const std::vector<real> own = p.var.value().to_vector();
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

std::vector<real> gradients(const Params& params) {
  clip_grad_norm(params, 1e9);  // one list of rows a table, by id
  std::vector<real> all;
  for (const NamedParam& p : params) {
    all.push_back(p.var.grad().defined() ? 1 : 0);
    if (p.var.grad().defined()) {
      const std::vector<real> own = p.var.grad().to_vector();
      all.insert(all.end(), own.begin(), own.end());
    }
    for (const SparseGradient& g : p.var.sparse_grads()) {
      all.insert(all.end(), g.ids.span().begin(), g.ids.span().end());
      const std::vector<real> own = g.rows.to_vector();
      all.insert(all.end(), own.begin(), own.end());
    }
  }
  return all;
}

// Two dense parameters, one of which only shard 1 uses, one that nobody uses, and a table of which every shard reads
// rows of its own and one in common.
struct Toy {
  Param weight{randn({3, 5}, 1)}, rare{randn({5}, 2)}, idle{randn({2}, 3)}, table{randn({40, 5}, 4), true};
  Params params{{"weight", weight}, {"rare", rare}, {"idle", idle}, {"table", table}};
  static std::vector<int32_t> ids(int64_t shard) {
    const int32_t s = static_cast<int32_t>(shard);
    return {7, s, 39 - 5 * s, 7, 20 + s};
  }
  Var loss(int64_t shard) const {
    const Var rows = embedding(table, Ids(ids(shard)));
    Var y = mean(matmul_transposed(rows * rows, weight));
    return shard == 1 ? y + mean(rows * rare) : y;
  }
  std::vector<real> sum(Communicator& ranks) const {
    GradientSum total(params, shards, ranks);
    sum(total, ranks);
    return gradients(params);
  }
  // Shard 2 has no targets.
  void sum(GradientSum& total, Communicator& ranks) const {
    const int64_t own = shards / ranks.size();
    for (int64_t s = ranks.rank() * own; s < (ranks.rank() + 1) * own; ++s) {
      if (s == 2)
        total.skip();
      else
        total.backward(loss(s), 0.1 * static_cast<double>(s + 1));
    }
    total.finish();
  }
};

RunSettings sharded_run() {
  RunSettings run = small_run();
  run.shards = shards;
  run.dropout = 0.3;
  return run;
}

struct Trained {
  std::vector<double> losses;  // of every part of every step, and the validation metrics
  std::vector<real> parameters;
  std::vector<StepTotals> totals;
};

// Trains as the ranks of `ranks` until `stop` (0: to the end), where rank `stopper` says so.
Trained trained(const std::string& kind, const Dataset& data, Communicator& ranks, const std::string& checkpoint = "",
                int64_t stop = 0, bool resume = false) {
  const auto model = small_model(kind, data, small_settings());
  Trained out;
  TrainOptions options;
  options.world = &ranks;
  options.checkpoint = checkpoint;
  options.resume = resume;
  options.progress = [&](const TrainProgress& p) {
    for (const LossPart& part : p.loss) out.losses.push_back(part.value);
    if (p.valid) out.losses.push_back(p.valid->ndcg10);
    out.totals.push_back(p.totals);
    return p.step != stop || ranks.rank() != ranks.size() - 1;  // one rank is enough
  };
  const TrainReport report = train(*model, data, sharded_run(), options);
  CHECK(report.stopped == (stop != 0));
  out.parameters = values(model->params());
  return out;
}

// A file name that all ranks have in common.
std::string common(const std::string& path) { return world().all_gather(path)[0]; }

}  // namespace

TEST_SUITE("mpi") {
  TEST_CASE("what ranks tell each other arrives, and its bytes are counted") {
    Communicator& ranks = world();
    const int64_t n = ranks.size(), me = ranks.rank();
    int64_t before = ranks.sent();
    const std::string mine(static_cast<std::size_t>(me), 'x');
    const std::vector<std::string> all = ranks.all_gather(mine);
    for (int64_t r = 0; r < n; ++r) CHECK(std::ssize(all[static_cast<std::size_t>(r)]) == r);
    CHECK(ranks.sent() - before == (n - 1) * (me + 8));
    before = ranks.sent();
    std::vector<std::string> parts;
    for (int64_t r = 0; r < n; ++r) parts.push_back(fmt::format("{} to {}", me, r));
    const std::vector<std::string> got = ranks.all_to_all(parts);
    for (int64_t r = 0; r < n; ++r) CHECK(got[static_cast<std::size_t>(r)] == fmt::format("{} to {}", r, me));
    CHECK(ranks.sent() - before == (n - 1) * (6 + 8));
    CHECK(all_agree(ranks, true));
    CHECK(!all_agree(ranks, me != 1));
    const Share share = share_of(ranks, 1000, 64);
    const std::vector<int64_t> borders = all_gather(ranks, std::span(&share.begin, 1));
    CHECK(share.begin % 64 == 0);
    CHECK((me + 1 < n ? borders[static_cast<std::size_t>(me) + 1] : 1000) == share.end);
  }

  TEST_CASE("gradients have the bits that one rank sums alone, and cost the bytes of the formula") {
    const Toy toy;
    const std::vector<real> together = toy.sum(world());
    zero_grad(toy.params);
    CHECK(together == toy.sum(alone()));
    zero_grad(toy.params);

    const int64_t n = world().size(), me = world().rank();
    GradientSum total(toy.params, shards, world());
    // All but the table: 15 + 5 + 2 numbers and a flag each, filled up to a multiple of N.
    const int64_t dense = (22 + 3 + n - 1) / n * n;
    CHECK(total.dense_numbers() == dense);
    toy.sum(total, world());
    CHECK(total.dense_bytes() == 2 * (n - 1) * dense / n * int64_t{sizeof(real)});
    std::set<int32_t> own, owned;  // ids of this rank's shards; ids of all shards that belong to this rank
    for (int64_t s = 0; s < shards; ++s)
      for (const int32_t id : Toy::ids(s)) {
        if (s == 2) continue;
        if (s / (shards / n) == me) own.insert(id);
        if (id % n == me) owned.insert(id);
      }
    const int64_t away = std::count_if(own.begin(), own.end(), [&](int32_t id) { return id % n != me; });
    const int64_t row = 4 + 5 * int64_t{sizeof(real)}, lengths = (n - 1) * 2 * (8 + 8);
    CHECK(total.row_bytes() == lengths + row * (away + (n - 1) * std::ssize(owned)));
    zero_grad(toy.params);
  }

  TEST_CASE("dense gradients hold no embedding table") {
    const TinyData tiny;
    for (const char* kind : {"psu", "seminar"}) {
      const auto model = small_model(kind, tiny.data, small_settings());
      int64_t numbers = 0, tables = 0;
      for (const NamedParam& p : model->params()) {
        const bool table = p.name.ends_with("words.table") || p.name.ends_with("attributes.table") ||
                           p.name.ends_with("item_ids.table");
        CHECK(p.var.is_sparse() == table);
        tables += table;
        if (!table) numbers += p.var.value().numel() + 1;
      }
      CHECK(tables == 3);
      const int64_t dense = GradientSum(model->params(), shards, world()).dense_numbers();
      CHECK(dense >= numbers);
      CHECK(dense < numbers + world().size());  // one bucket
    }
  }

  TEST_CASE("PSU and CTR training: every loss, metric and parameter has the bits of one rank") {
    const TinyData tiny;
    for (const char* kind : {"psu", "seminar", "mean_pool", "sasrec"}) {
      CAPTURE(kind);
      const Trained together = trained(kind, tiny.data, world()), one = trained(kind, tiny.data, alone());
      CHECK(together.losses.size() > 20);
      CHECK(together.losses == one.losses);
      CHECK(together.parameters == one.parameters);
      const StepTotals& t = together.totals.back();
      const int64_t n = world().size();
      CHECK(t.dense_bytes == t.steps * 2 * (n - 1) * t.dense_numbers / n * int64_t{sizeof(real)});
      CHECK(t.row_bytes > 0);
      // To each other rank: the losses, 8 bytes of length and 104 for each own shard, and after all steps before this
      // one whether to go on, 8 and 1.
      CHECK(t.other_bytes == (n - 1) * (t.steps * (8 + 104 * shards / n) + (t.steps - 1) * (8 + 1)));
      CHECK(one.totals.back().dense_bytes + one.totals.back().row_bytes + one.totals.back().other_bytes == 0);
    }
  }

  TEST_CASE("a checkpoint of N ranks goes on with one, and one of one rank with N") {
    const TinyData tiny;
    const TemporaryFolder own;
    const std::string shared = common(own / "checkpoint"), mine = own / "alone";
    for (const char* kind : {"psu", "seminar"}) {
      CAPTURE(kind);
      const std::vector<real> straight = trained(kind, tiny.data, alone()).parameters;
      trained(kind, tiny.data, world(), shared, 7);
      all_agree(world(), true);  // rank 0 has written it
      CHECK(trained(kind, tiny.data, world(), shared, 0, true).parameters == straight);
      trained(kind, tiny.data, world(), shared, 7);
      all_agree(world(), true);
      std::filesystem::copy_file(shared, mine, std::filesystem::copy_options::overwrite_existing);
      all_agree(world(), true);
      CHECK(trained(kind, tiny.data, alone(), mine, 0, true).parameters == straight);
      if (world().rank() == 0) trained(kind, tiny.data, alone(), shared, 7);
      all_agree(world(), true);
      CHECK(trained(kind, tiny.data, world(), shared, 0, true).parameters == straight);
    }
    all_agree(world(), true);  // before rank 0's folder goes
  }

  TEST_CASE("evaluation shares the users and finds what one rank finds") {
    const TinyData tiny;
    const auto model = small_model("seminar", tiny.data, small_settings());
    RunSettings run = small_run();
    for (const int64_t negatives : {9, 0}) {
      run.eval_negatives = negatives;
      EvaluationOptions options;
      const UserRanks one = rank_users(*model, tiny.data, run, options);
      options.world = &world();
      const UserRanks together = rank_users(*model, tiny.data, run, options);
      CHECK(together.users == one.users);
      CHECK(together.ranks == one.ranks);
      CHECK(together.auc == one.auc);
    }
  }

  TEST_CASE("shards that ranks cannot share are refused") {
    const Toy toy;
    CHECK_THROWS_WITH_AS(GradientSum(toy.params, 1, world()), doctest::Contains("--shards 1: cannot be shared"), Error);
  }
}

int main(int argc, char** argv) {
  join_world();
  doctest::Context context(argc, argv);
  const int failed = context.run();
  if (failed == 0)
    leave_world();
  else
    abort_world(failed);
  return failed;
}
