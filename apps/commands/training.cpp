#include "apps/commands/training.h"

#include <fmt/format.h>

#include "apps/cli.h"
#include "apps/commands/step_log.h"
#include "apps/commands/training_log.h"
#include "apps/commands/world.h"
#include "seminar/retrieval/batch_retriever.h"
#include "seminar/training/model_file.h"
#include "tensor/pool.h"

namespace seminar {

void use_gsu(Model& model, const Dataset& data, const RunSettings& run, const std::string& index) {
  if (run.gsu == "exact") return;
  SeminarModel* seminar = dynamic_cast<SeminarModel*>(&model);
  check(seminar, "--gsu {}: a {} model has no GSU", run.gsu, model.kind());
  seminar->set_retriever(make_batch_retriever(run.gsu, *seminar, data, index, static_cast<uint64_t>(run.seed)));
}

void add_memory_limit(CLI::App& command, int64_t& bytes) {
  add_size(command, "--max-memory", bytes,
           "refuse what would need more memory for tensors, such as 800M or 2G (0: no limit)");
}

void limit_memory(int64_t limit, const MemoryEstimate& estimate, const std::string& what) {
  if (limit == 0) return;
  const auto mebibytes = [](int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  check(
      estimate.total() <= limit,
      "--max-memory {:.1f} MiB: {} needs about {:.1f} MiB, {:.1f} of them for parameters: lower --batch, --history or "
      "--dim",
      mebibytes(limit), what, mebibytes(estimate.total()), mebibytes(estimate.parameters));
  pool::set_limit(limit);
}

namespace {

// Where a rank's time went and what it sent, a step.
std::string stats_line(const StepTotals& t) {
  const double steps = static_cast<double>(t.steps), ms = 1e3 / steps;
  const auto each = [&](int64_t all) { return static_cast<double>(all) / steps; };
  return fmt::format(
      "{} of {} ranks, {} steps: {:.2f} ms a step (compute {:.2f}, exchange {:.2f}, update {:.2f}), {:.1f} bytes a "
      "step sent (dense {:.1f} of {} numbers, rows {:.1f} of {:.1f} rows, losses {:.1f})",
      world().rank(), world().size(), t.steps, ms * (t.compute + t.exchange + t.update), ms * t.compute,
      ms * t.exchange, ms * t.update, each(t.dense_bytes + t.row_bytes + t.other_bytes), each(t.dense_bytes),
      t.dense_numbers, each(t.row_bytes), each(t.rows), each(t.other_bytes));
}

}  // namespace

TrainReport train_shown(const std::string& label, Model& model, const Dataset& data, const RunSettings& run,
                        const CheckpointArguments& checkpoint) {
  Progress progress(label, "targets", !leads());
  TrainingLog log(checkpoint.log, checkpoint.resume);
  std::optional<EventFile> events;
  std::optional<CsvLog> csv;
  if (leads() && !checkpoint.tensorboard.empty()) events.emplace(checkpoint.tensorboard);
  if (leads() && !checkpoint.step_log.empty()) csv.emplace(checkpoint.step_log, checkpoint.resume);
  TrainOptions options;
  options.checkpoint = checkpoint.file;
  options.checkpoint_every = checkpoint.every;
  options.resume = checkpoint.resume;
  options.world = &world();
  options.progress = [&](const TrainProgress& p) {
    std::string text;  // the mean over the epoch: one batch's loss says little
    for (const LossPart& part : p.epoch_loss)
      text += fmt::format("{}{} {:.4f}", text.empty() ? "" : " ", part.name, part.value);
    progress.update(p.step, p.steps, p.targets, text);
    log.add(p, progress.seconds());
    Scalars scalars{{"targets_per_second", static_cast<double>(p.targets) / std::max(progress.seconds(), 1e-9)}};
    for (const LossPart& part : p.loss) scalars.emplace_back(fmt::format("loss/{}", part.name), part.value);
    if (csv) csv->add(p.step, scalars);
    if (p.valid) {
      scalars.emplace_back("valid/ndcg@10", p.valid->ndcg10);
      for (const auto& [name, value] : log.last()->loss) scalars.emplace_back("epoch_loss/" + name, value);
    }
    if (events) events->add(p.step, scalars);
    if (p.valid) {
      std::string means;  // of the whole epoch, as the log and the report have them
      for (const auto& [name, value] : log.last()->loss) means += fmt::format("  {} {:.4f}", name, value);
      progress.note(fmt::format("{}  epoch {}/{}{}  valid NDCG@10 {:.4f}  {}", label, p.epoch, p.epochs, means,
                                p.valid->ndcg10, duration(progress.seconds())));
    }
    if (p.valid && checkpoint.stats) progress.note(fmt::format("{}  rank {}", label, stats_line(p.totals)));
    return !interrupted();
  };
  if (run.gsu != "exact") options.refresh = [&] { use_gsu(model, data, run, ""); };
  const TrainReport report = train(model, data, run, options);
  if (report.stopped) {
    progress.note(checkpoint.file.empty()
                      ? fmt::format("interrupted after step {}", report.steps)
                      : fmt::format("interrupted after step {}; go on with --resume", report.steps));
    all_agree(world(), true);  // rank 0 has saved before any goes
    throw Interrupted{};
  }
  return report;
}

}  // namespace seminar
