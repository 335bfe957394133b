// Training that stops: checkpoints, resumption bit for bit, early stopping, losses that explode.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "seminar/retrieval/batch_retriever.h"
#include "seminar/studies/paper_studies.h"
#include "seminar/training/model_file.h"
#include "seminar/training/presets.h"
#include "seminar/training/trainer.h"
#include "tensor/parallel.h"
#include "tests/tiny_data.h"

using namespace seminar;

namespace {

constexpr int64_t all_steps = 20;

// Two epochs of ten steps, with dropout.
RunSettings twenty_steps(const Dataset& data) {
  RunSettings run = small_run();
  run.epochs = 2;
  run.dropout = 0.3;
  run.batch = (EpochTargets(data, run.targets, 1, run.history, Rng(1)).size() + 9) / 10;
  return run;
}

// Trains a model, made anew as at a program's start (from another seed if resumed: all comes from the checkpoint),
// until `stop` steps are done in all (0: to the end); the model file at the end, nothing if stopped.
std::string train_until(int64_t stop, const std::string& kind, const TinyData& tiny, const RunSettings& run,
                        bool resume, const ModelSettings& settings = small_settings()) {
  const auto model = make_model(kind, settings, tiny.data, Rng(resume ? 4 : 3));
  TrainOptions options;
  options.checkpoint = tiny.folder / "model.safetensors.checkpoint";
  options.resume = resume;
  options.progress = [&](const TrainProgress& p) { return p.step != stop; };
  if (run.gsu != "exact")
    options.refresh = [&] {
      auto& seminar = dynamic_cast<SeminarModel&>(*model);
      seminar.set_retriever(make_batch_retriever(run.gsu, seminar, tiny.data, "", 1));
    };
  const TrainReport report = train(*model, tiny.data, run, options);
  CHECK(report.stopped == (stop != 0));
  CHECK(report.steps == (stop != 0 ? stop : all_steps));
  if (stop != 0) return {};
  const std::string path = tiny.folder / "model.safetensors";
  save_model(*model, tiny.data, run, path);
  return read_file(path);
}

// Multiplies every parameter whose path starts with `prefix`.
void multiply(const Model& model, const std::string& prefix, real factor) {
  int found = 0;
  for (const NamedParam& p : model.params()) {
    if (!p.name.starts_with(prefix)) continue;
    ++found;
    Tensor value = p.var.value();
    for (int64_t i = 0; i < value.numel(); ++i) value.write()[i] *= factor;
  }
  REQUIRE(found > 0);
}

}  // namespace

