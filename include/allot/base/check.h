#pragma once

namespace allot {

/// Prints the broken assertion and aborts. Assertions stay on in release builds: a control plane
/// that no longer knows what is true must stop, because its state is safe in the database.
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

}  // namespace allot

/// What must hold whatever the input; input itself is refused with an Error, never with this.
#define ALLOT_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::allot::CheckFailed(#condition, __FILE__, __LINE__))
