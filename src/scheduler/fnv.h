#pragma once

#include <cstdint>
#include <string_view>

namespace allot::scheduler {

/// FNV-1a, 64 bits. Numbers go in byte by byte and texts with their length, so equal digests mean
/// equal fields on any machine.
class Fnv {
 public:
  void Add(int64_t value) {
    for (int shift = 0; shift < 64; shift += 8) {
      AddByte(static_cast<uint8_t>(static_cast<uint64_t>(value) >> shift));
    }
  }
  void Add(std::string_view text) {
    Add(static_cast<int64_t>(text.size()));
    for (const char c : text) AddByte(static_cast<uint8_t>(c));
  }
  uint64_t value() const { return value_; }

 private:
  void AddByte(uint8_t byte) { value_ = (value_ ^ byte) * 0x100000001b3ULL; }

  uint64_t value_ = 0xcbf29ce484222325ULL;
};

}  // namespace allot::scheduler
