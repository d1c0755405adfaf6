#include "chaos/server.h"

namespace allot::chaos {
namespace {

/// How soon another server's commits are noticed, and what time alone makes due.
constexpr int64_t kPollMicros = Micros(Seconds{5});
/// Nothing but time goes on.
constexpr int64_t kCalmPollMicros = Micros(Seconds{15});
constexpr int64_t kCoalesceMicros = 5 * kMillisecond;
/// More seldom than a server really does, which shows nothing more.
constexpr int64_t kCompareMicros = Micros(Seconds{3});
constexpr int64_t kCalmCompareMicros = Micros(Seconds{15});
constexpr Seconds kSignEvery = Minutes(5);
constexpr int64_t kRetryMicros = 100 * kMillisecond;

}  // namespace

Server::Server(Installation& installation, Actor actor, std::string name)
    : in_(installation),
      actor_(actor),
      name_(std::move(name)),
      machine_clock_(installation.world) {}

Server::Life::Life(Server& server)
    : store(server.in_.world, server.in_.database, {server.name_, server.lives_}),
      clock(server.machine_clock_, [&world = server.in_.world] { return world.now().micros; }),
      policies(server.in_.policy),
      context{store, clock, server.in_.ids, policies, {}, &server.in_.signer},
      planner(context),
      loop(context, planner, LoopOptions(server)),
      submissions({}) {
  store.OnCommit([&server](Revision) { server.Wake(); });
}

control::SchedulerLoop::Options Server::Life::LoopOptions(Server& server) {
  control::SchedulerLoop::Options options;
  options.holder = server.name_;
  options.lease = Seconds{10};
  options.steady_micros = [&world = server.in_.world] { return world.now().micros; };
  options.is_sure_of_time = [this] { return clock.is_sure(); };
  options.on_chore_failed = [&server](const std::string& chore, const Error& error) {
    server.Failed(chore, error);
  };
  options.sign_audit_every = kSignEvery;
  return options;
}

void Server::Start() {
  if (alive()) return;
  if (visits_ > 0 || in_.world.AtWork(actor_)) {
    in_.world.After(kRetryMicros, kNobody, "server starts", [this] { Start(); });
    return;
  }
  ++lives_;
  // Others go on while it resigns, and are not to meet the new one half begun.
  life_.reset();
  life_ = std::make_unique<Life>(*this);
  in_.world.Trace(name_ + " starts");
  // Others may call while the first comparison is under way, or when it fails.
  NoteClock();
  // Before the first call, as it really does.
  CompareClocks();
  CompareClocksLater();
  TurnLater(kCoalesceMicros);
}

void Server::CompareClocks() {
  const Visit visit(*this);
  const int64_t asked = in_.world.now().micros;
  const auto time =
      life_->store.Transact<Instant>(store::Access::kGlance, store::Scope::Everything(),
                                     [](store::Tx& tx) { return tx.StoreTime(); });
  const bool was_sure = life_->clock.is_sure();
  if (time.ok()) life_->clock.Compare(*time, asked, in_.world.now().micros);
  if (was_sure && !life_->clock.is_sure()) in_.world.Probe("server_not_sure_of_the_time");
  NoteClock();
  // Where it is drawn back it stands still, and shows by how much only when it goes on.
  const bool drawn_back =
      life_->clock.store_ahead_micros() < 0 || life_->clock.machine_ahead_micros() < 0;
  if (drawn_back) {
    in_.world.NoteClock(life_->clock.Now().micros - in_.world.now().micros -
                        control::ServiceClock::kDrawnMicrosMax);
  }
}

void Server::NoteClock() {
  in_.world.NoteClock(life_->clock.Now().micros - in_.world.now().micros);
}

void Server::CompareClocksLater() {
  in_.world.After(in_.world.healed ? kCalmCompareMicros : kCompareMicros, kNobody, "clocks",
                  [this, life = lives_] {
                    if (life != lives_ || !alive()) return;
                    CompareClocks();
                    if (life == lives_) CompareClocksLater();
                  });
}

void Server::Die(int transactions) {
  if (!alive()) return;
  in_.world.Trace(name_ + " dies at transaction " + std::to_string(transactions));
  if (transactions > 0) {
    life_->store.CutAt(transactions);
  } else {
    life_->store.Cut();
  }
}

void Server::Wake() {
  if (std::exchange(woken_, true)) return;
  in_.world.After(kCoalesceMicros, actor_, "turn", [this] {
    woken_ = false;
    Turn();
  });
}

void Server::TurnLater(int64_t micros) {
  in_.world.After(micros, actor_, "turn", [this, life = lives_] {
    // What an earlier life had in mind is forgotten.
    if (life != lives_) return;
    Turn();
    if (alive()) TurnLater(in_.world.healed ? kCalmPollMicros : kPollMicros);
  });
}

void Server::Turn() {
  if (!alive()) return;
  NoteClock();
  const FaultyStore::Occasion occasion(life_->store, /*is_turn=*/true);
  conflicts_before_ = life_->store.conflicts();
  const int64_t moment = in_.auditor.machines().moment();
  const auto turn = life_->loop.Turn();
  if (!alive()) return;
  if (turn.ok()) {
    if (!*turn) return;
    const control::PassReport& pass = **turn;
    const control::Applied& applied = pass.applied;
    in_.world.Trace(name_ + " passes: epoch " + std::to_string(pass.epoch) + ", " +
                    std::to_string(pass.pending) + " wait, " + std::to_string(applied.reserved) +
                    " start, " + std::to_string(applied.planned) + " planned, " +
                    std::to_string(applied.skipped) + " skipped");
    in_.auditor.PassMade(name_, pass, moment);
    return;
  }
  const Error& error = turn.error();
  if (error.reason == Reason::kNotLeader) in_.world.Probe("leader_changed_within_a_pass");
  Failed("pass", error);
  Wake();
}

void Server::Failed(const std::string& what, const Error& error) {
  in_.world.Trace(name_ + "'s " + what + " fails: " + Describe(error));
  // Of a server that is dead nothing is expected.
  if (!alive()) return;
  in_.auditor.PassFailed(name_, error, life_->store.conflicts() > conflicts_before_);
}

Server* AnyAlive(World& world, const Servers& servers) {
  std::vector<Server*> alive;
  for (const auto& server : servers) {
    if (server->alive()) alive.push_back(server.get());
  }
  if (alive.empty()) return nullptr;
  return alive[world.random.Below(alive.size())];
}

}  // namespace allot::chaos
