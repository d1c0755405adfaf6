// What is held, what was charged, and where GPUs really are.
#include <algorithm>

#include "allot/control/pool.h"
#include "allot/control/tenants.h"
#include "chaos/auditor.h"

namespace allot::chaos {
namespace {

constexpr int kPage = 1'000;

bool Holds(AllocationState state) {
  return state == AllocationState::kProvisioning || state == AllocationState::kActive ||
         state == AllocationState::kReleasing;
}

int64_t CountHeld(const Order& order) {
  int64_t gpus = 0;
  for (const OrderedNode& node : order.nodes) gpus += CountGpus(node.gpus);
  return gpus;
}

/// "a/n1 GPU 3".
std::string NameOf(const NodeId& node, std::size_t gpu) {
  return node.str() + " GPU " + std::to_string(gpu);
}

template <class What>
void ForEachGpu(const std::vector<OrderedNode>& nodes, What what) {
  for (const OrderedNode& node : nodes) {
    for (std::size_t gpu = 0; gpu < kGpusPerNode; ++gpu) {
      if ((node.gpus >> gpu & 1) != 0) what(node.node, gpu);
    }
  }
}

}  // namespace

void Auditor::ReadClusters() {
  const auto page = control::ListClusters(context_, reader_, std::nullopt, {.size = kPage});
  if (!Has(page, "the clusters")) return;
  for (const Cluster& cluster : page->items) clusters_.insert_or_assign(cluster.id, cluster);
}

void Auditor::ReadOrders() {
  std::map<OrderId, Order> open;
  for (const auto& [id, cluster] : clusters_) {
    const auto page = control::ListOrders(context_, reader_, cluster.provider, id,
                                          OrderState::kOpen, {.size = kPage});
    if (!Has(page, "the orders")) return;
    Expect(!page->more, "auditor_may_read", "the open orders of " + id.str());
    for (const Order& order : page->items) open.emplace(order.id, order);
  }
  std::vector<Order> closed;
  for (const auto& [id, order] : open_orders_) {
    if (!open.contains(id)) closed.push_back(order);
  }
  std::vector<Order> opened;
  for (const auto& [id, order] : open) {
    if (!open_orders_.contains(id)) opened.push_back(order);
  }
  open_orders_ = std::move(open);
  // What is given back in a commit may be taken in it.
  for (const Order& order : closed) OrderClosed(order);
  for (const Order& order : opened) OrderOpened(order);
}

int Auditor::open_orders() const { return static_cast<int>(open_orders_.size()); }

void Auditor::OrderOpened(const Order& order) {
  const std::string of = order.allocation.str() + " attempt " + std::to_string(order.attempt);
  world_.Trace("order to " + std::string(Name(order.kind)) + " " + of + " on " +
               order.nodes.front().node.str() + " and " + std::to_string(order.nodes.size() - 1) +
               " more, epoch " + std::to_string(order.epoch));
  epochs_.Opened(order);
  Expect(MayBeNow(order.create_time), "ordered_by_the_clock",
         "an order for " + of + " says it was made at " + FormatRfc3339(order.create_time));
  const AttemptKey key(order.allocation, order.attempt);
  const auto held = holdings_.find(key);
  if (order.kind == OrderKind::kRelease) {
    if (held != holdings_.end()) held->second.ended = world_.Clock();
    Expect(held != holdings_.end() && !held->second.freed, "release_what_is_held",
           "an order takes back what " + of + " does not hold");
    Expect(held == holdings_.end() || held->second.order.nodes == order.nodes,
           "release_what_is_held", "an order takes back other GPUs than " + of + " has");
    // What an attempt lost with its node cost is nobody's, unless the allocation ended with it:
    // then it is due at once, as nothing is set aside for it any more.
    const auto now = allocations_.find(order.allocation);
    const bool ended = now != allocations_.end() && now->second.attempt == order.attempt &&
                       now->second.state == AllocationState::kFailed &&
                       now->second.reason == "node_lost";
    if (ended && held != holdings_.end()) {
      Charge(held->second, *Was(order.allocation), order.create_time);
    }
    return;
  }
  Expect(held == holdings_.end(), "provision_once", of + " is handed GPUs twice");
  holdings_.emplace(key, Holding{.order = order, .began = world_.Clock()});
  machines_.Provisions(order);
  ForEachGpu(order.nodes, [&](const NodeId& node, std::size_t gpu) {
    auto& holder = held_[node][gpu];
    Expect(!holder.has_value(), "gpu_once",
           NameOf(node, gpu) + " was given to " + of + " while " +
               (holder ? holder->first.str() : "") + " holds it");
    holder = key;
  });
}

Order Auditor::Find(const Order& order) {
  // Ids that begin alike are few, and a page begins behind any text.
  const std::string& id = order.id.str();
  const auto page =
      control::ListOrders(context_, reader_, clusters_.at(order.cluster).provider, order.cluster,
                          std::nullopt, {.size = 100, .after = id.substr(0, id.size() - 1)});
  if (!Has(page, "an order")) return order;
  const auto found = std::ranges::find(page->items, order.id, &Order::id);
  Expect(found != page->items.end(), "auditor_may_read",
         "the order " + id + " is not there any more");
  return found == page->items.end() ? order : *found;
}

void Auditor::OrderClosed(const Order& open) {
  const Order order = Find(open);
  world_.Trace("order to " + std::string(Name(order.kind)) + " " + order.allocation.str() +
               " attempt " + std::to_string(order.attempt) + " is " +
               std::string(Name(order.state)));
  if (order.kind != OrderKind::kRelease) return;
  Expect(
      order.state == OrderState::kDone, "release_until_done",
      "the release of " + order.allocation.str() + " ended as " + std::string(Name(order.state)));
  const AttemptKey key(order.allocation, order.attempt);
  const auto held = holdings_.find(key);
  if (held == holdings_.end() || held->second.freed) return;
  held->second.freed = true;
  machines_.Freed(order);
  ForEachGpu(order.nodes, [&](const NodeId& node, std::size_t gpu) { held_[node][gpu].reset(); });
  const Allocation* const was = Was(order.allocation);
  if (was != nullptr && was->attempt == order.attempt &&
      was->state == AllocationState::kReleasing && order.acknowledge_time) {
    const Instant freed = Instant::FromSeconds(order.acknowledge_time->seconds());
    Charge(held->second, *was, std::min(order.create_time, freed));
  }
}

void Auditor::Charge(const Holding& holding, const Allocation& was, Instant until) {
  Charged& charged = charged_[was.project];
  ChargeByClock(holding, courses_.at(was.id), charged);
  if (!was.window) return;
  const Instant from = holding.order.window.start();
  const Instant end = std::min(until, was.window->end());
  if (end > from) charged.exactly += CountHeld(holding.order) * Between(from, end).count;
}

/// From when it was ordered to be handed over until it was ordered back, by the clock here, and no
/// longer than it was given.
void Auditor::ChargeByClock(const Holding& holding, const Course& course, Charged& charged) const {
  const Reading ended = holding.ended.value_or(world_.Clock());
  const auto seconds = [&](Instant from, Instant until) {
    if (course.stop) until = std::min(until, *course.stop);
    return std::clamp<int64_t>(Between(from, until).count, 0, course.given.count);
  };
  const int64_t gpus = CountHeld(holding.order);
  const Instant began_least = Instant::FromSeconds(holding.began.least.seconds());
  // They are free when a server says so: its clock may be behind that of the one which ordered it.
  const Instant least = std::min(ended.least, world_.Clock().least);
  // In whole seconds, and by two readings of clocks that may be drawn to each other meanwhile.
  const Instant ended_least = Instant::FromSeconds(least.seconds() - 1);
  charged.least += gpus * seconds(holding.began.most, ended_least);
  charged.most += gpus * seconds(began_least, ended.most + Seconds{1});
}

const Allocation* Auditor::Was(const AllocationId& id) const {
  const auto earlier = before_.find(id);
  if (earlier != before_.end()) return &earlier->second;
  const auto present = allocations_.find(id);
  return present == allocations_.end() ? nullptr : &present->second;
}

void Auditor::CheckProjects() {
  for (const ProjectId& project : touched_) {
    const auto detail = control::GetQuota(context_, reader_, project);
    if (!Has(detail, "a quota")) return;
    std::array<int, kGpuModelCount> held{};
    std::array<int, kGpuModelCount> borrowed{};
    const std::string prefix = project.str() + "/";
    for (auto row = allocations_.lower_bound(AllocationId(prefix));
         row != allocations_.end() && row->first.str().starts_with(prefix); ++row) {
      const Allocation& one = row->second;
      if (!Holds(one.state)) continue;
      const auto holding = holdings_.find({one.id, one.attempt});
      if (holding == holdings_.end() || holding->second.freed) continue;
      const Order& order = holding->second.order;
      const auto model = static_cast<std::size_t>(clusters_.at(order.cluster).model);
      auto& gpus = one.request.borrow ? borrowed : held;
      ForEachGpu(order.nodes, [&](const NodeId&, std::size_t) { ++gpus[model]; });
    }
    for (std::size_t model = 0; model < held.size(); ++model) {
      const std::string counted = project.str() + " holds " + std::to_string(held[model]) + " " +
                                  std::string(Name(kGpuModels[model]));
      const int64_t quota = settings_.Of(QuotaOf(kGpuModels[model], project));
      Expect(held[model] <= quota, "quota_held",
             counted + " of a quota of " + std::to_string(quota));
      Expect(held[model] == detail->usage.held_gpus[model] &&
                 borrowed[model] == detail->usage.borrowed_gpus[model],
             "usage_true",
             counted + " and its usage says " + std::to_string(detail->usage.held_gpus[model]));
    }
    const int64_t used = detail->usage.used.count();
    const Charged& charged = charged_[project];
    Expect(used == charged.exactly && used >= charged.least && used <= charged.most,
           "charged_what_was_held",
           project.str() + " was charged " + std::to_string(used) + " GPU-seconds for " +
               std::to_string(charged.exactly) + " held, by the clock here " +
               std::to_string(charged.least) + " to " + std::to_string(charged.most));
    Expect(used <= settings_.Of(GpuTimeOf(project)), "budget_held",
           project.str() + " was charged more than its budget");
  }
}

}  // namespace allot::chaos
