// What operators do.
#include "allot/control/allocations.h"
#include "allot/control/policies.h"
#include "allot/control/pool.h"
#include "allot/control/reservations.h"
#include "allot/control/tenants.h"
#include "chaos/tenants.h"

namespace allot::chaos {
namespace {

/// What has no allocation to show.
template <class T>
Question::Answer Nothing(const Result<T>& result) {
  if (!result.ok()) return result.error();
  return std::vector<Allocation>{};
}

Question::Answer One(Result<Allocation> result) {
  if (!result.ok()) return result.error();
  return std::vector{*std::move(result)};
}

}  // namespace

void Tenants::Operate() {
  SeededRandom& random = in_.world.random;
  const auto what = random.Between(0, 11);
  const Cluster cluster = clusters_[random.Below(clusters_.size())];
  if (what < 4) return DrainSomething(cluster);
  if (what == 4) return Reserve(cluster);
  if (what == 5) return Publish();
  OperateOnTenants(what);
}

void Tenants::Changes(const std::shared_ptr<Question>& question,
                      const std::vector<Settings::Change>& changes) {
  Settings& settings = in_.auditor.settings();
  question->answered = [&settings, number = settings.Asked(changes)](
                           const Principal&, const Question::Answer& answer) {
    if (answer.ok()) settings.Acknowledged(number);
  };
}

void Tenants::DrainSomething(const Cluster& cluster) {
  SeededRandom& random = in_.world.random;
  const std::string node = "n" + std::to_string(random.Between(1, 4));
  control::DrainRequest drain{.provider = cluster.provider,
                              .cluster = cluster.id,
                              .node = NodeId(cluster.id.str() + "/" + node),
                              .draining = random.Below(2) == 0,
                              .reason = "a fan is replaced"};
  if (random.Below(6) == 0) drain.node.reset();
  const auto question =
      Make(std::string(drain.draining ? "drains " : "takes back ") +
               (drain.node ? drain.node->str() : cluster.id.str()),
           operator_secret_, [drain](const control::Context& context, const control::Call& call) {
             return Nothing(control::Drain(context, call, drain));
           });
  Changes(question, {{.setting = drain.node ? DrainingOf(*drain.node) : DrainingOf(cluster.id),
                      .value = drain.draining ? 1 : 0}});
  Send(question);
}

void Tenants::Reserve(const Cluster& cluster) {
  SeededRandom& random = in_.world.random;
  control::ReservationRequest wanted{.provider = cluster.provider,
                                     .reservation = {},
                                     .node_count = 1,
                                     .override_promises = random.Below(2) == 0,
                                     .reason = "maintenance"};
  Reservation& reservation = wanted.reservation;
  reservation.cluster = cluster.id;
  reservation.display_name = "s" + std::to_string(++submissions_);
  if (random.Below(2) == 0) reservation.project = Any().project;
  const Instant start = in_.world.now() + Seconds{random.Between(700, 2'400)};
  reservation.window =
      *TimeWindow::Make(Instant::FromSeconds(start.seconds()),
                        Instant::FromSeconds(start.seconds()) + Seconds{random.Between(60, 900)});
  const auto question = Make("reserves on " + cluster.id.str(), operator_secret_,
                             [wanted](const control::Context& context, const control::Call& call) {
                               return Nothing(control::CreateReservation(context, call, wanted));
                             });
  in_.auditor.AsksToReserve(wanted);
  question->answered = [this, name = reservation.display_name](const Principal&,
                                                               const Question::Answer& answer) {
    if (answer.ok()) {
      in_.world.Probe("reservation_made");
      in_.auditor.Reserved(name);
    }
    if (!answer.ok() && answer.error().reason == Reason::kBookingConflict) {
      in_.world.Probe("reservation_refused");
    }
  };
  Send(question);
}

void Tenants::Publish() {
  SeededRandom& random = in_.world.random;
  control::NewPolicy asked{.id = PolicyId("policy-" + std::to_string(++policies_)),
                           .policy = in_.policy,
                           .effective_time = {},
                           .reason = "a trial"};
  asked.policy.promise_nodes = static_cast<int>(random.Between(1, 4));
  asked.policy.tie_seed = static_cast<int>(random.Below(100));
  if (random.Below(2) == 0) {
    asked.effective_time = in_.world.now() + Seconds{random.Between(600, 1'800)};
  }
  const auto question = Make("publishes " + asked.id.str(), operator_secret_, nullptr);
  question->ask_planner = [asked](const control::Context& context, control::Planner& planner,
                                  const control::Call& call) {
    return Nothing(control::CreatePolicy(context, planner, call, asked));
  };
  question->answered = [this](const Principal&, const Question::Answer& answer) {
    if (answer.ok()) in_.world.Probe("policy_published");
  };
  Send(question);
}

void Tenants::Consolidate(const AllocationId& id) {
  const control::EndRequest end{.id = id, .version = 0, .reason = "the review"};
  const auto question = Make("makes room for " + id.str(), operator_secret_, nullptr);
  question->ask_planner = [end](const control::Context& context, control::Planner& planner,
                                const control::Call& call) {
    return One(control::SetConsolidation(context, call, planner, end, true));
  };
  Wishes(question, Wish::kConsolidate, id);
  Send(question);
}

void Tenants::SetQuota(const Tenant& tenant) {
  SeededRandom& random = in_.world.random;
  control::QuotaUpdate update{.project = tenant.project, .reason = "the review"};
  Settings::Change change;
  if (random.Below(3) == 0) {
    // Down to what is used and set aside, if that is met.
    change = {.setting = GpuTimeOf(tenant.project), .value = random.Between(0, 40) * 16 * 1'000};
    update.gpu_time = GpuSeconds::FromCount(change.value);
  } else {
    const GpuModel model = kGpuModels[random.Below(kGpuModelCount)];
    change = {.setting = QuotaOf(model, tenant.project), .value = random.Between(8, 40)};
    update.concurrent_gpus[static_cast<std::size_t>(model)] = change.value;
  }
  const auto question = Make("sets the quota of " + tenant.project.str(), operator_secret_,
                             [update](const control::Context& context, const control::Call& call) {
                               return Nothing(control::UpdateQuota(context, call, update));
                             });
  Changes(question, {change});
  Send(question);
}

void Tenants::SetMerit(const Tenant& tenant) {
  const control::ProjectUpdate update{.id = tenant.project,
                                      .merit = static_cast<int>(in_.world.random.Between(0, 1'000)),
                                      .reason = "the panel"};
  const auto question = Make("sets the merit of " + tenant.project.str(), operator_secret_,
                             [update](const control::Context& context, const control::Call& call) {
                               return Nothing(control::UpdateProject(context, call, update));
                             });
  Changes(question, {{.setting = MeritOf(tenant.project), .value = *update.merit}});
  Send(question);
}

void Tenants::OperateOnTenants(int64_t what) {
  const Tenant& tenant = Any();
  if (what < 8) return SetQuota(tenant);
  if (what == 8) return SetMerit(tenant);
  const auto id = AnyOf(tenant.project);
  if (!id) return;
  if (what == 9) return Consolidate(*id);
  const control::EndRequest end{.id = *id, .version = 0, .reason = "the review"};
  const bool urgent = what == 10;
  const auto question =
      Make((urgent ? "puts first " : "turns down ") + id->str(), operator_secret_,
           [end, urgent](const control::Context& context, const control::Call& call) {
             return One(urgent ? control::SetUrgency(context, call, end, true)
                               : control::Reject(context, call, end));
           });
  Wishes(question, urgent ? Wish::kUrgent : Wish::kReject, *id);
  Send(question);
}

}  // namespace allot::chaos
