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
  if (what < 4) {
    const std::string node = "n" + std::to_string(random.Between(1, 4));
    control::DrainRequest drain{.provider = cluster.provider,
                                .cluster = cluster.id,
                                .node = NodeId(cluster.id.str() + "/" + node),
                                .draining = random.Below(2) == 0,
                                .reason = "a fan is replaced"};
    if (random.Below(6) == 0) drain.node.reset();
    Send(Make(std::string(drain.draining ? "drains " : "takes back ") +
                  (drain.node ? drain.node->str() : cluster.id.str()),
              operator_secret_,
              [drain](const control::Context& context, const control::Call& call) {
                return Nothing(control::Drain(context, call, drain));
              }));
    return;
  }
  if (what == 4) return Reserve(cluster);
  if (what == 5) return Publish();
  OperateOnTenants(what);
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
  if (random.Below(2) == 0) reservation.project = Any().project;
  const Instant start = in_.world.now() + Seconds{random.Between(700, 2'400)};
  reservation.window =
      *TimeWindow::Make(Instant::FromSeconds(start.seconds()),
                        Instant::FromSeconds(start.seconds()) + Seconds{random.Between(60, 900)});
  const auto question = Make("reserves on " + cluster.id.str(), operator_secret_,
                             [wanted](const control::Context& context, const control::Call& call) {
                               return Nothing(control::CreateReservation(context, call, wanted));
                             });
  question->answered = [this](const Principal&, const Question::Answer& answer) {
    if (answer.ok()) in_.world.Probe("reservation_made");
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
  Send(question);
}

void Tenants::OperateOnTenants(int64_t what) {
  SeededRandom& random = in_.world.random;
  const Tenant& tenant = Any();
  if (what < 8) {
    control::QuotaUpdate update{.project = tenant.project};
    if (random.Below(3) == 0) {
      // Down to what is used and set aside, if that is met.
      update.gpu_time = GpuSeconds::FromCount(random.Between(0, 40) * 16 * 1'000);
    } else {
      update.concurrent_gpus[random.Below(kGpuModelCount)] = random.Between(8, 40);
    }
    Send(Make("sets the quota of " + tenant.project.str(), operator_secret_,
              [update](const control::Context& context, const control::Call& call) {
                return Nothing(control::UpdateQuota(context, call, update));
              }));
    return;
  }
  if (what == 8) {
    const control::ProjectUpdate update{.id = tenant.project,
                                        .merit = static_cast<int>(random.Between(0, 1'000)),
                                        .reason = "the panel"};
    Send(Make("sets the merit of " + tenant.project.str(), operator_secret_,
              [update](const control::Context& context, const control::Call& call) {
                return Nothing(control::UpdateProject(context, call, update));
              }));
    return;
  }
  const auto id = AnyOf(tenant.project);
  if (!id) return;
  const control::EndRequest end{.id = *id, .version = 0, .reason = "the review"};
  if (what == 9) return Consolidate(*id);
  if (what == 10) {
    Send(Make("puts first " + id->str(), operator_secret_,
              [end](const control::Context& context, const control::Call& call) {
                return One(control::SetUrgency(context, call, end, true));
              }));
    return;
  }
  Send(Make("turns down " + id->str(), operator_secret_,
            [end](const control::Context& context, const control::Call& call) {
              return One(control::Reject(context, call, end));
            }));
}

}  // namespace allot::chaos
