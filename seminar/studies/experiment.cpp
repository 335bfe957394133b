#include "seminar/studies/experiment.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "seminar/evaluation/evaluate.h"
#include "seminar/evaluation/ranks_file.h"
#include "seminar/model/seminar_model.h"
#include "seminar/studies/file_lock.h"
#include "seminar/training/model_file.h"
#include "tensor/io/file.h"
#include "tensor/io/json.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

namespace fs = std::filesystem;
constexpr int64_t job_units = 100;  // of progress
constexpr uint64_t max_outcome = uint64_t{1} << 28;
constexpr std::chrono::seconds other_process{1};  // between looks at what another process is at

std::string file_name(const Job& job) {
  std::string name = fmt::format("{} {} {:g} seed {}", job.set, job.experiment->name, job.experiment->x, job.seed);
  for (char& c : name)
    if (static_cast<unsigned char>(c) < 0x80 && std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '.') c = '-';
  return name;
}

RunSettings seeded(RunSettings run, int64_t seed) {
  run.seed = seed;  // candidates and users are the same with every seed
  run.threads = 0;  // the result does not depend on it
  return run;
}

// All that the outcome depends on: an outcome of other settings is not reused.
std::string identity(const Job& job) {
  const Experiment& e = *job.experiment;
  ModelSettings model = e.model;
  RunSettings run = seeded(e.run, job.seed);
  std::string text = fmt::format("{} {} {} {} {} {} {}", e.kind, e.show_query, e.users, e.measure != nullptr,
                                 job.data->fingerprint(), settings_json(model), settings_json(run));
  if (e.pretrain) {
    RunSettings pretrain = seeded(*e.pretrain, job.seed);
    text += settings_json(pretrain);
  }
  return text;
}

TrainReport train_part(Model& model, const Dataset& data, const RunSettings& run, double begin, double share,
                       const std::function<void(double)>& progress) {
  TrainOptions options;
  options.progress = [&](const TrainProgress& p) {
    progress(begin + share * static_cast<double>(p.step) / static_cast<double>(std::max<int64_t>(1, p.steps)));
    return true;
  };
  return train(model, data, run, options);
}

// Trains as the experiment says; what run.restore names goes over from the PSU.
std::unique_ptr<Model> train_experiment(const Experiment& e, const Dataset& data, int64_t seed, Outcome& out,
                                        const std::function<void(double)>& progress) {
  const Rng rng = Rng(static_cast<uint64_t>(seed)).split("init");
  const RunSettings run = seeded(e.run, seed);
  std::unique_ptr<Model> model = make_model(e.kind, e.model, data, rng);
  double share = 0;
  if (e.pretrain && e.pretrain->epochs > 0) {
    const RunSettings pretrain = seeded(*e.pretrain, seed);
    const std::unique_ptr<Model> psu = make_model("psu", e.model, data, rng, model->tokenizer());
    share = static_cast<double>(pretrain.epochs) / static_cast<double>(pretrain.epochs + run.epochs);
    out.valid = train_part(*psu, data, pretrain, 0, share, progress).best_ndcg10;
    out.passes += pretrain.epochs;
    model->restore(dynamic_cast<const Psu&>(*psu), run.restore == "all");
  }
  if (run.epochs > 0) out.valid = train_part(*model, data, run, share, 1 - share, progress).best_ndcg10;
  out.passes += run.epochs;
  out.parameters = count(model->params());
  return model;
}

Outcome run_experiment(const Job& job, const std::function<void(double)>& progress) {
  const Experiment& e = *job.experiment;
  const auto begin = std::chrono::steady_clock::now();
  const RunSettings run = seeded(e.run, job.seed);
  EvaluationOptions options;
  options.show_query = e.show_query;
  options.users = e.users;
  Outcome out;
  if (e.kind == "random") {
    out.ranks = rank_users(Chance(static_cast<uint64_t>(job.seed)), *job.data, run, options);
  } else if (e.kind == "popularity") {
    out.ranks = rank_users(Popularity(*job.data, 1), *job.data, run, options);
  } else {
    const std::unique_ptr<Model> model = train_experiment(e, *job.data, job.seed, out, progress);
    out.ranks = rank_users(*model, *job.data, run, options);
    if (e.measure) out.measured = e.measure(*model, *job.data, run);
  }
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return out;
}

void save_outcome(const Outcome& out, const Job& job, const std::string& path) {
  const RankingMetrics metrics = ranking_metrics(out.ranks);
  check_identities(metrics);
  save_ranks(out.ranks, job.experiment->name, path + ".safetensors");
  nlohmann::ordered_json json;
  json["experiment"] = identity(job);
  json["set"] = job.set;
  json["name"] = job.experiment->name;
  json["x"] = job.experiment->x;
  json["seed"] = job.seed;
  json["passes"] = out.passes;
  json["parameters"] = out.parameters;
  json["valid_ndcg@10"] = out.valid;
  json["seconds"] = out.seconds;
  for (const Metric& m : user_metrics()) json["metrics"][m.name] = metrics.*m.mean;
  json["measured"] = out.measured;  // NaN becomes null
  write_file(path + ".json", json.dump(1) + "\n");
}

// The outcome at `path`, unless there is none or one of other settings.
std::optional<Outcome> load_outcome(const Job& job, const std::string& path) {
  if (!fs::exists(path + ".json")) return std::nullopt;
  const nlohmann::json json = parse_json(read_file(path + ".json", max_outcome), path + ".json");
  check(json.is_object() && json.contains("measured"), "{}.json: not an outcome of a study: remove it", path);
  if (json.value("experiment", "") != identity(job)) return std::nullopt;
  Outcome out;
  out.ranks = load_ranks(path + ".safetensors");
  out.passes = json.value("passes", int64_t{0});
  out.parameters = json.value("parameters", int64_t{0});
  out.valid = json.value("valid_ndcg@10", 0.0);
  out.seconds = json.value("seconds", 0.0);
  for (const nlohmann::json& v : json["measured"])
    out.measured.push_back(v.is_number() ? v.get<double>() : std::numeric_limits<double>::quiet_NaN());
  return out;
}

}  // namespace

std::vector<Outcome> run_jobs(std::span<const Job> jobs, const std::string& dir, const JobProgress& progress) {
  fs::create_directories(dir);
  std::vector<std::optional<Outcome>> outcomes(jobs.size());
  const int64_t total = std::ssize(jobs) * job_units;
  int64_t done = 0;
  while (done < total) {
    const int64_t before = done;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      if (outcomes[i]) continue;
      const Job& job = jobs[i];
      const std::string name = file_name(job), path = dir + "/" + name;
      progress(done, total, name);
      outcomes[i] = load_outcome(job, path);
      if (!outcomes[i]) {
        const FileLock lock(path + ".lock", true);
        if (!lock.held()) continue;
        outcomes[i] = load_outcome(job, path);  // another process may just have ended
        if (!outcomes[i]) {
          outcomes[i] = run_experiment(job, [&](double share) {
            progress(done + static_cast<int64_t>(share * static_cast<double>(job_units)), total, name);
          });
          save_outcome(*outcomes[i], job, path);
        }
        fs::remove(path + ".lock");
      }
      done += job_units;
    }
    if (done == before) std::this_thread::sleep_for(other_process);
  }
  std::vector<Outcome> all;
  for (std::optional<Outcome>& o : outcomes) all.push_back(std::move(*o));
  return all;
}

}  // namespace seminar::inline SEMINAR_PRECISION
