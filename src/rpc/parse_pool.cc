#include <algorithm>
#include <array>
#include <string_view>

#include "rpc/enums.h"
#include "rpc/fields.h"
#include "rpc/parse.h"

namespace allot::rpc {
namespace {

constexpr int kProgrammesMax = 64;
constexpr Seconds kHorizonMax = Days(2 * 366);
/// Steps within the horizon; with the present itself 1000 points.
constexpr int kStepsMax = 999;

Result<std::vector<ProgrammeId>> ParseProgrammes(
    const google::protobuf::RepeatedPtrField<std::string>& names, const std::string& path) {
  if (names.empty()) return FieldError(Reason::kFieldRequired, path, "", "at least one programme");
  if (names.size() > kProgrammesMax) {
    return FieldError(Reason::kRequestTooLarge, path, std::to_string(names.size()) + " programmes",
                      "at most " + std::to_string(kProgrammesMax));
  }
  std::vector<ProgrammeId> programmes;
  for (int i = 0; i < names.size(); ++i) {
    const std::string field = path + '[' + std::to_string(i) + ']';
    ALLOT_ASSIGN_OR_RETURN(auto name, ParseNewName(names[i], field));
    const ProgrammeId programme(std::move(name));
    if (std::find(programmes.begin(), programmes.end(), programme) != programmes.end()) {
      return FieldError(Reason::kValueRepeated, field, programme.str(), "each programme once");
    }
    programmes.push_back(programme);
  }
  std::sort(programmes.begin(), programmes.end());
  return programmes;
}

/// Nothing when it is unset.
Result<std::optional<Instant>> ParseDate(bool is_set, const google::protobuf::Timestamp& date,
                                         const std::string& field) {
  if (!is_set) return std::optional<Instant>();
  ALLOT_ASSIGN_OR_RETURN(const Instant time, ParseTimestamp(date, field));
  return std::optional(Instant::FromSeconds(time.seconds()));
}

/// An hour, or as much more as keeps the points within their bound.
Seconds DefaultStep(Seconds horizon) {
  const Seconds least{(horizon.count + kStepsMax - 1) / kStepsMax};
  return std::max(Hours(1), least);
}

Result<control::DrainRequest> ParseDrainedNode(const std::string& name) {
  ALLOT_ASSIGN_OR_RETURN(auto node, ParseNodeName(name, "name"));
  return control::DrainRequest{
      .provider = node.provider, .cluster = node.cluster, .node = node.node};
}

Result<control::DrainRequest> ParseDrainedCluster(const std::string& name) {
  ALLOT_ASSIGN_OR_RETURN(auto cluster, ParseClusterName(name, "name"));
  return control::DrainRequest{.provider = cluster.provider, .cluster = cluster.cluster};
}

Result<control::DrainRequest> Drain(Result<control::DrainRequest> where,
                                    const std::string& reason) {
  if (!where.ok()) return where.error();
  where->draining = true;
  ALLOT_ASSIGN_OR_RETURN(where->reason, ParseRequiredText(reason, "reason"));
  return where;
}

Result<control::DrainRequest> Undrain(Result<control::DrainRequest> where,
                                      const std::string& reason) {
  if (!where.ok()) return where.error();
  where->draining = false;
  ALLOT_ASSIGN_OR_RETURN(where->reason, ParseText(reason, "reason"));
  return where;
}

}  // namespace

Result<Provider> Parse(const v1::CreateProviderRequest& request) {
  Provider provider;
  ALLOT_ASSIGN_OR_RETURN(auto name, ParseNewName(request.provider_id(), "provider_id"));
  provider.id = ProviderId(std::move(name));
  ALLOT_ASSIGN_OR_RETURN(provider.display_name, ParseDisplayName(request.provider().display_name(),
                                                                 "provider.display_name"));
  return provider;
}

Result<Cluster> Parse(const v1::CreateClusterRequest& request) {
  Cluster cluster;
  const v1::Cluster& asked = request.cluster();
  ALLOT_ASSIGN_OR_RETURN(cluster.provider, ParseProviderName(request.parent(), "parent"));
  ALLOT_ASSIGN_OR_RETURN(auto name, ParseNewName(request.cluster_id(), "cluster_id"));
  cluster.id = ClusterId(std::move(name));
  ALLOT_ASSIGN_OR_RETURN(cluster.display_name,
                         ParseDisplayName(asked.display_name(), "cluster.display_name"));
  ALLOT_ASSIGN_OR_RETURN(cluster.model, Parse(asked.gpu_model(), "cluster.gpu_model"));
  ALLOT_ASSIGN_OR_RETURN(cluster.programmes,
                         ParseProgrammes(asked.programmes(), "cluster.programmes"));
  ALLOT_ASSIGN_OR_RETURN(cluster.join_time,
                         ParseDate(asked.has_join_time(), asked.join_time(), "cluster.join_time"));
  ALLOT_ASSIGN_OR_RETURN(cluster.leave_time, ParseDate(asked.has_leave_time(), asked.leave_time(),
                                                       "cluster.leave_time"));
  return cluster;
}

Result<control::ClusterUpdate> Parse(const v1::UpdateClusterRequest& request) {
  static constexpr std::array<std::string_view, 4> kUpdatable = {"display_name", "programmes",
                                                                 "join_time", "leave_time"};
  static constexpr std::array<std::string_view, 8> kImmutable = {
      "name",     "gpu_model",    "agent_session", "inventory_generation", "last_heartbeat_time",
      "draining", "drain_reason", "etag"};
  control::ClusterUpdate update;
  const v1::Cluster& cluster = request.cluster();
  ALLOT_ASSIGN_OR_RETURN(const auto name, ParseClusterName(cluster.name(), "cluster.name"));
  update.provider = name.provider;
  update.id = name.cluster;
  ALLOT_ASSIGN_OR_RETURN(update.version, ParseEtag(cluster.etag(), "cluster.etag"));
  ALLOT_ASSIGN_OR_RETURN(update.reason, ParseText(request.reason(), "reason"));
  ALLOT_ASSIGN_OR_RETURN(const auto paths,
                         ParseFieldMask(request.update_mask(), kUpdatable, kImmutable));
  for (const std::string& path : paths) {
    if (path == "display_name") {
      ALLOT_ASSIGN_OR_RETURN(update.display_name,
                             ParseDisplayName(cluster.display_name(), "cluster.display_name"));
    } else if (path == "programmes") {
      ALLOT_ASSIGN_OR_RETURN(update.programmes,
                             ParseProgrammes(cluster.programmes(), "cluster.programmes"));
    } else if (path == "join_time") {
      ALLOT_ASSIGN_OR_RETURN(update.join_time, ParseDate(cluster.has_join_time(),
                                                         cluster.join_time(), "cluster.join_time"));
    } else {
      ALLOT_ASSIGN_OR_RETURN(
          update.leave_time,
          ParseDate(cluster.has_leave_time(), cluster.leave_time(), "cluster.leave_time"));
    }
  }
  return update;
}

Result<CapacityQuery> Parse(const v1::GetCapacityRequest& request) {
  CapacityQuery query;
  ALLOT_ASSIGN_OR_RETURN(query.horizon,
                         ParseDuration(request.horizon(), Seconds{0}, kHorizonMax, "horizon"));
  query.timeline = query.horizon > Seconds{0};
  if (!query.timeline) query.horizon = Minutes(1);
  query.step = query.timeline ? DefaultStep(query.horizon) : Minutes(1);
  if (!request.has_step()) return query;
  const Seconds least{(query.horizon.count + kStepsMax - 1) / kStepsMax};
  ALLOT_ASSIGN_OR_RETURN(
      query.step, ParseDuration(request.step(), std::max(Minutes(1), least), kHorizonMax, "step"));
  return query;
}

Result<control::DrainRequest> Parse(const v1::DrainNodeRequest& request) {
  return Drain(ParseDrainedNode(request.name()), request.reason());
}
Result<control::DrainRequest> Parse(const v1::UndrainNodeRequest& request) {
  return Undrain(ParseDrainedNode(request.name()), request.reason());
}
Result<control::DrainRequest> Parse(const v1::DrainClusterRequest& request) {
  return Drain(ParseDrainedCluster(request.name()), request.reason());
}
Result<control::DrainRequest> Parse(const v1::UndrainClusterRequest& request) {
  return Undrain(ParseDrainedCluster(request.name()), request.reason());
}

}  // namespace allot::rpc
