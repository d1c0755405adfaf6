#include "chaos/reports.h"

namespace allot::chaos {

void Reports::NoteAmiss(const MachineBooks::Report& report) {
  Heard& heard = heard_[report.cluster];
  for (const auto& [name, works] : report.nodes) {
    heard.nodes.insert(name);
    if (!works) heard.broken.insert(name);
  }
  if (!report.is_inventory) return;
  for (const std::string& name : heard.nodes) {
    if (!report.nodes.contains(name)) heard.gone.insert(name);
  }
}

void Reports::Arrives(const MachineBooks::Report& report) {
  NoteAmiss(report);
  Heard& heard = heard_[report.cluster];
  heard.newest = std::max(heard.newest, report.mark);
}

void Reports::IsAnswered(const MachineBooks::Report& report, bool accepted) {
  Heard& heard = heard_[report.cluster];
  if (!accepted || report.mark < heard.newest || report.mark <= heard.taken) {
    heard.taken = std::max(heard.taken, report.mark);
    return NoteAmiss(report);
  }
  heard.taken = report.mark;
  if (IsSilent(heard)) heard.was_silent = true;
  heard.last = world_.now();
  if (!report.is_of_nodes) return;
  heard.was_silent = false;
  heard.broken.clear();
  // Only who names all says what is there.
  if (report.is_inventory) heard.gone.clear();
  NoteAmiss(report);
}

bool Reports::MayBeLost(const ClusterId& cluster, const NodeId& node) const {
  const auto found = heard_.find(cluster);
  if (found == heard_.end()) return true;
  const Heard& heard = found->second;
  const std::string name = node.str().substr(cluster.str().size() + 1);
  return heard.broken.contains(name) || heard.gone.contains(name) || heard.was_silent ||
         IsSilent(heard);
}

}  // namespace allot::chaos
