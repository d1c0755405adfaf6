#include "allot/sim/seed.h"

#include <charconv>
#include <cstdint>
#include <limits>

namespace allot::sim {

std::string WhyNoSeed(const std::string& text) {
  constexpr const char* kDigits = "0123456789";
  int64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  const bool is_read = error == std::errc() && end == text.data() + text.size();
  // A 0 in front would be read as octal.
  const bool is_plain =
      text.find_first_not_of(kDigits) == std::string::npos && (text == "0" || text[0] != '0');
  if (is_read && is_plain) return "";
  return "'" + text + "': expected a whole number of 0 to " +
         std::to_string(std::numeric_limits<int64_t>::max());
}

}  // namespace allot::sim
