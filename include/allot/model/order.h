#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/id.h"
#include "allot/base/time.h"
#include "allot/base/time_window.h"
#include "allot/model/gpu.h"

namespace allot {

enum class OrderKind : uint8_t { kProvision, kRelease };
std::string_view Name(OrderKind kind);
std::optional<OrderKind> ParseOrderKind(std::string_view name);

enum class OrderState : uint8_t { kOpen, kDone, kFailed, kSuperseded };
std::string_view Name(OrderState state);
std::optional<OrderState> ParseOrderState(std::string_view name);

struct OrderedNode {
  NodeId node;
  GpuMask gpus = 0;
  friend bool operator==(const OrderedNode&, const OrderedNode&) = default;
};

/// What a provider is to do for one attempt of an allocation. Pulled by the cluster's agent and
/// acknowledged; there is at most one order of each kind for an attempt.
struct Order {
  OrderId id;
  ClusterId cluster;
  AllocationId allocation;
  int attempt = 0;
  OrderKind kind = OrderKind::kProvision;
  OrderState state = OrderState::kOpen;
  /// Sorted by node.
  std::vector<OrderedNode> nodes;
  TimeWindow window = *TimeWindow::Make(Instant{0}, Instant{1});
  /// Of the leader that wrote it.
  int64_t epoch = 0;
  Instant create_time;
  std::optional<Instant> acknowledge_time;
  /// The agent's words when it failed; at most 500 characters.
  std::string message;

  friend bool operator==(const Order&, const Order&) = default;
};

}  // namespace allot
