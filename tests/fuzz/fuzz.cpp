// fuzz TARGET [libFuzzer's options and folders]: libFuzzer on one of the readers. Built with -DSEMINAR_FUZZ=ON.
#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>

#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tests/fuzz/targets.h"

namespace {
const seminar::FuzzTarget* target = nullptr;
}

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  seminar::set_threads(1);
  try {
    seminar::check(*argc >= 2, "usage: fuzz TARGET …");
    target = &seminar::fuzz_target((*argv)[1]);
  } catch (const seminar::Error& e) {
    fmt::print(stderr, "fuzz: {}\n", e.what());
    std::exit(2);
  }
  (*argv)[1] = (*argv)[0];
  ++*argv;
  --*argc;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  seminar::try_input(*target, std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
