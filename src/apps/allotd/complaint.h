#pragma once

#include <string>

#include "allot/base/result.h"

namespace allot::allotd {

inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

/// Says on stderr what went wrong and what to do. Returns the exit status.
int Complain(const Error& error);
/// Of a command that works on the database of that URL: says as well why it cannot be reached.
int ComplainOf(const std::string& database_url, const Error& error);

}  // namespace allot::allotd
