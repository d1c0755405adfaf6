#pragma once

#include <algorithm>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "allot/model/event.h"

namespace allot::store {

/// Who is told of every commit of this process, as Store::OnCommit promises. Thread safe.
class CommitListeners {
 public:
  void Add(std::function<void(Revision)> callback) {
    const std::scoped_lock lock(mutex_);
    callbacks_.push_back(std::move(callback));
  }
  // Commits of several threads can arrive here out of order; those who are woken see the newest.
  void Tell(Revision revision) {
    const std::scoped_lock lock(mutex_);
    newest_ = std::max(newest_, revision);
    for (const auto& callback : callbacks_) callback(newest_);
  }

 private:
  std::mutex mutex_;
  std::vector<std::function<void(Revision)>> callbacks_;
  Revision newest_ = 0;
};

}  // namespace allot::store
