#include "seminar/training/trainer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "autograd/debug.h"
#include "seminar/distributed/gradient_sum.h"
#include "seminar/training/training_state.h"
#include "tensor/finite.h"
#include "tensor/parallel.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr double max_gradient_norm = 5;
constexpr double warmup_share = 0.05;

AdamOptions adam_options(const RunSettings& run) {
  AdamOptions options;
  options.lr = run.lr;
  options.weight_decay = run.weight_decay;
  return options;
}

// Where the first NaN or infinity of a loss comes from.
std::string first_bad(const Params& params, const std::function<void()>& loss) {
  for (const NamedParam& p : params)
    if (first_not_finite(p.var.value()) >= 0) return fmt::format("parameter '{}' is not finite", p.name);
  const int level = debug_level();
  std::string where = "every op's result is finite";
  set_debug(2);
  try {
    loss();
  } catch (const Error& e) {
    where = e.what();
  }
  set_debug(level);
  return where;
}

// The losses of a shard as ranks tell each other.
struct ShardLoss {
  struct Part {
    char name[16] = {};
    double value = 0;
  };
  double weight = 0;  // 0: no targets
  std::array<Part, 4> parts{};
};

ShardLoss shard_loss(double weight, const std::vector<LossPart>& parts) {
  ShardLoss out{weight};
  if (parts.size() > out.parts.size()) throw Bug(fmt::format("train: a loss of {} parts", parts.size()));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].name.copy(out.parts[i].name, sizeof out.parts[i].name - 1);
    out.parts[i].value = parts[i].value;
  }
  return out;
}

// The loss of a whole step: part by part the sum of its shards', weighted.
std::vector<LossPart> step_loss(std::span<const ShardLoss> shards) {
  std::vector<LossPart> all;
  for (const ShardLoss& shard : shards)
    for (const ShardLoss::Part& part : shard.parts) {
      if (part.name[0] == 0) continue;
      const auto found =
          std::find_if(all.begin(), all.end(), [&](const LossPart& known) { return known.name == part.name; });
      if (found == all.end())
        all.push_back({part.name, shard.weight * part.value});
      else
        found->value += shard.weight * part.value;
    }
  return all;
}

// Takes a step of `rows` targets into the mean over the `targets` before it. A part that a step lacks adds nothing.
void add_to_mean(std::vector<LossPart>& mean, int64_t& targets, const std::vector<LossPart>& step, int64_t rows) {
  const double share = static_cast<double>(rows) / static_cast<double>(targets + rows);
  for (LossPart& part : mean) part.value *= 1 - share;
  for (const LossPart& part : step) {
    const auto known = std::find_if(mean.begin(), mean.end(), [&](const LossPart& p) { return p.name == part.name; });
    if (known == mean.end())
      mean.push_back({part.name, share * part.value});
    else
      known->value += share * part.value;
  }
  targets += rows;
}

class Training {
 public:
  Training(Model& model, const Dataset& data, const RunSettings& run, const TrainOptions& options)
      : model_(model),
        data_(data),
        run_(run),
        options_(options),
        params_(model.params()),
        adam_(params_, adam_options(run)),
        gradients_(params_, run.shards, *options.world),
        rng_(Rng(static_cast<uint64_t>(run.seed)).split("train")) {
    if (options.resume) state_ = load_checkpoint(options.checkpoint, adam_, model, data, run);
    saved_steps_ = adam_.steps();
    if (run.freeze == "text") model.freeze_text(data);
    now_.epochs = run.epochs;
  }

  TrainReport run() {
    bool stopped = false;
    while (!stopped && !finished()) stopped = !epoch();
    if (!state_.best.empty()) put_back(state_.best, params_);
    return {adam_.steps(), state_.targets, state_.best_epoch, state_.best_ndcg10, stopped};
  }

 private:
  using Clock = std::chrono::steady_clock;

  bool finished() const {
    return state_.epoch >= run_.epochs || (run_.patience > 0 && state_.epoch - state_.best_epoch >= run_.patience);
  }

