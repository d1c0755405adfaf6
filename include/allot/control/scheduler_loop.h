#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "allot/control/apply_plan.h"
#include "allot/control/context.h"
#include "allot/control/hearing.h"
#include "allot/control/planner.h"

namespace allot::control {

struct PassReport {
  Instant time;
  int64_t epoch = 0;
  int pending = 0;
  int64_t plan_micros = 0;
  int64_t apply_micros = 0;
  Applied applied;
};

/// Leads when it can: holds the leader row, ends windows that ran out, judges silent agents, plans
/// and applies, removes what is no longer kept. Woken by commits (coalesced), by the next window
/// boundary and by a timer.
class SchedulerLoop {
 public:
  struct Options {
    /// Names this server in the leader row. Not empty.
    std::string holder;
    /// Another server that sees the leader row unchanged for so long takes its place.
    Seconds lease{3};
    /// Longest sleep; also how soon another server's commits are noticed.
    int64_t poll_ms = 500;
    /// Commits that come within this time share a pass.
    int64_t coalesce_ms = 5;
    /// A steady clock in microseconds, for durations only.
    std::function<int64_t()> steady_micros;
    /// Whether this server is sure of the time, without which it does not lead; always, where it is
    /// not given. Asked at every turn.
    std::function<bool()> is_sure_of_time;
    /// After every pass, and with the error of one that failed; on the loop's thread.
    std::function<void(const PassReport&)> on_pass;
    /// When this server begins to lead in an epoch, and when it finds that it does not any more; on
    /// the loop's thread.
    std::function<void(int64_t epoch)> on_lead;
    std::function<void(int64_t epoch)> on_deposed;
    std::function<void(const Error&)> on_error;
    /// After every turn as the leader that did not fail, with a pass or without: the store took
    /// what there was to write, the lead above all. On the loop's thread.
    std::function<void(Instant)> on_led;
    /// `removal` or `audit_signing` failed; on the loop's thread. It is tried again in a minute.
    std::function<void(const std::string& chore, const Error&)> on_chore_failed;
    /// How often the audit is signed, where somebody signs it.
    Seconds sign_audit_every = Hours(1);
    /// When all of it was found or made signed; on the loop's thread, as often.
    std::function<void(Instant)> on_audit_signed;
  };

  SchedulerLoop(const Context& context, Planner& planner, Options options);
  ~SchedulerLoop();

  void Start();
  /// Ends the pass under way, gives the lead up if it has it, then returns.
  void Stop();
  /// Something changed; never blocks.
  void Wake();
  /// Whether this server led at its last pass.
  bool leading() const { return epoch_.load() != 0; }

  /// One turn, for tests and simulation: leadership, sweep, plan, apply. Nothing when another leads
  /// or when nothing changed since the last pass.
  Result<std::optional<PassReport>> Turn();

 private:
  Status Lead(Instant now);
  /// Whether the lease that stands may be asked for: nobody's, its own, or run out by the steady
  /// clock. Servers' clocks may be a day apart, and may be set.
  bool MayLead(const store::Leadership& current, int64_t steady_micros);
  void Resign();
  void TellWhoLeads();
  Result<std::optional<PassReport>> TurnAsLeader(Instant now);
  /// Renews the lease when it is due; no when it was lost, and when the turn takes too long.
  GoOn GoesOnLeading();
  /// What is done beside planning: no plan waits because it failed. It is tried again.
  void RemoveExpiredIfDue();
  void SignAuditIfDue();
  void TellOfFailed(const std::string& chore, const Error& error);
  void Run();

  const Context& context_;
  Planner& planner_;
  Options options_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool woken_ = false;
  bool stopping_ = false;
  std::atomic<int64_t> epoch_{0};
  // Of the loop's thread alone.
  /// By the steady clock: when the lease is renewed.
  int64_t renew_micros_ = 0;
  /// Another's lease as it was read last, and since when it has been the same.
  std::optional<store::Leadership> seen_;
  int64_t seen_since_micros_ = 0;
  /// The last epoch that was told to `on_lead`; 0 when `on_deposed` was told since.
  int64_t told_epoch_ = 0;
  Revision planned_revision_ = -1;
  /// Of the planner, when that was planned.
  int planned_loads_ = 0;
  Instant last_pass_;
  /// By the steady clock: when to look again for what is no longer kept, and when to sign.
  int64_t remove_micros_ = 0;
  int64_t sign_micros_ = 0;
  /// The newest entry that was signed, as this server saw it.
  AuditMark signed_;
  Hearing hearing_;
  std::thread thread_;
};

}  // namespace allot::control
