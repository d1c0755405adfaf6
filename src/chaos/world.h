#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allot/base/clock.h"
#include "allot/base/random.h"
#include "allot/base/time.h"
#include "allot/chaos/chaos.h"

namespace allot::chaos {

/// How likely each fault is, in thousandths of the occasions for it; drawn from the seed, so that
/// some seeds know one fault only and others all.
struct Rates {
  // Of a transaction.
  int conflict = 0;         ///< others were first: it is run again
  int connection_lost = 0;  ///< in the middle of it
  int commit_lost = 0;      ///< unknown outcome, and it was not applied
  int commit_unheard = 0;   ///< unknown outcome, and it was applied
  int interleaved = 0;      ///< others go on before it
  // Of a message.
  int request_lost = 0;
  int answer_lost = 0;
  int duplicated = 0;  ///< a copy arrives later, behind others
  int delayed = 0;
  // Of an order at the machines.
  int provision_fails = 0;
  int release_fails = 0;
  int takes_time = 0;
  int agent_pauses = 0;  ///< between its decision and what it does
  // Of a write of an agent.
  int agent_disk = 0;
  // Of every half minute.
  int store_outage = 0;
  int store_full = 0;
  int server_dies = 0;
  int agent_dies = 0;
  int agent_disk_full = 0;
  int agent_doubled = 0;  ///< another one lives elsewhere, for a while
  int node_dies = 0;
  int node_leaves = 0;
  int clock_jumps = 0;        ///< of a server's machine
  int clocks_jump_alike = 0;  ///< of a server's machine and of the database's
  int store_clock_jumps = 0;  ///< of the database's machine
  int agent_clock_jumps = 0;
  int partition = 0;
};
Rates DrawRates(SeededRandom& random);

constexpr int64_t Micros(Seconds time) { return time.count * 1'000'000; }
inline constexpr int64_t kMillisecond = 1'000;

/// Who is at work. A turn of one never begins within another turn of the same.
using Actor = int;
inline constexpr Actor kNobody = -1;

/// What the clocks of servers may have shown at a moment: something from the one to the other.
struct Reading {
  Instant least;
  Instant most;
};

/// Simulated time, what is to happen in it, chance, and what is written down of it.
class World {
 public:
  World(uint64_t seed, const std::function<void(std::string_view)>& trace)
      : random(seed), trace_(trace) {
    report.seed = seed;
  }

  Instant now() const { return now_; }
  /// `what` happens after `micros`, once `actor` is not at work.
  void After(int64_t micros, Actor actor, std::string_view name, std::function<void()> what);
  /// After a time that is drawn, from `least` to `most`.
  void AfterSome(Seconds least, Seconds most, std::string_view name, std::function<void()> what) {
    After(Micros(Seconds{random.Between(least.count, most.count)}), kNobody, name, std::move(what));
  }
  /// The next thing happens. False when nothing is left to happen.
  bool Step();
  /// Within a thing that happens, others do: until `micros` have gone by.
  void Pass(int64_t micros);
  /// Sometimes, and not too deep, some others happen.
  void Interleave();
  /// Some others happen, unless it is too deep.
  void LetOthersGoOn();
  bool AtWork(Actor actor) const;

  /// Within what happens now a server is asked something: it looks at its clock from now on.
  void CallBegins();
  /// What a server that does something now may have seen on its clock since that began.
  Reading Clock() const;
  /// The time that a server works by is off by so much.
  void NoteClock(int64_t off_by_micros);
  /// By how much at most it was off so far, either way.
  int64_t clocks_off_most() const { return std::max(-clocks_off_least_, clocks_off_greatest_); }
  /// Whatever was off is right again, and nobody goes by what it showed.
  void TrustClocks() { clocks_are_right_ = true; }

  bool Chance(int permille) { return permille > 0 && random.Below(1000) < Bound(permille); }
  /// Of a fault: never once everything is healed.
  bool Strikes(int permille, const char* fault);
  void CountFault(const char* fault) { ++report.faults[fault]; }
  void Probe(const char* situation) { ++report.probes[situation]; }
  void Violate(const char* rule, const std::string& what);
  void Expect(bool holds, const char* rule, const std::string& what) {
    if (!holds) Violate(rule, what);
  }
  bool violated() const { return report.violation.has_value(); }
  /// One line, into the hash and to who listens.
  void Trace(std::string_view what);

  SeededRandom random;
  Rates rates;
  bool healed = false;
  Report report;

 private:
  static uint64_t Bound(int permille) { return static_cast<uint64_t>(permille); }
  struct Event {
    Actor actor = kNobody;
    std::string_view name;
    std::function<void()> what;
  };
  void Run(std::pair<Instant, int64_t> key, Event event);
  struct AtWorkNow {
    Actor actor = kNobody;
    Instant began;
  };

  const std::function<void(std::string_view)>& trace_;
  Instant now_ = Instant::FromSeconds(1'772'323'200);
  int64_t sequence_ = 0;
  std::map<std::pair<Instant, int64_t>, Event> events_;
  /// The innermost last.
  std::vector<AtWorkNow> at_work_;
  int64_t clocks_off_least_ = 0;
  bool clocks_are_right_ = false;
  int64_t clocks_off_greatest_ = 0;
};

/// A machine's clock: the world's, and what it was set by.
class LocalClock final : public Clock {
 public:
  explicit LocalClock(const World& world) : world_(world) {}
  Instant Now() const override { return {world_.now().micros + set_by_micros}; }

  int64_t set_by_micros = 0;

 private:
  const World& world_;
};

/// Mints what is unique and the same for every run of a seed.
class CountedIds final : public IdSource {
 public:
  std::string Mint(int length) override;

 private:
  int64_t next_ = 0;
};

}  // namespace allot::chaos
