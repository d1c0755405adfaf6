#include "allot/control/scheduler_loop.h"

#include <algorithm>

#include <chrono>
#include <cstdlib>
#include <utility>

#include "allot/control/retention.h"
#include "allot/control/sweep.h"

namespace allot::control {
namespace {

/// Planned starts far out become finer as they come near, also when nothing else happens.
constexpr Seconds kReplanAfter = Minutes(1);
/// What is done beside planning, when it is not due more often or less.
constexpr int64_t kChoreEveryMicros = 60'000'000;
/// So long what is done in parts may take in a turn: what starts meanwhile waits for the next.
constexpr int64_t kPartsMicrosMax = 1'000'000;
/// In the leader row: it is free.
constexpr const char* kNobody = "";

}  // namespace

SchedulerLoop::SchedulerLoop(const Context& context, Planner& planner, Options options)
    : context_(context), planner_(planner), options_(std::move(options)) {}

SchedulerLoop::~SchedulerLoop() { Stop(); }

void SchedulerLoop::Start() {
  ALLOT_CHECK(!thread_.joinable());
  thread_ = std::thread([this] { Run(); });
}

void SchedulerLoop::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  Resign();
}

void SchedulerLoop::Wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wake_.notify_all();
}

Status SchedulerLoop::Lead(Instant now) {
  if (options_.is_sure_of_time && !options_.is_sure_of_time()) {
    Resign();
    return Ok{};
  }
  const int64_t steady_micros = options_.steady_micros();
  if (epoch_ != 0 && steady_micros < renew_micros_) return Ok{};
  const int64_t held = epoch_.exchange(0);
  ALLOT_ASSIGN_OR_RETURN(
      const auto leadership,
      context_.store.Transact<std::optional<store::Leadership>>(
          store::Access::kWrite, store::Scope::Everything(),
          [&](store::Tx& tx) -> Result<std::optional<store::Leadership>> {
            ALLOT_ASSIGN_OR_RETURN(const store::Leadership current, tx.FindLeadership());
            if (!MayLead(current, steady_micros)) return std::optional<store::Leadership>();
            // Should it be renewed in this moment, it goes on beyond what was seen of it.
            const bool own = current.holder == options_.holder;
            return tx.AcquireLeadership(options_.holder, held,
                                        own ? now : std::max(now, current.lease_until),
                                        options_.lease);
          }));
  if (!leadership) return Ok{};
  epoch_ = leadership->epoch;
  // Two thirds of it are left for a slow turn. Writes assert the epoch anyway.
  renew_micros_ = steady_micros + options_.lease.count * 1'000'000 / 3;
  return Ok{};
}

bool SchedulerLoop::MayLead(const store::Leadership& current, int64_t steady_micros) {
  if (current.holder == options_.holder || current.holder == kNobody) return true;
  if (seen_ != current) {
    seen_ = current;
    seen_since_micros_ = steady_micros;
  }
  return steady_micros - seen_since_micros_ >= options_.lease.count * 1'000'000;
}

void SchedulerLoop::Resign() {
  const int64_t held = epoch_.exchange(0);
  if (held == 0) return;
  // Nobody takes it over, in an epoch of its own. When that fails the lease runs out by itself.
  static_cast<void>(context_.store.Transact<Ok>(
      store::Access::kWrite, store::Scope::Everything(), [&](store::Tx& tx) -> Result<Ok> {
        ALLOT_ASSIGN_OR_RETURN(const store::Leadership current, tx.FindLeadership());
        if (current.epoch != held) return Ok{};
        ALLOT_RETURN_IF_ERROR(tx.AcquireLeadership(kNobody, 0, current.lease_until, Seconds{0}));
        return Ok{};
      }));
}

Result<std::optional<PassReport>> SchedulerLoop::Turn() {
  const Instant now = context_.clock.Now();
  auto report = TurnAsLeader(now);
  // Whoever lost the lease finds out by the assertion, and asks for it again at the next turn. Any
  // other failure leaves the lease with whom it is.
  if (!report.ok() && report.error().reason == Reason::kNotLeader) epoch_ = 0;
  TellWhoLeads();
  if (report.ok() && leading() && options_.on_led) options_.on_led(now);
  return report;
}

void SchedulerLoop::TellWhoLeads() {
  const int64_t epoch = epoch_;
  if (epoch == told_epoch_) return;
  const int64_t before = std::exchange(told_epoch_, epoch);
  if (before != 0 && options_.on_deposed) options_.on_deposed(before);
  if (epoch != 0 && options_.on_lead) options_.on_lead(epoch);
}

