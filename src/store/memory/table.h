#pragma once

#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace allot::store {

/// What takes back the changes of a transaction, the last one first.
class UndoLog {
 public:
  void Add(std::function<void()> undo) { undos_.push_back(std::move(undo)); }
  void Rollback() {
    for (auto undo = undos_.rbegin(); undo != undos_.rend(); ++undo) (*undo)();
    undos_.clear();
  }

 private:
  std::vector<std::function<void()>> undos_;
};

/// Rows in the order of their keys. A copy is a moment of it, and costs nothing until the original
/// changes.
template <class Key, class Row>
class Table {
 public:
  using Rows = std::map<Key, std::shared_ptr<const Row>>;

  const Rows& rows() const { return *rows_; }
  const Row* Find(const Key& key) const {
    const auto found = rows_->find(key);
    return found == rows_->end() ? nullptr : found->second.get();
  }
  /// Requires: the table outlives the log.
  void Put(UndoLog& log, const Key& key, std::shared_ptr<const Row> row) {
    auto& slot = Own()[key];
    log.Add([this, key, before = slot] { Restore(key, before); });
    slot = std::move(row);
  }
  void Put(UndoLog& log, const Key& key, const Row& row) {
    Put(log, key, std::make_shared<const Row>(row));
  }
  void Erase(UndoLog& log, const Key& key) {
    const auto found = rows_->find(key);
    if (found == rows_->end()) return;
    log.Add([this, key, before = found->second] { Restore(key, before); });
    Own().erase(key);
  }

 private:
  /// Whoever looks at an earlier moment keeps that one.
  Rows& Own() {
    if (rows_.use_count() > 1) rows_ = std::make_shared<Rows>(*rows_);
    return *rows_;
  }
  void Restore(const Key& key, const std::shared_ptr<const Row>& before) {
    if (before) {
      Own()[key] = before;
    } else {
      Own().erase(key);
    }
  }

  std::shared_ptr<Rows> rows_ = std::make_shared<Rows>();
};

}  // namespace allot::store
