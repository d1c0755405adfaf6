#include "chaos/auditor_machines.h"

#include <algorithm>

namespace allot::chaos {
namespace {

std::string NameOf(const MachineBooks::AttemptKey& key) {
  return key.first.str() + " attempt " + std::to_string(key.second);
}

}  // namespace

template <class What>
void MachineBooks::ForEachGpu(const Order& order, What what) {
  for (const OrderedNode& node : order.nodes) {
    for (int gpu = 0; gpu < kGpusPerNode; ++gpu) {
      if ((node.gpus >> gpu & 1) != 0) what(std::pair(node.node, gpu));
    }
  }
}

void MachineBooks::Taken(const Report& report) {
  Heard& heard = heard_[report.cluster];
  if (report.mark <= heard.taken) return;
  // Behind one that may have been taken it may have been late.
  const bool certain = report.mark > heard.perhaps;
  if (certain) heard.taken = report.mark;
  if (report.is_of_nodes) Note(report, certain);
}

void MachineBooks::MayBeTaken(const Report& report) {
  Heard& heard = heard_[report.cluster];
  if (report.mark <= heard.taken) return;
  heard.perhaps = std::max(heard.perhaps, report.mark);
  Note(report, /*certain=*/false);
}

void MachineBooks::Note(const Report& report, bool certain) {
  // What differs from what was known is known no more when the report may not have been taken.
  const auto set = [certain](std::optional<bool>& known, bool said) {
    if (known != said) known = certain ? std::optional(said) : std::nullopt;
  };
  const std::string prefix = report.cluster.str() + "/";
  if (report.is_inventory) {
    for (const auto& [name, works] : report.nodes) {
      Machine& machine = machines_[NodeId(prefix + name)];
      set(machine.listed, true);
      set(machine.works, works);
    }
  }
  for (auto& [id, machine] : machines_) {
    if (!id.str().starts_with(prefix)) continue;
    const auto named = report.nodes.find(id.str().substr(prefix.size()));
    if (report.is_inventory) {
      if (named == report.nodes.end()) set(machine.listed, false);
    } else if (machine.listed != false) {
      set(machine.works, named == report.nodes.end());
    }
    Learn(machine);
  }
}

void MachineBooks::Learn(Machine& machine) {
  const bool broken = machine.listed == false || machine.works == false;
  if (!broken) {
    machine.broken_since.reset();
  } else if (!machine.broken_since) {
    machine.broken_since = ++moment_;
  }
}

void MachineBooks::HandsOver(const Order& order) {
  const AttemptKey key(order.allocation, order.attempt);
  ForEachGpu(order, [&](const std::pair<NodeId, int>& gpu) {
    const auto [holder, is_free] = handed_.emplace(gpu, key);
    world_.Expect(is_free || holder->second == key, "gpu_once",
                  gpu.first.str() + " GPU " + std::to_string(gpu.second) + " was handed to " +
                      NameOf(key) + " while " + NameOf(holder->second) + " has it");
  });
}

void MachineBooks::HandedOver(const Order& order) {
  HandsOver(order);
  whole_.emplace(order.allocation, order.attempt);
}

void MachineBooks::TakenBack(const Order& order) {
  const AttemptKey key(order.allocation, order.attempt);
  whole_.erase(key);
  std::erase_if(handed_, [&](const auto& row) { return row.second == key; });
}

void MachineBooks::Provisions(const Order& order) {
  for (const OrderedNode& ordered : order.nodes) {
    const auto machine = machines_.find(ordered.node);
    const bool broken = machine != machines_.end() && machine->second.broken_since;
    world_.Expect(!broken, "starts_on_what_works",
                  order.allocation.str() + " was given GPUs of " + ordered.node.str() +
                      ", which its agent had reported broken or gone");
    provisioned_[ordered.node].emplace(order.allocation, order.attempt);
  }
}

void MachineBooks::Active(const AllocationId& allocation, int attempt) {
  const AttemptKey key(allocation, attempt);
  world_.Expect(whole_.contains(key), "active_is_handed_over",
                NameOf(key) + " is active, and the machines have not handed its GPUs over");
}

void MachineBooks::Freed(const Order& order) {
  const AttemptKey key(order.allocation, order.attempt);
  const auto still =
      std::ranges::find_if(handed_, [&](const auto& row) { return row.second == key; });
  world_.Expect(
      still == handed_.end(), "freed_is_taken_back",
      "the GPUs of " + NameOf(key) + " are free, and the machines have not taken them back");
  for (const OrderedNode& node : order.nodes) provisioned_[node.node].erase(key);
}

void MachineBooks::PassMade(int64_t moment, const std::function<bool(const AttemptKey&)>& runs) {
  for (const auto& [id, machine] : machines_) {
    if (!machine.broken_since || *machine.broken_since > moment) continue;
    for (const AttemptKey& key : provisioned_[id]) {
      world_.Expect(!runs(key), "leaves_what_is_broken",
                    NameOf(key) + " still runs on " + id.str() +
                        " after a pass that began when that was reported broken or gone");
    }
  }
}

void MachineBooks::CheckTakenBack() {
  for (const auto& [gpu, key] : handed_) {
    world_.Violate("freed_is_taken_back", NameOf(key) + " has " + gpu.first.str() + " GPU " +
                                              std::to_string(gpu.second) +
                                              " in the end, when everything is over");
  }
}

}  // namespace allot::chaos
