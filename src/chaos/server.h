#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "allot/base/turn_queue.h"
#include "allot/control/audit_signer.h"
#include "allot/control/context.h"
#include "allot/control/planner.h"
#include "allot/control/scheduler_loop.h"
#include "allot/control/service_clock.h"
#include "allot/control/submit.h"
#include "chaos/auditor.h"
#include "chaos/faulty_store.h"
#include "chaos/world.h"

namespace allot::chaos {

/// What all servers have in common.
struct Installation {
  World& world;
  Database& database;
  Auditor& auditor;
  const Policy& policy;
  CountedIds& ids;
  const control::AuditSigner& signer;
};

/// One allotd. What it keeps in memory is lost when it dies; its name and its clock are not.
class Server {
 public:
  Server(Installation& installation, Actor actor, std::string name);

  bool alive() const { return life_ != nullptr && !life_->store.is_cut(); }
  const control::Context& context() const { return life_->context; }
  control::Planner& planner() { return life_->planner; }
  /// Of what plans here: one at a time.
  Actor actor() const { return actor_; }
  const std::string& name() const { return name_; }
  /// Alive from now on, and until it dies.
  void Start();
  /// At once when it is idle, or at its so many-th transaction from now.
  void Die(int transactions);
  /// Its machine's, which is one of the three that it goes by.
  LocalClock& machine_clock() { return machine_clock_; }
  /// Goes into the next commit that the submissions of this server share. `done` gets the answer;
  /// never, when the server dies first.
  using Done = std::function<void(control::Submitted)>;
  void Submit(control::PreparedSubmissions call, Done done);
  /// A call is at work here until it ends: what it uses is not taken from under it.
  class Visit {
   public:
    explicit Visit(Server& server)
        : server_(server), occasion_(server.life_->store, /*is_turn=*/false) {
      ++server_.visits_;
    }
    ~Visit() { --server_.visits_; }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

   private:
    Server& server_;
    const FaultyStore::Occasion occasion_;
  };

 private:
  struct Waiting {
    control::PreparedSubmissions call;
    Done done;
  };
  struct Life {
    explicit Life(Server& server);
    control::SchedulerLoop::Options LoopOptions(Server& server);
    FaultyStore store;
    control::ServiceClock clock;
    control::PolicyBook policies;
    control::Context context;
    control::Planner planner;
    control::SchedulerLoop loop;
    TurnQueue<Waiting> submissions;
    /// A shared commit is to come, or under way.
    bool commits = false;
  };
  void CommitLater();
  void CommitTogether();
  void Wake();
  void Turn();
  /// A pass of its own, or what is done beside it.
  void Failed(const std::string& what, const Error& error);
  void TurnLater(int64_t micros);
  void CompareClocks();
  /// What it goes by is known to who audits it.
  void NoteClock();
  void CompareClocksLater();

  Installation& in_;
  const Actor actor_;
  const std::string name_;
  LocalClock machine_clock_;
  int visits_ = 0;
  /// Made before the turn that is under way.
  int64_t conflicts_before_ = 0;
  bool woken_ = false;
  int64_t lives_ = 0;
  std::unique_ptr<Life> life_;
};

using Servers = std::vector<std::unique_ptr<Server>>;
/// Any of those that live; null when none does.
Server* AnyAlive(World& world, const Servers& servers);

}  // namespace allot::chaos
