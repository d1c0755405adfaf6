#include <google/protobuf/descriptor.h>

#include "allot/model/policy_settings.h"
#include "rpc/enums.h"
#include "rpc/fields.h"
#include "rpc/render.h"
#include "rpc/resource_name.h"

namespace allot::rpc {
namespace {

v1::PolicySettings Render(const Policy& policy) {
  v1::PolicySettings rendered;
  for (const ProgrammeCaps& caps : policy.programmes) {
    v1::ProgrammeCaps& row = *rendered.add_programmes();
    row.set_programme(caps.programme.str());
    row.mutable_gpus_max()->set_b200(At(caps.gpus_max, GpuModel::kB200));
    row.mutable_gpus_max()->set_h200(At(caps.gpus_max, GpuModel::kH200));
    *row.mutable_duration_max() = rpc::Render(caps.duration_max);
  }
  const auto* reflection = rendered.GetReflection();
  for (const PolicySetting& setting : PolicySettings()) {
    const auto* field = rendered.GetDescriptor()->FindFieldByName(std::string(setting.name));
    ALLOT_CHECK(field != nullptr);
    const int64_t value = Get(policy, setting);
    if (setting.is_time()) {
      reflection->MutableMessage(&rendered, field)->CopyFrom(rpc::Render(Seconds{value}));
    } else {
      reflection->SetInt32(&rendered, field, static_cast<int32_t>(value));
    }
  }
  rendered.set_node_loss(rpc::Render(policy.node_loss));
  return rendered;
}

v1::Policy::State Render(control::PolicyDetail::State state) {
  using State = control::PolicyDetail::State;
  switch (state) {
    case State::kScheduled:
      return v1::Policy::STATE_SCHEDULED;
    case State::kInForce:
      return v1::Policy::STATE_IN_FORCE;
    case State::kSuperseded:
      return v1::Policy::STATE_SUPERSEDED;
    case State::kWithdrawn:
      return v1::Policy::STATE_WITHDRAWN;
  }
  return v1::Policy::STATE_UNSPECIFIED;
}

}  // namespace

v1::Policy Render(const control::PolicyDetail& detail) {
  const PublishedPolicy& row = detail.published;
  v1::Policy rendered;
  *rendered.mutable_settings() = Render(row.policy);
  rendered.set_state(Render(detail.state));
  rendered.set_version(row.policy.version);
  if (detail.configured) return rendered;
  rendered.set_name(NameOf(row.id));
  *rendered.mutable_effective_time() = Render(row.effective_time);
  *rendered.mutable_create_time() = Render(row.create_time);
  rendered.set_reason(row.reason);
  if (row.withdraw_time) *rendered.mutable_withdraw_time() = Render(*row.withdraw_time);
  rendered.set_withdraw_reason(row.withdraw_reason);
  return rendered;
}

}  // namespace allot::rpc
