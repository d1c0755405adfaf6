#include "allot/control/apply_plan.h"

#include <algorithm>
#include <map>
#include <optional>
#include <span>

#include "allot/control/transitions.h"
#include "control/decisions.h"
#include "control/record.h"
#include "control/room.h"

namespace allot::control {
namespace {

using scheduler::Deferral;
using scheduler::Placement;

/// What is done in one transaction.
struct Part {
  std::span<const Decision> decisions;
  std::span<const scheduler::Preemption> stops;
};

/// So many starts, or forecasts, are a transaction: a tenth of a second or two, of the second in
/// which whoever leads must be heard of, and of the ten that others wait for a row.
constexpr std::size_t kPartMax = 1'000;
/// So many forecasts delay what is written with them by less than a transaction of their own.
constexpr std::size_t kForetoldBesideMax = 200;

/// First what is promised, since what one gives up another is given, and as many starts as go with
/// it; and what is stopped for them.
std::vector<Part> PartsOf(std::span<const Decision> decisions, const Pass& pass) {
  const auto behind = [&](Weight weight) {
    return static_cast<std::size_t>(
        std::ranges::upper_bound(decisions, weight, {}, &Decision::weight) - decisions.begin());
  };
  const std::size_t promised = behind(Weight::kPromise);
  const std::size_t binding = behind(Weight::kStart);
  std::size_t next = std::max(promised, std::min(binding, kPartMax));
  if (binding == 0) {
    next = std::min(decisions.size(), kPartMax);
  } else if (next == binding && decisions.size() - binding <= kForetoldBesideMax) {
    next = decisions.size();
  }
  std::vector<Part> parts{{.decisions = decisions.first(next), .stops = pass.plan.preemptions}};
  while (next < decisions.size()) {
    const std::size_t end = next < binding ? binding : decisions.size();
    const std::size_t count = std::min(end - next, kPartMax);
    parts.push_back({.decisions = decisions.subspan(next, count), .stops = {}});
    next += count;
  }
  return parts;
}

void Add(Applied& sum, const Applied& part) {
  sum.reserved += part.reserved;
  sum.planned += part.planned;
  sum.promised += part.promised;
  sum.slipped += part.slipped;
  sum.preempted += part.preempted;
  sum.expired += part.expired;
  sum.skipped += part.skipped;
  sum.overdue += part.overdue;
  sum.start_errors.insert(sum.start_errors.end(), part.start_errors.begin(),
                          part.start_errors.end());
}

/// One attempt at making a part of the decisions true; holds what was read under locks.
class Application {
 public:
  Application(const Pass& pass, store::Tx& tx, int64_t epoch)
      : pass_(pass), tx_(tx), epoch_(epoch) {}

