#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "allot/base/result.h"
#include "store/postgres/session.h"

namespace allot::store {

/// At most `size` sessions, opened when they are first needed and kept. Whoever waits for a
/// database that gives no answer is freed after Session::kPatienceMs. Thread safe.
class SessionPool {
 public:
  SessionPool(Conninfo database, int size, int timeout_s,
              std::function<void(const std::string&)> report);
  ~SessionPool();

  /// A session of the pool for one caller; goes back at the end of the lease.
  class Lease {
   public:
    Lease(SessionPool& pool, std::unique_ptr<Session> session) : pool_(&pool) {
      Put(std::move(session));
    }
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), session_(std::move(other.session_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (pool_ != nullptr) pool_->Return(std::move(session_));
    }
    Session& session() { return *session_; }
    bool holds_session() const { return session_ != nullptr; }
    void Put(std::unique_ptr<Session> session) {
      session_ = std::move(session);
      if (session_) pool_->Watch(*session_);
    }
    /// The session is lost: the next lease opens another.
    void Discard() {
      if (session_) pool_->Unwatch(*session_);
      session_.reset();
    }

   private:
    SessionPool* pool_;
    std::unique_ptr<Session> session_;
  };

  /// One that was last used in this scope, if there is one: it need not be told again.
  /// store_unavailable when none is free, or none can be opened, within the timeout.
  Result<Lease> Acquire(const Scope& scope);

 private:
  void Return(std::unique_ptr<Session> session);
  void Watch(const Session& session);
  void Unwatch(const Session& session);
  void InterruptOverdue(const std::stop_token& stop);

  const Conninfo database_;
  const int size_;
  const int timeout_s_;
  const std::function<void(const std::string&)> report_;
  std::mutex mutex_;
  std::condition_variable returned_;
  int leased_ = 0;
  std::vector<std::unique_ptr<Session>> idle_;
  std::set<const Session*> watched_;
  std::condition_variable_any wake_;
  std::jthread watch_;
};

}  // namespace allot::store
