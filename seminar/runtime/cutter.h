// Cuts one block of memory into arrays; measures while it has none.
#pragma once

#include <cstddef>
#include <cstdint>

namespace seminar::runtime {

class Cutter {
 public:
  explicit Cutter(std::byte* memory) : memory_(memory) {}
  template <class T>
  void operator()(T*& out, int64_t count) {
    out = memory_ ? reinterpret_cast<T*>(memory_ + used_) : nullptr;
    used_ += (static_cast<uint64_t>(count) * sizeof(T) + 63) / 64 * 64;
  }
  uint64_t used() const { return used_; }

 private:
  std::byte* memory_;
  uint64_t used_ = 0;  // 64 bits on every machine: what is too large is refused when it is taken
};

}  // namespace seminar::runtime
