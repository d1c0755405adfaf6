#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "allot/base/result.h"
#include "allot/model/policy.h"
#include "allot/scheduler/plan.h"
#include "allot/scheduler/snapshot.h"

namespace allot::replay {

/// Of the format below; a reader refuses what is newer than itself.
inline constexpr int kRecordingVersion = 7;

/// One pass on file: all that it was decided from, and what was decided. Because a plan depends on
/// nothing else, the same plan comes out of it again on any machine. Holds the names of all
/// tenants' projects and allocations, and no secrets.
struct Recording {
  /// What the planner looks at: of the programmes' caps too, for explanations.
  Policy policy;
  /// Canonical.
  scheduler::Snapshot snapshot;
  scheduler::Plan plan;
};

/// Sixteen hexadecimal digits, as recordings have them.
std::string FormatHash(uint64_t hash);

/// One JSON document: {"allot_recording": 1, "policy", "snapshot", "plan"}. Times are microseconds
/// of Unix time, lengths seconds; rows refer to each other by position, as in the snapshot.
std::string FormatRecording(const scheduler::Snapshot& snapshot, const Policy& policy,
                            const scheduler::Plan& plan);

/// config_invalid, with the path of the field ("snapshot.claims[3].node"): a newer version, a field
/// that is missing, out of range or not of the version, a position of no row, rows that are out of
/// order or contradict each other, a plan that its hash does not belong to. Without a path: more
/// than 64 MiB, a name twice in one object; and with the byte: no JSON.
Result<Recording> ParseRecording(std::string_view text);

}  // namespace allot::replay
