// seminar report: what stands on the page and in the log it reads, and that the page can be read.
#include <cmath>
#include <map>
#include <regex>

#include "apps/commands/training_log.h"
#include "seminar/evaluation/attention_profile.h"
#include "seminar/training/model_file.h"
#include "tests/program.h"

using namespace seminar;

namespace {

// Luminance of #rgb or #rrggbb by WCAG 2.
double luminance(std::string colour) {
  colour.erase(0, 1);
  if (colour.size() == 3) colour = {colour[0], colour[0], colour[1], colour[1], colour[2], colour[2]};
  const double weight[] = {0.2126, 0.7152, 0.0722};
  double total = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const double c = std::stoi(colour.substr(2 * i, 2), nullptr, 16) / 255.0;
    total += weight[i] * (c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4));
  }
  return total;
}

double contrast(const std::string& a, const std::string& b) {
  const double x = luminance(a), y = luminance(b);
  return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}

// The colours of each ":root { … }" of a page: light, then dark.
std::vector<std::map<std::string, std::string>> schemes(const std::string& page) {
  std::vector<std::map<std::string, std::string>> found;
  const std::regex colour("--([a-z0-9]+): (#[0-9a-f]+)");
  for (std::size_t at = page.find(":root {"); at != std::string::npos; at = page.find(":root {", at + 1)) {
    const std::string block = page.substr(at, page.find('}', at) - at);
    std::map<std::string, std::string> colours;
    for (std::sregex_iterator it(block.begin(), block.end(), colour), end; it != end; ++it)
      colours[(*it)[1]] = (*it)[2];
    if (!colours.empty()) found.push_back(colours);
  }
  return found;
}

TrainProgress step_of(int64_t epoch, double loss, std::optional<double> valid) {
  TrainProgress p;
  p.epoch = epoch;
  p.loss = {{"loss", loss}};
  if (valid) p.valid.emplace().ndcg10 = *valid;
  return p;
}

}  // namespace

TEST_SUITE("report") {
  TEST_CASE("an attention that does not choose gives every behaviour of a user the same") {
    const TinyData tiny;
    const auto made = make_model("seminar", small_settings(), tiny.data, Rng(1));
    const SeminarModel& model = dynamic_cast<const SeminarModel&>(*made);
    Tensor wq = model.esu.attention.wq.var().value();
    std::fill_n(wq.write(), wq.numel(), real{0});
    RunSettings run = small_run();
    run.k = run.history;
    const AttentionProfile p = attention_profile(model, tiny.data, run);
    double searches = 0, attended = 0, behaviours = 0;
    const std::vector<Target> targets = held_out_targets(tiny.data, Split::test);
    for (const Target& t : targets) {
      const int64_t n = std::min<int64_t>(run.history, t.position);
      const auto queries = tiny.data.user_queries(t.user).subspan(static_cast<std::size_t>(t.position - n));
      double own = 0;
      for (int64_t i = 0; i < n; ++i) own += queries[static_cast<std::size_t>(i)] != 0;
      searches += own;
      behaviours += static_cast<double>(n);
      attended += own / static_cast<double>(n);
    }
    CHECK(p.users == std::ssize(targets));
    CHECK(p.behaviours == static_cast<int64_t>(behaviours));
    CHECK(p.search_share == doctest::Approx(searches / behaviours));
    CHECK(p.search_attended == doctest::Approx(attended / static_cast<double>(p.users)));
    double share = 0, by_age = 0, weight = 0, by_channel = 0;
    for (const AgeProfile& a : p.ages) {
      share += a.share;
      by_age += a.attended;
    }
    for (const ChannelProfile& c : p.channels) {
      weight += c.weight;
      by_channel += c.attended;
      CHECK(c.norm > 0);
    }
    for (const double total : {share, by_age, weight, by_channel}) CHECK(total == doctest::Approx(1));
    CHECK(p.channels[0].name == "query");
    CHECK(p.channels[0].weight == doctest::Approx(small_settings().lambda));
  }

  TEST_CASE("a log has the means of its epochs; a resumed one keeps those before") {
    const TemporaryFolder folder;
    const std::string path = training_log_path(folder / "model.safetensors");
    TrainingLog log(path, false);
    log.add(step_of(1, 4, {}), 1);
    log.add(step_of(1, 2, 0.25), 2);
    log.add(step_of(2, 1, 0.5), 3);
    const auto two = read_training_log(path);
    REQUIRE(two.size() == 2);
    CHECK(two[0].loss[0].second == 3);
    CHECK(two[0].valid_ndcg10 == 0.25);
    CHECK(two[1].loss[0].second == 1);
    TrainingLog resumed(path, true);
    resumed.add(step_of(2, 7, 0.75), 1);
    const auto again = read_training_log(path);
    REQUIRE(again.size() == 2);
    CHECK(again[0].loss[0].second == 3);
    CHECK(again[1].loss[0].second == 7);
    write_file(path, "{}");
    CHECK_THROWS_WITH_AS(read_training_log(path), doctest::Contains("not a log of training"), Error);
  }

  TEST_CASE("the page is one small file that loads nothing, and can be read in both schemes") {
    const TemporaryFolder folder;
    const std::string runs = folder / "runs", data = runs + "/data", page = folder / "report.html";
    fs::create_directories(runs);
    write_movielens(folder / "source");
    REQUIRE(run(fmt::format("data import movielens {} --out {}", folder / "source", data)).code == 0);
    check_refused(fmt::format("report {} --out {}", runs, page), "no model files in it");
    REQUIRE(run(fmt::format("pretrain --data {} --out {}/psu.safetensors {}", data, runs, small)).code == 0);
    REQUIRE(run(fmt::format("train --data {0} --init {1}/psu.safetensors --out {1}/seminar.safetensors {2}", data, runs,
                            small))
                .code == 0);
    const Output o = run(fmt::format("report {} --out {}", runs, page));
    CAPTURE(o.err);
    REQUIRE(o.code == 0);
    const std::string html = read_file(page);
    CHECK(html.size() < 2'000'000);
    for (const char* loaded : {"<script", "<link rel=\"stylesheet", "@import", "src=", "url("})
      CHECK(html.find(loaded) == std::string::npos);
    for (const char* shown : {"seminar", "psu", "popularity", "Where attention goes", "weight × norm", "perplexity",
                              "product quantization", "validation NDCG@10", "The (19"})
      CHECK_MESSAGE(html.find(shown) != std::string::npos, shown);
    const auto both = schemes(html);
    REQUIRE(both.size() == 2);
    for (const auto& scheme : both) {
      REQUIRE(scheme.size() == 13);
      for (const auto& entry : scheme) {
        CAPTURE(entry.first);
        if (entry.first == "paper" || entry.first == "grid" || entry.first == "soft") continue;
        for (const char* ground : {"paper", "soft"}) CHECK(contrast(entry.second, scheme.at(ground)) >= 4.5);
      }
    }
    write_file(runs + "/psu.safetensors.log.json", "[1]");
    check_refused(fmt::format("report {} --out {}", runs, page), "psu.safetensors.log.json: not a log of training");
    check_refused(fmt::format("report {} --out {}", folder / "none", page), "not a folder");
    CHECK(read_file(page) == html);
  }
}
