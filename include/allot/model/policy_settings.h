#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "allot/base/result.h"
#include "allot/model/policy.h"

namespace allot {

/// A number of a policy, as people name it: the server's configuration, published policies, the
/// database and `allot-sim --set` all go by this one table.
struct PolicySetting {
  /// What a pass decides by, or what only keeps the pool going around it.
  enum class Use : uint8_t { kPlanning, kService };

  std::string_view name;
  Use use;
  std::variant<Seconds Policy::*, int Policy::*> member;
  /// Both included; in seconds for a length of time.
  int64_t min = 0;
  int64_t max = 0;

  bool is_time() const { return std::holds_alternative<Seconds Policy::*>(member); }
};

/// In the order people read them. What is no number (programmes, node_loss) has no row.
std::span<const PolicySetting> PolicySettings();
/// Null for a name that is none.
const PolicySetting* FindPolicySetting(std::string_view name);

int64_t Get(const Policy& policy, const PolicySetting& setting);
/// Requires: `value` is within the setting's range.
void Set(Policy& policy, const PolicySetting& setting, int64_t value);
/// "14d", "16".
std::string FormatSetting(const PolicySetting& setting, int64_t value);
/// "1h to 3660d", "1 to 2048".
std::string RangeOf(const PolicySetting& setting);

/// Two lengths of time that make nonsense of each other: one must be longer than the other, or at
/// least as long.
struct PolicyContradiction {
  std::string_view longer;
  std::string_view shorter;
  /// What would do: "longer than gathering_time (10s)", "shorter than node_down_after (5m)".
  std::string longer_needs;
  std::string shorter_needs;
};
std::optional<PolicyContradiction> FindContradiction(const Policy& policy);

/// policy_invalid with the path of the first thing wrong ("starvation_bound",
/// "programmes.call-2026-1.gpus_max.H200"): out of range, in contradiction to another setting, or
/// programmes that are missing, repeated or not sorted. O(settings + programmes).
Status CheckPolicy(const Policy& policy);

}  // namespace allot
