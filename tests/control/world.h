#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "allot/control/allocations.h"
#include "allot/control/enact.h"
#include "allot/control/planner.h"
#include "allot/control/pool.h"
#include "allot/control/scheduler_loop.h"
#include "allot/control/submit.h"
#include "allot/control/tenants.h"
#include "allot/store/memory.h"
#include "allot/store/store.h"
#include "support/counting_id_source.h"
#include "support/manual_clock.h"
#include "support/postgres_server.h"

namespace allot::control {

/// What a Result holds, or a test failure that prints the error.
template <class T>
T Must(Result<T> result) {
  if (!result.ok()) throw std::runtime_error(Describe(result.error()));
  return std::move(result).value();
}

/// The reason of a refusal; fails the test when it was accepted.
template <class T>
Reason ReasonOf(const Result<T>& result) {
  EXPECT_FALSE(result.ok()) << "was accepted";
  return result.ok() ? Reason::kInternal : result.error().reason;
}

/// Set: the tests run on a store in memory instead of PostgreSQL.
inline constexpr char kStoreVariable[] = "ALLOT_TEST_IN_MEMORY";

/// A small nation on a fresh database: provider "prov" with cluster "c" (H200, four nodes n1 to n4,
/// programme "call"), institutes "snu" and "kist" with a project "p" each.
class World : public ::testing::Test {
 protected:
  void SetUp() override {
    policy = DefaultPolicy();
    // Ties by name, so that tests can say who comes first.
    policy.tie_seed = 0;
    policy.gathering_time = Seconds{0};
    policy.programmes = {{ProgrammeId("call"), {64, 64}, Days(366)}};
    const char* const kind = std::getenv(kStoreVariable);
    if (kind == nullptr) database_url = testing::FreshDatabase();
    store = kind == nullptr ? testing::OpenTestStore(database_url)
                            : store::OpenMemory(clock, store::Locking::kRequired);
    context.emplace(Context{*store, clock, ids, policies});
    planner = std::make_unique<Planner>(*context);
    loop = std::make_unique<SchedulerLoop>(*context, *planner, LoopOptions("server-1"));

    Must(CreateProvider(*context, As(Operator()), {.id = ProviderId("prov"), .display_name = ""}));
    Must(CreateCluster(*context, As(Operator()), MakeCluster("c")));
    AddProject("snu", 500);
    AddProject("kist", 500);
    session =
        Must(RegisterAgent(*context, As(Agent()), ClusterId("c"), GpuModel::kH200)).agent_session;
    Must(SyncInventory(*context, Agent(), FourNodes(1)));
  }

  SchedulerLoop::Options LoopOptions(const std::string& holder) {
    SchedulerLoop::Options options;
    options.holder = holder;
    // Both clocks go alike, unless a test sets one.
    options.steady_micros = [this] { return clock.Now().micros - clock_set_by.count * 1'000'000; };
    return options;
  }

  static Cluster MakeCluster(const std::string& id) {
    Cluster cluster;
    cluster.id = ClusterId(id);
    cluster.provider = ProviderId("prov");
    cluster.model = GpuModel::kH200;
    cluster.programmes = {ProgrammeId("call")};
    return cluster;
  }

  Inventory FourNodes(int64_t generation) const {
    Inventory inventory{
        .cluster = ClusterId("c"), .session = session, .generation = generation, .nodes = {}};
    for (const char* name : {"n1", "n2", "n3", "n4"}) {
      inventory.nodes.push_back({.name = name, .healthy = true, .reason = ""});
    }
    return inventory;
  }

  void AddProject(const std::string& institute, int merit) {
    Institute row;
    row.id = InstituteId(institute);
    Must(CreateInstitute(*context, As(Operator()), row));
    Project project;
    project.id = ProjectId(institute + "/p");
    project.institute = row.id;
    project.programme = ProgrammeId("call");
    project.merit = merit;
    Must(CreateProject(*context, As(Operator()), project));
    SetQuota(institute + "/p", 32, 1'000'000);
  }

  void SetQuota(const std::string& project, int64_t gpus, int64_t gpu_hours) {
    QuotaUpdate update{.reason = "call"};
    update.project = ProjectId(project);
    update.concurrent_gpus = {gpus, gpus};
    update.gpu_time = GpuSeconds::FromCount(gpu_hours * 3600);
    Must(UpdateQuota(*context, As(Operator()), update));
  }

  static Principal Operator() {
    return {.key = KeyId("op"),
            .role = Role::kOperator,
            .institute = {},
            .provider = {},
            .display_name = "operator"};
  }
  static Principal Member(const std::string& institute) {
    return {.key = KeyId("m-" + institute),
            .role = Role::kMember,
            .institute = InstituteId(institute),
            .provider = {},
            .display_name = "member"};
  }
  static Principal Agent() {
    return {.key = KeyId("agent"),
            .role = Role::kProvider,
            .institute = {},
            .provider = ProviderId("prov"),
            .display_name = "provider"};
  }
  static Call As(Principal principal) {
    return {.principal = std::move(principal),
            .request_id = {},
            .body_sha256 = {},
            .validate_only = false};
  }

  static RawRequest Nodes(int nodes, Seconds duration) {
    RawRequest raw;
    raw.nodes = nodes;
    raw.gpus_per_node = 8;
    raw.models = {"H200"};
    raw.duration = duration;
    return raw;
  }

  Submission Ask(const std::string& institute, const std::string& name, int nodes,
                 Seconds duration) const {
    return {.project = ProjectId(institute + "/p"),
            .allocation_name = name,
            .display_name = "",
            .request = Nodes(nodes, duration)};
  }

  Allocation SubmitAs(const std::string& institute, const std::string& name, int nodes,
                      Seconds duration) {
    return Must(Submit(*context, As(Member(institute)), Ask(institute, name, nodes, duration)));
  }

  /// Time goes by while the server turns, so that silence is noticed.
  void PassTime(Seconds time) {
    for (int64_t left = time.count; left > 0; left -= 5) {
      clock.Advance(Seconds{std::min<int64_t>(left, 5)});
      Must(loop->Turn());
    }
  }
  /// Somebody sets the clock.
  void SetClock(Seconds by) {
    clock.Advance(by);
    clock_set_by = clock_set_by + by;
  }

  /// Turns until a turn changes nothing any more.
  void Settle() {
    for (int i = 0; i < 20; ++i) {
      const auto report = Must(loop->Turn());
      if (!report) return;
    }
    FAIL() << "the loop does not come to rest";
  }

  Allocation Get(const std::string& id) {
    return Must(GetAllocation(*context, Operator(), AllocationId(id))).allocation;
  }

  std::vector<Order> Pull() {
    return Must(PullOrders(*context, Agent(), ClusterId("c"), session, 100));
  }

  Order Ack(const Order& order, bool done = true) {
    return Must(Acknowledge(*context, Agent(),
                            {.cluster = ClusterId("c"),
                             .order = order.id,
                             .session = session,
                             .done = done,
                             .message = done ? "" : "no power"}));
  }

  /// As a provider does that enacts at once.
  void EnactAll() {
    for (const Order& order : Pull()) Ack(order);
  }

  testing::ManualClock clock;
  Seconds clock_set_by{0};
  testing::CountingIdSource ids;
  /// As the server was configured; a test may change it while none is published.
  Policy policy;
  PolicyBook policies{policy};
  /// Empty when the store is in memory.
  std::string database_url;
  std::unique_ptr<store::Store> store;
  std::optional<Context> context;
  std::unique_ptr<Planner> planner;
  std::unique_ptr<SchedulerLoop> loop;
  int64_t session = 0;
};

}  // namespace allot::control