TEST_SUITE("training") {
  TEST_CASE("20 steps straight give the same file as 7, resumed, and 13; and as a stop after every step") {
    const TinyData tiny;
    const RunSettings run = twenty_steps(tiny.data);
    for (const ModelKind& kind : model_kinds())
      for (const char* form : {"faithful", "authors"}) {
        ModelSettings settings = small_settings();
        settings.form = form;
        if (settings.form == "authors" && !kind.make_authors) continue;
        CAPTURE(kind.name);
        CAPTURE(form);
        const auto to = [&](int64_t stop, bool resume) {
          return train_until(stop, kind.name, tiny, run, resume, settings);
        };
        const std::string straight = to(0, false);
        to(7, false);
        CHECK(to(0, true) == straight);
        for (int64_t step = 1; step < all_steps; ++step) to(step, step > 1);
        CHECK(to(0, true) == straight);
        CHECK(to(0, true) == straight);  // nothing is left to do
      }
  }

  TEST_CASE("resumption with codes that belong to the epoch's beginning, with frozen texts, with other threads") {
    const TinyData tiny;
    RunSettings run = twenty_steps(tiny.data);
    const int before = threads();
    const auto check_equal = [&] {
      set_threads(1);
      const std::string straight = train_until(0, "seminar", tiny, run, false);
      train_until(7, "seminar", tiny, run, false);
      set_threads(2);
      run.threads = 2;
      train_until(13, "seminar", tiny, run, true);
      CHECK(train_until(0, "seminar", tiny, run, true) == straight);
      run.threads = 0;
    };
    run.gsu = "int4";
    check_equal();
    run.gsu = "exact";
    run.freeze = "text";
    check_equal();
    set_threads(before);
  }

  TEST_CASE("a checkpoint is a model file as well, and belongs to its run") {
    const TinyData tiny;
    const RunSettings run = twenty_steps(tiny.data);
    train_until(7, "seminar", tiny, run, false);
    const std::string path = tiny.folder / "model.safetensors.checkpoint";
    CHECK(std::string(load_model(path, tiny.data)->kind()) == "seminar");
    const auto refused = [&](const Model& model, const Dataset& data, const RunSettings& with,
                             const std::string& message) {
      Model& own = const_cast<Model&>(model);
      CHECK_THROWS_WITH_AS(train(own, data, with, {.checkpoint = path, .resume = true}),
                           doctest::Contains(message.c_str()), Error);
    };
    const auto model = make_model("seminar", small_settings(), tiny.data, Rng(3));
    RunSettings other = run;
    other.lr = 0.5;
    refused(*model, tiny.data, other, "checkpoint: made with --lr '0.003', this run has 0.5");
    ModelSettings wide = small_settings();
    wide.dim = 16;
    refused(*make_model("seminar", wide, tiny.data, Rng(3)), tiny.data, run, "made with --dim '8', this run has 16");
    refused(*make_model("psu", small_settings(), tiny.data, Rng(3)), tiny.data, run, "of a 'seminar' model, not psu");
    DatasetBuilder more = tiny_builder();
    more.add_event(0, 0, 0, 5000, more.events());
    more.write(tiny.folder / "more");
    const Dataset longer = Dataset::open(tiny.folder / "more");
    refused(*make_model("seminar", small_settings(), longer, Rng(3)), longer, run, "made for another data set");
    save_model(*model, tiny.data, run, path);
    refused(*model, tiny.data, run, "not a checkpoint of training");
    const std::string bytes = read_file(path);
    write_file(path, bytes.substr(0, bytes.size() / 2));
    refused(*model, tiny.data, run, "model.safetensors.checkpoint: ");
    remove_file(path);
    refused(*model, tiny.data, run, "cannot be opened: No such file or directory");
  }

  TEST_CASE("a checkpoint whose state contradicts itself is refused") {
    const TinyData tiny;
    const RunSettings run = twenty_steps(tiny.data);
    train_until(12, "mean_pool", tiny, run, false);
    const std::string path = tiny.folder / "model.safetensors.checkpoint", sound = read_file(path);
    const std::size_t state = sound.find("{\\\"adam_steps");
    REQUIRE(state != std::string::npos);
    const auto model = make_model("mean_pool", small_settings(), tiny.data, Rng(3));
    // `from` in the state becomes `to`, of the same length.
    const auto refused = [&](const std::string& from, const std::string& to, const std::string& message) {
      CAPTURE(to);
      std::string bytes = sound;
      const std::size_t at = bytes.find(from, state);
      REQUIRE(at != std::string::npos);
      REQUIRE(from.size() == to.size());
      write_file(path, bytes.replace(at, from.size(), to));
      CHECK_THROWS_WITH_AS(train(*model, tiny.data, run, {.checkpoint = path, .resume = true}),
                           doctest::Contains(message.c_str()), Error);
    };
    refused(R"(\"epoch\":1)", R"(\"epoch\":3)", "damaged: epoch 3 of 2, the best one is 1");
    refused(R"(\"best_epoch\":1)", R"(\"best_epoch\":2)", "damaged: epoch 1 of 2, the best one is 2");
    refused(R"(\"best_epoch\":1)", R"(\"best_epoch\":0)", "damaged: epoch 1 of 2, the best one is 0");
    refused(R"(\"epoch\":1)", R"(\"epoch\":0)", "damaged: epoch 0 of 2, the best one is 1");
    refused(R"(\"batch\":2)", R"(\"batch\":3)", "damaged: 12 steps, epoch 1, batch 3 of 10");
    refused(R"(\"adam_steps\":12)", R"(\"adam_steps\":13)", "damaged: 13 steps, epoch 1, batch 2 of 10");
    refused(R"(\"adam_steps\":12)", R"(\"adam_steps\":-1)", "member missing or not a count: 'adam_steps'");
    refused(R"(\"targets\")", R"(\"tarkets\")", "member missing or not a count: 'targets'");
    refused(R"(\"best_ndcg10\")", R"(\"best_ndcg11\")", "member missing: 'best_ndcg10'");
    refused("{", "[", "'training' is not a JSON object");
    write_file(path, sound);
    CHECK(train(*model, tiny.data, run, {.checkpoint = path, .resume = true}).steps == all_steps);
  }

  TEST_CASE("the parameters of the epoch with the best validation NDCG@10 are kept, or those of the last") {
    const TinyData tiny;
    RunSettings run = twenty_steps(tiny.data);
    run.epochs = 6;
    run.lr = 0.1;  // so large that later epochs are worse
    std::vector<double> valid;
    TrainOptions options;
    options.progress = [&](const TrainProgress& p) {
      if (p.valid) valid.push_back(p.valid->ndcg10);
      return true;
    };
    for (const char* keep : {"best", "last"}) {
      run.keep = keep;
      valid.clear();
      const auto model = make_model("seminar", small_settings(), tiny.data, Rng(3));
      train(*model, tiny.data, run, options);
      const double kept = evaluate(*model, tiny.data, run, {Split::valid, false}).ndcg10;
      REQUIRE(valid.size() == 6);
      const double best = *std::max_element(valid.begin(), valid.end());
      REQUIRE(best > valid.back());
      CHECK(kept == (run.keep == "best" ? best : valid.back()));
    }
  }

  TEST_CASE("presets hold what the paper states, and a study of such a set takes them") {
    const Preset& kuaisar = preset_named("kuaisar");
    CHECK(kuaisar.run().history == 1000);
    CHECK(kuaisar.run().k == 200);
    CHECK(kuaisar.run().epochs == 5);
    CHECK(preset_named("amazon").run().history == 100);
    CHECK(preset_named("amazon").run().k == 50);
    CHECK(preset_named("alipay").run().history == 2000);
    CHECK(preset_named("alipay").run().epochs == 1);
    for (const Preset& p : presets()) {
      ModelSettings model = p.model();
      RunSettings run = p.run();
      check_settings(model);
      check_settings(run);
      CHECK(model.dim == 64);
      CHECK(model.heads == 4);
      CHECK(run.batch == 256);
      CHECK(run.lr == 0.001);
      CHECK(run.align_weight == run.next_weight);
      CHECK(study_set(p.name, false).run.history == p.history);
      CHECK(study_set(p.name, false).run.k == p.k);
    }
    CHECK_THROWS_WITH_AS(preset_named("netflix"), "--preset: must be one of kuaisar, amazon, alipay: 'netflix'", Error);
  }

  TEST_CASE("patience ends training, resumed or not") {
    const TinyData tiny;
    RunSettings run = twenty_steps(tiny.data);
    run.epochs = 10;
    run.patience = 2;
    run.lr = 0;  // no epoch is better than the first
    const auto model = make_model("seminar", small_settings(), tiny.data, Rng(3));
    TrainOptions options;
    options.checkpoint = tiny.folder / "c";
    const TrainReport report = train(*model, tiny.data, run, options);
    CHECK(report.best_epoch == 1);
    CHECK(report.steps == 30);
    CHECK(!report.stopped);
    options.resume = true;
    CHECK(train(*model, tiny.data, run, options).steps == 30);
    run.patience = 0;
    options.resume = false;
    CHECK(train(*model, tiny.data, run, options).steps == 100);
  }

  TEST_CASE("a loss that explodes ends training at once, names the first bad tensor and keeps the checkpoint") {
    const TinyData tiny;
    const RunSettings run = twenty_steps(tiny.data);
    TrainOptions options;
    options.checkpoint = tiny.folder / "c";
    // The message when the parameter is multiplied after step 3.
    const auto message = [&](const std::string& name, real factor) {
      const auto model = make_model("seminar", small_settings(), tiny.data, Rng(3));
      options.progress = [&](const TrainProgress& p) {
        if (p.step == 3) multiply(*model, name, factor);
        return true;
      };
      try {
        train(*model, tiny.data, run, options);
      } catch (const Error& e) {
        return std::string(e.what());
      }
      return std::string("none");
    };
    const auto ends = [&](int64_t step) {
      return fmt::format("; lower --lr; {} holds the model after step {}, for --init", options.checkpoint, step);
    };
    const std::string bad_parameter = message("head.mlp.layers.0.weight", NAN);
    CAPTURE(bad_parameter);
    CHECK(bad_parameter.find("train: epoch 1, step 4: the loss is ") == 0);
    CHECK(bad_parameter.ends_with(": parameter 'head.mlp.layers.0.weight' is not finite; lower --lr"));
    options.checkpoint_every = 0;
    const std::string bad_op = message("head.mlp", static_cast<real>(1e38));
    CAPTURE(bad_op);
    CHECK(bad_op.find("train: epoch 1, step 4: the loss is ") == 0);
    CHECK(bad_op.find(": forward: the result of ") != std::string::npos);
    CHECK(bad_op.find("nearest parameters: head.mlp.") != std::string::npos);
    CHECK(bad_op.ends_with(ends(3)));
    const std::string bad_gradient = message("head.mlp.layers.0.weight", static_cast<real>(1e38));
    CAPTURE(bad_gradient);
    CHECK(bad_gradient.find("train: epoch 1, step 4: the gradient of '") == 0);
    for (const std::string& m : {bad_parameter, bad_op, bad_gradient}) CHECK(m.find('\n') == std::string::npos);
    CHECK(load_model(options.checkpoint, tiny.data) != nullptr);
  }
}
