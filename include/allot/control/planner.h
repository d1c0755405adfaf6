#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <span>
#include <vector>

#include "allot/control/context.h"
#include "allot/control/pool_view.h"
#include "allot/scheduler/plan.h"
#include "allot/scheduler/standing_plan.h"

namespace allot::control {

/// A pass as it was made: immutable, shared by whoever reads it.
struct Pass {
  scheduler::Snapshot snapshot;
  /// PoolView::loads of the view that it was drawn up from.
  int loads = 0;
  /// In force at snapshot.now.
  std::shared_ptr<const Policy> policy;
  scheduler::Plan plan;
  /// The rows behind snapshot.pending, as they were.
  std::vector<std::shared_ptr<const Allocation>> waiting;
  /// Those behind snapshot.preemptible.
  std::vector<std::shared_ptr<const Allocation>> preemptible;
};

/// So many questions are planned beside the passes at the same time: each is a whole plan, and
/// those who submit must not wait for them.
inline constexpr int kQuestionsMax = 2;
/// So many wait for the present plan at the same time, half of the workers that a server has unless
/// it is told otherwise: agents' calls are answered by the others.
inline constexpr int kAskersMax = 4;

/// Keeps the view current and makes plans from it. Thread safe. No plan is made under the lock of
/// the view: whoever leads does not wait for those who ask.
class Planner {
 public:
  explicit Planner(const Context& context) : context_(context) {}

  /// Brings the view, and with it the policies, up to the store's present revision and plans at the
  /// clock's time. internal when the checker refuses the plan: the snapshot is then kept for the
  /// report.
  Result<std::shared_ptr<const Pass>> Plan();

  /// A pass that was begun after the call came, or is of the store's present revision; for those
  /// who ask, who share one, and whom an error tells nothing of others. overloaded while kAskersMax
  /// others wait.
  Result<std::shared_ptr<const Pass>> Latest();
  /// How many wait for it now.
  int askers();

  /// Tells those that were only validated what they would get behind all who wait now, in the order
  /// given: planned, with a window and a cluster, or the reason why not. A forecast; nothing of it
  /// is kept. Those that exist stay as they are, and so do all while there is no pass. overloaded
  /// as Latest.
  Status Foretell(std::span<Allocation> validated);

  /// The pass the checker refused last, once; for the report and for replay.
  std::shared_ptr<const Pass> TakeRefused();

  using Questions = std::counting_semaphore<kQuestionsMax>;
  struct EndQuestion {
    void operator()(Questions* questions) const { questions->release(); }
  };
  /// A turn at planning a question beside the passes, for as long as it is kept; null when
  /// kQuestionsMax have theirs.
  std::unique_ptr<Questions, EndQuestion> TakeTurn() {
    return std::unique_ptr<Questions, EndQuestion>(questions_.try_acquire() ? &questions_
                                                                            : nullptr);
  }

  static Error NoTurn();

  /// Reads the view, refreshed first, under its lock; `read` must be quick.
  Status Read(const std::function<void(const PoolView&)>& read);

 private:
  Status Refresh();
  /// A pass of the view as it is now, without its plan. Under the lock.
  std::shared_ptr<Pass> DrawUp();
  Result<std::shared_ptr<const Pass>> Decide(const std::shared_ptr<Pass>& pass);
  Result<std::shared_ptr<const Pass>> BringUpToDate();
  /// Before the store is asked for its revision.
  int64_t Begin();
  /// What was begun under this number, for those who came before that.
  void Share(int64_t number, const Result<std::shared_ptr<const Pass>>& made);

  const Context& context_;
  std::mutex asking_mutex_;
  std::condition_variable shared_;
  /// Passes are numbered as they are begun.
  int64_t begun_ = 0;
  /// The newest that was shared, as long as somebody waits.
  int64_t shared_number_ = 0;
  std::optional<Result<std::shared_ptr<const Pass>>> shared_pass_;
  /// One of those who wait has it made.
  bool is_being_made_ = false;
  int askers_ = 0;
  std::mutex mutex_;
  PoolView view_;
  /// The view could not be refreshed the last time: it is loaded anew.
  bool is_in_doubt_ = false;
  std::shared_ptr<const Pass> latest_;
  /// Of the newest pass: time never goes back from one pass to the next.
  Instant planned_at_{0};
  std::shared_ptr<const Pass> refused_;
  Questions questions_{kQuestionsMax};
  /// Made when somebody asks, of the pass beside it: no pass waits for that.
  std::mutex standing_mutex_;
  std::shared_ptr<const Pass> standing_of_;
  std::optional<scheduler::StandingPlan> standing_;
};

struct RecordedPass {
  /// As allot/replay/recording.h defines it.
  std::string recording;
  Revision revision = 0;
};
/// The present pass with all that it was decided from. For who may read the audit.
Result<RecordedPass> RecordPass(const Principal& principal, Planner& planner);

}  // namespace allot::control
