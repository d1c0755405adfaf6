#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "allot/base/check.h"

namespace allot {

/// The names of an enumeration in the order of its values: the one place for both directions.
template <class Enum, std::size_t kCount>
struct NameTable {
  std::array<std::string_view, kCount> names;

  constexpr std::string_view NameOf(Enum value) const {
    const auto index = static_cast<std::size_t>(value);
    ALLOT_CHECK(index < kCount);
    return names[index];
  }
  constexpr std::optional<Enum> Parse(std::string_view name) const {
    for (std::size_t i = 0; i < kCount; ++i) {
      if (names[i] == name) return static_cast<Enum>(i);
    }
    return std::nullopt;
  }
};

}  // namespace allot