Result<std::optional<PassReport>> SchedulerLoop::TurnAsLeader(Instant now) {
  // Also of who does not lead: it admits by the same policies, and may lead at the next turn.
  ALLOT_RETURN_IF_ERROR(planner_.Read([](const PoolView&) {}));
  ALLOT_RETURN_IF_ERROR(Lead(now));
  if (epoch_ == 0) return std::optional<PassReport>();
  ALLOT_ASSIGN_OR_RETURN(const auto clusters,
                         context_.store.Transact<store::Page<Cluster>>(
                             store::Access::kRead, store::Scope::Everything(), [](store::Tx& tx) {
                               return tx.ListClusters(std::nullopt, {.size = 1000, .after = {}});
                             }));
  // A clock that was put back: what is due is judged anew.
  if (last_pass_ > now) last_pass_ = Instant{};
  hearing_.Note(clusters.items, options_.steady_micros(),
                context_.policies.At(now)->heartbeat_expiry);
  Due due;
  Instant next_due = kEndOfTime;
  bool changed = false;
  ALLOT_RETURN_IF_ERROR(planner_.Read([&](const PoolView& view) {
    const auto policy = context_.policies.At(now);
    due = WhatIsDue(view, hearing_.SilentOnes(*policy), now);
    next_due =
        std::min(NextDue(view, *policy, last_pass_), context_.policies.NextChange(last_pass_));
    changed =
        !due.empty() || view.revision() != planned_revision_ || view.loads() != planned_loads_;
  }));
  if (!due.empty()) ALLOT_RETURN_IF_ERROR(Sweep(context_, due, epoch_, GoesOnLeading()));
  if (epoch_ == 0) return std::optional<PassReport>();
  RemoveExpiredIfDue();
  SignAuditIfDue();
  if (!changed && now < next_due && now < last_pass_ + kReplanAfter) {
    return std::optional<PassReport>();
  }

  PassReport report;
  report.epoch = epoch_;
  const int64_t started = options_.steady_micros();
  ALLOT_ASSIGN_OR_RETURN(const auto pass, planner_.Plan());
  const int64_t planned = options_.steady_micros();
  ALLOT_ASSIGN_OR_RETURN(report.applied, ApplyPlan(context_, *pass, report.epoch, GoesOnLeading()));
  planned_revision_ = pass->snapshot.revision;
  planned_loads_ = pass->loads;
  last_pass_ = now;
  report.time = pass->plan.now;
  report.pending = static_cast<int>(std::ranges::count_if(
      pass->waiting, [](const auto& allocation) { return IsWaiting(allocation->state); }));
  report.plan_micros = planned - started;
  report.apply_micros = options_.steady_micros() - planned;
  return std::optional(report);
}

GoOn SchedulerLoop::GoesOnLeading() {
  return [this, epoch = epoch_.load(), since = options_.steady_micros()] {
    if (options_.steady_micros() - since >= kPartsMicrosMax) return false;
    return Lead(context_.clock.Now()).ok() && epoch_ == epoch;
  };
}

void SchedulerLoop::RemoveExpiredIfDue() {
  const int64_t now_micros = options_.steady_micros();
  if (now_micros < remove_micros_) return;
  const auto removed = RemoveExpired(context_, epoch_);
  // A step at a turn: a long backlog never holds up a pass.
  remove_micros_ = removed.ok() && removed->more ? now_micros : now_micros + kChoreEveryMicros;
  if (!removed.ok()) TellOfFailed("removal", removed.error());
}

void SchedulerLoop::SignAuditIfDue() {
  const int64_t now_micros = options_.steady_micros();
  if (now_micros < sign_micros_) return;
  const auto made = SignAudit(context_, epoch_, signed_);
  if (!made.ok()) {
    sign_micros_ = now_micros + kChoreEveryMicros;
    return TellOfFailed("audit_signing", made.error());
  }
  sign_micros_ = now_micros + options_.sign_audit_every.count * 1'000'000;
  if (!*made) return;
  signed_ = (*made)->mark;
  if (options_.on_audit_signed) options_.on_audit_signed((*made)->time);
}

void SchedulerLoop::TellOfFailed(const std::string& chore, const Error& error) {
  if (options_.on_chore_failed) options_.on_chore_failed(chore, error);
}

void SchedulerLoop::Run() {
  for (;;) {
    auto turn = Turn();
    if (!turn.ok()) {
      if (options_.on_error) options_.on_error(turn.error());
    } else if (*turn && options_.on_pass) {
      options_.on_pass(**turn);
    }
    std::unique_lock lock(mutex_);
    // Whoever does not lead only keeps up: commits are for the leader to act on.
    const bool leads = epoch_ != 0;
    wake_.wait_for(lock, std::chrono::milliseconds(options_.poll_ms),
                   [&] { return (woken_ && leads) || stopping_; });
    if (stopping_) return;
    // Commits that follow closely share the pass.
    if (woken_ && options_.coalesce_ms > 0) {
      wake_.wait_for(lock, std::chrono::milliseconds(options_.coalesce_ms),
                     [this] { return stopping_; });
      if (stopping_) return;
    }
    woken_ = false;
  }
}

}  // namespace allot::control