  /// Nothing when what is to be stopped is not as the pass saw it: then nothing of it holds.
  Result<std::optional<Applied>> Run(const Part& part) {
    ALLOT_RETURN_IF_ERROR(tx_.AssertLeader(epoch_));
    const auto decisions = part.decisions;
    stops_ = part.stops;
    std::vector<AllocationId> ids;
    ids.reserve(decisions.size());
    for (const Decision& d : decisions) ids.push_back(d.seen->id);
    for (const Decision& d : decisions) {
      if (d.starts && d.seen->grows) ids.push_back(*d.seen->grows);
    }
    for (const auto& preemption : stops_) {
      ids.push_back(pass_.waiting[static_cast<std::size_t>(preemption.pending)]->id);
      ids.push_back(Stopped(preemption).id);
      const auto& growths = RowOf(preemption).growths;
      ids.insert(ids.end(), growths.begin(), growths.end());
    }
    ALLOT_ASSIGN_OR_RETURN(auto rows, tx_.LockAllocations(ids));
    for (Allocation& row : rows) current_.emplace(row.id, &row);
    // What was promised on GPUs that others give up cannot be booked without that.
    if (!StillRun()) return std::optional<Applied>();
    ALLOT_ASSIGN_OR_RETURN(room_, Room::Lock(tx_, pass_, decisions));
    if (!stops_.empty() && std::ranges::any_of(decisions, [&](const Decision& decision) {
          return decision.BooksGpus() && !room_->Serves(*decision.seen, *decision.placement);
        })) {
      return std::optional<Applied>();
    }

    for (const auto& preemption : stops_) {
      ALLOT_RETURN_IF_ERROR(StopWhole(preemption));
    }
    for (const Decision& decision : decisions) {
      const auto found = current_.find(decision.seen->id);
      if (found == current_.end() || found->second->version != decision.seen->version) {
        ++applied_.skipped;
        continue;
      }
      ALLOT_RETURN_IF_ERROR(Decide(decision, *found->second));
    }
    if (!changed_.empty()) ALLOT_RETURN_IF_ERROR(tx_.UpdateAllocations(changed_));
    // What is booked may be what another gives up.
    ALLOT_RETURN_IF_ERROR(tx_.RemovePromises(given_up_));
    if (!claims_.empty()) ALLOT_RETURN_IF_ERROR(tx_.InsertClaims(claims_));
    if (!promises_.empty()) ALLOT_RETURN_IF_ERROR(tx_.InsertPromises(promises_));
    if (!orders_.empty()) ALLOT_RETURN_IF_ERROR(tx_.InsertOrders(orders_));
    return std::optional(applied_);
  }

 private:
  const scheduler::SnapshotPreemptible& RowOf(const scheduler::Preemption& preemption) const {
    return pass_.snapshot.preemptible[static_cast<std::size_t>(preemption.preemptible)];
  }
  const Allocation& Stopped(const scheduler::Preemption& preemption) const {
    return *pass_.preemptible[static_cast<std::size_t>(preemption.preemptible)];
  }

  /// All that is to be stopped is as the pass saw it, and so is for whom; what was added to it runs
  /// on, and has not been handed back meanwhile.
  bool StillRun() const {
    const auto is_as_seen = [&](const Allocation& seen) {
      const auto found = current_.find(seen.id);
      return found != current_.end() && found->second->version == seen.version;
    };
    const auto runs_on = [&](const AllocationId& id, Instant stop) {
      const auto found = current_.find(id);
      return found != current_.end() && found->second->state == AllocationState::kActive &&
             !found->second->preempt_requested && found->second->window->start() < stop;
    };
    return std::all_of(stops_.begin(), stops_.end(), [&](const scheduler::Preemption& preemption) {
      const auto whom = static_cast<std::size_t>(preemption.pending);
      const auto& growths = RowOf(preemption).growths;
      return is_as_seen(Stopped(preemption)) && is_as_seen(*pass_.waiting[whom]) &&
             Stopped(preemption).window->start() < preemption.stop &&
             std::all_of(growths.begin(), growths.end(), [&](const AllocationId& growth) {
               return runs_on(growth, preemption.stop);
             });
    });
  }

  /// With all that was added to it, once each.
  Status StopWhole(const scheduler::Preemption& preemption) {
    std::vector<AllocationId> ids = RowOf(preemption).growths;
    ids.push_back(Stopped(preemption).id);
    for (const AllocationId& id : ids) {
      Allocation& allocation = *current_.at(id);
      // A step may be stopped by itself, too, and one that was may end sooner than its base.
      const bool ends_by_itself = allocation.window->end() <= preemption.stop;
      if (allocation.preempt_requested || ends_by_itself) continue;
      ALLOT_RETURN_IF_ERROR(Stop(preemption, allocation));
    }
    return Ok{};
  }

