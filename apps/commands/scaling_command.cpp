// seminar scaling
#include <fmt/format.h>

#include "apps/cli.h"
#include "apps/commands/world.h"
#include "seminar/distributed/scaling.h"
#include "tensor/error.h"
#include "tensor/io/print.h"

namespace seminar {
namespace {

struct ScalingArguments {
  StepModel model{.target = 1, .update = 1, .latency = 20, .bandwidth = 1.25, .dense = 100000, .rows = 100};
  double batch = 256;
  bool fixed = false;
  std::vector<int64_t> ranks{1, 2, 4, 10, 100, 1000};
};

void run(ScalingArguments& a) {
  if (world().size() > 1) {
    const Network n = measure_network(world());
    if (leads())
      print_out("{} ranks: {:.2f} µs a message, {:.2f} GB/s a rank\n", world().size(), 1e6 * n.latency,
                1e-9 * n.bandwidth);
    return;
  }
  StepModel m = a.model;
  m.target *= 1e-3;
  m.update *= 1e-3;
  m.latency *= 1e-6;
  m.bandwidth *= 1e9;
  check(m.bandwidth > 0 && a.batch > 0, "--bandwidth, --batch: must be above 0");
  print_out("{:>23} {:^53}   {:^50}\n{:>6} {:>8} {:>7}", "", "tables on every rank", "tables sharded by id", "ranks",
            "batch", "compute");
  for (int i = 0; i < 2; ++i)
    print_out(" {:>7} {:>9} {:>9} {:>9} {:>5} {:>8}", "dense", "rows", "step ms", "MB sent", "eff.", "GB");
  print_out("\n");
  for (const int64_t ranks : a.ranks) {
    const double n = static_cast<double>(ranks), batch = a.fixed ? a.batch : a.batch * n;
    for (const bool sharded : {false, true}) {
      const StepTime t = predict(m, ranks, batch, sharded), one = predict(m, 1, a.batch, sharded);
      if (!sharded) print_out("{:>6} {:>8.0f} {:>7.1f}", ranks, batch, 1e3 * t.compute);
      print_out(" {:>7.1f} {:>9.1f} {:>9.1f} {:>9.2f} {:>5.2f} {:>8.2f}", 1e3 * t.dense, 1e3 * t.rows, 1e3 * t.total(),
                1e-6 * t.bytes, batch / a.batch * one.total() / t.total() / n, 1e-9 * t.memory);
    }
    print_out("\n");
  }
}

}  // namespace

void add_scaling_command(CLI::App& app) {
  const auto a = std::make_shared<ScalingArguments>();
  CLI::App* command = app.add_subcommand(
      "scaling", "Predict the time of a step on N machines; under mpirun measure the messages between them");
  const auto option = [&](const char* name, auto& value, const char* help) {
    return add_option(*command, name, value, help, from_0);
  };
  option("--compute", a->model.target, "ms of one target on a rank, from 'train --stats'");
  option("--update", a->model.update, "ms of a step's update, from the same");
  option("--dense", a->model.dense, "numbers of dense gradients, from the same");
  option("--buckets", a->model.buckets, "buckets they go in");
  option("--rows", a->model.rows, "distinct rows of embedding tables a target");
  option("--width", a->model.width, "numbers of a row");
  option("--table", a->model.table, "rows of all tables");
  option("--latency", a->model.latency, "µs of a message");
  option("--bandwidth", a->model.bandwidth, "GB/s of a rank");
  option("--batch", a->batch, "targets of a rank's part of a batch");
  option("--cores", a->model.cores, "cores that all ranks share (0: each has its own)");
  command->add_flag("--fixed-batch", a->fixed, "--batch is the whole batch, shared by the ranks");
  add_option(*command, "--ranks", a->ranks, "numbers of ranks", from_1);
  command->footer("Example:\n  seminar scaling --compute 1.2 --ranks 1,2,4,8");
  command->callback([a] { run(*a); });
}

}  // namespace seminar
