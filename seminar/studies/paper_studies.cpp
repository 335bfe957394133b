#include "seminar/studies/paper_studies.h"

#include <fmt/format.h>

#include <algorithm>

#include "seminar/training/presets.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr const char* seminar_name = "SEMINAR";
constexpr const char* scratch_name = "SEMINAR, no pretraining";

Experiment baseline(const StudySet& set, const std::string& name, const std::string& kind) {
  Experiment e{name, 0, kind, set.model, set.run};
  e.users = set.users;
  return e;
}

// SEMINAR after `epochs` passes of pretraining.
Experiment pretrained(const StudySet& set, const std::string& name, int64_t epochs, bool compute_matched) {
  Experiment e = baseline(set, name, "seminar");
  if (epochs == 0) return e;
  e.pretrain = set.run;
  e.pretrain->epochs = epochs;
  if (compute_matched) e.run.epochs = set.run.epochs - epochs;
  return e;
}

Experiment seminar_experiment(const StudySet& set, const std::string& name, bool compute_matched) {
  return pretrained(set, name, set.pretrain_epochs, compute_matched);
}

Claim better(const StudySet& set, const std::string& text, const std::string& a, const std::string& b) {
  return {fmt::format("{} ({})", text, set.name), {{set.name, a, 1}, {set.name, b, -1}}};
}

StudyPlan table2(const StudySet& set, bool matched) {
  StudyPlan plan{"Table 2: all models on the same inputs", "", {}, {}};
  plan.experiments = {baseline(set, "random", "random"), baseline(set, "popularity", "popularity")};
  const std::pair<const char*, const char*> rivals[] = {{"mean pooling", "mean_pool"},
                                                        {"DIN", "din"},
                                                        {"SIM soft", "sim"},
                                                        {"SIM hard", "sim_hard"},
                                                        {"ETA", "eta"},
                                                        {"SDIM", "sdim"},
                                                        {"TWIN", "twin"},
                                                        {"TWIN per head", "twin_heads"},
                                                        {"QIN", "qin"},
                                                        {"SASRec", "sasrec"}};
  for (const auto& [name, kind] : rivals) plan.experiments.push_back(baseline(set, name, kind));
  plan.experiments.push_back(baseline(set, scratch_name, "seminar"));
  plan.experiments.push_back(seminar_experiment(set, seminar_name, matched));
  for (const char* rival : {"SIM soft", "ETA", "TWIN", "QIN"})
    plan.claims.push_back(better(set, fmt::format("SEMINAR ranks better than {}", rival), seminar_name, rival));
  return plan;
}

StudyPlan table3(const StudySet& set, bool matched) {
  StudyPlan plan{"Table 3: pretraining tasks", "", {}, {}};
  plan.experiments.push_back(seminar_experiment(set, "all tasks", matched));
  struct {
    const char* name;
    bool next, align, relevance;
  } const tasks[] = {{"alignment only", false, true, false},
                     {"next pair only", true, false, false},
                     {"query-item only", false, false, true}};
  for (const auto& t : tasks) {
    if (t.relevance && !set.has_queries) continue;
    Experiment e = seminar_experiment(set, t.name, matched);
    if (!t.next) {
      e.pretrain->next_weight = 0;
      e.pretrain->keep = "last";  // its head has learned nothing that validation could judge
    }
    if (!t.align) e.pretrain->align_weight = 0;
    if (!t.relevance) e.pretrain->relevance_weight = 0;
    plan.experiments.push_back(e);
  }
  plan.experiments.push_back(baseline(set, "no pretraining", "seminar"));
  for (const Experiment& e : plan.experiments)
    if (e.name != "no pretraining")
      plan.claims.push_back(better(set, e.name + " beats no pretraining", e.name, "no pretraining"));
  for (const Experiment& e : plan.experiments)
    if (e.name.ends_with("only")) plan.claims.push_back(better(set, "all tasks beat " + e.name, "all tasks", e.name));
  return plan;
}

// Fine-tuning makes the same passes at every point; compute-matched is the comparison of Table 3.
StudyPlan figure3(const StudySet& set) {
  StudyPlan plan{"Figure 3: passes of pretraining before the same fine-tuning", "pretraining passes", {}, {}};
  for (const int64_t epochs : {0, 1, 3, 5, 10}) {
    Experiment e = pretrained(set, fmt::format("{} passes", epochs), epochs, false);
    e.run.epochs = std::max<int64_t>(1, set.run.epochs - set.pretrain_epochs);
    e.x = static_cast<double>(epochs);
    plan.experiments.push_back(e);
  }
  plan.claims.push_back(better(set, "10 passes of pretraining beat none", "10 passes", "0 passes"));
  plan.claims.push_back({fmt::format("the first 5 of 10 passes bring more than half of the gain ({})", set.name),
                         {{set.name, "5 passes", 1}, {set.name, "0 passes", -0.5}, {set.name, "10 passes", -0.5}}});
  return plan;
}

StudyPlan figure4(const StudySet& set, bool matched) {
  StudyPlan plan{"Figure 4: weight λ of the query", "λ (1: the gate)", {}, {}};
  for (const double lambda : {0.1, 0.3, 0.5, 0.7, 0.9}) {
    Experiment e = seminar_experiment(set, fmt::format("λ = {}", lambda), matched);
    e.model.lambda = lambda;
    e.x = lambda;
    plan.experiments.push_back(e);
  }
  Experiment gate = seminar_experiment(set, "gate", matched);
  gate.model.fusion = "gate";
  gate.x = 1;
  plan.experiments.push_back(gate);
  for (const char* other : {"λ = 0.1", "λ = 0.5", "λ = 0.7", "λ = 0.9"})
    plan.claims.push_back(better(set, fmt::format("λ = 0.3 beats {}", other), "λ = 0.3", other));
  return plan;
}

