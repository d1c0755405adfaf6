#include "chaos/site.h"

#include <algorithm>

namespace allot::chaos {

using agent::NodeReport;
using agent::Progress;

Machines::Machines(World& world, Auditor& auditor, std::vector<std::string> names)
    : world_(world), auditor_(auditor) {
  for (std::string& name : names) nodes_.push_back({.name = std::move(name)});
}

std::vector<NodeReport> Machines::Inventory() const {
  std::vector<NodeReport> reports;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Machine& node = nodes_[i];
    if (!node.listed) continue;
    reports.push_back({.name = node.name,
                       .healthy = node.healthy,
                       .reason = node.healthy ? "" : "fan failure",
                       .leaf = i % 2 == 0 ? "leaf-a" : "leaf-b"});
  }
  return reports;
}

bool Machines::TakesTime(const Order& order) {
  const auto [found, is_new] = ready_at_.emplace(order.id, world_.now());
  if (is_new && world_.Strikes(world_.rates.takes_time, "order_takes_time")) {
    world_.Probe("order_took_time");
    found->second = {world_.now().micros + Micros(Seconds{world_.random.Between(1, 90)})};
  }
  return world_.now() < found->second;
}

bool Machines::IsOfNewestSession(int64_t session) {
  newest_session_ = std::max(newest_session_, session);
  return session == newest_session_;
}

bool Machines::AllWork(const Order& order) const {
  return std::ranges::all_of(order.nodes, [&](const OrderedNode& ordered) {
    return std::ranges::any_of(nodes_, [&](const Machine& node) {
      return ordered.node.str().ends_with("/" + node.name) && node.healthy && node.listed;
    });
  });
}

Progress Machines::Provision(const Order& order, int64_t session) {
  if (!IsOfNewestSession(session)) return Progress::NotYet("a newer agent was here");
  const std::pair key(order.allocation, order.attempt);
  if (handed_.contains(key)) return Progress::Done();
  if (TakesTime(order)) {
    // Some of it may be there already.
    auditor_.machines().HandsOver(order);
    return Progress::UnderWay(1'000);
  }
  // What is broken may not notice that work comes to it.
  const bool broken = !AllWork(order) && world_.Chance(500);
  if (broken || world_.Strikes(world_.rates.provision_fails, "provision_fails")) {
    world_.Probe("provision_failed");
    auditor_.machines().TakenBack(order);
    return Progress::Failed("no power");
  }
  auditor_.machines().HandedOver(order);
  handed_.insert(key);
  world_.Trace("machines hand over to " + order.allocation.str() + " attempt " +
               std::to_string(order.attempt));
  return Progress::Done();
}

Progress Machines::Release(const Order& order, int64_t session) {
  if (!IsOfNewestSession(session)) return Progress::NotYet("a newer agent was here");
  if (TakesTime(order)) return Progress::UnderWay(1'000);
  if (world_.Strikes(world_.rates.release_fails, "release_fails")) {
    world_.Probe("release_failed");
    return Progress::Failed("a process does not end");
  }
  handed_.erase({order.allocation, order.attempt});
  auditor_.machines().TakenBack(order);
  world_.Trace("machines take back from " + order.allocation.str() + " attempt " +
               std::to_string(order.attempt));
  return Progress::Done();
}

void Hands::MayPause() {
  if (!world_.Strikes(world_.rates.agent_pauses, "agent_pauses")) return;
  world_.Pass(world_.random.Between(kMillisecond, Micros(Seconds{12})));
}

Progress Hands::Provision(const Order& order, int64_t session) {
  MayPause();
  return cut ? Progress::UnderWay(1'000) : machines_.Provision(order, session);
}

Progress Hands::Release(const Order& order, int64_t session) {
  MayPause();
  return cut ? Progress::UnderWay(1'000) : machines_.Release(order, session);
}

void Memory::Forget() {
  generation_ = 0;
  nodes_.clear();
  registration_.clear();
  records_.clear();
}

Status Memory::MayWrite() {
  // Between what it did and what it notes of it, an agent may die, too.
  if (cut) return StateError(Reason::kStoreUnavailable, "The agent is dead.");
  if (full || world_.Strikes(world_.rates.agent_disk, "agent_write_fails")) {
    return StateError(Reason::kStoreUnavailable, "No space left on device");
  }
  return Ok{};
}

Result<int64_t> Memory::GenerationOf(const std::vector<std::string>& nodes) {
  if (generation_ > 0 && nodes == nodes_) return generation_;
  ALLOT_RETURN_IF_ERROR(MayWrite());
  nodes_ = nodes;
  return ++generation_;
}

Status Memory::RaiseGenerationAbove(int64_t generation) {
  if (generation == 0 || generation_ > generation) return Ok{};
  ALLOT_RETURN_IF_ERROR(MayWrite());
  generation_ = generation + 1;
  return Ok{};
}

Status Memory::KeepPendingRegistration(const std::string& request_id) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  registration_ = request_id;
  return Ok{};
}

Result<std::optional<agent::Enactment>> Memory::Find(const AllocationId& allocation,
                                                     int attempt) const {
  const auto found = records_.find({allocation, attempt});
  if (found == records_.end()) return std::optional<agent::Enactment>();
  return std::optional(found->second);
}

Result<agent::Records> Memory::List() const {
  agent::Records records;
  for (const auto& [attempt, enactment] : records_) records.enactments.push_back(enactment);
  return records;
}

Status Memory::Write(const agent::Enactment& enactment) {
  const Status may = MayWrite();
  // A write that failed may be there all the same.
  if (!may.ok() && (cut || full || world_.Chance(500))) return may;
  records_.insert_or_assign({enactment.allocation, enactment.attempt}, enactment);
  return may;
}

Result<int> Memory::RemoveEndedBefore(Instant t) {
  const auto ended = std::erase_if(records_, [&](const auto& row) {
    const auto state = row.second.state;
    return row.second.update_time < t &&
           (state == agent::EnactmentState::kReleased || state == agent::EnactmentState::kFailed);
  });
  return static_cast<int>(ended);
}

}  // namespace allot::chaos
