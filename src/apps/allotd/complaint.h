#pragma once

#include "allot/base/result.h"

namespace allot::allotd {

inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

/// Says on stderr what went wrong and what to do. Returns the exit status.
int Complain(const Error& error);

}  // namespace allot::allotd
