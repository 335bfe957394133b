// What the subcommands share: options, progress, interruption.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <string>

#include "apps/options.h"

namespace seminar {

/// Seed of the bootstrap intervals of runs that are read back.
constexpr uint64_t interval_seed = 1;

/// Progress of long work on stderr: a bar with rate and remaining time on a terminal, a plain line now and then
/// elsewhere.
class Progress {
 public:
  /// With `silent` nothing is shown.
  Progress(std::string label, std::string unit, bool silent = false);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// `done` of `total` steps, `units` processed so far, and a short text such as the loss.
  void update(int64_t done, int64_t total, int64_t units, const std::string& text);
  /// A line of its own above the bar.
  void note(const std::string& line);
  double seconds() const;

 private:
  std::string label_, unit_;
  bool silent_, terminal_, drawn_ = false;
  std::chrono::steady_clock::time_point begin_, last_;
};

/// Ctrl-C and SIGTERM set interrupted(), a second one ends the program at once; a mapped file that is cut short ends it
/// with one line and exit code 2; a file size limit becomes an Error.
void install_signal_handlers();
bool interrupted();
/// 130 or 143, by the signal that came.
int interrupt_exit_code();

/// Seconds as "1 min 05 s" or "3.2 s".
std::string duration(double seconds);

// The subcommands, one file each.
void add_data_command(CLI::App& app);
void add_leakage_command(CLI::App& data);  ///< of the command data
void add_train_commands(CLI::App& app);
void add_clip_commands(CLI::App& app);
void add_eval_command(CLI::App& app);
void add_compare_command(CLI::App& app);
void add_bench_command(CLI::App& app);
void add_explore_command(CLI::App& app);
void add_export_command(CLI::App& app);
void add_inspect_command(CLI::App& app);
void add_quantize_command(CLI::App& app);
void add_rank_command(CLI::App& app);
void add_report_command(CLI::App& app);
void add_serve_command(CLI::App& app);  ///< with SEMINAR_HTTP only
void add_study_command(CLI::App& app);
/// The studies that train models, as subcommands of `study`.
void add_model_studies(CLI::App& study);
void add_demo_command(CLI::App& app);
void add_completion_commands(CLI::App& app);  ///< completion and man
void add_scaling_command(CLI::App& app);

/// Thrown by a command that was interrupted and has saved its work.
struct Interrupted {};

}  // namespace seminar
