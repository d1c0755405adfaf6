#include "allot/control/shared_commit.h"

#include <limits>
#include <utility>
#include <vector>

namespace allot::control {
namespace {

bool IsWithoutStore(const Submitted& answer) {
  return !answer.ok() && answer.error().reason == Reason::kStoreUnavailable;
}

}  // namespace

SharedCommit::SharedCommit(const Context& context, const Limits& limits)
    : context_(context),
      limits_(limits),
      waiting_({.queue_max = limits.calls_max, .line_max = limits.calls_a_party_max}) {
  for (int i = 0; i < limits_.threads; ++i) threads_.emplace_back([this] { Run(); });
}

SharedCommit::~SharedCommit() { Stop(); }

QueueVerdict SharedCommit::Submit(const std::string& party, PreparedSubmissions call, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return QueueVerdict::kStopped;
    const auto verdict = waiting_.Push(party, {.call = std::move(call), .done = std::move(done)});
    if (verdict != QueueVerdict::kTaken) return verdict;
  }
  changed_.notify_one();
  return QueueVerdict::kTaken;
}

void SharedCommit::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void SharedCommit::Run() {
  for (;;) {
    std::vector<Waiting> group;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      group = waiting_.Take(limits_.allocations_max,
                            [](const Waiting& one) { return one.call.submissions.size(); });
    }
    std::vector<PreparedSubmissions> calls;
    calls.reserve(group.size());
    for (Waiting& one : group) calls.push_back(std::move(one.call));
    std::vector<Submitted> answers = SubmitTogether(context_, calls);
    const bool no_store = IsWithoutStore(answers.front());
    for (std::size_t i = 0; i < group.size(); ++i) group[i].done(std::move(answers[i]));
    if (no_store) RefuseRestIfStopping();
  }
}

void SharedCommit::RefuseRestIfStopping() {
  std::vector<Waiting> rest;
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) return;
    rest = waiting_.Take(std::numeric_limits<std::size_t>::max(),
                         [](const Waiting&) { return std::size_t{1}; });
  }
  for (Waiting& one : rest) {
    one.done(StateError(Reason::kStoreUnavailable, "The server stops, and has no store."));
  }
}

}  // namespace allot::control
