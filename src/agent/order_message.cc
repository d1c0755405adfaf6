#include "agent/order_message.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "allot/model/name.h"

namespace allot::agent {
namespace {

std::vector<std::string_view> Split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t slash = text.find('/');
    parts.push_back(text.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    text.remove_prefix(slash + 1);
  }
}

/// "institutes/snu/projects/llm/allocations/train-1" is "snu/llm/train-1".
std::optional<AllocationId> ParseAllocationName(std::string_view name) {
  const auto parts = Split(name);
  if (parts.size() != 6 || parts[0] != "institutes" || parts[2] != "projects" ||
      parts[4] != "allocations") {
    return std::nullopt;
  }
  std::string id(parts[1]);
  id.append("/").append(parts[3]).append("/").append(parts[5]);
  return ParseAllocationId(id);
}

std::optional<GpuMask> ParseGpus(const v1::NodeGpus& message) {
  GpuMask gpus = 0;
  for (const int index : message.gpu_indices()) {
    if (index < 0 || index >= kGpusPerNode || (gpus & (1U << index)) != 0) return std::nullopt;
    gpus = static_cast<GpuMask>(gpus | (1U << index));
  }
  if (gpus == 0) return std::nullopt;
  return gpus;
}

/// Nothing for what cannot be written down.
std::optional<Instant> ParseTime(const google::protobuf::Timestamp& time) {
  const bool in_range = time.seconds() >= 0 && time.seconds() < kEndOfTime.seconds() &&
                        time.nanos() >= 0 && time.nanos() < 1'000'000'000;
  if (!in_range) return std::nullopt;
  return Instant{time.seconds() * 1'000'000 + time.nanos() / 1'000};
}

Error Unreadable(const std::string& field, const std::string& value, const std::string& expected) {
  return FieldError(Reason::kResourceNameInvalid, "order." + field, value, expected);
}

}  // namespace

std::string ClusterName(const ProviderId& provider, const ClusterId& cluster) {
  return "providers/" + provider.str() + "/clusters/" + cluster.str();
}

std::string OrderName(const ProviderId& provider, const ClusterId& cluster, const OrderId& order) {
  return ClusterName(provider, cluster) + "/orders/" + order.str();
}

OrderId OrderIdOf(const v1::Order& message) { return OrderId(Split(message.name()).back()); }

Result<Order> ParseOrder(const v1::Order& message, const ProviderId& provider,
                         const ClusterId& cluster) {
  Order order;
  order.id = OrderIdOf(message);
  if (message.name() != OrderName(provider, cluster, order.id) || order.id.empty()) {
    return Unreadable("name", message.name(), "an order of " + ClusterName(provider, cluster));
  }
  order.cluster = cluster;
  const auto allocation = ParseAllocationName(message.allocation());
  if (!allocation) return Unreadable("allocation", message.allocation(), "an allocation's name");
  order.allocation = *allocation;
  if (message.attempt() < 1) {
    return Unreadable("attempt", std::to_string(message.attempt()), "a number from 1");
  }
  order.attempt = message.attempt();
  switch (message.kind()) {
    case v1::Order::KIND_PROVISION:
      order.kind = OrderKind::kProvision;
      break;
    case v1::Order::KIND_RELEASE:
      order.kind = OrderKind::kRelease;
      break;
    default:
      return Unreadable("kind", std::to_string(message.kind()),
                        "provision or release: this agent is older than the server");
  }
  const std::string node_prefix = ClusterName(provider, cluster) + "/nodes/";
  for (const v1::NodeGpus& node : message.nodes()) {
    const std::string& name = node.node();
    const bool ours = name.starts_with(node_prefix) &&
                      CheckName(std::string_view(name).substr(node_prefix.size()), "node").ok();
    if (!ours) return Unreadable("nodes", name, "a node of " + ClusterName(provider, cluster));
    const auto gpus = ParseGpus(node);
    if (!gpus) return Unreadable("nodes", name, "1 to 8 of its GPUs, from 0 to 7, each once");
    order.nodes.push_back({MakeNodeId(cluster, name.substr(node_prefix.size())), *gpus});
  }
  if (order.nodes.empty()) return Unreadable("nodes", "", "at least one node");
  std::ranges::sort(order.nodes, {}, &OrderedNode::node);
  const auto twice = std::ranges::adjacent_find(order.nodes, {}, &OrderedNode::node);
  if (twice != order.nodes.end()) return Unreadable("nodes", twice->node.str(), "each node once");
  const auto start = ParseTime(message.start_time());
  const auto end = ParseTime(message.end_time());
  const auto created = ParseTime(message.create_time());
  if (!start || !end || !created) {
    return Unreadable(!start ? "start_time"
                      : !end ? "end_time"
                             : "create_time",
                      "out of range", "a time of the years 1970 to 9999");
  }
  const auto window = TimeWindow::Make(*start, *end);
  if (!window) return Unreadable("end_time", "not after the start", "a window that is not empty");
  order.window = *window;
  if (message.epoch() < 0) {
    return Unreadable("epoch", std::to_string(message.epoch()), "a number from 0");
  }
  order.epoch = message.epoch();
  order.create_time = *created;
  return order;
}

}  // namespace allot::agent
