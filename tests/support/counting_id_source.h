#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "allot/base/check.h"
#include "allot/base/random.h"

namespace allot::testing {

/// Mints "a00001", "a00002" … of the length asked for: unique, in order, the same in every run.
/// Thread safe.
class CountingIdSource final : public IdSource {
 public:
  std::string Mint(int length) override {
    const std::string digits = std::to_string(next_.fetch_add(1));
    const auto wanted = static_cast<std::size_t>(length);
    ALLOT_CHECK(digits.size() < wanted);
    return 'a' + std::string(wanted - 1 - digits.size(), '0') + digits;
  }

 private:
  std::atomic<int64_t> next_{1};
};

}  // namespace allot::testing