  // What is left of an epoch, and its validation; false if the caller stopped it.
  bool epoch() {
    const Rng rng = rng_.split(static_cast<uint64_t>(state_.epoch));
    const EpochTargets all(data_, run_.targets, run_.batch, run_.history, rng.split("targets"), run_.window,
                           task_of(run_));
    check(all.size() > 0, "train: no user has a training target: {}",
          task_of(run_) == Task::psr ? "every history has fewer than 3 searches behind its first action"
                                     : "every history is shorter than 4 actions");
    const EpochShards targets(all, run_.shards);
    check(state_.epoch * targets.batches() + state_.batch == adam_.steps() && state_.batch < targets.batches(),
          "{}: damaged: {} steps, epoch {}, batch {} of {}", options_.checkpoint, adam_.steps(), state_.epoch,
          state_.batch, targets.batches());
    now_.epoch = state_.epoch + 1;
    now_.epoch_loss.clear();
    epoch_targets_ = 0;
    now_.steps = targets.batches() * run_.epochs;
    refresh_epoch();
    const bool search = task_of(run_) == Task::psr;
    const BatchOptions batch_options{.history = run_.history,
                                     .negatives = run_.negatives,
                                     .hide_query = search ? 0 : run_.hide_query,
                                     .queries = negative_queries(),
                                     .impressions = search};
    // Of every batch only this rank's shards are made; those without targets stay empty.
    BatchLoader loader((targets.batches() - state_.batch) * own_shards_, [&, first = state_.batch](int64_t i) {
      const std::vector<Target> part = targets(first + i / own_shards_, first_shard() + i % own_shards_);
      return part.empty() ? Batch() : make_batch(data_, part, batch_options, rng.split("negatives"));
    });
    for (bool last = false; !last;) {
      step(loader, targets.rows(state_.batch));
      last = ++state_.batch == targets.batches();
      if (last) validate();
      const bool more = go_on();
      if (last || !more || Clock::now() - saved_ >= std::chrono::duration<double>(options_.checkpoint_every)) save();
      if (!more) return false;
    }
    return true;
  }

  NegativeQueries negative_queries() const {
    if (run_.negative_queries == "own") return NegativeQueries::own;
    if (run_.negative_queries == "any") return NegativeQueries::any;
    return run_.negative_queries == "auto" && model_.learns_pairs() ? NegativeQueries::any : NegativeQueries::shared;
  }

  int64_t first_shard() const { return options_.world->rank() * own_shards_; }

  // Whether the caller wants to go on, on all ranks.
  bool go_on() {
    const int64_t before = options_.world->sent();
    const bool more = !options_.progress || options_.progress(now_);
    const bool all = all_agree(*options_.world, more);
    now_.totals.other_bytes += options_.world->sent() - before;
    return all;
  }

  void refresh_epoch() {
    if (!options_.refresh) return;
    if (state_.batch > 0) {  // resumed: what is derived belongs to the epoch's beginning
      check(!state_.epoch_start.empty(), "{}: damaged: no parameters of the epoch's beginning", options_.checkpoint);
      const std::vector<Tensor> current = snapshot(params_);
      put_back(state_.epoch_start, params_);
      options_.refresh();
      put_back(current, params_);
    } else {
      if (!options_.checkpoint.empty()) state_.epoch_start = snapshot(params_);
      options_.refresh();
    }
  }

  // Forward and backward of one of this rank's shards, which has its own random numbers.
  ShardLoss shard(const Batch& batch, int64_t number, double weight) {
    Rng rng = rng_.split("dropout").split(static_cast<uint64_t>(adam_.steps()));
    if (run_.shards > 1) rng = rng.split(static_cast<uint64_t>(number));
    const Mode mode{true, run_.dropout, rng};
    std::vector<LossPart> parts{{"loss", 0}};
    const Var loss = model_.loss(data_, batch, run_, mode, &parts);
    parts[0].value = loss.value().item();
    if (!std::isfinite(parts[0].value))
      diverged(fmt::format("the loss is {}: {}", parts[0].value,
                           first_bad(params_, [&] { model_.loss(data_, batch, run_, mode, nullptr); })));
    guarded([&] { gradients_.backward(loss, weight); });
    return shard_loss(weight, parts);
  }

