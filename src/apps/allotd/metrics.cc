#include "apps/allotd/metrics.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "allot/base/reason.h"
#include "apps/allotd/json_log.h"

namespace allot::allotd {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr double kMicrosPerSecond = 1e6;
/// A scrape waits so long for the store.
constexpr std::chrono::seconds kPatience{2};

prometheus::Histogram::BucketBoundaries PassBuckets() {
  return {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5};
}

/// A week, a day, an hour and a minute sooner; and later, to a month.
prometheus::Histogram::BucketBoundaries StartErrorBuckets() {
  return {-604'800, -86'400, -3'600, -60, 60, 3'600, 21'600, 86'400, 604'800, 2'592'000};
}

prometheus::Gauge& AddGauge(prometheus::Registry& registry, const std::string& name,
                            const std::string& help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Histogram& AddHistogram(prometheus::Registry& registry, const std::string& name,
                                    const std::string& help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({},
                                                                                   PassBuckets());
}

using Labels = std::vector<std::pair<std::string, std::string>>;

void AddValue(MetricFamily& family, const Labels& labels, double value) {
  ClientMetric metric;
  for (const auto& [name, text] : labels) metric.label.push_back({name, text});
  metric.gauge.value = value;
  family.metric.push_back(std::move(metric));
}

MetricFamily GaugeFamily(const std::string& name, const std::string& help) {
  return {.name = name, .help = help, .type = MetricType::Gauge, .metric = {}};
}

MetricFamily GrpcErrors() {
  MetricFamily family{.name = "allot_grpc_errors_total",
                      .help = "Errors that gRPC remarked, mostly of what strangers sent.",
                      .type = MetricType::Counter,
                      .metric = {}};
  ClientMetric metric;
  metric.counter.value = static_cast<double>(ErrorsOfGrpc());
  family.metric.push_back(std::move(metric));
  return family;
}

Labels LabelsOf(const control::ClusterCapacity& cluster) {
  return {{"provider", cluster.provider.str()},
          {"cluster", cluster.cluster.str()},
          {"model", std::string(Name(cluster.model))}};
}

Labels With(Labels labels, const std::string& name, std::string_view value) {
  labels.emplace_back(name, value);
  return labels;
}

void AddPool(const control::Capacity& capacity, std::vector<MetricFamily>& families) {
  MetricFamily gpus = GaugeFamily("allot_pool_gpus", "GPUs in the inventory.");
  MetricFamily online = GaugeFamily("allot_pool_gpus_online", "GPUs on nodes that are ready.");
  MetricFamily held = GaugeFamily("allot_pool_gpus_held",
                                  "GPUs claimed, until the provider confirmed their release.");
  MetricFamily in_use = GaugeFamily("allot_pool_gpus_in_use", "GPUs of active allocations.");
  MetricFamily nodes = GaugeFamily("allot_pool_nodes",
                                   "Nodes by state: ready and draining, whatever else they are; "
                                   "unknown and down, of those that are meant to work.");
  for (const control::ClusterCapacity& cluster : capacity.clusters) {
    const Labels labels = LabelsOf(cluster);
    AddValue(gpus, labels, cluster.gpus);
    AddValue(online, labels, cluster.gpus_online);
    AddValue(held, labels, cluster.gpus_held);
    AddValue(in_use, labels, cluster.gpus_in_use);
    AddValue(nodes, With(labels, "state", "ready"), cluster.nodes_ready);
    AddValue(nodes, With(labels, "state", "draining"), cluster.nodes_draining);
    AddValue(nodes, With(labels, "state", "unknown"), cluster.nodes_unknown_in_service);
    AddValue(nodes, With(labels, "state", "down"), cluster.nodes_down_in_service);
  }
  for (MetricFamily* family : {&gpus, &online, &held, &in_use, &nodes}) {
    families.push_back(std::move(*family));
  }
}

/// A number for every cluster and kind, so that one that was open and is not any more is 0; a time
/// only where an order is open.
void AddOrders(const std::vector<control::ClusterCapacity>& clusters,
               const std::vector<store::OrderBacklog>& backlogs,
               std::vector<MetricFamily>& families) {
  MetricFamily open =
      GaugeFamily("allot_orders_open", "Orders that the cluster's agent has not answered yet.");
  MetricFamily oldest = GaugeFamily("allot_orders_oldest_create_timestamp_seconds",
                                    "When the oldest of the open orders was written.");
  for (const control::ClusterCapacity& cluster : clusters) {
    for (const OrderKind kind : {OrderKind::kProvision, OrderKind::kRelease}) {
      const Labels labels = With(LabelsOf(cluster), "kind", Name(kind));
      const auto backlog = std::ranges::find_if(backlogs, [&](const store::OrderBacklog& one) {
        return one.cluster == cluster.cluster && one.kind == kind;
      });
      const bool any = backlog != backlogs.end();
      AddValue(open, labels, any ? static_cast<double>(backlog->orders) : 0);
      if (!any) continue;
      AddValue(oldest, labels, static_cast<double>(backlog->oldest_create_time.seconds()));
    }
  }
  families.push_back(std::move(open));
  families.push_back(std::move(oldest));
}

void AddWork(const control::Capacity& capacity, std::vector<MetricFamily>& families) {
  MetricFamily projects = GaugeFamily(
      "allot_projects", "Projects with an active allocation, and those that only wait.");
  AddValue(projects, {{"state", "served"}}, capacity.projects_served);
  AddValue(projects, {{"state", "waiting"}}, capacity.projects_waiting);
  MetricFamily allocations = GaugeFamily("allot_allocations", "Allocations by state.");
  AddValue(allocations, {{"state", "active"}}, capacity.allocations_active);
  AddValue(allocations, {{"state", "waiting"}}, capacity.allocations_waiting);
  families.push_back(std::move(projects));
  families.push_back(std::move(allocations));
}

/// The server itself asks; it may see all tenants, and changes nothing.
Principal Observer() {
  return {.key = KeyId("metrics"), .role = Role::kAuditor, .display_name = "metrics"};
}

}  // namespace

SchedulerMetrics::SchedulerMetrics(prometheus::Registry& registry)
    : errors_(prometheus::BuildCounter()
                  .Name("allot_scheduler_errors_total")
                  .Help("Passes that failed, by reason.")
                  .Register(registry)),
      chores_failed_(prometheus::BuildCounter()
                         .Name("allot_scheduler_chores_failed_total")
                         .Help("Removals and signatures of the audit that failed, by chore.")
                         .Register(registry)),
      outcomes_(prometheus::BuildCounter()
                    .Name("allot_scheduler_decisions_total")
                    .Help("What passes did with allocations: reserved, planned, expired, skipped.")
                    .Register(registry)),
      pending_(AddGauge(registry, "allot_scheduler_pending_allocations",
                        "Allocations that waited for a start at the last pass.")),
      epoch_(AddGauge(registry, "allot_scheduler_epoch", "Fencing epoch of the last pass.")),
      led_(AddGauge(registry, "allot_scheduler_led_timestamp_seconds",
                    "When this server last ended a turn as the leader, with everything written.")),
      passes_(prometheus::BuildCounter()
                  .Name("allot_scheduler_passes_total")
                  .Help("Passes made as the leader.")
                  .Register(registry)
                  .Add({})),
      plan_seconds_(
          AddHistogram(registry, "allot_scheduler_plan_seconds", "Time to make and check a plan.")),
      apply_seconds_(AddHistogram(registry, "allot_scheduler_apply_seconds",
                                  "Time of the transaction that makes a plan true.")),
      start_error_seconds_(
          prometheus::BuildHistogram()
              .Name("allot_start_error_seconds")
              .Help("How much later than first told allocations started; below zero: sooner.")
              .Register(registry)
              .Add({}, StartErrorBuckets())) {
  // An alarm on an increase sees the first one only if there was a zero before it.
  for (const Reason reason : {Reason::kInternal, Reason::kStoreUnavailable, Reason::kStoreConflict,
                              Reason::kCommitOutcomeUnknown}) {
    errors_.Add({{"reason", std::string(Name(reason))}});
  }
  for (const char* chore : {"removal", "audit_signing"}) chores_failed_.Add({{"chore", chore}});
  OnDecisions({});
}

void SchedulerMetrics::OnPass(const control::PassReport& report) {
  pending_.Set(report.pending);
  epoch_.Set(static_cast<double>(report.epoch));
  passes_.Increment();
  plan_seconds_.Observe(static_cast<double>(report.plan_micros) / kMicrosPerSecond);
  apply_seconds_.Observe(static_cast<double>(report.apply_micros) / kMicrosPerSecond);
  OnDecisions(report.applied);
  for (const Seconds error : report.applied.start_errors) {
    start_error_seconds_.Observe(static_cast<double>(error.count));
  }
}

void SchedulerMetrics::OnDecisions(const control::Applied& applied) {
  const auto count = [&](const char* outcome, int decisions) {
    outcomes_.Add({{"outcome", outcome}}).Increment(decisions);
  };
  count("reserved", applied.reserved);
  count("planned", applied.planned);
  count("promised", applied.promised);
  count("slipped", applied.slipped);
  count("preempted", applied.preempted);
  count("expired", applied.expired);
  count("skipped", applied.skipped);
  count("overdue", applied.overdue);
}

void SchedulerMetrics::OnError(const Error& error) {
  errors_.Add({{"reason", std::string(Name(error.reason))}}).Increment();
}

void SchedulerMetrics::OnLed(Instant time) { led_.Set(static_cast<double>(time.seconds())); }

void SchedulerMetrics::OnChoreFailed(const std::string& chore) {
  chores_failed_.Add({{"chore", chore}}).Increment();
}

PresentMetrics::PresentMetrics(const control::Context& context, control::Planner& planner,
                               const control::SchedulerLoop& loop)
    : context_(context),
      planner_(planner),
      loop_(loop),
      asking_([this](const auto& stop) { Ask(stop); }) {}

void PresentMetrics::Ask(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return answered_ < scrapes_; })) {
    const int64_t answering = scrapes_;
    lock.unlock();
    auto present = Look();
    lock.lock();
    up_ = present.ok();
    if (up_) last_ = *std::move(present);
    answered_ = answering;
    changed_.notify_all();
  }
}

