#pragma once

#include <optional>
#include <string>

#include "allot/base/result.h"
#include "allot/model/allocation.h"
#include "allot/model/order.h"
#include "allot/model/policy.h"
#include "allot/model/pool.h"
#include "allot/model/principal.h"
#include "allot/model/tenant.h"
#include "allot/v1/access.pb.h"
#include "allot/v1/allocation.pb.h"
#include "allot/v1/order.pb.h"
#include "allot/v1/policy.pb.h"
#include "allot/v1/pool.pb.h"
#include "allot/v1/tenant.pb.h"

namespace allot::rpc {

// Enumerations of the API and of the model, value by value. Unspecified is field_required, a number
// this release does not know is enum_unknown (gpu_model_unknown for models).

Result<GpuModel> Parse(v1::GpuModel model, const std::string& field);
Result<Sector> Parse(v1::Sector sector, const std::string& field);
Result<Role> Parse(v1::Role role, const std::string& field);
Result<AllocationState> Parse(v1::Allocation::State state, const std::string& field);
Result<NodeHealth> Parse(v1::Node::Health health, const std::string& field);
Result<NodeLoss> Parse(v1::NodeLoss loss, const std::string& field);
Result<OrderState> Parse(v1::Order::State state, const std::string& field);

v1::GpuModel Render(GpuModel model);
v1::Sector Render(Sector sector);
v1::Role Render(Role role);
v1::Allocation::State Render(AllocationState state);
v1::Node::Health Render(NodeHealth health);
v1::NodeLoss Render(NodeLoss loss);
v1::Order::State Render(OrderState state);
v1::Order::Kind Render(OrderKind kind);

/// A filter: unspecified is no filter at all.
template <class ProtoEnum>
auto ParseFilter(ProtoEnum value, const std::string& field)
    -> Result<std::optional<std::decay_t<decltype(*Parse(value, field))>>> {
  using Value = std::decay_t<decltype(*Parse(value, field))>;
  if (value == ProtoEnum{}) return std::optional<Value>();
  auto parsed = Parse(value, field);
  if (!parsed.ok()) return parsed.error();
  return std::optional<Value>(*parsed);
}

}  // namespace allot::rpc
