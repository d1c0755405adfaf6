#include <algorithm>

#include "rpc/fields.h"
#include "rpc/parse.h"

namespace allot::rpc {
namespace {

constexpr int kNodesNamedMax = 4096;

/// Of the parent's cluster, sorted, each once.
Result<std::vector<NodeId>> ParseNodes(const google::protobuf::RepeatedPtrField<std::string>& names,
                                       const ClusterName& parent) {
  const std::string path = "reservation.nodes";
  if (names.size() > kNodesNamedMax) {
    return FieldError(Reason::kRequestTooLarge, path, std::to_string(names.size()) + " nodes",
                      "at most " + std::to_string(kNodesNamedMax));
  }
  std::vector<NodeId> nodes;
  for (int i = 0; i < names.size(); ++i) {
    const std::string field = path + '[' + std::to_string(i) + ']';
    ALLOT_ASSIGN_OR_RETURN(auto node, ParseNodeName(names[i], field));
    if (node.provider != parent.provider || node.cluster != parent.cluster) {
      return FieldError(Reason::kResourceNameInvalid, field, names[i],
                        "a node of " + NameOf(parent.provider, parent.cluster));
    }
    nodes.push_back(std::move(node.node));
  }
  std::sort(nodes.begin(), nodes.end());
  const auto twice = std::adjacent_find(nodes.begin(), nodes.end());
  if (twice != nodes.end()) {
    return FieldError(Reason::kValueRepeated, path, twice->str(), "each node once");
  }
  return nodes;
}

Result<TimeWindow> ParseWindow(const v1::Reservation& asked) {
  if (!asked.has_start_time()) {
    return FieldError(Reason::kFieldRequired, "reservation.start_time", "", "a time");
  }
  if (!asked.has_end_time()) {
    return FieldError(Reason::kFieldRequired, "reservation.end_time", "", "a time");
  }
  ALLOT_ASSIGN_OR_RETURN(const Instant start,
                         ParseTimestamp(asked.start_time(), "reservation.start_time"));
  ALLOT_ASSIGN_OR_RETURN(const Instant end,
                         ParseTimestamp(asked.end_time(), "reservation.end_time"));
  // Passes know whole seconds: a window that begins within one would be missed by work as long.
  const auto window =
      TimeWindow::Make(Instant::FromSeconds(start.seconds()), Instant::FromSeconds(end.seconds()));
  if (!window) {
    return FieldError(Reason::kTimeOutOfRange, "reservation.end_time", FormatRfc3339(end),
                      "after start_time, " + FormatRfc3339(start));
  }
  return *window;
}

}  // namespace

Result<control::ReservationRequest> Parse(const v1::CreateReservationRequest& request) {
  control::ReservationRequest parsed;
  const v1::Reservation& asked = request.reservation();
  Reservation& reservation = parsed.reservation;
  ALLOT_ASSIGN_OR_RETURN(const auto parent, ParseClusterName(request.parent(), "parent"));
  parsed.provider = parent.provider;
  reservation.cluster = parent.cluster;
  if (!request.reservation_id().empty()) {
    ALLOT_ASSIGN_OR_RETURN(parsed.name, ParseNewName(request.reservation_id(), "reservation_id"));
  }
  ALLOT_ASSIGN_OR_RETURN(reservation.display_name,
                         ParseDisplayName(asked.display_name(), "reservation.display_name"));
  if (!asked.project().empty()) {
    ALLOT_ASSIGN_OR_RETURN(reservation.project,
                           ParseProjectName(asked.project(), "reservation.project"));
  }
  ALLOT_ASSIGN_OR_RETURN(reservation.nodes, ParseNodes(asked.nodes(), parent));
  parsed.node_count = request.node_count();
  if (parsed.node_count < 0 || parsed.node_count > kNodesNamedMax) {
    return FieldError(Reason::kNodesOutOfRange, "node_count", std::to_string(parsed.node_count),
                      "1 to " + std::to_string(kNodesNamedMax));
  }
  if (reservation.nodes.empty() == (parsed.node_count == 0)) {
    return FieldError(reservation.nodes.empty() ? Reason::kFieldRequired : Reason::kShapeAmbiguous,
                      "node_count", std::to_string(parsed.node_count),
                      "either nodes by name, or how many");
  }
  ALLOT_ASSIGN_OR_RETURN(reservation.window, ParseWindow(asked));
  if (asked.has_repeat_every()) {
    ALLOT_ASSIGN_OR_RETURN(reservation.repeat_every,
                           ParseDuration(asked.repeat_every(), "reservation.repeat_every"));
  }
  reservation.occurrences = asked.occurrences() == 0 ? 1 : asked.occurrences();
  parsed.override_promises = request.override_promises();
  ALLOT_ASSIGN_OR_RETURN(parsed.reason, ParseRequiredText(request.reason(), "reason"));
  return parsed;
}

Result<control::ReservationEnd> Parse(const v1::CancelReservationRequest& request) {
  control::ReservationEnd end;
  ALLOT_ASSIGN_OR_RETURN(const auto name, ParseReservationName(request.name(), "name"));
  end.provider = name.provider;
  end.id = name.reservation;
  ALLOT_ASSIGN_OR_RETURN(end.version, ParseEtag(request.etag(), "etag"));
  ALLOT_ASSIGN_OR_RETURN(end.reason, ParseRequiredText(request.reason(), "reason"));
  return end;
}

}  // namespace allot::rpc
