// A counter-based random generator: the n-th number of a stream is a function of (key, n), so streams can be split by
// name or index and give the same numbers whatever the order or the number of threads. Not for cryptography.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

namespace seminar {

class Rng {
 public:
  explicit Rng(uint64_t seed = 1) : key_(mix(seed + 0x9e3779b97f4a7c15ull)) {}

  /// An independent stream for `index`.
  Rng split(uint64_t index) const { return Rng(key_ ^ mix(index * 0xd1342543de82ef95ull + 0x632be59bd9b4e019ull)); }
  /// An independent stream for `name`.
  Rng split(std::string_view name) const {
    uint64_t h = 0xcbf29ce484222325ull;
    for (unsigned char c : name) h = (h ^ c) * 0x100000001b3ull;
    return split(h);
  }

  /// 64 random bits.
  uint64_t next() { return mix(key_ + 0x9e3779b97f4a7c15ull * ++counter_); }
  /// Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// Uniform in [low, high).
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Uniform integer in [0, n); n > 0. The bias of the multiplication is below n / 2^64.
  int64_t below(int64_t n) {
    return static_cast<int64_t>((static_cast<__uint128_t>(next()) * static_cast<uint64_t>(n)) >> 64);
  }
  /// Standard normal (Box-Muller; one number a call).
  double normal() {
    const double u = 1.0 - uniform(), v = uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * v);
  }
  /// True with probability p.
  bool chance(double p) { return uniform() < p; }

 private:
  static uint64_t mix(uint64_t z) {  // SplitMix64's finaliser
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  uint64_t key_;
  uint64_t counter_ = 0;
};

/// A random order of 0..n-1 whose i-th place is computed, not stored: a Feistel network on the next power of four,
/// walked until it falls below n.
class Permutation {
 public:
  /// n >= 1.
  Permutation(int64_t n, Rng rng) : n_(static_cast<uint64_t>(n)) {
    while ((uint64_t{1} << (2 * half_)) < n_) ++half_;
    for (uint64_t& key : keys_) key = rng.next();
  }
  int64_t operator()(int64_t i) const {
    uint64_t x = static_cast<uint64_t>(i);
    do x = round_trip(x);
    while (x >= n_);
    return static_cast<int64_t>(x);
  }

 private:
  uint64_t round_trip(uint64_t x) const {
    const uint64_t mask = (uint64_t{1} << half_) - 1;
    uint64_t left = x >> half_, right = x & mask;
    for (const uint64_t key : keys_) {
      const uint64_t next = left ^ (Rng(key ^ right).next() & mask);
      left = right;
      right = next;
    }
    return left << half_ | right;
  }
  uint64_t n_;
  int half_ = 1;
  uint64_t keys_[4];
};

}  // namespace seminar
