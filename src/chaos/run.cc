#include <algorithm>
#include <utility>

#include "allot/base/check.h"
#include "allot/control/identity.h"
#include "allot/control/pool.h"
#include "allot/control/tenants.h"
#include "allot/model/policy_settings.h"
#include "allot/store/memory.h"
#include "chaos/faults.h"
#include "chaos/site.h"
#include "chaos/tenants.h"

namespace allot::chaos {
namespace {

/// After this many passes with nothing in the way, all that waits has a start or an end.
constexpr int kPassesToPlace = 12;
constexpr Seconds kFaultsEvery{30};
/// What was amiss is over by then: leases, silences, and clocks that were ahead.
constexpr Seconds kRecovery = Minutes(25);
constexpr Seconds kSlack = Hours(2);

Policy DrawPolicy(SeededRandom& random) {
  Policy policy = DefaultPolicy();
  policy.programmes = {{ProgrammeId("call"), {64, 64}, Days(366)}};
  policy.tie_seed = static_cast<int>(random.Below(100));
  policy.gathering_time = Seconds{random.Below(2) == 0 ? 0 : random.Between(1, 20)};
  policy.release_time = Seconds{random.Below(2) == 0 ? 0 : random.Between(1, 30)};
  policy.planning_horizon = Days(2);
  policy.promise_within = Days(1);
  policy.promise_nodes = static_cast<int>(random.Between(1, 4));
  policy.preemption_grace = Seconds{random.Between(0, 60)};
  policy.preemption_min_run = Seconds{random.Between(10, 120)};
  policy.preemption_gain = Seconds{random.Between(1, 120)};
  policy.preemptions_max = static_cast<int>(random.Between(1, 3));
  policy.borrowed_gpus_max = static_cast<int>(random.Between(0, 24));
  policy.growth_min = Seconds{random.Between(30, 300)};
  policy.improver_rounds = random.Below(4) == 0 ? 10 : 0;
  policy.heartbeat_expiry = Seconds{random.Between(60, 150)};
  policy.node_down_after = policy.heartbeat_expiry + Seconds{random.Between(30, 300)};
  policy.node_loss = random.Below(4) == 0 ? NodeLoss::kFail : NodeLoss::kRequeue;
  policy.failures_max = static_cast<int>(random.Between(1, 4));
  policy.event_retention = Hours(1);
  ALLOT_CHECK(CheckPolicy(policy).ok());
  return policy;
}

/// Signs nothing that anybody checks: that entries stay as they were signed, the service does.
class NoSigner final : public control::AuditSigner {
 public:
  std::string id() const override { return std::string(16, '0'); }
  std::string Sign(std::string_view) const override { return std::string(128, '0'); }
};

class Simulation {
 public:
  Simulation(uint64_t seed, const std::function<void(std::string_view)>& trace)
      : world_(seed, trace),
        policy_(DrawPolicy(world_.random)),
        clock_(world_),
        store_clock_(world_),
        store_(store::OpenMemory(store_clock_, store::Locking::kRequired)),
        book_(policy_),
        context_{*store_, clock_, ids_, book_},
        auditor_(world_, context_, policy_),
        database_{.store = *store_,
                  .epochs = auditor_.epochs(),
                  .committed = [this] { auditor_.Committed(); }},
        installation_{world_, database_, auditor_, policy_, ids_, signer_} {
    world_.rates = DrawRates(world_.random);
    store_->OnCommit([this](Revision revision) { database_.newest = revision; });
  }

  Report Run() {
    SetUp();
    Break();
    if (!world_.violated()) Heal();
    if (!world_.violated()) Await();
    if (!world_.violated()) {
      tenants_->ExpectServed();
      auditor_.CheckRecord();
      auditor_.machines().CheckTakenBack();
      tenants_->CheckWatchers();
    }
    return std::move(world_.report);
  }

 private:
  template <class T>
  T Must(Result<T> result) {
    if (!result.ok()) world_.Violate("set_up", Describe(result.error()));
    ALLOT_CHECK(result.ok());
    return std::move(result).value();
  }
  control::Call AsOperator() const {
    return {.principal = operator_, .request_id = {}, .body_sha256 = {}, .validate_only = false};
  }
  /// Without the auditor's look at every step of it: it sees what is there at the end.
  void SetUp();
  std::vector<Cluster> MakeSites();
  std::vector<Tenant> MakeTenants();
  std::string MakeKey(Role role, const InstituteId& institute, const ProviderId& provider);
  void Break();
  /// Until everything is healed.
  void Repeat(Seconds least, Seconds most, const char* name, std::function<void()> what);
  void Heal();
  void Await();
  void RunUntil(Instant time);
  bool IsOver() const;
  void EndDrains(const Cluster& cluster);
  void RaiseQuota(const ProjectId& project);

