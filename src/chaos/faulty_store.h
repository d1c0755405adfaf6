#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "allot/store/store.h"
#include "chaos/world.h"

namespace allot::chaos {

/// The database all servers share, and what befalls it.
struct Database {
  store::Store& store;
  bool out = false;
  /// Its disk is full: it reads, and does not write.
  bool full = false;
  /// Of the newest transaction.
  Revision newest = 0;
  /// After every transaction that was committed.
  std::function<void()> committed;
};

/// A server's connection to the database.
class FaultyStore final : public store::Store {
 public:
  FaultyStore(World& world, Database& database) : world_(world), database_(database) {}

  void OnCommit(std::function<void(Revision)> callback) override {
    callbacks_.push_back(std::move(callback));
  }
  /// The server died: nothing it does from now on has an effect.
  void Cut() { cut_ = true; }
  bool is_cut() const { return cut_; }
  /// The server is to die at its so many-th transaction from now.
  void CutAt(int transactions) { cut_at_ = transactions; }

 protected:
  Status Run(store::Access access, const store::Scope& scope,
             const std::function<Status(store::Tx&)>& work) override;

 private:
  Status RunInner(store::Access access, const store::Scope& scope,
                  const std::function<Status(store::Tx&)>& work);

  World& world_;
  Database& database_;
  std::vector<std::function<void(Revision)>> callbacks_;
  bool cut_ = false;
  int cut_at_ = 0;
};

}  // namespace allot::chaos
