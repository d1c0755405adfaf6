#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "allot/base/result.h"

namespace allot::fuzz {

/// Bytes as libFuzzer gives them.
inline std::string_view TextOf(const uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// What must hold whatever the input. If it does not, says so and ends the process, which libFuzzer
/// takes for a finding.
void Require(bool holds, std::string_view what, std::string_view about = {});

/// An error as anybody may be shown it: a reason, a sentence, and a bounded field, value and limit,
/// all of them UTF-8 without control characters.
void RequireShowable(const Error& error);
/// The same, of one field: it has a name and says what would be accepted.
void RequireOfField(const Error& error);

}  // namespace allot::fuzz
