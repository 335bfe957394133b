#!/usr/bin/env bash
# The tests under AddressSanitizer (with leaks) and UndefinedBehaviorSanitizer, then a few seconds of fuzzing for each
# reader. With clang 14 if it is there, which compiles faster and can fuzz, else with gcc.
#   tests/sanitize.sh          what is built in float, as in CI
#   tests/sanitize.sh --all    the twins in double and the documents' programs as well, and threads under ThreadSanitizer
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

compiler=(-DCMAKE_CXX_COMPILER=g++ -DSEMINAR_FUZZ=OFF)
targets=(sanitized_tests write_fixture replay_requests kill replay golden_f32)
left_out='^seminar_from_scratch|_f64|^golden$|^add_an_op$|^documents_tests$|^results_tests$'
if command -v clang++-14 >/dev/null && ls /usr/lib/llvm-14/lib/clang/*/lib/linux/libclang_rt.fuzzer-x86_64.a >/dev/null 2>&1; then
  compiler=(-DCMAKE_CXX_COMPILER=clang++-14 -DSEMINAR_FUZZ=ON)
  targets+=(fuzz)
fi
[ "${1:-}" != --all ] || targets=(all) left_out='^results_tests$'

cmake --preset asan -DSEMINAR_TESTS=ON "${compiler[@]}" >/dev/null
cmake --build --preset asan --target "${targets[@]}"
LSAN_OPTIONS=suppressions=$PWD/tests/leaks.supp:print_suppressions=0 ctest --preset asan -j "$(nproc)" -E "$left_out"

if [ "${1:-}" = --all ]; then
  cmake --preset tsan -DSEMINAR_TESTS=ON "${compiler[0]}" >/dev/null
  cmake --build --preset tsan --target thread_tests
  build/tsan/bin/thread_tests
fi

if [ -x build/asan/bin/fuzz ]; then
  tests/fuzz.sh --build build/asan --seconds 2
fi
