// Compares answers with what is expected and counts the checks that pass.
#pragma once

#include <cmath>
#include <cstdio>
#include <exception>
#include <functional>
#include <vector>

namespace tour {

using Numbers = std::vector<double>;

class Grader {
 public:
  /// Calls `answer` and compares it with `expected`, number by number, to `tolerance`.
  void expect(const char* what, const Numbers& expected, const std::function<Numbers()>& answer,
              double tolerance = 1e-6) {
    Numbers got;
    const char* error = "";
    try {
      got = answer();
    } catch (const std::exception&) {
      error = ", an exception";
    }
    bool equal = got.size() == expected.size();
    for (std::size_t i = 0; equal && i < got.size(); ++i) equal = std::abs(got[i] - expected[i]) <= tolerance;
    ++checks_;
    passed_ += equal;
    std::printf("%s %s\n", equal ? "ok     " : "not yet", what);
    if (equal) return;
    print("expected", expected);
    std::printf("        got     ");
    print_numbers(got);
    std::printf("%s\n", error);
  }

  /// Prints the count; the exit code of a grader: 0 if all checks pass, else 1.
  int finish() const {
    std::printf("%d of %d checks pass\n", passed_, checks_);
    return passed_ == checks_ ? 0 : 1;
  }

 private:
  static void print_numbers(const Numbers& numbers) {
    if (numbers.empty()) std::printf(" nothing");
    for (std::size_t i = 0; i < numbers.size() && i < 8; ++i) std::printf(" %.6g", numbers[i]);
    if (numbers.size() > 8) std::printf(" … (%zu numbers)", numbers.size());
  }
  static void print(const char* name, const Numbers& numbers) {
    std::printf("        %s", name);
    print_numbers(numbers);
    std::printf("\n");
  }

  int checks_ = 0, passed_ = 0;
};

}  // namespace tour
