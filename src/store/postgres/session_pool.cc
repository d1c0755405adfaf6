#include "store/postgres/session_pool.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "store/postgres/failure.h"

namespace allot::store {
namespace {

constexpr std::chrono::seconds kLookEvery{1};

}  // namespace

SessionPool::SessionPool(Conninfo database, int size, int timeout_s,
                         std::function<void(const std::string&)> report)
    : database_(std::move(database)),
      size_(size),
      timeout_s_(timeout_s),
      report_(std::move(report)),
      watch_([this](const std::stop_token& stop) { InterruptOverdue(stop); }) {}

SessionPool::~SessionPool() {
  watch_.request_stop();
  watch_.join();
}

Result<SessionPool::Lease> SessionPool::Acquire(const Scope& scope) {
  std::unique_ptr<Session> session;
  {
    std::unique_lock lock(mutex_);
    const bool free =
        returned_.wait_for(lock, std::chrono::seconds(timeout_s_), [&] { return leased_ < size_; });
    if (!free) return StoreUnavailable("All connections to the database are busy.");
    ++leased_;
    if (!idle_.empty()) {
      auto fitting = std::find_if(idle_.rbegin(), idle_.rend(),
                                  [&](const auto& idle) { return idle->IsIn(scope); });
      if (fitting == idle_.rend()) fitting = idle_.rbegin();
      session = std::move(*fitting);
      idle_.erase(std::next(fitting).base());
    }
  }
  Lease lease(*this, std::move(session));
  if (lease.holds_session()) return lease;
  try {
    lease.Put(std::make_unique<Session>(database_, timeout_s_, Rights::kOfAServer));
    return lease;
  } catch (...) {
    std::string own_words;
    FailureOfCurrentException(own_words);
    report_(own_words);
    return StoreUnavailable("The database cannot be reached.");
  }
}

void SessionPool::Watch(const Session& session) {
  const std::scoped_lock lock(mutex_);
  watched_.insert(&session);
}

void SessionPool::Unwatch(const Session& session) {
  const std::scoped_lock lock(mutex_);
  watched_.erase(&session);
}

void SessionPool::InterruptOverdue(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const int64_t now_ms = Session::SteadyMs();
    for (const Session* session : watched_) session->InterruptIfOverdue(now_ms);
    wake_.wait_for(lock, stop, kLookEvery, [] { return false; });
  }
}

void SessionPool::Return(std::unique_ptr<Session> session) {
  {
    const std::scoped_lock lock(mutex_);
    --leased_;
    if (session) {
      watched_.erase(session.get());
      session->SetPatience(Session::kPatienceMs);
    }
    if (session) idle_.push_back(std::move(session));
  }
  returned_.notify_one();
}

}  // namespace allot::store