  /// Its window ends sooner now; then it is released as at any end, and waits again. Its owner
  /// learns that, and not for whom.
  Status Stop(const scheduler::Preemption& preemption, Allocation& allocation) {
    const auto whom = static_cast<std::size_t>(preemption.pending);
    allocation.moved =
        pass_.waiting[whom]->consolidate && !allocation.request.borrow && !allocation.grows;
    const std::string message =
        "is stopped at " + FormatRfc3339(preemption.stop) + " for work that " +
        (allocation.request.borrow ? "is within its quota, " : "may not be stopped, ") +
        FormatDuration(Between(preemption.stop, allocation.window->end())) + " before its end; " +
        (allocation.grows ? "it is added again when there is room"
         : allocation.moved
             ? "it is moved and goes on at " + FormatRfc3339(preemption.restart)
             : "the rest of it will wait again, by now until " + FormatRfc3339(preemption.restart));
    allocation.window = *TimeWindow::Make(allocation.window->start(), preemption.stop);
    allocation.preempt_requested = true;
    ++allocation.preemptions;
    allocation.update_time = pass_.plan.now;
    allocation.reason = "preempted";
    allocation.message = message;
    allocation.setback = FormatRfc3339(pass_.plan.now) + ": " + message;
    changed_.push_back(allocation);
    ALLOT_RETURN_IF_ERROR(tx_.CutClaims(allocation.id, allocation.attempt, preemption.stop));
    ++applied_.preempted;
    return tx_.Audit(RecordSystem(pass_.plan.now, "allocation.preempt", allocation.id.str(),
                                  InstituteOf(allocation.id),
                                  message + " (" + pass_.waiting[whom]->id.str() + ")"));
  }

  /// What it is to be added to runs where and for as long as the plan took it to.
  bool BaseGoesOn(const AllocationId& base, const Placement& placement) const {
    const auto found = current_.find(base);
    if (found == current_.end()) return false;
    const Allocation& row = *found->second;
    const bool runs =
        row.state == AllocationState::kProvisioning || row.state == AllocationState::kActive;
    return runs && row.cluster == ClusterOf(pass_, placement) &&
           row.window->end() >= placement.window.end();
  }

  /// What is added begins no sooner than what it is added to, which a clock that was ahead may have
  /// started: who began after it would be taken for one that has other GPUs by now.
  TimeWindow WindowOf(const Allocation& allocation, const Placement& placement) const {
    if (!allocation.grows) return placement.window;
    const Instant base_start = current_.at(*allocation.grows)->window->start();
    const Instant start = std::max(placement.window.start(), base_start);
    return TimeWindow::Make(start, placement.window.end()).value_or(placement.window);
  }

  bool StillHolds(const Decision& decision, const Allocation& allocation) const {
    if (!decision.BooksGpus()) return true;
    const Placement& placement = *decision.placement;
    if (!decision.starts) return room_->Serves(allocation, placement);
    return room_->HasFor(allocation, placement) &&
           (!allocation.grows || BaseGoesOn(*allocation.grows, placement));
  }

  Status Decide(const Decision& decision, Allocation& allocation) {
    const Placement* placement = decision.placement;
    if (!StillHolds(decision, allocation)) {
      ++applied_.skipped;
      return Ok{};
    }
    if (decision.ready) allocation.ready_time = pass_.plan.now;
    if (decision.slip) ALLOT_RETURN_IF_ERROR(RecordSlip(decision, allocation));
    if (allocation.promised) given_up_.push_back(allocation.id);
    const bool was_promised =
        std::exchange(allocation.promised, placement && !decision.starts && placement->promised);
    if (decision.deferral) return Defer(*decision.deferral, allocation);
    if (decision.starts) return Reserve(decision, allocation);
    if (allocation.promised) ALLOT_RETURN_IF_ERROR(Promise(*placement, allocation, was_promised));
    return PlanLater(*placement, allocation);
  }

