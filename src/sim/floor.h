#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "allot/scheduler/plan.h"
#include "allot/sim/workload.h"

namespace allot::sim {

/// By which the scheduler knows a job, by its position in Workload::jobs; in the same order.
AllocationId IdOf(std::size_t job);

/// The machines as they are: which GPUs are taken, and by whom. Also the auditor: it knows nothing
/// of calendars and believes no discipline.
class Floor {
 public:
  explicit Floor(const scheduler::Snapshot& pool)
      : pool_(pool), free_(pool.nodes.size(), kAllFree) {}

  /// What is wrong with the placement, if anything: then nothing is taken that was taken already.
  std::optional<std::string> Take(std::size_t job, const Job& asked, const Shape& held,
                                  const scheduler::Placement& placement);
  void Free(std::size_t job);
  /// It holds its GPUs until `end`, sooner than it asked. Requires: it holds some, since before.
  void Cut(std::size_t job, Instant end);

  /// Of all that run, to the end of the time they asked for or have left; by node, then job.
  std::vector<scheduler::SnapshotClaim> Claims() const;
  /// Free GPUs on nodes that are not wholly free.
  int StrandedGpus() const;

 private:
  static constexpr GpuMask kAllFree = 0xff;

  struct Holding {
    int project = 0;
    TimeWindow window = *TimeWindow::Make(Instant{0}, Instant{1});
    std::vector<scheduler::PlacedNode> nodes;
  };

  const scheduler::Snapshot& pool_;
  std::vector<GpuMask> free_;
  std::map<std::size_t, Holding> holdings_;
};

}  // namespace allot::sim
