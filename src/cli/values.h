#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/result.h"
#include "allot/base/time.h"

namespace allot::cli {

// Values as people type them, on the command line and in apply files. `field` names the place in
// the error: "--for", "duration". What the server judges (ranges, sense) is left to the server.

/// "7d", "4h", "2w", "1d12h", "3600s".
Result<Seconds> ParseLength(const std::string& field, std::string_view text);

/// RFC 3339, or "+2h" from `now`.
Result<Instant> ParseMoment(const std::string& field, std::string_view text, Instant now);

/// The moments of one command line. Those that count from now are others with every run, and make
/// another call of it: what they came to is kept, so that a repeat can say the same.
class Moments {
 public:
  explicit Moments(Instant now) : now_(now) {}

  /// As ParseMoment.
  Result<Instant> Read(const std::string& flag, std::string_view text);
  /// One that counts from now, and what it came to.
  Instant Keep(const std::string& flag, Instant moment);
  Instant now() const { return now_; }

  /// The flags to give instead: "--start", "2026-03-01T02:00:00Z".
  const std::vector<std::string>& kept() const { return kept_; }

 private:
  const Instant now_;
  std::vector<std::string> kept_;
};

/// "H200", "H200,B200" in the order of preference, or "any" for none in particular (an empty list).
/// Letters may be small.
Result<std::vector<std::string>> ParseModels(const std::string& field, std::string_view text);

/// A whole number from `min` (at least 0) to `max`, without a unit. `reason` is what a refusal is
/// called.
Result<int64_t> ParseCount(const std::string& field, std::string_view text, Reason reason,
                           int64_t min, int64_t max);
/// The same for what travels in 32 bits.
Result<int32_t> ParseSmallCount(const std::string& field, std::string_view text, Reason reason,
                                int32_t min, int32_t max);

/// What the API takes (allocation.proto).
inline constexpr int32_t kGpusMax = 16'384;
inline constexpr int32_t kNodesMax = 2'048;
inline constexpr int32_t kGpusPerNodeMax = 8;
inline constexpr int32_t kMeritMax = 1'000;

/// "123456" or "1,024.5" GPU-hours, in GPU-seconds: at most one decimal, as FormatGpuHours prints
/// it.
Result<int64_t> ParseGpuHours(const std::string& field, std::string_view text);

}  // namespace allot::cli
