#pragma once

#include <cstdint>
#include <string>

namespace allot {

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers from the same seed on every machine,
/// which std distributions do not promise.
class SeededRandom {
 public:
  explicit constexpr SeededRandom(uint64_t seed) : state_(seed) {}

  constexpr uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  /// Uniform in [0, bound), bound > 0; by rejection, so without modulo bias.
  constexpr uint64_t Below(uint64_t bound) {
    const uint64_t reject_below = (0 - bound) % bound;
    for (;;) {
      const uint64_t x = Next();
      if (x >= reject_below) return x % bound;
    }
  }
  /// Uniform in [low, high].
  constexpr int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1));
  }

 private:
  uint64_t state_;
};

/// Mints identifiers and secrets. Handed in from main; thread safe.
class IdSource {
 public:
  virtual ~IdSource() = default;
  /// `length` (> 0) characters of [a-z0-9] starting with a letter: 4.7 bits of entropy for the
  /// first, 5.1 for each other.
  virtual std::string Mint(int length) = 0;
};

/// From the operating system's generator: fit for secrets.
class SystemIdSource final : public IdSource {
 public:
  std::string Mint(int length) override;
};

}  // namespace allot
