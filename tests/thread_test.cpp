// What runs in threads of its own, without OpenMP, whose runtime ThreadSanitizer does not know: the batch loader, the
// memory pool, shared tensors. Built with -DSEMINAR_SANITIZE=thread by tests/sanitize.sh.
#include <doctest/doctest.h>

#include <thread>

#include "autograd/ops.h"
#include "seminar/data/batch.h"
#include "tensor/parallel.h"
#include "tensor/pool.h"
#include "tests/tiny_data.h"

using namespace seminar;

TEST_SUITE("threads") {
  TEST_CASE("batches made ahead: in order, with an error, dropped at any time") {
    set_threads(1);
    const TinyData tiny;
    const EpochTargets epoch(tiny.data, 0, 4, 6, Rng(2));
    const auto make = [&](int64_t i) { return make_batch(tiny.data, epoch(i), {6, 3, 0.5}, Rng(2)); };
    for (int64_t taken = 0; taken <= epoch.batches(); ++taken) {
      BatchLoader loader(epoch.batches(), make);
      for (int64_t i = 0; i < taken; ++i) {
        const auto batch = loader.next();
        REQUIRE(batch.has_value());
        CHECK(batch->items == make(i).items);
      }
      if (taken == epoch.batches()) CHECK(!loader.next().has_value());
    }
    for (int64_t bad = 0; bad < 4; ++bad) {
      BatchLoader loader(4, [&](int64_t i) {
        check(i != bad, "batch {} is bad", i);
        return make(i);
      });
      for (int64_t i = 0; i < bad; ++i) CHECK(loader.next().has_value());
      CHECK_THROWS_AS(loader.next(), Error);
    }
  }

  TEST_CASE("tensors, the pool and graphs from several threads at once") {
    set_threads(1);
    const Tensor shared = Tensor::full({100, 10}, 2);
    std::vector<std::thread> threads;
    std::vector<real> sums(4);
    for (std::size_t t = 0; t < sums.size(); ++t)
      threads.emplace_back([&, t] {
        for (int round = 0; round < 50; ++round) {
          const Var x = Var::leaf(Tensor::full({100, 10}, static_cast<real>(t)));
          const Var loss = sum(x * shared);
          backward(loss);
          sums[t] = sum(x.grad()).value().item() + loss.value().item();
          if (round % 10 == 0) pool::trim();
        }
      });
    for (std::thread& thread : threads) thread.join();
    for (std::size_t t = 0; t < sums.size(); ++t) CHECK(sums[t] == 2000 + 2000 * static_cast<real>(t));
  }
}