Result<PresentMetrics::Present> PresentMetrics::Look() const {
  Present present;
  ALLOT_ASSIGN_OR_RETURN(present.capacity, control::GetCapacity(context_, Observer(), planner_,
                                                                Seconds{0}, Minutes(1)));
  ALLOT_ASSIGN_OR_RETURN(present.backlogs,
                         context_.store.Transact<std::vector<store::OrderBacklog>>(
                             store::Access::kGlance, store::Scope::Everything(),
                             [](store::Tx& tx) { return tx.OrderBacklogs(); }));
  return present;
}

bool PresentMetrics::AwaitAnswer(std::unique_lock<std::mutex>& lock) const {
  const int64_t scrape = ++scrapes_;
  changed_.notify_all();
  return changed_.wait_for(lock, kPatience, [&] { return answered_ >= scrape; }) && up_;
}

std::vector<MetricFamily> PresentMetrics::Collect() const {
  MetricFamily leader = GaugeFamily("allot_scheduler_leader", "1 while this server leads.");
  AddValue(leader, {}, loop_.leading() ? 1 : 0);
  MetricFamily up = GaugeFamily("allot_store_up", "1 when the store answered this scrape.");
  std::unique_lock lock(mutex_);
  AddValue(up, {}, AwaitAnswer(lock) ? 1 : 0);
  const std::optional<Present> present = last_;
  lock.unlock();
  std::vector<MetricFamily> families = {std::move(leader), std::move(up), GrpcErrors()};
  if (!present) return families;
  AddPool(present->capacity, families);
  AddOrders(present->capacity.clusters, present->backlogs, families);
  AddWork(present->capacity, families);
  return families;
}

}  // namespace allot::allotd
