#include "rpc/fields.h"
#include "rpc/render.h"
#include "rpc/resource_name.h"

namespace allot::rpc {
namespace {

v1::PlanFigures Render(const scheduler::PlanSummary& summary) {
  v1::PlanFigures figures;
  figures.set_starts_now(summary.starts_now);
  figures.set_planned(summary.planned);
  figures.set_promised(summary.promised);
  figures.set_deferred(summary.deferred);
  figures.set_slips(summary.slips);
  figures.set_gpus_now(summary.gpus_now);
  figures.set_preemptions(summary.preemptions);
  figures.set_week_permille(summary.week_permille);
  return figures;
}

v1::ProjectShift Render(const scheduler::ProjectShift& shift) {
  v1::ProjectShift rendered;
  rendered.set_project(NameOf(shift.project));
  rendered.set_sooner(shift.sooner);
  rendered.set_seconds_sooner(shift.seconds_sooner);
  rendered.set_later(shift.later);
  rendered.set_seconds_later(shift.seconds_later);
  rendered.set_gained(shift.gained);
  rendered.set_lost(shift.lost);
  return rendered;
}

}  // namespace

v1::WhatIfResponse Render(const control::WhatIfAnswer& answer) {
  v1::WhatIfResponse response;
  response.set_revision(answer.revision);
  response.set_policy_version(answer.policy_version);
  response.set_changed_policy_version(answer.changed_policy_version);
  *response.mutable_now() = Render(answer.now);
  *response.mutable_then() = Render(answer.then);
  for (const auto& shift : answer.projects) *response.add_projects() = Render(shift);
  for (const control::WhatIfAnswer::Fare& fare : answer.fares) {
    v1::RequestFare& rendered = *response.add_fares();
    rendered.set_project(NameOf(fare.project));
    if (!fare.allocation.empty()) rendered.set_allocation(NameOf(fare.allocation));
    if (fare.present_start) {
      *rendered.mutable_present_start_time() = rpc::Render(*fare.present_start);
    }
    if (fare.planned_start) {
      *rendered.mutable_planned_start_time() = rpc::Render(*fare.planned_start);
    }
    rendered.set_reason(fare.reason);
    rendered.set_message(fare.message);
  }
  for (const control::WhatIfAnswer::Stopped& stopped : answer.stopped) {
    v1::StoppedWork& rendered = *response.add_stopped();
    rendered.set_allocation(NameOf(stopped.allocation));
    rendered.set_for_allocation(NameOf(stopped.for_allocation));
    *rendered.mutable_stop_time() = rpc::Render(stopped.stop);
    *rendered.mutable_restart_time() = rpc::Render(stopped.restart);
  }
  return response;
}

}  // namespace allot::rpc
