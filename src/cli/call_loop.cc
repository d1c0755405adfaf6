#include "cli/call_loop.h"

#include <grpc/support/time.h>

#include <algorithm>
#include <utility>

#include "allot/base/time.h"

namespace allot::cli {
namespace {

/// From this attempt on people are told that it takes longer.
constexpr int kTroubleFrom = 3;

}  // namespace

void CallLoop::Add(Begin begin, std::function<void(const Failure*)> done) {
  auto job = std::make_unique<Job>();
  job->begin = std::move(begin);
  job->done = std::move(done);
  ready_.push_back(std::move(job));
}

void CallLoop::Run() {
  while (!ready_.empty() || !pausing_.empty() || under_way_ > 0) {
    BeginJobs();
    for (Answer& answer : AwaitAnswers()) Settle(std::move(answer));
  }
}

void CallLoop::Drop() {
  dropped_ = true;
  // `done` may drop again.
  auto ready = std::exchange(ready_, {});
  auto pausing = std::exchange(pausing_, {});
  for (auto& job : ready) {
    if (job->last) pausing.push_back(std::move(job));
  }
  for (const auto& job : pausing) job->done(&*job->last);
}

void CallLoop::BeginJobs() {
  const auto now = Steady::now();
  // A call whose pause is over goes before those not begun yet: its deadline runs.
  for (auto& job : pausing_) {
    if (job->due <= now) ready_.push_front(std::move(job));
  }
  std::erase(pausing_, nullptr);
  while (under_way_ < limit_ && !ready_.empty()) {
    auto job = std::move(ready_.front());
    ready_.pop_front();
    if (job->attempts == 0) {
      job->deadline = now + std::chrono::milliseconds(settings_.policy.timeout_ms);
    }
    Attempt(std::move(job));
  }
}

void CallLoop::Attempt(std::unique_ptr<Job> job) {
  ++job->attempts;
  ++under_way_;
  job->context = std::make_unique<grpc::ClientContext>();
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(job->deadline - Steady::now());
  job->context->set_deadline(gpr_time_from_millis(left.count(), GPR_TIMESPAN));
  job->key = settings_.key;
  job->context->AddMetadata("authorization", "Bearer " + job->key);

  // std::function must be copyable, so the job travels as a bare pointer and is owned again on
  // arrival.
  Job* const bare = job.release();
  bare->begin(*bare->context, [this, bare](grpc::Status status) {
    const std::lock_guard lock(mutex_);
    answers_.push_back({std::unique_ptr<Job>(bare), std::move(status)});
    // Under the lock: once it is free the loop may end and take the condition variable with it.
    arrived_.notify_one();
  });
}

std::vector<CallLoop::Answer> CallLoop::AwaitAnswers() {
  std::unique_lock lock(mutex_);
  const auto some = [this] { return !answers_.empty(); };
  if (under_way_ < limit_ && !pausing_.empty()) {
    const auto next =
        std::min_element(pausing_.begin(), pausing_.end(),
                         [](const auto& a, const auto& b) { return a->due < b->due; });
    arrived_.wait_until(lock, (*next)->due, some);
  } else if (under_way_ > 0) {
    arrived_.wait(lock, some);
  }
  return std::exchange(answers_, {});
}

void CallLoop::Settle(Answer answer) {
  --under_way_;
  Job& job = *answer.job;
  if (answer.status.ok()) {
    job.done(nullptr);
    return;
  }
  const Failure failure = FailureOf(answer.status, settings_.server,
                                    std::to_string(settings_.policy.timeout_ms) + " ms");
  if (failure.reason == "token_invalid" && HasAnotherKey(job)) {
    ready_.push_front(std::move(answer.job));
    return;
  }
  if (!dropped_ && MayPass(answer.status, failure)) {
    job.due = Steady::now() + PauseAfter(job.attempts, failure, settings_.policy, settings_.random);
    if (job.due < job.deadline) {
      if (job.attempts == kTroubleFrom && settings_.on_trouble) settings_.on_trouble(failure);
      job.last = failure;
      pausing_.push_back(std::move(answer.job));
      return;
    }
  }
  job.done(&failure);
}

bool CallLoop::HasAnotherKey(Job& job) {
  if (std::exchange(job.renewed, true)) return false;
  if (job.key != settings_.key) return true;
  const auto begun = Steady::now();
  const bool renewed = settings_.renew_key && settings_.renew_key();
  // The issuer's time is not the call's.
  job.deadline += Steady::now() - begun;
  return renewed;
}

}  // namespace allot::cli
