#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "allot/base/id.h"
#include "allot/base/time.h"
#include "chaos/auditor_machines.h"
#include "chaos/world.h"

namespace allot::chaos {

/// What agents said of nodes, and how long they said nothing: the causes there may be for taking
/// work off a node.
class Reports {
 public:
  Reports(const World& world, Seconds down_after) : world_(world), down_after_(down_after) {}

  /// A report is at a server.
  void Arrives(const MachineBooks::Report& report);
  /// It was answered; who does not accept it may have taken it all the same.
  void IsAnswered(const MachineBooks::Report& report, bool accepted);
  /// Whether a server may hold that node to be broken, gone, or silent for too long.
  bool MayBeLost(const ClusterId& cluster, const NodeId& node) const;

 private:
  struct Heard {
    Instant last;
    /// What came later may have been taken before; what was taken, or may have been, says nothing
    /// when it comes again.
    ReportMark newest;
    ReportMark taken;
    /// Since one of nodes was taken there was a silence that was long enough.
    bool was_silent = false;
    /// All that were ever named.
    std::set<std::string> nodes;
    std::set<std::string> broken;
    std::set<std::string> gone;
  };
  void NoteAmiss(const MachineBooks::Report& report);
  bool IsSilent(const Heard& heard) const { return heard.last + down_after_ <= world_.now(); }

  const World& world_;
  const Seconds down_after_;
  std::map<ClusterId, Heard> heard_;
};

}  // namespace allot::chaos
