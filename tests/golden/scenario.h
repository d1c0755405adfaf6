#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "allot/model/policy.h"
#include "allot/scheduler/plan.h"
#include "allot/scheduler/snapshot.h"

namespace allot::testing {

/// A story told to the scheduler, line by line, and what it answered. Requests come in, passes are
/// made at times, what starts holds its GPUs until it is released: as the control plane does it.
///
///   cluster NAME MODEL n01..n04 [programmes=a,b]   nodes of a cluster, all ready
///           [joins=TIME] [leaves=TIME]
///   reserve NAME n01,n02 from=TIME until=TIME      sets nodes aside, for a project or for nobody
///           [project=NAME] [every=7d times=N]
///   unreserve NAME
///   node n01 ready|draining|unknown|down
///   project NAME [quota=GPUS] [h200=GPUS] [b200=GPUS] [gpu-hours=LEFT] [merit=N] [programme=NAME]
///           [closed]
///   policy [starvation=14d] [half-life=14d] [horizon=732d] [gathering=0s] [release=0s]
///          [promise-nodes=16] [promise-within=14d] [preemption-gain=4h]
///   submit NAME PROJECT [preemptible|borrow|consolidate] nodes=N [per-node=8] for=4h
///   [models=H200,B200] [waiting=2d]
///          [earliest=TIME] [deadline=TIME] [after=NAME]
///                                                  `consolidate`: room is made for it;
///                                                  or gpus=N instead of nodes and per-node;
///                                                  `waiting`: for how long already
///   running NAME PROJECT n01,n02:0-3 [preemptible] until=TIME [since=2h]
///                                                  holds nodes, or some of a node's GPUs
///   release NAME                                   the provider confirmed that the GPUs are free
///   cancel NAME
///   pass                                           what starts is held from here on
///   explain NAME                                   by the last pass
///
/// Any line may say at=TIME, which is then the time of all lines up to the next that does. TIME is
/// HH:MM of the first day or NdHH:MM of the Nth day after it. A `pass` or `explain` is followed by
/// a line `----` and the answer, up to the next empty line. `#` begins a comment.
class Scenario {
 public:
  Scenario();

  /// Carries out a text and returns it with the answers as they are now. Lines that make no sense
  /// and plans that the checker refuses are answered with "error: …", which no scenario keeps.
  std::string Rewrite(const std::string& text);

 private:
  struct Line;

  std::string Carry(const Line& line);
  std::string AddCluster(const Line& line);
  std::string SetNode(const Line& line);
  std::string AddProject(const Line& line);
  std::string SetPolicy(const Line& line);
  std::string Submit(const Line& line);
  std::string AddRunning(const Line& line);
  std::string Release(const Line& line);
  std::string Reserve(const Line& line);
  std::string Unreserve(const Line& line);
  std::string Cancel(const Line& line);
  void Follow();
  std::string Pass();
  std::string Explain(const Line& line);

  std::string Tell(const scheduler::Placement& placement) const;
  std::string TellNode(const scheduler::PlacedNode& placed) const;
  scheduler::SnapshotProject* FindProject(const std::string& name);
  int FindNode(const std::string& name) const;
  std::vector<scheduler::SnapshotPending>::iterator Waiting(const AllocationId& id);
  void Promise(const scheduler::Plan& plan);
  void Start(const scheduler::Plan& plan);
  void Stop(const scheduler::Plan& plan);

  Policy policy_;
  // Rows in the order of the story; positions refer to them.
  scheduler::Snapshot world_;
  /// What is being stopped: the rest of it is planned for already, and starts once it was released.
  std::set<AllocationId> stopped_;
  /// How often each was stopped.
  std::map<AllocationId, int> stops_;
  // Of the last pass.
  scheduler::Snapshot planned_;
  scheduler::Plan plan_;
};

}  // namespace allot::testing
