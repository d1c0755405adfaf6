#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "allot/store/store.h"
#include "chaos/auditor_epochs.h"
#include "chaos/world.h"

namespace allot::chaos {

/// The database all servers share, and what befalls it.
struct Database {
  store::Store& store;
  Epochs& epochs;
  bool out = false;
  /// Its disk is full: it reads, and does not write.
  bool full = false;
  /// Of the newest transaction.
  Revision newest = 0;
  /// After every transaction that was committed.
  std::function<void()> committed;
};

/// A server's connection to the database, for one life of it.
class FaultyStore final : public store::Store {
 public:
  FaultyStore(World& world, Database& database, Epochs::Life owner)
      : world_(world), database_(database), owner_(std::move(owner)) {}

  void OnCommit(std::function<void(Revision)> callback) override {
    callbacks_.push_back(std::move(callback));
  }
  /// The server died: nothing it does from now on has an effect.
  void Cut() { cut_ = true; }
  bool is_cut() const { return cut_; }
  /// The server is to die at its so many-th transaction from now.
  void CutAt(int transactions) { cut_at_ = transactions; }
  /// How many transactions were made to conflict so far.
  int64_t conflicts() const { return conflicts_; }

  /// As long as it lives, what is done here is done in a turn of the server, or because of a call.
  class Occasion {
   public:
    Occasion(FaultyStore& store, bool is_turn) : store_(store) { store_.turns_.push_back(is_turn); }
    ~Occasion() { store_.turns_.pop_back(); }
    Occasion(const Occasion&) = delete;
    Occasion& operator=(const Occasion&) = delete;

   private:
    FaultyStore& store_;
  };

 protected:
  Status Run(store::Access access, const store::Scope& scope,
             const std::function<Status(store::Tx&)>& work) override;

 private:
  /// What befalls one run of a transaction.
  struct Trial {
    /// Its so many-th verb; 0 for none, and beyond the last for none, too.
    int fails_at_verb = 0;
    /// Behind all of them.
    bool fails_at_commit = false;
    Error failure;
    bool is_conflict() const { return failure.reason == Reason::kStoreConflict; }
  };
  /// Why nothing can be done now.
  std::optional<Error> Hindrance(store::Access access) const;
  Trial Draw(store::Access access, int64_t& conflicts);
  /// Whatever stands in its way it is run again, a bounded number of times, after others.
  Status RunToEnd(store::Access access, const store::Scope& scope,
                  const std::function<Status(store::Tx&)>& work);
  /// `failed` becomes true when the trial took place.
  Status RunOnce(store::Access access, const store::Scope& scope,
                 const std::function<Status(store::Tx&)>& work, const Trial& trial, bool& failed);

  World& world_;
  Database& database_;
  const Epochs::Life owner_;
  std::vector<std::function<void(Revision)>> callbacks_;
  bool cut_ = false;
  int cut_at_ = 0;
  int64_t conflicts_ = 0;
  /// The innermost last.
  std::vector<bool> turns_;
};

}  // namespace allot::chaos
