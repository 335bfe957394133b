#include "seminar/trainer.h"

#include <algorithm>
#include <cmath>

#include "nn/optim.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr double max_gradient_norm = 5;
constexpr double warmup_share = 0.05;

std::vector<Tensor> snapshot(const Params& params) {
  std::vector<Tensor> values;
  for (const NamedParam& p : params) values.push_back(p.var.value().clone());
  return values;
}

void put_back(const std::vector<Tensor>& values, const Params& params) {
  for (std::size_t i = 0; i < params.size(); ++i) {
    Tensor target = params[i].var.value();
    std::copy_n(values[i].data(), values[i].numel(), target.write());
  }
}

}  // namespace

TrainReport train(Model& model, const Dataset& data, const RunSettings& run,
                  const std::function<bool(const TrainProgress&)>& progress, const std::function<void()>& refresh) {
  if (run.freeze == "text") model.freeze_text(data);
  const Params params = model.params();
  AdamOptions adam_options;
  adam_options.lr = run.lr;
  adam_options.weight_decay = run.weight_decay;
  Adam adam(params, adam_options);
  const Rng rng = Rng(static_cast<uint64_t>(run.seed)).split("train");
  const BatchOptions batch_options{run.history, run.negatives, run.hide_query, run.negative_queries == "own", false};
  TrainReport report;
  std::vector<Tensor> best;
  TrainProgress now;
  now.epochs = run.epochs;
  for (int64_t epoch = 0; epoch < run.epochs && !report.stopped; ++epoch) {
    const Rng epoch_rng = rng.split(static_cast<uint64_t>(epoch));
    const EpochTargets targets(data, run.targets, run.batch, run.history, epoch_rng.split("targets"), run.window);
    check(targets.size() > 0, "train: no user has a training target: every history is shorter than 4 actions");
    now.epoch = epoch + 1;
    if (refresh) refresh();
    now.steps = targets.batches() * run.epochs;
    BatchLoader loader(targets.batches(), [&](int64_t i) {
      return make_batch(data, targets(i), batch_options, epoch_rng.split("negatives"));
    });
    while (const std::optional<Batch> next = loader.next()) {
      const Batch& batch = *next;
      const Mode mode{true, run.dropout, rng.split("dropout").split(static_cast<uint64_t>(report.steps))};
      now.loss = {{"loss", 0}};
      const Var loss = model.loss(data, batch, run, mode, &now.loss);
      now.loss[0].value = loss.value().item();
      check(std::isfinite(now.loss[0].value), "train: the loss is {} in epoch {}, step {}: lower --lr",
            now.loss[0].value, epoch + 1, report.steps + 1);
      backward(loss);
      clip_grad_norm(params, max_gradient_norm);
      adam.set_lr(run.lr * cosine_schedule(report.steps,
                                           static_cast<int64_t>(warmup_share * static_cast<double>(now.steps)) + 1,
                                           now.steps));
      adam.step();
      now.step = ++report.steps;
      now.targets = report.targets += batch.size();
      now.valid.reset();
      if (report.steps == (epoch + 1) * targets.batches()) {
        if (refresh) refresh();
        now.valid = evaluate(model, data, run, {Split::valid, false});
        if (best.empty() || run.keep == "last" || now.valid->ndcg10 > report.best_ndcg10) {
          report.best_ndcg10 = now.valid->ndcg10;
          report.best_epoch = epoch + 1;
          best = snapshot(params);
        }
      }
      if (!progress(now)) {
        report.stopped = true;
        break;
      }
    }
  }
  if (!best.empty()) put_back(best, params);
  return report;
}

}  // namespace seminar::inline SEMINAR_PRECISION