  void step(BatchLoader& loader, int64_t rows) {
    const FlushDenormals guard;
    const Clock::time_point begin = Clock::now();
    std::vector<ShardLoss> losses;
    for (int64_t i = 0; i < own_shards_; ++i) {
      const Batch batch = *loader.next();
      const int64_t own = std::ssize(batch.rows);
      if (own > 0) {
        losses.push_back(shard(batch, first_shard() + i, static_cast<double>(own) / static_cast<double>(rows)));
      } else {
        losses.emplace_back();
        gradients_.skip();
      }
    }
    const Clock::time_point computed = Clock::now();
    gradients_.finish();
    const int64_t before = options_.world->sent();
    now_.loss = step_loss(all_gather(*options_.world, std::span<const ShardLoss>(losses)));
    add_to_mean(now_.epoch_loss, epoch_targets_, now_.loss, rows);
    now_.totals.other_bytes += options_.world->sent() - before;
    const Clock::time_point exchanged = Clock::now();
    guarded([&] { clip_grad_norm(params_, max_gradient_norm); });
    const int64_t warmup = static_cast<int64_t>(warmup_share * static_cast<double>(now_.steps)) + 1;
    adam_.set_lr(run_.lr * cosine_schedule(adam_.steps(), warmup, now_.steps));
    adam_.step();
    now_.step = adam_.steps();
    now_.targets = state_.targets += rows;
    now_.valid.reset();
    add_totals(begin, computed, exchanged);
  }

  void add_totals(Clock::time_point begin, Clock::time_point computed, Clock::time_point exchanged) {
    const auto seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };
    StepTotals& t = now_.totals;
    ++t.steps;
    t.compute += seconds(computed - begin);
    t.exchange += seconds(exchanged - computed);
    t.update += seconds(Clock::now() - exchanged);
    t.dense_numbers = gradients_.dense_numbers();
    t.dense_bytes += gradients_.dense_bytes();
    t.row_bytes += gradients_.row_bytes();
    t.rows += gradients_.own_rows();
  }

  void guarded(const std::function<void()>& f) const {
    try {
      f();
    } catch (const Error& e) {
      diverged(e.what());
    }
  }

  [[noreturn]] void diverged(const std::string& what) const {
    fail("train: epoch {}, step {}: {}; lower --lr{}", now_.epoch, adam_.steps() + 1, what,
         saved_steps_ == 0
             ? ""
             : fmt::format("; {} holds the model after step {}, for --init", options_.checkpoint, saved_steps_));
  }

  // Ends an epoch.
  void validate() {
    if (options_.refresh) options_.refresh();
    EvaluationOptions options;
    options.split = Split::valid;
    options.world = options_.world;
    now_.valid = evaluate(model_, data_, run_, options);
    ++state_.epoch;
    state_.batch = 0;
    state_.epoch_start.clear();
    if (state_.best.empty() || run_.keep == "last" || now_.valid->ndcg10 > state_.best_ndcg10) {
      state_.best_ndcg10 = now_.valid->ndcg10;
      state_.best_epoch = state_.epoch;
      state_.best = snapshot(params_);
    }
  }

  void save() {
    if (options_.checkpoint.empty() || options_.world->rank() != 0) return;
    save_checkpoint(state_, adam_, model_, data_, run_, options_.checkpoint);
    saved_ = Clock::now();
    saved_steps_ = adam_.steps();
  }

  Model& model_;
  const Dataset& data_;
  const RunSettings& run_;
  const TrainOptions& options_;
  const Params params_;
  Adam adam_;
  GradientSum gradients_;
  const int64_t own_shards_ = run_.shards / options_.world->size();
  const Rng rng_;
  TrainingState state_;
  TrainProgress now_;
  Clock::time_point saved_ = Clock::now();
  int64_t saved_steps_ = 0, epoch_targets_ = 0;
};

}  // namespace

TrainReport train(Model& model, const Dataset& data, const RunSettings& run, const TrainOptions& options) {
  return Training(model, data, run, options).run();
}

}  // namespace seminar::inline SEMINAR_PRECISION
