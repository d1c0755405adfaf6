#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace allot::chaos {

/// What the auditor saw that must not be.
struct Violation {
  /// Which step of the seed showed it.
  int64_t step = 0;
  /// The rule: "gpu_once", "quota_held" …
  std::string rule;
  /// What was expected, and what was seen.
  std::string what;
};

/// What came of one seed.
struct Report {
  uint64_t seed = 0;
  /// Turns, calls, messages and faults.
  int64_t steps = 0;
  /// Transactions that changed something.
  int64_t commits = 0;
  int64_t passes = 0;
  int64_t allocations = 0;
  /// How often each kind of fault was injected.
  std::map<std::string, int64_t> faults;
  /// How often each rare situation came about; see ProbeNames.
  std::map<std::string, int64_t> probes;
  /// The first one; the seed ends there.
  std::optional<Violation> violation;
  /// Of every step in its order: equal for equal seeds.
  uint64_t trace_hash = 0;
};

/// Runs servers, agents and tenants with the real logic of control, scheduler and agent in this
/// thread, by a clock, a network and a store that are simulated, with faults drawn from `seed`;
/// then heals everything and awaits that all that was asked for is served. `trace` is told every
/// step with its time, and may be null.
Report RunSeed(uint64_t seed, const std::function<void(std::string_view line)>& trace);

/// Situations that a run over many seeds must have met, or it shows less than it seems to.
std::span<const std::string_view> ProbeNames();

}  // namespace allot::chaos
