#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/id.h"
#include "allot/base/time.h"
#include "allot/model/gpu.h"

namespace allot {

/// Caps of a programme on one allocation.
struct ProgrammeCaps {
  ProgrammeId programme;
  /// By model, in the order of `kGpuModels`; 0 closes a model to the programme.
  std::array<int, kGpuModelCount> gpus_max{};
  Seconds duration_max;

  friend bool operator==(const ProgrammeCaps&, const ProgrammeCaps&) = default;
};

inline constexpr int kTieSeedMax = 1'000'000'000;
/// Bounds what a pass costs.
inline constexpr int kImproverRoundsMax = 10'000;

enum class NodeLoss : uint8_t { kRequeue, kFail };
/// "requeue", "fail".
std::string_view Name(NodeLoss loss);
std::optional<NodeLoss> ParseNodeLoss(std::string_view name);

/// Everything an official may set; every number is data, dated and versioned. Ranges are in
/// allot/model/policy_settings.h.
struct Policy {
  /// Shown with every decision made under it.
  std::string version = "default";
  /// Sorted by programme. A programme without caps takes no requests.
  std::vector<ProgrammeCaps> programmes;
  /// After this long a unit of usage counts half in the fair rank.
  Seconds usage_half_life = Days(14);
  /// An allocation that waited longer goes before all that waited less: the hard bound.
  Seconds starvation_bound = Days(14);
  /// Projects of equal rank have their turns in an order drawn from this and their names; 0: by
  /// name.
  int tie_seed = 0;
  /// Requests that arrive within this time of each other are ranked together: none starts sooner
  /// after its submission. At zero the first of a call to arrive would take what its best are to
  /// have.
  Seconds gathering_time{0};
  /// Planned starts lie within this from now; what does not fit stays pending with the reason.
  Seconds planning_horizon = Days(2 * 366);
  /// What a provider needs to clear GPUs: plans count them as held for so long after their window.
  Seconds release_time{0};
  /// Gangs of so many nodes and more, and whoever waited past the starvation bound, are promised
  /// their start, with the GPUs booked …
  int promise_nodes = 16;
  /// … once it lies within this from now. Nobody else is promised anything.
  Seconds promise_within = Days(14);
  /// Whoever would start later than it was first told by more than this goes before all who lost no
  /// promise until it starts, and is promised its start like those who waited past the bound.
  Seconds planned_slip_max = Days(30);
  /// Running preemptible work may be stopped for work that is not. It goes on for so long after the
  /// decision …
  Seconds preemption_grace = Minutes(10);
  /// … once it ran for so long …
  Seconds preemption_min_run = Hours(1);
  /// … and so often at the most …
  int preemptions_max = 3;
  /// … if what it is stopped for starts so much sooner, for every GPU that is taken back …
  Seconds preemption_gain = Hours(4);
  /// … and a pass stops work for so few others at the most; 0: nobody is ever stopped.
  int preemptions_per_pass = 4;
  /// So many GPUs of a model a project may hold beyond its concurrent quota, in requests that may
  /// be stopped; 0: none.
  int borrowed_gpus_max = 64;
  /// GPUs are added to elastic work that goes on for so long still.
  Seconds growth_min = Hours(1);
  /// What a B200 is worth, in thousandths of an H200: for requests that take as much of one model
  /// or the other as does the same work. The programme's caps, 256 H200 or 128 B200, imply 2,000.
  int b200_worth_permille = 2000;
  /// Of one project so few allocations are stopped within an hour at the most, whoever for.
  int preemptions_per_project = 16;
  /// So many attempts a pass makes at having some start sooner and nobody later; 0: none.
  int improver_rounds = 0;
  /// … or later by this at the most, if by merit more is gained than lost.
  Seconds improver_delay_max{0};
  /// An agent silent for this long makes its nodes unknown …
  Seconds heartbeat_expiry{30};
  /// … and for this long down.
  Seconds node_down_after = Minutes(5);
  /// What becomes of work on a node that is down.
  NodeLoss node_loss = NodeLoss::kRequeue;
  /// Attempts that may fail before an allocation is failed for good.
  int failures_max = 3;
  /// Events are kept for this long: a watch that was away for longer lists again.
  Seconds event_retention = Days(7);
  /// A request_id repeated within this time is answered as before; later it is a new one.
  Seconds request_retention = Days(30);
  /// Audit entries are kept for this long; removed only where checkpoints are signed.
  Seconds audit_retention = Days(730);

  friend bool operator==(const Policy&, const Policy&) = default;
};

/// A policy as an operator published it: in force from its date until that of the next.
struct PublishedPolicy {
  PolicyId id;
  /// Its version is the id.
  Policy policy;
  /// Not before its creation, and later than that of every one published before and not withdrawn.
  Instant effective_time;
  Instant create_time;
  /// Why, in the words of who published it.
  std::string reason;
  /// It never was in force: withdrawn before its date.
  std::optional<Instant> withdraw_time;
  std::string withdraw_reason;

  friend bool operator==(const PublishedPolicy&, const PublishedPolicy&) = default;
};

/// The first call and the national projects, as the ministry published them (docs: policy).
Policy DefaultPolicy();
/// Null for a programme without caps.
const ProgrammeCaps* FindCaps(const Policy& policy, const ProgrammeId& programme);

}  // namespace allot
