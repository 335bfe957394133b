#include "apps/cli.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "tensor/io/file.h"
#include "tensor/io/print.h"

namespace seminar {

Progress::Progress(std::string label, std::string unit, bool silent)
    : label_(std::move(label)),
      unit_(std::move(unit)),
      silent_(silent),
      terminal_(isatty(STDERR_FILENO) != 0),
      begin_(std::chrono::steady_clock::now()),
      last_(begin_) {}

Progress::~Progress() {
  if (drawn_) print_error("\r\x1b[K");
}

double Progress::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
}

void Progress::update(int64_t done, int64_t total, int64_t units, const std::string& text) {
  if (silent_) return;
  const auto now = std::chrono::steady_clock::now();
  const double gap = std::chrono::duration<double>(now - last_).count();
  if (gap < (terminal_ ? 0.1 : 10) && done < total) return;
  last_ = now;
  const double spent = seconds(),
               left = done > 0 ? spent * static_cast<double>(total - done) / static_cast<double>(done) : 0;
  const std::string figures =
      fmt::format("{}/{}  {:.0f} {}/s  {}  {} left", done, total, static_cast<double>(units) / std::max(spent, 1e-9),
                  unit_, text, duration(left));
  if (!terminal_) {
    print_error("{}  {}\n", label_, figures);
    return;
  }
  winsize size{};
  const int columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  const int width = std::max(0, std::min(30, columns - static_cast<int>(label_.size() + figures.size()) - 6));
  const int full = static_cast<int>(static_cast<double>(width) * static_cast<double>(done) /
                                    static_cast<double>(std::max<int64_t>(1, total)));
  const std::string line = fmt::format("{}  [{:#<{}}{:.<{}}]  {}", label_, "", full, "", width - full, figures);
  print_error("\r\x1b[K{}", line.substr(0, static_cast<std::size_t>(columns - 1)));
  flush_text(stderr);
  drawn_ = true;
}

void Progress::note(const std::string& line) {
  if (silent_) return;
  if (drawn_) print_error("\r\x1b[K");
  print_error("{}\n", line);
  drawn_ = false;
}

namespace {
volatile std::sig_atomic_t signal_seen = 0;
extern "C" void on_signal(int number) {
  if (signal_seen != 0) _exit(128 + number);
  signal_seen = number;
}

// Ends the program in one line if a mapped file was cut short under its hands.
extern "C" void on_bus_error(int number, siginfo_t* info, void*) {
  const char* path = mapped_file_at(info->si_addr);
  if (!path) {  // something else: as if there were no handler
    std::signal(number, SIG_DFL);
    return;
  }
  for (const char* part : {"seminar: ", path, ": cannot be read: it was cut short while it was in use\n"})
    if (::write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  _exit(2);
}
}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_flags = SA_SIGINFO;
  action.sa_sigaction = on_bus_error;
  sigaction(SIGBUS, &action, nullptr);
  std::signal(SIGXFSZ, SIG_IGN);  // the write fails with a message instead
  std::signal(SIGPIPE, SIG_IGN);  // a reader that has gone does not end a training
}

bool interrupted() { return signal_seen != 0; }
int interrupt_exit_code() { return 128 + signal_seen; }

std::string duration(double seconds) {
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const int64_t whole = std::llround(seconds);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

}  // namespace seminar
