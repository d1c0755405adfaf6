// Why allocations end, are stopped, or wait again.
#include <algorithm>
#include <utility>

#include "chaos/auditor.h"

namespace allot::chaos {
namespace {

using S = AllocationState;

bool Waits(S state) { return state == S::kPending || state == S::kPlanned; }

bool Holds(S state) {
  return state == S::kProvisioning || state == S::kActive || state == S::kReleasing;
}

bool IsFinished(S state) {
  return state == S::kCompleted || state == S::kRejected || state == S::kCancelled ||
         state == S::kExpired || state == S::kFailed;
}

}  // namespace

/// Servers write whole seconds, or what their clock showed.
bool Auditor::MayBeNow(Instant written) const {
  const Reading clock = world_.Clock();
  return written >= Instant::FromSeconds(clock.least.seconds()) && written <= clock.most;
}

void Auditor::AsksFor(Wish wish, const AllocationId& id) { courses_[id].wishes.insert(wish); }

void Auditor::Acknowledges(const OrderId& order, bool done) { told_.emplace(order, done); }

void Auditor::Stepped(const Allocation& was, const Allocation& now) {
  Course& course = courses_[now.id];
  const std::string& id = now.id.str();
  CheckWindow(was, now);
  CheckStop(was, now, course);
  if (now.state != was.state) {
    const auto cause = CauseOf(was, now, course);
    Expect(cause.has_value(), "ends_for_a_cause",
           id + " went from " + std::string(Name(was.state)) + " to " +
               std::string(Name(now.state)) + " for no cause (" + now.reason + ": " + now.message +
               "); it began " + FormatRfc3339(course.began.least) + " and has " +
               FormatDuration(course.left) + " left");
    if (cause && !cause->empty())
      world_.Trace(id + " is " + std::string(Name(now.state)) + ": " + *cause);
  }
  if (Waits(now.state)) course.base_attempt = 0;
  Expect(now.remaining.value_or(now.request.duration) == course.left, "remaining_true",
         id + " has " + FormatDuration(now.remaining.value_or(now.request.duration)) +
             " left, and " + FormatDuration(course.left) + " of its time were not given to it");
  Expect(now.failures == course.failures, "remaining_true",
         id + " counts " + std::to_string(now.failures) + " failures of " +
             std::to_string(course.failures));
  Expect(!now.urgent || course.wishes.contains(Wish::kUrgent), "set_by_somebody",
         id + " is urgent, which nobody asked for");
  Expect(!now.consolidate || course.wishes.contains(Wish::kConsolidate), "set_by_somebody",
         "room is made for " + id + ", which nobody asked for");
  CheckGranted(now);
}

/// What is held is held for the time it was given, unless it is stopped for others.
void Auditor::CheckWindow(const Allocation& was, const Allocation& now) {
  if (!Holds(was.state) || !Holds(now.state) || now.attempt != was.attempt) return;
  if (!was.window || !now.window) {
    Expect(false, "window_kept", now.id.str() + " holds GPUs in no window");
    return;
  }
  const bool stopped_now = now.preempt_requested && !was.preempt_requested;
  Expect(now.window->start() == was.window->start() &&
             (stopped_now || now.window->end() == was.window->end()),
         "window_kept", "the window of " + now.id.str() + " changed while it held GPUs");
}

void Auditor::CheckStop(const Allocation& was, const Allocation& now, Course& course) {
  // Its owner does not want what is left of it; its window ends where it was cut.
  if (was.preempt_requested && !now.preempt_requested && now.state == was.state) {
    course.comes_back = false;
  }
  if (!now.preempt_requested || was.preempt_requested) return;
  const std::string& id = now.id.str();
  const Request& request = now.request;
  Expect(now.state == S::kActive || now.state == S::kProvisioning, "stopped_for_a_cause",
         id + " is stopped while it is " + std::string(Name(now.state)));
  Expect(request.preemptible, "stopped_for_a_cause", id + " may not be stopped, and is");
  Expect(request.borrow || now.grows || course.stops < policy_.preemptions_max,
         "stopped_for_a_cause", id + " is stopped once more");
  if (!now.window || !was.window) return;
  const Instant earliest = Instant::FromSeconds(world_.Clock().least.seconds());
  Expect(now.window->end() >= earliest && now.window->end() < was.window->end(),
         "stopped_for_a_cause", id + " is to be stopped at " + FormatRfc3339(now.window->end()));
  course.stop = now.window->end();
  course.comes_back = true;
}

std::optional<std::string> Auditor::CauseOf(const Allocation& was, const Allocation& now,
                                            Course& course) {
  const std::set<Wish>& wishes = course.wishes;
  const bool without_base = now.grows && !BaseGoesOn(now, course);
  switch (now.state) {
    case S::kPlanned:
    case S::kProvisioning:
    case S::kActive:
      return "";
    case S::kExpired: {
      const auto deadline = now.request.deadline;
      if (deadline && world_.Clock().most + course.left > *deadline) return "its deadline";
      return std::nullopt;
    }
    case S::kRejected:
      if (wishes.contains(Wish::kReject)) return "turned down";
      return std::nullopt;
    case S::kCancelled:
      if (wishes.contains(Wish::kCancel)) return "cancelled";
      if (without_base) return "its base ended";
      return std::nullopt;
    case S::kReleasing:
      return CauseOfRelease(was, now, course);
    case S::kCompleted:
      return "given back";
    case S::kPending:
      if (was.state == S::kPlanned) return "";
      if (was.state != S::kReleasing) return CauseOfLoss(was, now, course);
      if (!course.stop || !course.comes_back || !was.window) return std::nullopt;
      ++course.stops;
      if (course.stops > 1) world_.Probe("allocation_stopped_twice");
      // What is added is cut with what it is added to: of its time it had what its window says.
      course.left = {course.left.count - (now.grows
                                              ? was.window->length().count
                                              : Between(was.window->start(), *course.stop).count)};
      course.stop.reset();
      return "stopped";
    case S::kFailed:
      return CauseOfLoss(was, now, course);
    default:
      return std::nullopt;
  }
}

std::optional<std::string> Auditor::CauseOfRelease(const Allocation& was, const Allocation& now,
                                                   const Course& course) const {
  if (course.wishes.contains(Wish::kRelease)) return "handed back";
  if (course.wishes.contains(Wish::kCancel) && was.state == S::kProvisioning) return "cancelled";
  if (now.grows && !BaseGoesOn(now, course)) return "its base ended";
  if (was.state == S::kActive && TimeIsOver(was, course)) return "its time";
  return std::nullopt;
}

std::optional<std::string> Auditor::CauseOfLoss(const Allocation& was, const Allocation& now,
                                                Course& course) {
  const bool failed = now.state == S::kFailed;
  course.stop.reset();
  if (now.reason == "node_lost" && HasLostNode(was)) {
    if (failed == (policy_.node_loss == NodeLoss::kFail)) return "its node";
    return std::nullopt;
  }
  if (now.reason == "base_lost" && now.grows && !failed && !BaseGoesOn(now, course)) {
    return "its base lost its GPUs";
  }
  if (now.reason != "provision_failed" || was.state != S::kProvisioning) return std::nullopt;
  const auto holding = holdings_.find({was.id, was.attempt});
  if (holding == holdings_.end()) return std::nullopt;
  if (!told_.contains({holding->second.order.id, false}) && !TimeIsOver(was, course)) {
    return std::nullopt;
  }
  ++course.failures;
  if (failed == (course.failures >= policy_.failures_max)) return "not handed over";
  return std::nullopt;
}

/// The time it asked for, or until it was to be stopped, has gone by on some server's clock.
bool Auditor::TimeIsOver(const Allocation& was, const Course& course) const {
  const Instant clock = world_.Clock().most;
  if (course.stop && clock >= *course.stop) return true;
  const bool had_it_all = clock >= course.began.least + course.left;
  if (!was.grows || had_it_all) return had_it_all;
  const auto base = courses_.find(*was.grows);
  return base != courses_.end() && TimeIsOver(allocations_.at(*was.grows), base->second);
}

bool Auditor::HasLostNode(const Allocation& was) const {
  const auto holding = holdings_.find({was.id, was.attempt});
  if (holding == holdings_.end()) return false;
  const Order& order = holding->second.order;
  return std::ranges::any_of(order.nodes, [&](const OrderedNode& node) {
    return reports_.MayBeLost(order.cluster, node.node);
  });
}

/// What it is added to has, or will have, GPUs for it to be added to.
bool Auditor::BaseGoesOn(const Allocation& growth, const Course& course) const {
  const auto found = allocations_.find(*growth.grows);
  if (found == allocations_.end() || IsFinished(found->second.state)) return false;
  const Allocation& base = found->second;
  // It lost those that it had when this was added, or hands them back.
  const bool same = Holds(base.state) && base.attempt == course.base_attempt;
  const bool added = course.base_attempt > 0;
  const bool goes = base.state != S::kReleasing || base.preempt_requested;
  return goes && (same || !added);
}

void Auditor::CheckGranted(const Allocation& allocation) {
  const auto course = courses_.find(allocation.id);
  if (course == courses_.end()) return;
  const S state = allocation.state;
  const auto expect = [&](Wish wish, bool holds, const char* what) {
    Expect(!course->second.granted.contains(wish) || holds, "acknowledged_is_done",
           allocation.id.str() + " was " + what + ", which was acknowledged, and is " +
               std::string(Name(state)));
  };
  const bool ends = state == S::kReleasing && !allocation.preempt_requested;
  expect(Wish::kCancel, ends || state == S::kCancelled, "cancelled");
  expect(Wish::kRelease, ends || state == S::kCompleted || state == S::kCancelled, "handed back");
  expect(Wish::kReject, state == S::kRejected, "turned down");
  expect(Wish::kUrgent, allocation.urgent, "made urgent");
}

void Auditor::Granted(Wish wish, const AllocationId& id, int attempt_when_asked) {
  Course& course = courses_[id];
  const auto found = allocations_.find(id);
  Expect(found != allocations_.end(), "acknowledged_is_there", id.str() + " is not there");
  if (found == allocations_.end()) return;
  course.granted.insert(wish);
  CheckGranted(found->second);
  // Room is made for one start.
  const Allocation& one = found->second;
  Expect(wish != Wish::kConsolidate || one.consolidate || !Waits(one.state) ||
             one.attempt > attempt_when_asked,
         "acknowledged_is_done", "room was to be made for " + id.str() + ", and is not");
}

}  // namespace allot::chaos
