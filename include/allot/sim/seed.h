#pragma once

#include <string>

namespace allot::sim {

/// Why `text` is no seed, for people; empty when it is one: a whole number of 0 to 2^63 - 1, so
/// that whoever counts up from it does not come round to 0. What parses command lines takes any
/// other number for some seed.
std::string WhyNoSeed(const std::string& text);

}  // namespace allot::sim