  /// A promise that is not kept is on record with its cause, and its owner sees both.
  Status RecordSlip(const Decision& decision, Allocation& allocation) {
    std::string message = "its start promised for " + FormatRfc3339(decision.slip->promised) +
                          " is lost to " + std::string(Name(decision.slip->cause));
    allocation.setback = FormatRfc3339(pass_.plan.now) + ": " + message;
    if (decision.placement) {
      message += "; now " + PlannedMessage(pass_, *decision.placement);
    } else {
      message += "; now without a start: " + decision.deferral->message;
    }
    ++applied_.slipped;
    return tx_.Audit(RecordSystem(pass_.plan.now, "allocation.promise_lost", allocation.id.str(),
                                  InstituteOf(allocation.id), message));
  }

  /// Moving up needs no word; a first promise is a decision to be defended.
  Status Promise(const Placement& placement, const Allocation& allocation, bool was_promised) {
    for (const scheduler::PlacedNode& placed : placement.nodes) {
      promises_.push_back(ClaimOf(allocation, allocation.attempt + 1, placement, placed));
    }
    ++applied_.promised;
    if (was_promised) return Ok{};
    return tx_.Audit(RecordSystem(pass_.plan.now, "allocation.promise", allocation.id.str(),
                                  InstituteOf(allocation.id), PlannedMessage(pass_, placement)));
  }

  Claim ClaimOf(const Allocation& allocation, int attempt, const Placement& placement,
                const scheduler::PlacedNode& placed) const {
    return {.allocation = allocation.id,
            .attempt = attempt,
            .node = NodeOf(pass_, placed),
            .gpus = placed.gpus,
            .window = placement.window,
            .released_at = std::nullopt};
  }

  Status Defer(const Deferral& deferral, Allocation& allocation) {
    const std::string reason(Name(deferral.reason));
    allocation.window.reset();
    allocation.cluster = ClusterId();
    if (DeadlinePassedBy(allocation, pass_.plan.now)) {
      ALLOT_RETURN_IF_ERROR(
          Move(allocation, AllocationEvent::kExpire, pass_.plan.now, reason, deferral.message));
      ALLOT_RETURN_IF_ERROR(
          tx_.Audit(RecordSystem(pass_.plan.now, "allocation.expire", allocation.id.str(),
                                 InstituteOf(allocation.id), deferral.message)));
      ++applied_.expired;
    } else {
      if (allocation.state == AllocationState::kPlanned) {
        ALLOT_RETURN_IF_ERROR(
            Move(allocation, AllocationEvent::kUnplan, pass_.plan.now, reason, deferral.message));
      }
      allocation.reason = reason;
      allocation.message = deferral.message;
      allocation.update_time = pass_.plan.now;
      if (IsTheirsToWait(deferral)) {
        allocation.told_start.reset();
        allocation.overdue_under.clear();
      } else {
        std::string message = deferral.message;
        ALLOT_RETURN_IF_ERROR(Mark(deferral.pending, allocation, message));
      }
      ++applied_.planned;
    }
    changed_.push_back(allocation);
    return Ok{};
  }

  /// Puts it before others if it turned out to be overdue, and says so.
  Status Mark(int pending, Allocation& allocation, std::string& message) {
    const bool newly = std::ranges::binary_search(pass_.plan.overdue, pending);
    allocation.overdue_under = OverdueUnder(pass_, pending);
    if (!newly) return Ok{};
    ++applied_.overdue;
    message += "; it was first told " + FormatRfc3339(*allocation.told_start) +
               ", and goes before others from now on";
    return tx_.Audit(RecordSystem(pass_.plan.now, "allocation.overdue", allocation.id.str(),
                                  InstituteOf(allocation.id), message));
  }

  Status PlanLater(const Placement& placement, Allocation& allocation) {
    const std::string reason = placement.promised ? "promised" : "planned";
    std::string message = PlannedMessage(pass_, placement);
    if (IsToldFirst(pass_, allocation, placement)) {
      allocation.told_start = placement.window.start();
    }
    ALLOT_RETURN_IF_ERROR(Mark(placement.pending, allocation, message));
    if (allocation.state == AllocationState::kPending) {
      ALLOT_RETURN_IF_ERROR(
          Move(allocation, AllocationEvent::kPlan, pass_.plan.now, reason, message));
    }
    allocation.reason = reason;
    allocation.message = message;
    allocation.update_time = pass_.plan.now;
    allocation.window = placement.window;
    allocation.cluster = ClusterOf(pass_, placement);
    changed_.push_back(allocation);
    ++applied_.planned;
    return Ok{};
  }

