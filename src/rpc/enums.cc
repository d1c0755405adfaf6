#include "rpc/enums.h"

#include <array>
#include <utility>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/generated_enum_reflection.h>

#include "allot/base/check.h"

namespace allot::rpc {
namespace {

template <class Proto, class Model, std::size_t size>
using Pairs = std::array<std::pair<Proto, Model>, size>;

constexpr Pairs<v1::GpuModel, GpuModel, 2> kModels = {{
    {v1::GPU_MODEL_B200, GpuModel::kB200},
    {v1::GPU_MODEL_H200, GpuModel::kH200},
}};
constexpr Pairs<v1::Sector, Sector, 4> kSectors = {{
    {v1::SECTOR_ACADEMIA, Sector::kAcademia},
    {v1::SECTOR_INDUSTRY, Sector::kIndustry},
    {v1::SECTOR_RESEARCH, Sector::kResearch},
    {v1::SECTOR_NATIONAL, Sector::kNational},
}};
constexpr Pairs<v1::Role, Role, kRoleCount> kRoles = {{
    {v1::ROLE_MINISTRY_ADMIN, Role::kMinistryAdmin},
    {v1::ROLE_VIEWER, Role::kViewer},
    {v1::ROLE_MEMBER, Role::kMember},
    {v1::ROLE_INSTITUTE_ADMIN, Role::kInstituteAdmin},
    {v1::ROLE_OPERATOR, Role::kOperator},
    {v1::ROLE_AUDITOR, Role::kAuditor},
    {v1::ROLE_PROVIDER, Role::kProvider},
}};
constexpr Pairs<v1::Allocation::State, AllocationState, kAllocationStateCount> kAllocationStates = {
    {
        {v1::Allocation::STATE_PENDING, AllocationState::kPending},
        {v1::Allocation::STATE_PLANNED, AllocationState::kPlanned},
        {v1::Allocation::STATE_PROVISIONING, AllocationState::kProvisioning},
        {v1::Allocation::STATE_ACTIVE, AllocationState::kActive},
        {v1::Allocation::STATE_RELEASING, AllocationState::kReleasing},
        {v1::Allocation::STATE_COMPLETED, AllocationState::kCompleted},
        {v1::Allocation::STATE_REJECTED, AllocationState::kRejected},
        {v1::Allocation::STATE_CANCELLED, AllocationState::kCancelled},
        {v1::Allocation::STATE_EXPIRED, AllocationState::kExpired},
        {v1::Allocation::STATE_PREEMPTED, AllocationState::kPreempted},
        {v1::Allocation::STATE_FAILED, AllocationState::kFailed},
    }};
constexpr Pairs<v1::Node::Health, NodeHealth, 4> kHealths = {{
    {v1::Node::HEALTH_READY, NodeHealth::kReady},
    {v1::Node::HEALTH_UNKNOWN, NodeHealth::kUnknown},
    {v1::Node::HEALTH_DOWN, NodeHealth::kDown},
    {v1::Node::HEALTH_REMOVED, NodeHealth::kRemoved},
}};
constexpr Pairs<v1::NodeLoss, NodeLoss, 2> kNodeLosses = {{
    {v1::NODE_LOSS_REQUEUE, NodeLoss::kRequeue},
    {v1::NODE_LOSS_FAIL, NodeLoss::kFail},
}};
constexpr Pairs<v1::Order::State, OrderState, 4> kOrderStates = {{
    {v1::Order::STATE_OPEN, OrderState::kOpen},
    {v1::Order::STATE_DONE, OrderState::kDone},
    {v1::Order::STATE_FAILED, OrderState::kFailed},
    {v1::Order::STATE_SUPERSEDED, OrderState::kSuperseded},
}};
constexpr Pairs<v1::Order::Kind, OrderKind, 2> kOrderKinds = {{
    {v1::Order::KIND_PROVISION, OrderKind::kProvision},
    {v1::Order::KIND_RELEASE, OrderKind::kRelease},
}};

template <class Proto, class Model, std::size_t size>
Result<Model> Find(const Pairs<Proto, Model, size>& table, Proto value, const std::string& field,
                   Reason unknown) {
  for (const auto& [proto, model] : table) {
    if (proto == value) return model;
  }
  const auto* descriptor = google::protobuf::GetEnumDescriptor<Proto>();
  std::string choices;
  for (const auto& [proto, model] : table) {
    if (!choices.empty()) choices += ", ";
    choices += descriptor->FindValueByNumber(proto)->name();
  }
  // Unspecified counts as left out.
  return FieldError(unknown, field, value == Proto{} ? "" : std::to_string(value), choices);
}

template <class Proto, class Model, std::size_t size>
Result<Model> FindRequired(const Pairs<Proto, Model, size>& table, Proto value,
                           const std::string& field) {
  return Find(table, value, field,
              value == Proto{} ? Reason::kFieldRequired : Reason::kEnumUnknown);
}

template <class Proto, class Model, std::size_t size>
Proto FindProto(const Pairs<Proto, Model, size>& table, Model value) {
  for (const auto& [proto, model] : table) {
    if (model == value) return proto;
  }
  ALLOT_CHECK(false);
}

}  // namespace

Result<GpuModel> Parse(v1::GpuModel model, const std::string& field) {
  return Find(kModels, model, field, Reason::kGpuModelUnknown);
}
Result<Sector> Parse(v1::Sector sector, const std::string& field) {
  return FindRequired(kSectors, sector, field);
}
Result<Role> Parse(v1::Role role, const std::string& field) {
  return FindRequired(kRoles, role, field);
}
Result<AllocationState> Parse(v1::Allocation::State state, const std::string& field) {
  return FindRequired(kAllocationStates, state, field);
}
Result<NodeHealth> Parse(v1::Node::Health health, const std::string& field) {
  return FindRequired(kHealths, health, field);
}
Result<NodeLoss> Parse(v1::NodeLoss loss, const std::string& field) {
  return FindRequired(kNodeLosses, loss, field);
}
Result<OrderState> Parse(v1::Order::State state, const std::string& field) {
  return FindRequired(kOrderStates, state, field);
}

v1::GpuModel Render(GpuModel model) { return FindProto(kModels, model); }
v1::Sector Render(Sector sector) { return FindProto(kSectors, sector); }
v1::Role Render(Role role) { return FindProto(kRoles, role); }
v1::Allocation::State Render(AllocationState state) { return FindProto(kAllocationStates, state); }
v1::Node::Health Render(NodeHealth health) { return FindProto(kHealths, health); }
v1::NodeLoss Render(NodeLoss loss) { return FindProto(kNodeLosses, loss); }
v1::Order::State Render(OrderState state) { return FindProto(kOrderStates, state); }
v1::Order::Kind Render(OrderKind kind) { return FindProto(kOrderKinds, kind); }

}  // namespace allot::rpc
