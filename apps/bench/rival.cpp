#include "apps/bench/rival.h"

#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>

#include <csignal>
#include <cstdlib>

#include "tensor/error.h"

namespace seminar::bench {

Rival::Rival(const std::string& program, const std::string& arguments, const std::string& environment)
    : program_(program) {
  if (::access(program.c_str(), X_OK) != 0) return;
  int in[2], out[2];
  check(::pipe2(in, O_CLOEXEC) == 0 && ::pipe2(out, O_CLOEXEC) == 0, "{}: cannot make a pipe", program);
  std::signal(SIGPIPE, SIG_IGN);
  process_ = ::fork();
  if (process_ == 0) {
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    const std::string command = fmt::format("exec env {} '{}' {}", environment, program, arguments);
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  check(process_ > 0, "{}: cannot start", program);
  to_ = ::fdopen(in[1], "w");
  from_ = ::fdopen(out[0], "r");
}

Rival::~Rival() {
  if (missing()) return;
  std::fclose(to_);
  std::fclose(from_);
  ::waitpid(process_, nullptr, 0);
}

double Rival::ask(const std::string& line, std::string* rest) {
  std::fprintf(to_, "%s\n", line.c_str());
  std::fflush(to_);
  char answer[1024];
  check(std::fgets(answer, sizeof answer, from_) != nullptr, "{}: ended at '{}'", program_, line);
  char* end = nullptr;
  const double number = std::strtod(answer, &end);
  check(end != answer, "{}: '{}': {}", program_, line, answer);
  if (rest) *rest = std::string(end);
  return number;
}

}  // namespace seminar::bench
