#include "seminar/studies/claims.h"

#include <algorithm>
#include <cmath>

#include "tensor/parallel.h"
#include "tensor/random.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t resample_grain = 10;  // resamples a block

// The users that have a value with every seed.
SeedValues complete(const SeedValues& values) {
  SeedValues kept(values.size());
  for (std::size_t u = 0; u < values[0].size(); ++u) {
    const bool whole = std::none_of(values.begin(), values.end(), [&](const auto& v) { return std::isnan(v[u]); });
    for (std::size_t s = 0; whole && s < values.size(); ++s) kept[s].push_back(values[s][u]);
  }
  return kept;
}

double mean_of(const SeedValues& values) {
  double total = 0;
  for (const auto& seed : values)
    for (const double v : seed) total += v;
  return total / static_cast<double>(values.size() * values[0].size());
}

double resampled_mean(const SeedValues& values, Rng& rng) {
  std::vector<const double*> seeds;
  for (std::size_t s = 0; s < values.size(); ++s)
    seeds.push_back(values[static_cast<std::size_t>(rng.below(std::ssize(values)))].data());
  const int64_t users = std::ssize(values[0]);
  double total = 0;
  for (int64_t i = 0; i < users; ++i) {
    const int64_t u = rng.below(users);
    for (const double* seed : seeds) total += seed[u];
  }
  return total / static_cast<double>(values.size() * values[0].size());
}

}  // namespace

const char* name_of(Verdict v) {
  switch (v) {
    case Verdict::reproduced:
      return "reproduced";
    case Verdict::not_reproduced:
      return "not reproduced";
    case Verdict::reversed:
      return "not reproduced, the reverse holds";
    case Verdict::not_testable:
      break;
  }
  return "not testable here";
}

Verdict verdict(const Interval& contrast) {
  if (contrast.low > 0) return Verdict::reproduced;
  return contrast.high < 0 ? Verdict::reversed : Verdict::not_reproduced;
}

Interval seed_bootstrap(const std::vector<SeedValues>& groups, uint64_t seed) {
  check(!groups.empty(), "bootstrap: no groups");
  std::vector<SeedValues> whole;
  double mean = 0;
  for (const SeedValues& g : groups) {
    check(!g.empty() && std::all_of(g.begin(), g.end(), [&](const auto& v) { return v.size() == g[0].size(); }),
          "bootstrap: every seed needs the same users");
    whole.push_back(complete(g));
    check(!whole.back()[0].empty(), "bootstrap: no user has a value");
    mean += mean_of(whole.back());
  }
  std::vector<double> means(resamples, 0);
  const Rng rng = Rng(seed).split("seed bootstrap");
  parallel_for(resamples, resample_grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      for (std::size_t g = 0; g < whole.size(); ++g) {
        Rng stream = rng.split(static_cast<uint64_t>(r)).split(static_cast<uint64_t>(g));
        means[static_cast<std::size_t>(r)] += resampled_mean(whole[g], stream);
      }
  });
  return percentile_interval(mean, std::move(means));
}

std::vector<double> user_values(const Outcome& outcome, const std::string& metric) {
  return metric == "measured" ? outcome.measured : gains(metric_named(metric), outcome.ranks.ranks);
}

SeedValues values_of(std::span<const Job> jobs, std::span<const Outcome> outcomes, const std::string& set,
                     const std::string& experiment, const std::string& metric) {
  SeedValues values;
  for (std::size_t i = 0; i < jobs.size(); ++i)
    if (jobs[i].set == set && jobs[i].experiment->name == experiment)
      values.push_back(user_values(outcomes[i], metric));
  check(!values.empty(), "study: no outcome of '{}' on {}", experiment, set);
  return values;
}

Finding test_claim(const Claim& claim, std::span<const Job> jobs, std::span<const Outcome> outcomes, uint64_t seed) {
  Finding finding{claim, {}, Verdict::not_testable};
  if (claim.terms.empty()) return finding;
  std::vector<std::pair<std::string, SeedValues>> groups;  // by data set
  for (const Term& t : claim.terms) {
    SeedValues values = values_of(jobs, outcomes, t.set, t.experiment, claim.metric);
    auto group = std::find_if(groups.begin(), groups.end(), [&](const auto& g) { return g.first == t.set; });
    if (group == groups.end()) {
      SeedValues zeros = values;
      for (auto& v : zeros) std::fill(v.begin(), v.end(), 0.0);
      group = groups.insert(groups.end(), {t.set, std::move(zeros)});
    }
    for (std::size_t s = 0; s < values.size(); ++s)
      for (std::size_t u = 0; u < values[s].size(); ++u) group->second[s][u] += t.weight * values[s][u];
  }
  std::vector<SeedValues> only_values;
  for (auto& [set, values] : groups) only_values.push_back(std::move(values));
  finding.contrast = seed_bootstrap(only_values, seed);
  for (double* v : {&finding.contrast.mean, &finding.contrast.low, &finding.contrast.high}) *v -= claim.threshold;
  finding.verdict = verdict(finding.contrast);
  return finding;
}

}  // namespace seminar::inline SEMINAR_PRECISION