  World world_;
  const Policy policy_;
  LocalClock clock_;
  LocalClock store_clock_;
  CountedIds ids_;
  const NoSigner signer_{};
  std::unique_ptr<store::Store> store_;
  control::PolicyBook book_;
  control::Context context_;
  Auditor auditor_;
  Database database_;
  Installation installation_;
  Principal operator_;
  std::vector<ProjectId> projects_;
  Actor actors_ = 0;
  Servers servers_;
  Sites sites_;
  Faults faults_{world_, database_, store_clock_, servers_, sites_};
  std::unique_ptr<Tenants> tenants_;
};

std::string Simulation::MakeKey(Role role, const InstituteId& institute,
                                const ProviderId& provider) {
  return Must(control::CreateApiKey(context_, AsOperator(),
                                    {.role = role,
                                     .institute = institute,
                                     .provider = provider,
                                     .display_name = "key",
                                     .expire_time = {}}))
      .secret;
}

std::vector<Cluster> Simulation::MakeSites() {
  SeededRandom& random = world_.random;
  std::vector<Cluster> clusters;
  const auto count = random.Between(1, 3);
  for (int64_t i = 0; i < count; ++i) {
    const std::string name(1, static_cast<char>('a' + i));
    const ProviderId provider("prov-" + name);
    Must(control::CreateProvider(context_, AsOperator(), {.id = provider, .display_name = ""}));
    Cluster cluster;
    cluster.id = ClusterId("c" + name);
    cluster.provider = provider;
    cluster.model =
        (i + static_cast<int64_t>(random.Below(2))) % 2 == 0 ? GpuModel::kH200 : GpuModel::kB200;
    cluster.programmes = {ProgrammeId("call")};
    clusters.push_back(Must(control::CreateCluster(context_, AsOperator(), cluster)));
    std::vector<std::string> nodes;
    for (auto node = random.Between(2, 5); node > 0; --node) {
      nodes.insert(nodes.begin(), "n" + std::to_string(node));
    }
    const auto actors = [this] {
      const Actor reports = actors_++;
      return Site::Actors{.reports = reports, .orders = actors_++};
    };
    const Site::Actors first = actors();
    sites_.push_back(
        std::make_unique<Site>(installation_, servers_, clusters.back(), std::move(nodes),
                               MakeKey(Role::kProvider, {}, provider), first, actors()));
  }
  return clusters;
}

std::vector<Tenant> Simulation::MakeTenants() {
  SeededRandom& random = world_.random;
  std::vector<Tenant> tenants;
  for (const std::string institute : {"kaist", "snu"}) {
    Must(control::CreateInstitute(context_, AsOperator(), {.id = InstituteId(institute)}));
    for (auto number = random.Between(1, 2); number > 0; --number) {
      Project project;
      project.id = ProjectId(institute + "/p" + std::to_string(number));
      project.institute = InstituteId(institute);
      project.programme = ProgrammeId("call");
      project.merit = static_cast<int>(random.Between(0, 1'000));
      Must(control::CreateProject(context_, AsOperator(), project));
      control::QuotaUpdate quota{.project = project.id, .reason = "the call"};
      quota.concurrent_gpus = {random.Between(8, 40), random.Between(8, 40)};
      // Some run out of it.
      quota.gpu_time = GpuSeconds::FromCount(random.Between(1, 40) * 16 * 1'000);
      Must(control::UpdateQuota(context_, AsOperator(), quota));
      projects_.push_back(project.id);
      tenants.push_back(
          {.project = project.id, .secret = MakeKey(Role::kMember, InstituteId(institute), {})});
    }
  }
  return tenants;
}

void Simulation::SetUp() {
  const auto first = Must(control::CreateFirstKey(context_));
  operator_ = Must(control::Authenticate(context_, first.secret));
  for (auto number = world_.random.Between(1, 3); number > 0; --number) {
    servers_.push_back(
        std::make_unique<Server>(installation_, actors_++, "server-" + std::to_string(number)));
  }
  const std::vector<Cluster> clusters = MakeSites();
  tenants_ =
      std::make_unique<Tenants>(installation_, servers_, MakeTenants(), clusters, first.secret);
  auditor_.Begin();
  for (const auto& server : servers_) server->Start();
  for (const auto& site : sites_) site->agent().Start();
}

void Simulation::RunUntil(Instant time) {
  while (!world_.violated() && world_.now() < time && world_.Step()) continue;
}

void Simulation::Break() {
  const Instant end = world_.now() + Seconds{world_.random.Between(900, 3'000)};
  const Seconds pause{world_.random.Between(15, 100)};
  Repeat(Seconds{1}, pause, "somebody acts", [this] { tenants_->Act(); });
  Repeat(kFaultsEvery, kFaultsEvery, "something befalls", [this] { faults_.Befall(); });
  Repeat(Seconds{5}, Minutes(1), "somebody watches", [this] { tenants_->Watch(); });
  RunUntil(end);
  world_.healed = true;
}

void Simulation::Repeat(Seconds least, Seconds most, const char* name, std::function<void()> what) {
  world_.AfterSome(least, most, name, [this, least, most, name, what = std::move(what)] {
    if (world_.healed) return;
    what();
    Repeat(least, most, name, what);
  });
}

void Simulation::Heal() {
  world_.Trace("everything heals");
  faults_.Heal();
  // Whatever anybody asked for is answered until then.
  RunUntil(world_.now() + kRecovery);
  world_.TrustClocks();
  if (!world_.violated() && !tenants_->idle()) {
    world_.Violate("everybody_is_answered", "somebody waits for an answer still");
  }
  for (const auto& site : sites_) EndDrains(site->cluster());
  // What nobody may hold at the same time, or has no hours left for, waits for ever.
  for (const ProjectId& project : projects_) RaiseQuota(project);
  tenants_->AskForLittle();
  RunUntil(world_.now() + Minutes(1));
}

void Simulation::EndDrains(const Cluster& cluster) {
  control::DrainRequest drain{.provider = cluster.provider,
                              .cluster = cluster.id,
                              .node = {},
                              .draining = false,
                              .reason = {}};
  const auto end = [&](const std::string& setting) {
    const auto number = auditor_.settings().Asked({{.setting = setting, .value = 0}});
    Must(control::Drain(context_, AsOperator(), drain));
    auditor_.Committed();
    auditor_.settings().Acknowledged(number);
  };
  end(DrainingOf(cluster.id));
  const auto nodes = Must(control::ListNodes(context_, operator_, drain.provider, drain.cluster,
                                             std::nullopt, {.size = 100}));
  for (const Node& node : nodes.items) {
    drain.node = node.id;
    end(DrainingOf(node.id));
  }
}

void Simulation::RaiseQuota(const ProjectId& project) {
  constexpr int kGpus = 64;
  constexpr int64_t kGpuSeconds = 1'000'000'000;
  control::QuotaUpdate quota{.project = project, .reason = "all is to be served"};
  quota.concurrent_gpus = {kGpus, kGpus};
  quota.gpu_time = GpuSeconds::FromCount(kGpuSeconds);
  const auto number =
      auditor_.settings().Asked({{.setting = QuotaOf(GpuModel::kH200, project), .value = kGpus},
                                 {.setting = QuotaOf(GpuModel::kB200, project), .value = kGpus},
                                 {.setting = GpuTimeOf(project), .value = kGpuSeconds}});
  Must(control::UpdateQuota(context_, AsOperator(), quota));
  auditor_.Committed();
  auditor_.settings().Acknowledged(number);
}

bool Simulation::IsOver() const {
  return auditor_.open_orders() == 0 &&
         std::ranges::all_of(auditor_.allocations(),
                             [](const auto& row) { return IsFinal(row.second.state); });
}

void Simulation::Await() {
  const int64_t passes = auditor_.passes() + kPassesToPlace;
  const Instant placed_by = world_.now() + Minutes(5 * kPassesToPlace);
  while (!world_.violated() && !IsOver() && auditor_.passes() < passes) {
    if (world_.now() > placed_by) {
      world_.Violate("leader_there", "there are no passes any more");
    }
    world_.Step();
  }
  if (!world_.violated() && !IsOver()) auditor_.ExpectPlaced();
  // Who went by a wrong clock may have given a time that is yet to come.
  int64_t left = kSlack.count + world_.clocks_off_most() / 1'000'000;
  for (const auto& [id, one] : auditor_.allocations()) {
    if (!IsFinal(one.state)) left += one.request.duration.count + 120;
  }
  const Instant end = world_.now() + Seconds{left};
  while (!world_.violated() && !IsOver() && world_.now() < end) world_.Step();
  if (world_.violated() || IsOver()) return;
  std::string what = std::to_string(auditor_.open_orders()) + " orders are open";
  for (const auto& [id, one] : auditor_.allocations()) {
    if (IsFinal(one.state)) continue;
    what += "; " + id.str() + " is " + std::string(Name(one.state)) + " (" + one.reason + ": " +
            one.message + ")";
  }
  world_.Violate("served_in_time", what);
}

}  // namespace

Report RunSeed(uint64_t seed, const std::function<void(std::string_view line)>& trace) {
  return Simulation(seed, trace).Run();
}

}  // namespace allot::chaos
