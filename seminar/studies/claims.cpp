#include "seminar/studies/claims.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>

#include "tensor/parallel.h"
#include "tensor/random.h"

namespace seminar::inline SEMINAR_PRECISION {
namespace {

constexpr int64_t resample_grain = 10;  // resamples a block

constexpr double significant = 0.05;

// A group as columns of users: what each seed measured, as (column, value).
struct Group {
  std::vector<std::vector<std::pair<std::size_t, double>>> seeds;
  std::size_t users = 0;

  explicit Group(const SeedValues& values) {
    check(!values.empty(), "bootstrap: no seeds");
    std::vector<int32_t> all;
    for (const UserValues& v : values) {
      check(v.users.size() == v.values.size(), "bootstrap: {} values for {} users", v.values.size(), v.users.size());
      for (std::size_t i = 0; i < v.users.size(); ++i)
        if (!std::isnan(v.values[i])) all.push_back(v.users[i]);
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    users = all.size();
    check(users > 0, "bootstrap: no user has a value");
    for (const UserValues& v : values) {
      auto& row = seeds.emplace_back();
      for (std::size_t i = 0; i < v.users.size(); ++i)
        if (!std::isnan(v.values[i]))
          row.emplace_back(std::lower_bound(all.begin(), all.end(), v.users[i]) - all.begin(), v.values[i]);
    }
  }

  // Mean of the values of the seeds `drawn`, a user's as often as it was drawn; nothing if these seeds have none of
  // them.
  std::optional<double> mean(std::span<const std::size_t> drawn, std::span<const int32_t> times) const {
    double total = 0, weight = 0;
    for (const std::size_t seed : drawn)
      for (const auto& [column, value] : seeds[seed]) {
        total += times[column] * value;
        weight += times[column];
      }
    if (weight == 0) return std::nullopt;
    return total / weight;
  }

  double mean() const {
    std::vector<std::size_t> all(seeds.size());
    std::iota(all.begin(), all.end(), 0);
    return *mean(all, std::vector<int32_t>(users, 1));
  }

  double resampled_mean(Rng& rng) const {
    for (;;) {
      std::vector<std::size_t> drawn;
      for (std::size_t s = 0; s < seeds.size(); ++s)
        drawn.push_back(static_cast<std::size_t>(rng.below(std::ssize(seeds))));
      std::vector<int32_t> times(users, 0);
      for (std::size_t u = 0; u < users; ++u) ++times[static_cast<std::size_t>(rng.below(static_cast<int64_t>(users)))];
      if (const std::optional<double> value = mean(drawn, times)) return *value;
    }
  }
};

// Twice the smaller of the shares of resamples on the two sides of zero, the contrast itself counted on both.
double two_sided(std::span<const double> means) {
  const auto low = std::count_if(means.begin(), means.end(), [](double m) { return m <= 0; }),
             high = std::count_if(means.begin(), means.end(), [](double m) { return m >= 0; });
  return std::min(1.0, 2 * static_cast<double>(1 + std::min(low, high)) / static_cast<double>(1 + means.size()));
}

Finding test_claim(const Claim& claim, std::span<const Job> jobs, std::span<const Outcome> outcomes, uint64_t seed) {
  Finding finding{claim, {}, 1, 0, Verdict::not_testable};
  std::map<std::string, SeedValues> groups;  // by data set
  for (const Term& t : claim.terms) {
    const SeedValues values = values_of(jobs, outcomes, t.set, t.experiment, claim.metric);
    const auto [group, fresh] = groups.try_emplace(t.set, values);
    if (fresh)
      for (UserValues& v : group->second) std::fill(v.values.begin(), v.values.end(), 0.0);
    check(group->second.size() == values.size(), "study: '{}' on {}: {} seeds, others have {}", t.experiment, t.set,
          values.size(), group->second.size());
    for (std::size_t s = 0; s < values.size(); ++s) {
      check(group->second[s].users == values[s].users, "study: '{}' on {}: other users than those it is compared with",
            t.experiment, t.set);
      for (std::size_t u = 0; u < values[s].values.size(); ++u)
        group->second[s].values[u] += t.weight * values[s].values[u];
    }
  }
  std::vector<SeedValues> all;
  for (auto& [set, values] : groups) {
    finding.seeds = std::ssize(values);
    all.push_back(std::move(values));
  }
  finding.contrast = seed_bootstrap(all, seed, claim.threshold, claim_resamples);
  return finding;
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

Verdict verdict(double contrast, double p_holm) {
  if (p_holm > significant || contrast == 0) return Verdict::not_reproduced;
  return contrast > 0 ? Verdict::reproduced : Verdict::reversed;
}

Contrast seed_bootstrap(const std::vector<SeedValues>& groups, uint64_t seed, double threshold, int64_t count) {
  check(!groups.empty(), "bootstrap: no groups");
  const std::vector<Group> columns(groups.begin(), groups.end());
  double mean = -threshold;
  for (const Group& g : columns) mean += g.mean();
  std::vector<double> means(static_cast<std::size_t>(count), -threshold);
  const Rng rng = Rng(seed).split("seed bootstrap");
  parallel_for(count, resample_grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      for (std::size_t g = 0; g < columns.size(); ++g) {
        Rng stream = rng.split(static_cast<uint64_t>(r)).split(static_cast<uint64_t>(g));
        means[static_cast<std::size_t>(r)] += columns[g].resampled_mean(stream);
      }
  });
  const double p = two_sided(means);
  return {percentile_interval(mean, std::move(means)), p};
}

UserValues user_values(const Outcome& outcome, const std::string& metric) {
  if (metric != "measured") return {outcome.ranks.users, gains(metric_named(metric), outcome.ranks.ranks)};
  std::vector<int32_t> places(outcome.measured.size());  // what is measured need not be a user's
  std::iota(places.begin(), places.end(), 0);
  return {std::move(places), outcome.measured};
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

std::vector<Finding> test_claims(std::span<const Claim> claims, std::span<const Job> jobs,
                                 std::span<const Outcome> outcomes, uint64_t seed) {
  std::vector<Finding> findings;
  std::vector<double> p;
  for (const Claim& claim : claims) {
    if (claim.terms.empty()) {
      findings.push_back({claim, {}, 1, 0, Verdict::not_testable});
      continue;
    }
    findings.push_back(test_claim(claim, jobs, outcomes, seed));
    p.push_back(findings.back().contrast.p);
  }
  const std::vector<double> corrected = holm(p);
  std::size_t next = 0;
  for (Finding& f : findings) {
    if (f.claim.terms.empty()) continue;
    f.p_holm = corrected[next++];
    f.verdict = verdict(f.contrast.mean, f.p_holm);
  }
  return findings;
}

}  // namespace seminar::inline SEMINAR_PRECISION
