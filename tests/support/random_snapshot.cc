#include "support/random_snapshot.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "allot/base/random.h"
#include "allot/scheduler/plan.h"
#include "support/manual_clock.h"
#include "support/snapshot_builder.h"

namespace allot::testing {

using namespace scheduler;  // NOLINT(google-build-using-namespace)

namespace {

// What is set aside, and dates of clusters; drawn apart, so that all else stays as it was.
void ReserveSomething(Snapshot& snapshot, uint64_t seed) {
  SeededRandom random(seed ^ 0x72657365727665);
  const auto chance = [&](uint64_t percent) { return random.Below(100) < percent; };
  for (SnapshotCluster& cluster : snapshot.clusters) {
    if (chance(15)) cluster.join_time = snapshot.now + Minutes(random.Between(-500, 4'000));
    if (chance(15)) cluster.leave_time = snapshot.now + Minutes(random.Between(2'000, 20'000));
  }
  // Neighbours of one cluster, each in one reservation at the most.
  for (std::size_t node = 0; node < snapshot.nodes.size();) {
    const int cluster = snapshot.nodes[node].cluster;
    SnapshotReservation reservation;
    reservation.id = ReservationId("r" + std::to_string(100 + node));
    for (auto size = random.Below(5); size > 0; --size, ++node) {
      if (node == snapshot.nodes.size() || snapshot.nodes[node].cluster != cluster) break;
      reservation.nodes.push_back(static_cast<int>(node));
    }
    if (reservation.nodes.empty()) {
      ++node;
      continue;
    }
    if (!chance(50)) continue;
    if (chance(70) && !snapshot.projects.empty()) {
      reservation.project = static_cast<int>(random.Below(snapshot.projects.size()));
    }
    Instant from = snapshot.now + Minutes(random.Between(-300, 6'000));
    for (auto windows = random.Between(1, 3); windows > 0; --windows) {
      const Instant to = std::max(from, snapshot.now) + Minutes(random.Between(1, 4'000));
      reservation.windows.push_back(*TimeWindow::Make(from, to));
      from = to + Minutes(random.Between(0, 3'000));
    }
    snapshot.reservations.push_back(std::move(reservation));
  }
}

// Which of the running work may be stopped; drawn apart, too.
void AddPreemptible(Snapshot& snapshot, uint64_t seed) {
  SeededRandom random(seed ^ 0x707265656d7074);
  for (const SnapshotClaim& claim : snapshot.claims) {
    if (claim.start > snapshot.now || claim.until <= snapshot.now) continue;
    if (!claim.counts_against_quota || random.Below(3) == 0) continue;
    SnapshotPreemptible row;
    row.id = claim.allocation;
    row.project = claim.project;
    row.request.shape = ShapeForGpus(CountGpus(claim.gpus));
    const SnapshotNode& node = snapshot.nodes[static_cast<std::size_t>(claim.node)];
    row.request.models = {snapshot.clusters[static_cast<std::size_t>(node.cluster)].model};
    row.request.duration = Between(claim.start, claim.until);
    row.request.preemptible = true;
    row.create_time = claim.start - Hours(1);
    row.start = claim.start;
    row.until = claim.until;
    row.preemptions = static_cast<int>(random.Below(4));
    snapshot.preemptible.push_back(std::move(row));
  }
  for (SnapshotPending& row : snapshot.pending) {
    row.request.preemptible = random.Below(3) == 0;
    row.request.borrow = row.request.preemptible && random.Below(2) == 0;
  }
  for (SnapshotPreemptible& row : snapshot.preemptible) {
    row.request.borrow = random.Below(3) == 0;
    for (SnapshotClaim& claim : snapshot.claims) {
      if (claim.allocation == row.id) claim.borrowed = row.request.borrow;
    }
  }
  for (SnapshotProject& project : snapshot.projects) {
    project.stopped_lately = static_cast<int>(random.Below(2));
  }
}

// Who takes less, or more, of its second model; drawn apart, too.
void AddExchanges(Snapshot& snapshot, uint64_t seed) {
  SeededRandom random(seed ^ 0x65786368616e67);
  for (SnapshotPending& row : snapshot.pending) {
    if (row.request.models.size() < 2 || random.Below(2) == 0) continue;
    Policy policy;
    policy.b200_worth_permille = static_cast<int>(random.Between(500, 3'000));
    const Shape exchanged =
        ExchangedFor(row.request.shape, row.request.models[0], row.request.models[1],
                     random.Below(2) == 0 ? Exchange::kByGpu : Exchange::kByNode, policy);
    row.request.exchanged = ExchangedShape{row.request.models[1], exchanged};
  }
}

// The network, and who would wait to stay on one leaf of it; drawn apart, too.
void AddLeaves(Snapshot& snapshot, uint64_t seed) {
  SeededRandom random(seed ^ 0x6c6561766573);
  for (SnapshotNode& node : snapshot.nodes) {
    const auto leaf = random.Below(4);
    if (leaf > 0) node.leaf = "leaf-" + std::to_string(leaf);
  }
  for (SnapshotPending& row : snapshot.pending) {
    if (random.Below(3) == 0) row.request.same_leaf_wait = Minutes(random.Between(1, 4'000));
  }
}

// Who goes before others; drawn apart, too.
void AddMarks(Snapshot& snapshot, uint64_t seed) {
  SeededRandom random(seed ^ 0x6d61726b73);
  for (SnapshotPending& row : snapshot.pending) {
    // Some long ago: to keep to it they must go before others.
    if (random.Below(3) == 0) {
      row.told_start = snapshot.now + Minutes(random.Between(-60 * 24 * 60, 20 * 24 * 60));
    }
    row.overdue = row.told_start && random.Below(3) == 0;
    row.urgent = random.Below(20) == 0;
  }
}

// For whom others are moved; drawn apart, too.
void AddConsolidations(Snapshot& snapshot, uint64_t seed) {
  SeededRandom random(seed ^ 0x636f6e736f6c);
  for (SnapshotPending& row : snapshot.pending) {
    row.consolidate = !row.request.preemptible && random.Below(8) == 0;
  }
}

/// Who starts after another of the project, that waits or runs; drawn apart, too. The later id
/// comes after the earlier one, so nobody comes after itself; some were created at the same
/// instant.
void AddChains(Snapshot& snapshot, uint64_t seed) {
  SeededRandom random(seed ^ 0x636861696e73);
  for (std::size_t i = 1; i < snapshot.pending.size(); ++i) {
    SnapshotPending& row = snapshot.pending[i];
    const auto kind = random.Below(6);
    if (kind == 0) {
      const SnapshotPending& before = snapshot.pending[random.Below(i)];
      row.project = before.project;
      row.after = before.id;
      // Only what borrows starts after what borrows: Submit refuses all else.
      row.request.borrow = row.request.borrow || before.request.borrow;
      row.request.preemptible = row.request.preemptible || row.request.borrow;
      row.create_time = before.create_time + Minutes(random.Between(0, 3) * 100);
      row.create_time = std::min(row.create_time, snapshot.now);
    } else if (kind == 1 && !snapshot.claims.empty()) {
      const SnapshotClaim& before = snapshot.claims[random.Below(snapshot.claims.size())];
      row.project = before.project;
      row.after = before.allocation;
      row.request.borrow = row.request.borrow || before.borrowed;
      row.request.preemptible = row.request.preemptible || row.request.borrow;
    }
  }
}

/// What adds to work that runs, or to what does not; drawn apart, too.
void AddGrowths(Snapshot& snapshot, uint64_t seed) {
  SeededRandom random(seed ^ 0x67726f777468);
  std::set<AllocationId> followed;
  for (const SnapshotPending& row : snapshot.pending) {
    if (row.after) followed.insert(*row.after);
  }
  for (SnapshotPending& row : snapshot.pending) {
    if (row.after || row.promise || followed.contains(row.id) || random.Below(4) > 0) continue;
    SnapshotPending growth;
    growth.id = row.id;
    growth.project = row.project;
    growth.create_time = row.create_time;
    growth.request = row.request;
    growth.request.shape = {1, static_cast<int>(random.Between(1, 8)), 0};
    growth.request.exchanged.reset();
    growth.request.earliest_start.reset();
    growth.request.deadline.reset();
    growth.request.same_leaf_wait = Seconds{0};
    growth.grows = AllocationId("i/nobody");
    if (!snapshot.claims.empty() && random.Below(5) > 0) {
      const SnapshotClaim& base = snapshot.claims[random.Below(snapshot.claims.size())];
      growth.grows = base.allocation;
      growth.project = base.project;
      growth.request.borrow = base.borrowed;
      growth.request.preemptible = growth.request.preemptible || base.borrowed;
    }
    row = std::move(growth);
  }
}

/// What it starts after has ended when it neither waits nor holds GPUs of its present attempt.
void ForgetPredecessorsThatEnded(Snapshot& snapshot) {
  std::set<AllocationId> unfinished;
  for (const SnapshotPending& row : snapshot.pending) unfinished.insert(row.id);
  for (const SnapshotClaim& claim : snapshot.claims) {
    if (claim.counts_against_quota) unfinished.insert(claim.allocation);
  }
  for (SnapshotPending& row : snapshot.pending) {
    if (row.after && !unfinished.contains(*row.after)) row.after.reset();
  }
}

template <class Row>
void Shuffle(SeededRandom& random, std::vector<Row>& rows) {
  for (std::size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[random.Below(i)]);
}

}  // namespace

Policy RandomPolicy(uint64_t seed) {
  SeededRandom random(seed ^ 0x706f6c696379);
  Policy policy;
  policy.planning_horizon = Days(12);
  policy.release_time = Minutes(random.Between(0, 2) * 5);
  policy.promise_nodes = static_cast<int>(random.Between(1, 6));
  policy.promise_within = Hours(random.Between(0, 200));
  policy.preemption_gain = Hours(random.Between(0, 8));
  policy.planned_slip_max = Hours(random.Between(1, 400));
  policy.improver_rounds = static_cast<int>(random.Below(2) * 20);
  policy.tie_seed = static_cast<int>(random.Below(3));
  policy.borrowed_gpus_max = static_cast<int>(random.Between(0, 40));
  policy.improver_delay_max = Hours(static_cast<int64_t>(random.Below(2)) * 4);
  policy.preemptions_per_project = static_cast<int>(random.Between(2, 8));
  return policy;
}

Snapshot RandomSnapshot(uint64_t seed) {
  SeededRandom random(seed);
  const auto chance = [&](uint64_t percent) { return random.Below(100) < percent; };
  const auto pick = [&](int low, int high) { return static_cast<int>(random.Between(low, high)); };
  Snapshot snapshot;
  snapshot.now = ManualClock::kStart + Seconds{random.Between(0, 7'200)};

  const int clusters = pick(1, 4);
  for (int i = 0; i < clusters; ++i) {
    std::vector<ProgrammeId> programmes = {ProgrammeId("call")};
    if (chance(40)) programmes.emplace_back("national");
    snapshot.clusters.push_back({ClusterId("c" + std::to_string(i)),
                                 chance(50) ? GpuModel::kH200 : GpuModel::kB200,
                                 std::move(programmes)});
    const int nodes = pick(1, 10);
    for (int n = 0; n < nodes; ++n) {
      SnapshotNode node;
      node.id = NodeId("c" + std::to_string(i) + "/n" + std::to_string(10 + n));
      node.cluster = i;
      node.schedulable = !chance(8);
      snapshot.nodes.push_back(std::move(node));
    }
  }
  const int projects = pick(1, 8);
  for (int i = 0; i < projects; ++i) {
    SnapshotProject project;
    project.id = ProjectId("i/p" + std::to_string(i));
    project.programme = ProgrammeId(chance(25) ? "national" : "call");
    project.merit = pick(0, kMeritMax);
    project.open = !chance(5);
    project.concurrent_gpus = {pick(0, 80), pick(0, 80)};
    if (chance(30))
      project.gpu_time_left = GpuSeconds::FromCount(random.Between(-1'000, 9'000'000));
    project.usage = {random.Between(0, int64_t{1} << 30), snapshot.now - Hours(1)};
    snapshot.projects.push_back(std::move(project));
  }
  for (int node = 0; node < static_cast<int>(snapshot.nodes.size()); ++node) {
    if (!chance(50)) continue;
    const auto gpus = static_cast<GpuMask>(chance(50) ? 255 : random.Between(1, 255));
    const Instant until = snapshot.now + Minutes(chance(10) ? -5 : random.Between(1, 6'000));
    const int project = pick(0, projects - 1);
    snapshot.claims.push_back({AllocationId("i/r" + std::to_string(node)), project, node, gpus,
                               snapshot.now - Hours(2), until, !chance(10)});
    if (chance(20) && gpus != 255) {
      // A booking ahead, on what is left of the node.
      snapshot.claims.push_back({AllocationId("i/f" + std::to_string(node)), project, node,
                                 static_cast<GpuMask>(~gpus), snapshot.now + Hours(30),
                                 snapshot.now + Hours(60)});
    }
  }
  const int pending = pick(0, 45);
  for (int i = 0; i < pending; ++i) {
    SnapshotPending row;
    row.id = AllocationId("i/w" + std::to_string(100 + i));
    row.project = pick(0, projects - 1);
    row.create_time = snapshot.now - Minutes(random.Between(0, 20 * 24 * 60));
    Request& request = row.request;
    request.shape = chance(50) ? ShapeForGpus(pick(1, 40)) : Shape{pick(1, 6), pick(1, 8), 0};
    request.models = {chance(50) ? GpuModel::kH200 : GpuModel::kB200};
    if (chance(40)) {
      request.models.push_back(request.models[0] == GpuModel::kH200 ? GpuModel::kB200
                                                                    : GpuModel::kH200);
    }
    // Few different ones, so that bounds learnt from others matter.
    request.duration = chance(70) ? Hours(int64_t{1} << pick(0, 6)) : Minutes(pick(1, 5'000));
    if (chance(20)) request.earliest_start = snapshot.now + Minutes(pick(-100, 20'000));
    if (chance(20)) request.deadline = snapshot.now + request.duration + Minutes(pick(0, 9'000));
    snapshot.pending.push_back(std::move(row));
  }
  if (seed % 3 == 0) ReserveSomething(snapshot, seed);
  if (seed % 5 < 3) AddLeaves(snapshot, seed);
  if (seed % 7 < 4) AddPreemptible(snapshot, seed);
  if (seed % 3 < 2) AddExchanges(snapshot, seed);
  if (seed % 4 == 1) AddChains(snapshot, seed);
  if (seed % 2 == 0) AddMarks(snapshot, seed);
  if (seed % 3 == 0) AddConsolidations(snapshot, seed);
  if (seed % 5 == 2) AddGrowths(snapshot, seed);
  Canonicalise(snapshot);
  return snapshot;
}

namespace {

// What starts in a plan holds its GPUs from then on.
void StartDue(Snapshot& snapshot, const Plan& plan, std::vector<bool>& leaves) {
  for (const Placement& placement : plan.placements) {
    const auto position = static_cast<std::size_t>(placement.pending);
    const SnapshotPending& row = snapshot.pending[position];
    if (placement.window.start() > plan.now) continue;
    leaves[position] = true;
    for (const PlacedNode& placed : placement.nodes) {
      snapshot.claims.push_back({row.id, row.project, placed.node, placed.gpus,
                                 placement.window.start(), placement.window.end()});
      snapshot.claims.back().borrowed = row.request.borrow;
    }
    if (row.request.preemptible) {
      SnapshotPreemptible running{.id = row.id, .project = row.project, .request = row.request};
      running.grows = row.grows;
      running.create_time = row.create_time;
      running.start = placement.window.start();
      running.until = placement.window.end();
      snapshot.preemptible.push_back(std::move(running));
    }
    for (SnapshotPreemptible& base : snapshot.preemptible) {
      if (row.grows == base.id) base.growths.push_back(row.id);
    }
    GpuSeconds& left = snapshot.projects[static_cast<std::size_t>(row.project)].gpu_time_left;
    left = *left.Minus(*CostOn(row.request, placement.model));
  }
}

// What is stopped is not stopped again while it ends, and waits for the rest: as if its GPUs were
// back at once, which its claims deny.
void StopDue(Snapshot& snapshot, const Plan& plan) {
  std::map<AllocationId, Instant> stops;
  for (const Preemption& preemption : plan.preemptions) {
    const auto& row = snapshot.preemptible[static_cast<std::size_t>(preemption.preemptible)];
    stops.emplace(row.id, preemption.stop);
    for (const AllocationId& growth : row.growths) stops.emplace(growth, preemption.stop);
  }
  std::erase_if(snapshot.preemptible, [&](const SnapshotPreemptible& row) {
    const auto stop = stops.find(row.id);
    if (stop == stops.end()) return false;
    SnapshotPending rest{.id = row.id, .project = row.project, .request = row.request};
    rest.request.duration = Between(stop->second, row.until);
    rest.request.earliest_start = stop->second;
    rest.create_time = row.create_time;
    rest.grows = row.grows;
    snapshot.pending.push_back(std::move(rest));
    return true;
  });
}

void BreakSomething(Snapshot& snapshot, SeededRandom& random) {
  const auto chance = [&](uint64_t percent) { return random.Below(100) < percent; };
  for (SnapshotNode& node : snapshot.nodes) {
    if (chance(10)) {
      node.draining = chance(50);
      if (!node.draining) node.health = NodeHealth::kDown;
      node.schedulable = false;
    }
  }
  for (SnapshotProject& project : snapshot.projects) {
    if (chance(15)) project.concurrent_gpus = {8, 8};
    if (chance(10)) project.gpu_time_left = GpuSeconds::FromCount(random.Between(0, 2'000'000));
    if (chance(10)) project.open = false;
    if (chance(10)) project.programme = ProgrammeId("national");
  }
  if (snapshot.reservations.empty() && chance(40)) ReserveSomething(snapshot, random.Below(1'000));
}

}  // namespace

Snapshot NextSnapshot(const Snapshot& before, const Policy& policy, uint64_t seed, bool faults) {
  SeededRandom random(seed ^ 0x70726f6d697365);
  const auto chance = [&](uint64_t percent) { return random.Below(100) < percent; };
  const Plan plan = scheduler::Schedule(before, policy);
  Snapshot snapshot = AfterPreemptions(before, plan);
  for (const int late : plan.overdue)
    snapshot.pending[static_cast<std::size_t>(late)].overdue = true;
  std::vector<bool> leaves(snapshot.pending.size(), false);
  StartDue(snapshot, plan, leaves);
  Instant first_promised = snapshot.now + Hours(40);
  for (SnapshotPending& row : snapshot.pending) row.promise.reset();
  for (const Placement& placement : plan.placements) {
    if (placement.window.start() <= plan.now) continue;
    if (snapshot.pending[static_cast<std::size_t>(placement.pending)].after) continue;
    if (snapshot.pending[static_cast<std::size_t>(placement.pending)].grows) continue;
    // Whatever was planned could have been promised.
    const auto& planned = snapshot.pending[static_cast<std::size_t>(placement.pending)];
    if (planned.request.borrow || (!placement.promised && !chance(30))) continue;
    snapshot.pending[static_cast<std::size_t>(placement.pending)].promise = {placement.window,
                                                                             placement.nodes};
    first_promised = std::min(first_promised, placement.window.start());
  }
  std::vector<SnapshotPending> waiting;
  for (std::size_t i = 0; i < snapshot.pending.size(); ++i) {
    if (!leaves[i]) waiting.push_back(std::move(snapshot.pending[i]));
  }
  snapshot.pending = std::move(waiting);
  StopDue(snapshot, plan);

  // Time passes up to the first promise that is due; of what runs some ends early, and whatever is
  // over by then was released in time.
  const int64_t due_in = std::max<int64_t>(Between(snapshot.now, first_promised).count, 0);
  snapshot.now = snapshot.now + Seconds{faults && chance(30) ? due_in : random.Between(0, due_in)};
  std::erase_if(snapshot.claims, [&](const SnapshotClaim& claim) {
    if (claim.until <= snapshot.now) return !(faults && chance(30));
    return claim.start < snapshot.now && chance(20);
  });
  std::erase_if(snapshot.preemptible, [&](const SnapshotPreemptible& running) {
    return running.until <= snapshot.now ||
           std::none_of(snapshot.claims.begin(), snapshot.claims.end(),
                        [&](const auto& claim) { return claim.allocation == running.id; });
  });
  std::erase_if(snapshot.reservations, [&](SnapshotReservation& reservation) {
    std::erase_if(reservation.windows,
                  [&](const TimeWindow& window) { return window.end() <= snapshot.now; });
    return reservation.windows.empty();
  });
  // Newcomers, some of whom rank before everybody.
  const auto newcomers = random.Below(12);
  for (uint64_t i = 0; i < newcomers && !snapshot.projects.empty(); ++i) {
    SnapshotPending row;
    row.id = AllocationId("i/new" + std::to_string(100 + i));
    row.project = static_cast<int>(random.Below(snapshot.projects.size()));
    row.create_time = snapshot.now - Minutes(random.Between(0, 20 * 24 * 60));
    row.requeued = chance(30);
    row.urgent = chance(5);
    row.request.shape = ShapeForGpus(static_cast<int>(random.Between(1, 40)));
    row.request.models = {chance(50) ? GpuModel::kH200 : GpuModel::kB200};
    row.request.duration = Hours(random.Between(1, 50));
    snapshot.pending.push_back(std::move(row));
  }
  if (faults) {
    if (chance(30)) snapshot.now = snapshot.now + Minutes(random.Between(0, 3'000));
    BreakSomething(snapshot, random);
  }
  ForgetPredecessorsThatEnded(snapshot);
  Canonicalise(snapshot);
  return snapshot;
}

Snapshot Shuffled(const Snapshot& original, uint64_t seed) {
  SeededRandom random(seed);
  Snapshot snapshot = original;
  Shuffle(random, snapshot.clusters);
  Shuffle(random, snapshot.nodes);
  Shuffle(random, snapshot.projects);
  Shuffle(random, snapshot.pending);
  Shuffle(random, snapshot.claims);
  Shuffle(random, snapshot.reservations);
  for (SnapshotCluster& cluster : snapshot.clusters) Shuffle(random, cluster.programmes);
  const auto follow = [](const auto& from, const auto& to, int& position) {
    const std::string& id = from[static_cast<std::size_t>(position)].id.str();
    position = SnapshotBuilder::PositionOf(to, id);
  };
  for (SnapshotNode& node : snapshot.nodes) {
    follow(original.clusters, snapshot.clusters, node.cluster);
  }
  for (SnapshotPending& pending : snapshot.pending) {
    follow(original.projects, snapshot.projects, pending.project);
    if (!pending.promise) continue;
    for (PlacedNode& placed : pending.promise->nodes) {
      follow(original.nodes, snapshot.nodes, placed.node);
    }
    Shuffle(random, pending.promise->nodes);
  }
  Shuffle(random, snapshot.preemptible);
  for (SnapshotPreemptible& running : snapshot.preemptible) {
    follow(original.projects, snapshot.projects, running.project);
  }
  for (SnapshotClaim& claim : snapshot.claims) {
    follow(original.nodes, snapshot.nodes, claim.node);
    follow(original.projects, snapshot.projects, claim.project);
  }
  for (SnapshotReservation& reservation : snapshot.reservations) {
    if (reservation.project) follow(original.projects, snapshot.projects, *reservation.project);
    for (int& node : reservation.nodes) follow(original.nodes, snapshot.nodes, node);
    Shuffle(random, reservation.nodes);
    Shuffle(random, reservation.windows);
  }
  return snapshot;
}

}  // namespace allot::testing
