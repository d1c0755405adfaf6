#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "allot/base/time.h"

namespace allot::cli {

/// Columns a terminal gives the text: Korean and other wide characters take two, combining marks
/// none. A byte that is not UTF-8 takes one.
int DisplayWidth(std::string_view text);

/// The text with control characters as \xNN, so that no name from elsewhere can drive the terminal.
std::string Harmless(std::string_view text);

/// "in 3h", "2d ago", "now": the two largest units at most.
std::string Relative(Instant time, Instant now);
/// "2026-03-01 00:00Z (in 3h)"; seconds are shown when they are not zero.
std::string Moment(Instant time, Instant now);

std::vector<std::string> Split(std::string_view text, char separator);
std::string Join(const std::vector<std::string>& parts, std::string_view separator);

}  // namespace allot::cli
