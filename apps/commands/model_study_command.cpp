// seminar study table2, table3, figure3, figure4, corrections, lengths, planted: studies that train models. Each goes
// on where it stopped; started twice with the same --out, two processes share the work.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/cli.h"
#include "apps/commands/study_data.h"
#include "apps/commands/world.h"
#include "apps/pages/chart.h"
#include "seminar/studies/paper_studies.h"
#include "seminar/studies/planted_study.h"
#include "tensor/io/file.h"
#include "tensor/io/print.h"

namespace seminar {
namespace {

struct StudyArguments {
  std::string name;
  StudySources sources;
  std::vector<std::string> sets, data;
  std::vector<int64_t> seeds{1, 2, 3};
  std::string effect = "all";
  bool quick = false, compute_matched = true;
};

// A line of a table: one experiment on one set, over its seeds.
struct Line {
  const Job* job;  // its first
  std::vector<RankingMetrics> metrics;
  Interval ndcg10;
  int64_t passes;
  double seconds;  // mean
  double mean(double RankingMetrics::*metric) const {
    double total = 0;
    for (const RankingMetrics& m : metrics) total += m.*metric;
    return total / static_cast<double>(metrics.size());
  }
};

// Everything that a study ran and found.
struct Results {
  std::string title, x_label;
  std::vector<Job> jobs;
  std::vector<Outcome> outcomes;
  std::vector<Line> lines;
  std::vector<Finding> findings;
};

// A lone number counts seeds, a list names them.
std::vector<int64_t> seeds_of(const StudyArguments& a) {
  if (a.seeds.size() != 1) return a.seeds;
  check(a.seeds[0] >= 1 && a.seeds[0] <= 1000, "--seeds: a number of seeds from 1 to 1000, or a list: {}", a.seeds[0]);
  std::vector<int64_t> seeds(static_cast<std::size_t>(a.seeds[0]));
  for (std::size_t i = 0; i < seeds.size(); ++i) seeds[i] = static_cast<int64_t>(i) + 1;
  return seeds;
}

// Runs the jobs under one progress display for all of them.
std::vector<Outcome> run_shown(const StudyArguments& a, const std::vector<Job>& jobs) {
  Progress progress(a.name, "% of a run", !leads());
  return run_jobs(jobs, a.sources.folder + "/runs", [&](int64_t done, int64_t total, const std::string& job) {
    if (interrupted()) {
      progress.note("interrupted; the same command goes on from here");
      throw Interrupted{};
    }
    progress.update(done, total, done, job);
  });
}

// The jobs keep the seeds of an experiment on a set together.
std::vector<Line> lines_of(const std::vector<Job>& jobs, const std::vector<Outcome>& outcomes) {
  std::vector<Line> lines;
  for (std::size_t first = 0, last = 0; first < jobs.size(); first = last) {
    Line line{&jobs[first], {}, {}, outcomes[first].passes, 0};
    SeedValues values;
    for (; last < jobs.size() && jobs[last].set == jobs[first].set && jobs[last].experiment == jobs[first].experiment;
         ++last) {
      line.metrics.push_back(ranking_metrics(outcomes[last].ranks));
      line.seconds += outcomes[last].seconds;
      values.push_back(user_values(outcomes[last], "ndcg@10"));
    }
    line.seconds /= static_cast<double>(last - first);
    line.ndcg10 = seed_bootstrap({values}, interval_seed);
    lines.push_back(std::move(line));
  }
  return lines;
}

// Runs the jobs, each on the rank that comes first, and tests the claims; false on ranks that have no more to do.
bool run_and_test(Results& r, const StudyArguments& a, const std::vector<Claim>& claims) {
  r.outcomes = run_shown(a, r.jobs);
  if (!leads()) return false;
  r.lines = lines_of(r.jobs, r.outcomes);
  r.findings = test_claims(claims, r.jobs, r.outcomes, interval_seed);
  return true;
}

void print_tables(const Results& r) {
  std::string set;
  for (const Line& line : r.lines) {
    if (line.job->set != set) {
      set = line.job->set;
      print_out(
          "\n{}: {}, {} users ranked, seeds: {}\n{:<28} {:>6} {:>7} {:>8}  {:<16} {:>8} {:>7} {:>7} {:>6} {:>8}\n",
          r.title, set, line.metrics[0].users, line.metrics.size(), "model", "passes", "NDCG@5", "NDCG@10",
          "95 % interval", "NDCG@50", "HR@10", "MRR", "ties", "time");
    }
    print_out("{:<28} {:>6} {:>7.4f} {:>8.4f}  [{:.4f}, {:.4f}] {:>8.4f} {:>7.4f} {:>7.4f} {:>6.3f} {:>8}\n",
              line.job->experiment->name, line.passes, line.mean(&RankingMetrics::ndcg5), line.ndcg10.mean,
              line.ndcg10.low, line.ndcg10.high, line.mean(&RankingMetrics::ndcg50), line.mean(&RankingMetrics::hr10),
              line.mean(&RankingMetrics::mrr), line.mean(&RankingMetrics::tie_rate), duration(line.seconds));
  }
}

void print_findings(const Results& r) {
  print_out(
      "\nVerdicts: NDCG@10 difference, 95 % interval over users and seeds, p corrected by Holm; reproduced if above "
      "zero "
      "with p <= .05\n");
  for (const Finding& f : r.findings) {
    if (f.verdict == Verdict::not_testable)
      print_out("  {}: {}\n", name_of(f.verdict), f.claim.text);
    else
      print_out("  {:+.4f} [{:+.4f}, {:+.4f}]  p {:.4f}  {}: {}{}\n", f.contrast.mean, f.contrast.low, f.contrast.high,
                f.p_holm, name_of(f.verdict), f.claim.text, f.seeds == 1 ? " (one seed: only users vary)" : "");
  }
}

std::string csv_of(const Results& r) {
  std::string csv = "set,model,x,seed,passes,parameters,seconds,valid_ndcg@10";
  for (const Metric& m : user_metrics()) csv += fmt::format(",{}", m.name);
  csv += ",tie_rate\n";
  for (std::size_t i = 0; i < r.jobs.size(); ++i) {
    const Outcome& o = r.outcomes[i];
    const RankingMetrics metrics = ranking_metrics(o.ranks);
    check_identities(metrics);
    csv += fmt::format("\"{}\",\"{}\",{},{},{},{},{:.1f},{:.6f}", r.jobs[i].set, r.jobs[i].experiment->name,
                       r.jobs[i].experiment->x, r.jobs[i].seed, o.passes, o.parameters, o.seconds, o.valid);
    for (const Metric& m : user_metrics()) csv += fmt::format(",{:.6f}", metrics.*m.mean);
    csv += fmt::format(",{:.6f}\n", metrics.tie_rate);
  }
  return csv;
}

std::string json_of(const Results& r, const StudyArguments& a) {
  nlohmann::ordered_json json;
  json["study"] = a.name;
  json["title"] = r.title;
  json["seeds"] = seeds_of(a);
  json["quick"] = a.quick;
  json["compute_matched"] = a.compute_matched;
  for (const Line& line : r.lines) {
    nlohmann::ordered_json row = {{"set", line.job->set},
                                  {"model", line.job->experiment->name},
                                  {"x", line.job->experiment->x},
                                  {"passes", line.passes},
                                  {"ndcg@10_interval", {line.ndcg10.low, line.ndcg10.high}}};
    for (const Metric& m : user_metrics()) row[m.name] = line.mean(m.mean);
    json["rows"].push_back(row);
  }
  for (const Finding& f : r.findings)
    json["claims"].push_back({{"claim", f.claim.text},
                              {"metric", f.claim.metric},
                              {"contrast", f.contrast.mean},
                              {"low", f.contrast.low},
                              {"high", f.contrast.high},
                              {"p", f.contrast.p},
                              {"p_holm", f.p_holm},
                              {"seeds", f.seeds},
                              {"verdict", name_of(f.verdict)}});
  return json.dump(2);
}

std::string table_chart(const Results& r) {
  std::vector<IntervalPanel> panels;
  for (const Line& line : r.lines) {
    const Job& job = *line.job;
    if (panels.empty() || panels.back().title != job.set) panels.push_back({job.set, {}});
    panels.back().rows.push_back({job.experiment->name, line.ndcg10.mean, line.ndcg10.low, line.ndcg10.high});
  }
  return interval_charts(r.title, "NDCG@10, 95 % interval", panels);
}

std::string figure_chart(const Results& r) {
  std::vector<ChartPanel> panels;
  double high = 0;
  const std::pair<const char*, double RankingMetrics::*> metrics[] = {
      {"NDCG@5", &RankingMetrics::ndcg5}, {"NDCG@10", &RankingMetrics::ndcg10}, {"NDCG@50", &RankingMetrics::ndcg50}};
  for (const Line& line : r.lines) {
    const Job& job = *line.job;
    if (panels.empty() || panels.back().title != job.set) {
      panels.push_back({job.set, {}, {}});
      for (const auto& [name, metric] : metrics) panels.back().lines.push_back({name, {}});
    }
    panels.back().x.push_back(job.experiment->x);
    for (std::size_t m = 0; m < std::size(metrics); ++m) {
      const double v = line.mean(metrics[m].second);
      panels.back().lines[m].y.push_back(v);
      high = std::max(high, v);
    }
  }
  return line_charts(r.title, r.x_label, "NDCG", panels, std::ceil(high * 20 + 1e-9) / 20);
}

void write_results(const Results& r, const StudyArguments& a) {
  const std::string base = a.sources.folder + "/" + a.name;
  write_file(base + ".csv", csv_of(r));
  write_file(base + ".json", json_of(r, a) + "\n");
  write_file(base + ".svg", r.x_label.empty() ? table_chart(r) : figure_chart(r));
  print_out("\nwritten to {}.csv, .json, .svg\n", base);
}

// The sets asked for: by default all that can be had here.
std::vector<std::string> sets_of(const StudyArguments& a) {
  if (!a.sets.empty() || !a.data.empty()) return a.sets;
  std::vector<std::string> sets{"movielens", "generated"};
  if (!a.sources.s3rec.empty() && !a.quick) sets.insert(sets.end() - 1, {"lastfm", "beauty"});
  return sets;
}

void run_paper_study(const StudyArguments& a) {
  std::vector<Dataset> data;
  std::vector<StudySet> sets;
  for (const std::string& name : sets_of(a)) {
    data.push_back(study_data(name, a.sources, a.quick));
    sets.push_back(study_set(name, a.quick));
  }
  for (const std::string& folder : a.data) {
    data.push_back(Dataset::open(folder));
    sets.push_back(study_set(std::filesystem::path(folder).filename().string(), a.quick));
  }
  std::vector<StudyPlan> plans;
  for (std::size_t s = 0; s < sets.size(); ++s) {
    sets[s].has_queries = data[s].query_share() > 0;
    plans.push_back(plan_study(a.name, sets[s], a.compute_matched));
  }
  Results r{plans[0].title, plans[0].x_label, {}, {}, {}, {}};
  for (std::size_t s = 0; s < sets.size(); ++s)
    for (const Experiment& e : plans[s].experiments)
      for (const int64_t seed : seeds_of(a)) r.jobs.push_back({&e, &data[s], sets[s].name, seed});
  std::vector<Claim> claims = untestable_claims(a.name);
  for (auto plan = plans.rbegin(); plan != plans.rend(); ++plan)
    claims.insert(claims.begin(), plan->claims.begin(), plan->claims.end());
  if (!run_and_test(r, a, claims)) return;
  print_tables(r);
  print_findings(r);
  write_results(r, a);
}

void print_planted(const std::vector<PlantedEffect>& effects, const std::vector<Finding>& findings) {
  print_out("\n{:<10} {:<8} {:>9}  {:<20} {:<12} {}\n", "effect", "planted", "contrast", "95 % interval", "found",
            "claim");
  int64_t expected = 0;
  for (std::size_t i = 0; i < effects.size(); ++i) {
    const Interval& c = findings[i].contrast;
    const bool found = findings[i].verdict == Verdict::reproduced;
    expected += found == effects[i].planted;
    print_out("{:<10} {:<8} {:>+9.4f}  {:<20} {:<12} {}\n", effects[i].name, effects[i].planted ? "yes" : "no", c.mean,
              fmt::format("[{:+.4f}, {:+.4f}]", c.low, c.high), found ? "yes" : "no", effects[i].claim.text);
  }
  print_out("\n{} of {} as planted\n", expected, effects.size());
}

void run_planted(const StudyArguments& a) {
  std::vector<PlantedEffect> effects;
  for (const std::string& name : planted_effects())
    if (a.effect == "all" || a.effect == name)
      for (PlantedEffect& e : planted_effect(name, a.quick)) effects.push_back(std::move(e));
  if (effects.empty()) planted_effect(a.effect, a.quick);  // throws: no such effect
  std::vector<std::unique_ptr<Dataset>> data;
  Results r{"Planted effects", "", {}, {}, {}, {}};
  for (const PlantedEffect& effect : effects)
    for (const PlantedSet& set : effect.sets) {
      std::string folder = fmt::format("{}{}", set.name, a.quick ? " quick" : "");
      std::replace(folder.begin(), folder.end(), ' ', '-');
      data.push_back(std::make_unique<Dataset>(generated_data(folder, set.data, a.sources)));
      for (const Experiment& e : effect.experiments)
        for (const int64_t seed : seeds_of(a)) r.jobs.push_back({&e, data.back().get(), set.name, seed});
    }
  std::vector<Claim> claims;
  for (const PlantedEffect& effect : effects) claims.push_back(effect.claim);
  if (!run_and_test(r, a, claims)) return;
  print_planted(effects, r.findings);
  write_results(r, a);
}

void run(StudyArguments& a) {
  std::filesystem::create_directories(a.sources.folder);
  if (leads()) check_writable(a.sources.folder + "/" + a.name + ".csv");
  if (a.name == "planted")
    run_planted(a);
  else
    run_paper_study(a);
}

}  // namespace

void add_model_studies(CLI::App& study) {
  const std::pair<const char*, const char*> studies[] = {
      {"table2", "All models, all data sets"},
      {"table3", "Pretraining tasks, one at a time"},
      {"figure3", "0 to 10 passes of pretraining"},
      {"figure4", "Weight λ of the query, and the gate"},
      {"corrections", "What the authors' code does otherwise, and what each is worth"},
      {"lengths", "NDCG against the length L of the history"},
      {"planted", "Effects planted in generated data, and switched off: are they found?"}};
  for (const auto& [name, help] : studies) {
    const auto a = std::make_shared<StudyArguments>();
    a->name = name;
    CLI::App* command = study.add_subcommand(name, help);
    add_option(*command, "--out", a->sources.folder, "folder for results, finished runs and data sets")->required();
    add_option(*command, "--seeds", a->seeds, "how many seeds, or which: 1,2,3", from_0);
    command->add_flag("--quick", a->quick, "small models, few targets: minutes");
    add_threads(*command);
    if (a->name == "planted") {
      add_option(*command, "--effect", a->effect, "all, or one of old-items, queries, lambda, norms");
    } else {
      add_option(*command, "--sets", a->sets, "movielens, lastfm, beauty, generated (default: all that are here)");
      add_input(*command, "--data", a->data, "data set folder to study instead; may be repeated", "FOLDER");
      add_input(*command, "--s3rec", a->sources.s3rec, "folder with S3-Rec's LastFM.txt, Beauty.txt and attributes",
                "FOLDER");
      command->add_flag("--compute-matched,!--no-compute-matched", a->compute_matched,
                        "pretraining passes are taken from fine-tuning, so that all models make as many");
    }
    command->footer(fmt::format("Example:\n  seminar study {} --out study --quick", name));
    command->callback([a] { run(*a); });
  }
}

}  // namespace seminar