  Status Reserve(const Decision& decision, Allocation& allocation) {
    const Placement& placement = *decision.placement;
    const ClusterId& cluster = ClusterOf(pass_, placement);
    ALLOT_RETURN_IF_ERROR(Move(allocation, AllocationEvent::kReserve, pass_.plan.now, "reserved",
                               "reserved on " + cluster.str() + "; the provider hands it over"));
    ALLOT_RETURN_IF_ERROR(tx_.Audit(RecordSystem(
        pass_.plan.now, "allocation.start", allocation.id.str(), InstituteOf(allocation.id),
        Describe(allocation.request.ShapeOn(placement.model)) + " on " + cluster.str() + " until " +
            FormatRfc3339(placement.window.end()) + ", pass of revision " +
            std::to_string(pass_.snapshot.revision))));
    if (allocation.told_start) {
      applied_.start_errors.push_back(Between(*allocation.told_start, placement.window.start()));
    }
    ++allocation.attempt;
    // Room was made for this start; another would need another decision.
    allocation.consolidate = false;
    allocation.consolidate_reason.clear();
    allocation.moved = false;
    allocation.window = WindowOf(allocation, placement);
    allocation.cluster = cluster;
    changed_.push_back(allocation);

    Order order;
    order.id = decision.order;
    order.cluster = cluster;
    order.allocation = allocation.id;
    order.attempt = allocation.attempt;
    order.kind = OrderKind::kProvision;
    order.window = *allocation.window;
    order.epoch = epoch_;
    order.create_time = pass_.plan.now;
    for (const scheduler::PlacedNode& placed : placement.nodes) {
      const NodeId& node = NodeOf(pass_, placed);
      order.nodes.push_back({.node = node, .gpus = placed.gpus});
      Claim claim = ClaimOf(allocation, allocation.attempt, placement, placed);
      claim.window = order.window;
      claims_.push_back(std::move(claim));
    }
    orders_.push_back(std::move(order));
    room_->Take(allocation, placement);
    ++applied_.reserved;
    return Ok{};
  }

  const Pass& pass_;
  store::Tx& tx_;
  const int64_t epoch_;
  std::span<const scheduler::Preemption> stops_;
  std::map<AllocationId, Allocation*> current_;
  std::optional<Room> room_;
  std::vector<Allocation> changed_;
  std::vector<Claim> claims_;
  std::vector<Claim> promises_;
  std::vector<AllocationId> given_up_;
  std::vector<Order> orders_;
  Applied applied_;
};

}  // namespace

Result<Applied> ApplyPlan(const Context& context, const Pass& pass, int64_t epoch,
                          const GoOn& goes_on) {
  const std::vector<Decision> decisions = Differences(context, pass);
  if (decisions.empty() && pass.plan.preemptions.empty()) return Applied{};
  Applied applied;
  std::size_t done = 0;
  for (const Part& part : PartsOf(decisions, pass)) {
    if (done > 0 && !goes_on()) break;
    ALLOT_ASSIGN_OR_RETURN(
        const auto made, context.store.Transact<std::optional<Applied>>(
                             store::Access::kWrite, store::Scope::Everything(), [&](store::Tx& tx) {
                               return Application(pass, tx, epoch).Run(part);
                             }));
    if (!made) {
      applied.skipped = static_cast<int>(decisions.size());
      return applied;
    }
    Add(applied, *made);
    done += part.decisions.size();
  }
  applied.left = static_cast<int>(decisions.size() - done);
  return applied;
}

}  // namespace allot::control
