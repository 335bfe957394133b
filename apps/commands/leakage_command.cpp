// seminar data leakage
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "apps/cli.h"
#include "seminar/evaluation/leakage.h"
#include "tensor/io/file.h"
#include "tensor/io/print.h"

namespace seminar {
namespace {

struct LeakageArguments {
  std::string dir, json;
  RunSettings run;
};

// A row of the table: a count of targets, as a share of others; of times, if it asks for them.
struct LeakageRow {
  const char* name;
  const char* text;
  int64_t SplitLeakage::*count;
  int64_t SplitLeakage::*of;
  bool of_times = false;
};
constexpr LeakageRow leakage_rows[] = {
    {"repeated", "item that the user had before", &SplitLeakage::repeated, &SplitLeakage::targets},
    {"cold", "item that nobody has in the training part", &SplitLeakage::cold, &SplitLeakage::targets},
    {"queried", "target with a query", &SplitLeakage::queried, &SplitLeakage::targets},
    {"query_of_one_item", "  query that stands at this item only, in all the data", &SplitLeakage::query_of_one_item,
     &SplitLeakage::queried},
    {"query_known", "  ... and stands at it in the training part already", &SplitLeakage::query_known,
     &SplitLeakage::queried},
    {"query_in_title", "  query with all its words in the item's title", &SplitLeakage::query_in_title,
     &SplitLeakage::queried},
    {"same_time", "same time as the user's action before (one session)", &SplitLeakage::same_time,
     &SplitLeakage::targets, true},
    {"before_training", "earlier than some training action of anyone", &SplitLeakage::before_training,
     &SplitLeakage::targets, true}};
constexpr const char* later_text = "training actions later than the target, on average";
constexpr int width = 56;

std::string share(double part) { return fmt::format("{:.1f} %", 100 * part); }

std::string share(const SplitLeakage& s, const LeakageRow& row) {
  const int64_t count = s.*row.count, of = s.*row.of;
  if (of == 0) return "-";
  return fmt::format("{} = {}", count, share(static_cast<double>(count) / static_cast<double>(of)));
}

void print_row(const char* text, const std::string& valid, const std::string& test) {
  print_out("{:<{}}{:>18}{:>18}\n", text, width, valid, test);
}

void print(const Leakage& l) {
  print_row("held-out targets", "validation", "test");
  print_row("targets", fmt::format("{}", l.valid.targets), fmt::format("{}", l.test.targets));
  for (const LeakageRow& row : leakage_rows)
    if (l.has_times || !row.of_times) print_row(row.text, share(l.valid, row), share(l.test, row));
  if (l.has_times)
    print_row(later_text, share(l.valid.later_training), share(l.test.later_training));
  else
    print_out("The data have no times, only the order of actions: what compares times is left out.\n");
  if (const SplitLeakage& test = l.test; l.has_times && 2 * test.before_training > test.targets)
    print_out(
        "Leave-one-out trains on the future here: {} of the test targets are earlier than some training action. Its "
        "figures compare models; they are no forecast.\n",
        share(static_cast<double>(test.before_training) / static_cast<double>(test.targets)));
  print_out(
      "Negatives of training leave out what the user had up to the target; of those left the user has {} later.\n",
      share(l.later_items));
  if (l.negatives == 0) return;
  print_out(
      "Of the {} test negatives {} are the user's validation negatives as well ({} by chance); equal for {} of {} "
      "users.\n",
      l.negatives, share(l.shared), share(l.shared_chance), l.same_negatives, l.users);
}

nlohmann::ordered_json json_of(const SplitLeakage& s, bool has_times) {
  nlohmann::ordered_json report{{"targets", s.targets}};
  for (const LeakageRow& row : leakage_rows)
    if (has_times || !row.of_times) report[row.name] = s.*row.count;
  if (has_times) report["later_training"] = s.later_training;
  return report;
}

void run(LeakageArguments& a) {
  check_settings(a.run);
  const Dataset data = Dataset::open(a.dir);
  const Leakage l = find_leakage(data, a.run);
  const nlohmann::ordered_json report{{"data", data.fingerprint()},
                                      {"seed", a.run.eval_seed},
                                      {"validation", json_of(l.valid, l.has_times)},
                                      {"test", json_of(l.test, l.has_times)},
                                      {"has_times", l.has_times},
                                      {"negatives", l.negatives},
                                      {"shared_negatives", l.shared},
                                      {"shared_by_chance", l.shared_chance},
                                      {"users_with_same_negatives", l.same_negatives},
                                      {"users", l.users},
                                      {"later_items", l.later_items}};
  if (!write_output(a.json, report.dump(2))) print(l);
}

}  // namespace

void add_leakage_command(CLI::App& data) {
  const auto a = std::make_shared<LeakageArguments>();
  CLI::App* command = data.add_subcommand("leakage", "Report what the held-out targets of a data folder give away");
  add_input(*command, "DIR", a->dir, "data folder", "FOLDER")->required();
  add_option(*command, "--eval-seed,--seed", a->run.eval_seed, "seed of the negatives", from_0);
  add_option(*command, "--eval-negatives", a->run.eval_negatives, "negatives a user (0: all items compete)", from_0);
  add_output(*command, "--json", a->json, "write the report as JSON to this file ('-': standard output)");
  command->callback([a] { run(*a); });
  command->footer("Example:\n  seminar data leakage data --eval-negatives 50");
}

}  // namespace seminar
