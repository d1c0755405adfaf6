#include <set>

#include "rpc/fields.h"
#include "rpc/parse.h"

namespace allot::rpc {
namespace {

constexpr int kReportedNodesMax = 4096;
constexpr int kOrdersMax = 1000;
constexpr Seconds kWaitMax{30};

Result<std::vector<control::ReportedNode>> ParseReports(
    const google::protobuf::RepeatedPtrField<v1::NodeReport>& reports, const std::string& path) {
  if (reports.size() > kReportedNodesMax) {
    return FieldError(Reason::kRequestTooLarge, path, std::to_string(reports.size()) + " nodes",
                      "at most " + std::to_string(kReportedNodesMax));
  }
  std::vector<control::ReportedNode> nodes;
  std::set<std::string> seen;
  for (int i = 0; i < reports.size(); ++i) {
    const v1::NodeReport& report = reports[i];
    const std::string field = path + '[' + std::to_string(i) + ']';
    control::ReportedNode node;
    ALLOT_ASSIGN_OR_RETURN(node.name, ParseNewName(report.node_id(), field + ".node_id"));
    if (!seen.insert(node.name).second) {
      return FieldError(Reason::kValueRepeated, field + ".node_id", node.name, "each node once");
    }
    node.healthy = !report.unhealthy();
    ALLOT_ASSIGN_OR_RETURN(node.reason, ParseText(report.reason(), field + ".reason"));
    if (!report.leaf().empty()) {
      ALLOT_ASSIGN_OR_RETURN(node.leaf, ParseNewName(report.leaf(), field + ".leaf"));
    }
    nodes.push_back(std::move(node));
  }
  return nodes;
}

}  // namespace

Result<control::Inventory> Parse(const v1::SyncInventoryRequest& request) {
  control::Inventory inventory;
  ALLOT_ASSIGN_OR_RETURN(auto cluster, ParseClusterName(request.cluster(), "cluster"));
  inventory.cluster = cluster.cluster;
  inventory.session = request.session();
  inventory.generation = request.generation();
  inventory.report = request.report();
  ALLOT_ASSIGN_OR_RETURN(inventory.nodes, ParseReports(request.nodes(), "nodes"));
  return inventory;
}

Result<control::HeartbeatMessage> Parse(const v1::HeartbeatRequest& request) {
  control::HeartbeatMessage message;
  ALLOT_ASSIGN_OR_RETURN(auto cluster, ParseClusterName(request.cluster(), "cluster"));
  message.cluster = cluster.cluster;
  message.session = request.session();
  message.generation = request.generation();
  message.report = request.report();
  ALLOT_ASSIGN_OR_RETURN(message.unhealthy,
                         ParseReports(request.unhealthy_nodes(), "unhealthy_nodes"));
  for (control::ReportedNode& node : message.unhealthy) node.healthy = false;
  return message;
}

Result<OrderPull> Parse(const v1::PullOrdersRequest& request) {
  OrderPull pull;
  ALLOT_ASSIGN_OR_RETURN(auto cluster, ParseClusterName(request.cluster(), "cluster"));
  pull.cluster = cluster.cluster;
  pull.session = request.session();
  ALLOT_ASSIGN_OR_RETURN(pull.orders_max,
                         ParseCount(request.max_orders(), kOrdersMax, "max_orders"));
  ALLOT_ASSIGN_OR_RETURN(pull.wait, ParseDuration(request.wait(), Seconds{0}, kWaitMax, "wait"));
  return pull;
}

Result<control::Acknowledgement> Parse(const v1::AcknowledgeOrderRequest& request) {
  using Outcome = v1::AcknowledgeOrderRequest;
  control::Acknowledgement acknowledgement;
  ALLOT_ASSIGN_OR_RETURN(auto order, ParseOrderName(request.name(), "name"));
  acknowledgement.cluster = order.cluster;
  acknowledgement.order = order.order;
  acknowledgement.session = request.session();
  if (request.outcome() != Outcome::OUTCOME_DONE && request.outcome() != Outcome::OUTCOME_FAILED) {
    const bool missing = request.outcome() == Outcome::OUTCOME_UNSPECIFIED;
    return FieldError(missing ? Reason::kFieldRequired : Reason::kEnumUnknown, "outcome",
                      missing ? "" : std::to_string(request.outcome()),
                      "OUTCOME_DONE, OUTCOME_FAILED");
  }
  acknowledgement.done = request.outcome() == Outcome::OUTCOME_DONE;
  ALLOT_ASSIGN_OR_RETURN(acknowledgement.message, ParseText(request.message(), "message"));
  return acknowledgement;
}

}  // namespace allot::rpc
