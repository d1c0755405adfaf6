#include "allot/model/pool.h"

#include "allot/model/request.h"
#include "model/name_table.h"

namespace allot {
namespace {

constexpr NameTable<NodeHealth, 4> kNames = {{"ready", "unknown", "down", "removed"}};

}  // namespace

std::string_view Name(NodeHealth health) { return kNames.NameOf(health); }
std::optional<NodeHealth> ParseNodeHealth(std::string_view name) { return kNames.Parse(name); }

Status CheckDates(const Cluster& cluster, const Cluster& before, Instant now) {
  const auto check = [&](std::optional<Instant> Cluster::*date,
                         const std::string& field) -> Status {
    const std::optional<Instant>& time = cluster.*date;
    // A past date was most likely meant for another year, and takes a cluster off at once.
    if (!time || time == before.*date || (*time >= now && *time <= now + kAheadMax)) return Ok{};
    return FieldError(Reason::kTimeOutOfRange, field, FormatRfc3339(*time),
                      "now to " + FormatDuration(kAheadMax) + " ahead");
  };
  ALLOT_RETURN_IF_ERROR(check(&Cluster::join_time, "cluster.join_time"));
  ALLOT_RETURN_IF_ERROR(check(&Cluster::leave_time, "cluster.leave_time"));
  if (cluster.join_time && cluster.leave_time && *cluster.leave_time <= *cluster.join_time) {
    return FieldError(Reason::kTimeOutOfRange, "cluster.leave_time",
                      FormatRfc3339(*cluster.leave_time),
                      "after join_time, " + FormatRfc3339(*cluster.join_time));
  }
  return Ok{};
}

}  // namespace allot
