#include "seminar/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "autograd/debug.h"
#include "seminar/training_state.h"

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
  for (const NamedParam& p : params) {
    const real *begin = p.var.value().data(), *end = begin + p.var.value().numel();
    if (!std::all_of(begin, end, [](real x) { return std::isfinite(x); }))
      return fmt::format("parameter '{}' is not finite", p.name);
  }
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

class Training {
 public:
  Training(Model& model, const Dataset& data, const RunSettings& run, const TrainOptions& options)
      : model_(model),
        data_(data),
        run_(run),
        options_(options),
        params_(model.params()),
        adam_(params_, adam_options(run)),
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
    const EpochTargets targets(data_, run_.targets, run_.batch, run_.history, rng.split("targets"), run_.window);
    check(targets.size() > 0, "train: no user has a training target: every history is shorter than 4 actions");
    check(state_.epoch * targets.batches() + state_.batch == adam_.steps() && state_.batch < targets.batches(),
          "{}: damaged: {} steps, epoch {}, batch {} of {}", options_.checkpoint, adam_.steps(), state_.epoch,
          state_.batch, targets.batches());
    now_.epoch = state_.epoch + 1;
    now_.steps = targets.batches() * run_.epochs;
    refresh_epoch();
    const BatchOptions batch_options{run_.history, run_.negatives, run_.hide_query, run_.negative_queries == "own",
                                     false};
    BatchLoader loader(targets.batches() - state_.batch, [&, first = state_.batch](int64_t i) {
      return make_batch(data_, targets(first + i), batch_options, rng.split("negatives"));
    });
    while (const std::optional<Batch> batch = loader.next()) {
      step(*batch);
      const bool last = ++state_.batch == targets.batches();
      if (last) validate();
      const bool more = !options_.progress || options_.progress(now_);
      if (last || !more || Clock::now() - saved_ >= std::chrono::duration<double>(options_.checkpoint_every)) save();
      if (!more) return false;
    }
    return true;
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

  void step(const Batch& batch) {
    const Mode mode{true, run_.dropout, rng_.split("dropout").split(static_cast<uint64_t>(adam_.steps()))};
    now_.loss = {{"loss", 0}};
    const Var loss = model_.loss(data_, batch, run_, mode, &now_.loss);
    now_.loss[0].value = loss.value().item();
    if (!std::isfinite(now_.loss[0].value))
      diverged(fmt::format("the loss is {}: {}", now_.loss[0].value,
                           first_bad(params_, [&] { model_.loss(data_, batch, run_, mode, nullptr); })));
    try {
      backward(loss);
      clip_grad_norm(params_, max_gradient_norm);
    } catch (const Error& e) {
      diverged(e.what());
    }
    const int64_t warmup = static_cast<int64_t>(warmup_share * static_cast<double>(now_.steps)) + 1;
    adam_.set_lr(run_.lr * cosine_schedule(adam_.steps(), warmup, now_.steps));
    adam_.step();
    now_.step = adam_.steps();
    now_.targets = state_.targets += batch.size();
    now_.valid.reset();
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
    now_.valid = evaluate(model_, data_, run_, {Split::valid, false});
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
    if (options_.checkpoint.empty()) return;
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
  const Rng rng_;
  TrainingState state_;
  TrainProgress now_;
  Clock::time_point saved_ = Clock::now();
  int64_t saved_steps_ = 0;
};

}  // namespace

TrainReport train(Model& model, const Dataset& data, const RunSettings& run, const TrainOptions& options) {
  return Training(model, data, run, options).run();
}

}  // namespace seminar::inline SEMINAR_PRECISION
