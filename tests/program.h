// Running the program under test, SEMINAR_BINARY, as its users do.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>

#include "tests/tiny_data.h"

namespace seminar {

namespace fs = std::filesystem;

struct Output {
  int code;
  std::string out, err;
};

// Runs the program with `arguments` through the shell, behind `prefix`.
inline Output run_under(const std::string& prefix, const std::string& arguments) {
  const TemporaryFolder folder;
  const std::string command = fmt::format("{} {} {} 2>'{}'", prefix, SEMINAR_BINARY, arguments, folder / "err");
  Output result;
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe);
  std::array<char, 4096> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) result.out.append(buffer.data(), n);
  const int status = ::pclose(pipe);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.err = read_file(folder / "err");
  return result;
}

// A run of the program whose standard error is read as it comes: it cannot get far ahead of its reader.
class Running {
 public:
  explicit Running(const std::string& arguments, const std::string& prefix = "") {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    ::fcntl(ends[0], F_SETPIPE_SZ, 4096);
    const std::string command = fmt::format("exec {} {} {}", prefix, SEMINAR_BINARY, arguments);
    process_ = ::fork();
    if (process_ == 0) {
      ::dup2(ends[1], STDERR_FILENO);
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    errors_ = ends[0];
  }
  ~Running() { ::close(errors_); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  void wait_for(const std::string& text) {
    while (read_.find(text) == std::string::npos) REQUIRE(more());
  }
  pid_t process() const { return process_; }
  void send(int signal) { ::kill(process_, signal); }
  // Its exit code, 128 + the signal that killed it.
  int wait() {
    while (more()) {
    }
    int status = 0;
    ::waitpid(process_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  const std::string& errors() const { return read_; }

 private:
  bool more() {
    char buffer[256];
    const ssize_t n = ::read(errors_, buffer, sizeof buffer);
    if (n > 0) read_.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  }
  pid_t process_;
  int errors_;
  std::string read_;
};

inline Output run(const std::string& arguments) { return run_under("", arguments); }

// Exit code 2, nothing on standard output, one line on standard error that holds `message`.
inline void check_refused(const std::string& arguments, const std::string& message) {
  CAPTURE(arguments);
  const Output o = run(arguments);
  CAPTURE(o.err);
  CHECK(o.code == 2);
  CHECK(o.out.empty());
  CHECK(std::count(o.err.begin(), o.err.end(), '\n') == 1);
  CHECK(o.err.find(message) != std::string::npos);
}

// A MovieLens folder of 8 users and 40 movies.
inline void write_movielens(const std::string& dir) {
  fs::create_directories(dir);
  std::string movies = "movieId,title,genres\n", ratings = "userId,movieId,rating,timestamp\n",
              tags = "userId,movieId,tag,timestamp\n";
  for (int m = 1; m <= 40; ++m)
    movies += fmt::format("{},\"Movie {}, The ({})\",{}\n", m, m, 1960 + m, m % 2 ? "Drama|War" : "Comedy");
  for (int u = 1; u <= 8; ++u)
    for (int p = 0; p < 6 + u; ++p) ratings += fmt::format("{},{},4.0,{}\n", u, 1 + (u * 3 + p * 7) % 40, 1000 + p);
  tags += "1,4,funny,1003\n";
  write_file(dir + "/movies.csv", movies);
  write_file(dir + "/ratings.csv", ratings);
  write_file(dir + "/tags.csv", tags);
}

inline constexpr const char* small =
    "--dim 8 --heads 2 --text-heads 2 --hidden 8 --epochs 1 --k 4 --history 10 --negatives 2 --batch 16 "
    "--eval-negatives 20";

// No file beside `path` that starts with its name and is neither it nor the log of its training.
inline bool nothing_half_written(const std::string& path) {
  for (const auto& entry : fs::directory_iterator(fs::path(path).parent_path())) {
    const std::string name = entry.path();
    if (name.starts_with(path) && name != path && name != path + ".log.json") return false;
  }
  return true;
}

}  // namespace seminar
