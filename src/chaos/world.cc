#include "chaos/world.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>

#include "allot/base/check.h"

namespace allot::chaos {
namespace {

constexpr std::size_t kDepthMax = 4;
/// How long somebody who is at work is left alone before it is tried again.
constexpr int64_t kBusyMicros = 20 * kMillisecond;

constexpr uint64_t kFnvOffset = 0xcbf29ce484222325ULL;
constexpr uint64_t kFnvPrime = 0x100000001b3ULL;

}  // namespace

Rates DrawRates(SeededRandom& random) {
  // Half of the kinds do not occur; of the others small rates are as frequent as large ones.
  const auto rate = [&](int most) {
    if (random.Below(2) == 0) return 0;
    const auto halvings = static_cast<int>(random.Below(4));
    return std::max(1, most >> halvings);
  };
  Rates rates;
  rates.conflict = rate(200);
  rates.connection_lost = rate(60);
  rates.commit_lost = rate(80);
  rates.commit_unheard = rate(80);
  rates.interleaved = rate(300);
  rates.request_lost = rate(150);
  rates.answer_lost = rate(150);
  rates.duplicated = rate(150);
  rates.delayed = rate(300);
  rates.provision_fails = rate(120);
  rates.release_fails = rate(120);
  rates.takes_time = rate(400);
  rates.agent_pauses = rate(60);
  rates.agent_disk = rate(60);
  rates.store_outage = rate(60);
  rates.store_full = rate(40);
  rates.server_dies = rate(100);
  rates.agent_dies = rate(100);
  rates.agent_disk_full = rate(40);
  rates.agent_doubled = rate(60);
  rates.node_dies = rate(150);
  rates.node_leaves = rate(60);
  rates.clock_jumps = rate(60);
  rates.clocks_jump_alike = rate(60);
  rates.store_clock_jumps = rate(60);
  rates.agent_clock_jumps = rate(60);
  rates.partition = rate(60);
  return rates;
}

void World::After(int64_t micros, Actor actor, std::string_view name, std::function<void()> what) {
  events_.emplace(std::pair(Instant{now_.micros + std::max<int64_t>(micros, 0)}, ++sequence_),
                  Event{actor, name, std::move(what)});
}

bool World::AtWork(Actor actor) const {
  return actor != kNobody &&
         std::ranges::find(at_work_, actor, &AtWorkNow::actor) != at_work_.end();
}

void World::CallBegins() {
  if (!at_work_.empty()) at_work_.back().began = now_;
}

Reading World::Clock() const {
  const Instant began = at_work_.empty() ? now_ : at_work_.back().began;
  if (clocks_are_right_) return {began, now_};
  return {{began.micros + clocks_off_least_}, {now_.micros + clocks_off_greatest_}};
}

void World::NoteClock(int64_t off_by_micros) {
  clocks_off_least_ = std::min(clocks_off_least_, off_by_micros);
  clocks_off_greatest_ = std::max(clocks_off_greatest_, off_by_micros);
}

bool World::Step() {
  if (events_.empty()) return false;
  auto first = events_.extract(events_.begin());
  Run(first.key(), std::move(first.mapped()));
  return true;
}

void World::Run(std::pair<Instant, int64_t> key, Event event) {
  now_ = std::max(now_, key.first);
  if (AtWork(event.actor)) {
    After(kBusyMicros, event.actor, event.name, std::move(event.what));
    return;
  }
  ++report.steps;
  at_work_.push_back({.actor = event.actor, .began = now_});
  event.what();
  at_work_.pop_back();
}

void World::Pass(int64_t micros) {
  const Instant until{now_.micros + micros};
  if (at_work_.size() < kDepthMax) {
    while (!violated() && !events_.empty() && events_.begin()->first.first <= until) Step();
  }
  now_ = std::max(now_, until);
}

void World::Interleave() {
  if (healed || !Chance(rates.interleaved)) return;
  LetOthersGoOn();
}

void World::LetOthersGoOn() {
  if (at_work_.size() >= kDepthMax) return;
  CountFault("interleaved");
  for (auto left = random.Between(1, 4); left > 0 && !violated(); --left) Step();
}

bool World::Strikes(int permille, const char* fault) {
  if (healed || !Chance(permille)) return false;
  CountFault(fault);
  return true;
}

void World::Violate(const char* rule, const std::string& what) {
  if (violated()) return;
  report.violation = Violation{.step = report.steps, .rule = rule, .what = what};
  Trace("VIOLATION " + std::string(rule) + ": " + what);
}

void World::Trace(std::string_view what) {
  const std::string line = FormatRfc3339(now_) + " " + std::string(what);
  uint64_t hash = report.trace_hash == 0 ? kFnvOffset : report.trace_hash;
  for (const char c : line) hash = (hash ^ static_cast<unsigned char>(c)) * kFnvPrime;
  report.trace_hash = hash;
  if (trace_) trace_(line);
}

std::string CountedIds::Mint(int length) {
  const std::string digits = std::to_string(++next_);
  const auto wanted = static_cast<std::size_t>(length);
  ALLOT_CHECK(digits.size() < wanted);
  return 'a' + std::string(wanted - 1 - digits.size(), '0') + digits;
}

std::span<const std::string_view> ProbeNames() {
  static constexpr auto kNames = std::to_array<std::string_view>({
      "agent_died_within_an_order",
      "agent_superseded",
      "allocation_added_to_another",
      "allocation_borrowed",
      "allocation_expired",
      "allocation_failed",
      "allocation_lost_its_node",
      "allocation_preempted",
      "allocation_started_after_another",
      "anothers_compared_with_nowhere",
      "batch_submitted",
      "cancelled_while_provisioning",
      "commit_conflicted_to_the_end",
      "commit_unheard_and_found_again",
      "group_of_several_tenants",
      "group_settled",
      "group_tried_alone",
      "group_with_a_repeat",
      "group_with_a_reused_id",
      "inventory_stale",
      "late_copy_of_a_message",
      "leader_changed",
      "leader_changed_within_a_pass",
      "node_left_with_work_on_it",
      "nodes_fell_silent",
      "order_not_current",
      "order_took_time",
      "pass_found_things_changed",
      "policy_published",
      "promise_made",
      "promise_slipped",
      "provision_failed",
      "quota_refused",
      "release_failed",
      "request_id_refused_for_another_body",
      "request_repeated_and_answered_as_before",
      "reservation_made",
      "reservation_refused",
      "server_died_within_a_call",
      "server_not_sure_of_the_time",
      "tenant_looked_for_anothers",
      "watch_listed_anew",
      "watch_resumed",
  });
  return kNames;
}

}  // namespace allot::chaos
