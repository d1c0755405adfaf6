#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "allot/agent/adapter.h"
#include "allot/agent/log.h"
#include "allot/agent/state.h"
#include "allot/base/clock.h"
#include "allot/base/result.h"
#include "allot/model/order.h"

namespace allot::agent {

/// What this provider handed over by orders that the pool does not know any more, because its
/// database was restored to a moment before them. Its books say that those GPUs are free: they are
/// taken back when it orders them for somebody else, and not before, because the restore may be
/// undone. Of one thread.
class LostEnactments {
 public:
  /// All outlive it.
  LostEnactments(Adapter& adapter, State& state, const Clock& clock, const Log& log)
      : adapter_(adapter), state_(state), clock_(clock), log_(log) {}

  /// Before a provision order is enacted: done when nothing of before a restore has its GPUs. The
  /// order never fails for it: what is in the way is not its own.
  Result<Progress> MakeWayFor(const Order& order, int64_t session);

 private:
  Status Look(int64_t epoch);
  Result<Progress> TakeBack(Enactment enactment, const Order& order, int64_t session);

  Adapter& adapter_;
  State& state_;
  const Clock& clock_;
  const Log& log_;
  /// Held by an earlier timeline than that of this epoch.
  std::vector<Enactment> held_;
  /// Records that cannot be read: each may hold any GPUs, since before a restore.
  std::vector<std::string> unreadable_;
  std::optional<int64_t> as_of_epoch_;
};

}  // namespace allot::agent