// What the authors' code does otherwise, one thing at a time and together.
StudyPlan corrections(const StudySet& set, bool matched) {
  StudyPlan plan{"Corrections: what the authors' code does otherwise", "", {}, {}};
  const Experiment ours = seminar_experiment(set, seminar_name, matched);
  plan.experiments.push_back(ours);
  const auto variant = [&](const char* name) -> Experiment& {
    plan.experiments.push_back(ours);
    plan.experiments.back().name = name;
    return plan.experiments.back();
  };
  variant("unit norms").model.norms = "unit";
  variant("frozen projections").model.projections = "frozen";
  variant("authors' alignment loss").pretrain->align_loss = "authors";
  variant("authors' relevance loss").pretrain->relevance_loss = "authors";
  Experiment& all = variant("all of the authors'");
  all.model.projections = "frozen";
  all.pretrain->align_loss = all.pretrain->relevance_loss = "authors";
  all.pretrain->keep = all.run.keep = "last";
  const std::pair<const char*, const char*> forms[] = {
      {"mean pooling", "mean_pool"}, {"SIM soft", "sim"}, {"ETA", "eta"}, {"TWIN", "twin"}, {"QIN", "qin"}};
  for (const auto& [name, kind] : forms) {
    plan.experiments.push_back(baseline(set, name, kind));
    plan.experiments.push_back(baseline(set, fmt::format("{}, authors' form", name), kind));
    plan.experiments.back().model.form = "authors";
    plan.claims.push_back(better(set, fmt::format("{} of its own paper beats the authors' form", name), name,
                                 fmt::format("{}, authors' form", name)));
  }
  plan.claims.push_back(better(set, "unit norms beat norms as they are", "unit norms", seminar_name));
  for (const char* worse :
       {"frozen projections", "authors' alignment loss", "authors' relevance loss", "all of the authors'"})
    plan.claims.push_back(better(set, fmt::format("SEMINAR as in the paper beats {}", worse), seminar_name, worse));
  return plan;
}

StudyPlan lengths(const StudySet& set) {
  StudyPlan plan{"Length: is a lifelong history worth it?", "L", {}, {}};
  for (const int64_t length : {10, 30, 100, 300}) {
    Experiment e = baseline(set, fmt::format("L = {}", length), "seminar");
    e.run.history = length;
    e.run.k = std::min(e.run.k, length);
    e.x = static_cast<double>(length);
    plan.experiments.push_back(e);
  }
  plan.claims.push_back(better(set, "300 behaviours tell more than 30", "L = 300", "L = 30"));
  plan.claims.push_back(better(set, "100 behaviours tell more than 10", "L = 100", "L = 10"));
  return plan;
}

}  // namespace

std::vector<std::string> paper_studies() {
  return {"table2", "table3", "figure3", "figure4", "corrections", "lengths"};
}

StudyPlan plan_study(const std::string& study, const StudySet& set, bool matched) {
  if (study == "table2") return table2(set, matched);
  if (study == "table3") return table3(set, matched);
  if (study == "figure3") return figure3(set);
  if (study == "figure4") return figure4(set, matched);
  if (study == "corrections") return corrections(set, matched);
  if (study == "lengths") return lengths(set);
  fail("study: unknown: '{}': {}", study, fmt::join(paper_studies(), ", "));
}

std::vector<Claim> untestable_claims(const std::string& study) {
  if (study == "table2")
    return {{"SEMINAR's NDCG on KuaiSAR: the set is not here, and the published row contradicts itself"},
            {"SEMINAR's AUC on Alipay: the set is private"}};
  if (study == "table3" || study == "figure3" || study == "figure4")
    return {{"the same on KuaiSAR: the set is not here ('seminar data import kuaisar' reads it)"}};
  return {};
}

StudySet study_set(const std::string& name, bool quick) {
  StudySet s;
  s.name = name;
  s.model.text = "bag";  // titles are bags of tokens here, and a Transformer costs most of the time
  s.run.ctr_loss = "softmax";
  s.run.negatives = 8;
  s.run.batch = 128;
  s.run.history = 100;
  s.run.k = 30;
  s.run.targets = 30;
  s.run.epochs = 6;
  s.pretrain_epochs = 3;
  s.run.dropout = 0.3;
  for (const Preset& p : presets()) {
    if (name != p.name) continue;
    s.model.history_mean = p.model().history_mean;
    s.model.side = p.model().side;
    s.run.history = p.history;
    s.run.k = p.k;
    s.run.k1 = p.run().k1;
    s.run.batch = p.run().batch;
    s.run.lr = p.run().lr;
    s.pretrain_epochs = p.pretrain_epochs;
    s.run.epochs = 2 * p.pretrain_epochs;
  }
  if (name == "lastfm") {
    s.run.history = 50;
    s.run.targets = 0;
    s.run.negatives = 16;
    s.run.epochs = 8;
    s.pretrain_epochs = 5;
  } else if (name == "beauty") {
    s.run.history = 30;
    s.run.k = 20;
    s.run.targets = 2;
    s.run.epochs = 4;
    s.pretrain_epochs = 2;
    s.run.batch = 256;
  }
  if (quick) {
    s.model.dim = 32;
    s.model.hidden = 32;
    s.model.text_heads = s.model.heads = 2;
    s.run.targets = s.run.targets == 0 ? 20 : std::min<int64_t>(s.run.targets, 20);
    s.run.history = std::min<int64_t>(s.run.history, 50);
    s.run.k = 10;
    s.run.negatives = 4;
    s.run.epochs = 4;
    s.pretrain_epochs = 2;
    s.users = 300;
  }
  return s;
}

}  // namespace seminar::inline SEMINAR_PRECISION
