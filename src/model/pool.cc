#include "allot/model/pool.h"

#include "allot/model/request.h"
#include "model/name_table.h"

namespace allot {
namespace {

constexpr NameTable<NodeHealth, 4> kNames = {{"ready", "unknown", "down", "removed"}};

}  // namespace

std::string_view Name(NodeHealth health) { return kNames.NameOf(health); }
std::optional<NodeHealth> ParseNodeHealth(std::string_view name) { return kNames.Parse(name); }

Status CheckDates(const Cluster& cluster, Instant now) {
  const auto check = [&](const std::optional<Instant>& time, const std::string& field) -> Status {
    if (!time || *time <= now + kAheadMax) return Ok{};
    return FieldError(Reason::kTimeOutOfRange, field, FormatRfc3339(*time),
                      "at most " + FormatDuration(kAheadMax) + " ahead");
  };
  ALLOT_RETURN_IF_ERROR(check(cluster.join_time, "cluster.join_time"));
  ALLOT_RETURN_IF_ERROR(check(cluster.leave_time, "cluster.leave_time"));
  if (cluster.join_time && cluster.leave_time && *cluster.leave_time <= *cluster.join_time) {
    return FieldError(Reason::kTimeOutOfRange, "cluster.leave_time",
                      FormatRfc3339(*cluster.leave_time),
                      "after join_time, " + FormatRfc3339(*cluster.join_time));
  }
  return Ok{};
}

}  // namespace allot
