#include "allot/control/service_clock.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace allot::control {
namespace {

/// Longer, and a time that was read says nothing.
constexpr int64_t kAnswerMicrosMax = 1'000'000;
/// For who goes on by itself the border is farther out by this: more than a reading that was
/// interrupted, or a clock that is put right by a little, can take anybody across.
constexpr int64_t kBeyondMicros = 1'000'000;
/// A twentieth of the time that passed: what is small is put right within minutes.
constexpr int64_t kSlewDivisor = 20;
/// Of what passed since the last comparison: after a break nothing is put right at once.
constexpr int64_t kPassedMicrosMax = ServiceClock::kDrawnMicrosMax * kSlewDivisor;

bool Agree(int64_t a_micros, int64_t b_micros, int64_t beyond_micros = 0) {
  return std::abs(a_micros - b_micros) <= ServiceClock::kApartMicros + beyond_micros;
}

/// What is added to a steady clock by one that showed `shown` at a moment between these two.
int64_t AddedBy(Instant shown, int64_t asked_micros, int64_t answered_micros) {
  return shown.micros - (asked_micros + (answered_micros - asked_micros) / 2);
}

/// Which of the others it is drawn to: the store's, or, where that is wrong, the machine's. While
/// both are near it and apart from each other, nobody can tell which of them is wrong, and
/// following either would take away the clock that tells it in the end: this one, if it goes on by
/// itself.
std::optional<int64_t> DrawnTo(int64_t own, int64_t store, int64_t machine, int64_t beyond) {
  if (Agree(store, machine)) return store;
  const bool store_is_near = Agree(store, own, beyond);
  const bool machine_is_near = Agree(machine, own, beyond);
  if (store_is_near == machine_is_near) return std::nullopt;
  return store_is_near ? store : machine;
}

}  // namespace

ServiceClock::ServiceClock(const Clock& machine, std::function<int64_t()> steady_micros)
    : machine_(machine),
      steady_micros_(std::move(steady_micros)),
      offset_micros_(machine_.Now().micros - steady_micros_()),
      told_micros_(INT64_MIN) {}

Instant ServiceClock::Now() const {
  const std::lock_guard lock(mutex_);
  told_micros_ = std::max(told_micros_, steady_micros_() + offset_micros_);
  return {told_micros_};
}

void ServiceClock::Compare(Instant store_time, int64_t asked_micros, int64_t answered_micros) {
  const int64_t before_micros = steady_micros_();
  const Instant machine_time = machine_.Now();
  const int64_t behind_micros = steady_micros_();
  if (answered_micros - asked_micros > kAnswerMicrosMax) return;
  if (behind_micros - before_micros > kAnswerMicrosMax) return;
  const std::lock_guard lock(mutex_);
  const std::optional<int64_t> compared = std::exchange(compared_micros_, answered_micros);
  // Of one moment, as what is added to the steady clock.
  const int64_t own = offset_micros_;
  const int64_t store = AddedBy(store_time, asked_micros, answered_micros);
  const int64_t machine = AddedBy(machine_time, before_micros, behind_micros);
  store_ahead_micros_ = store - own;
  machine_ahead_micros_ = machine - own;
  const bool store_is_vouched_for = Agree(store, machine);
  // Of two that parted slowly the right one is just this side of the border when they did: one bad
  // reading would be enough to take it for the wrong one, and that for good.
  const int64_t beyond = goes_by_itself_ ? kBeyondMicros : 0;
  // As long as nobody vouches for its own: as wrong as the store's may be, it tells all servers the
  // same.
  const std::optional<int64_t> to =
      is_vouched_for_ ? DrawnTo(own, store, machine, beyond) : std::optional(store);
  goes_by_itself_ = !to || (goes_by_itself_ && !Agree(*to, own));
  if (to && Agree(*to, own, beyond) && compared) {
    const int64_t most = std::min(answered_micros - *compared, kPassedMicrosMax) / kSlewDivisor;
    offset_micros_ = own + std::clamp(*to - own, -most, most);
  } else if (to) {
    offset_micros_ = *to;
    told_micros_ = INT64_MIN;
  }
  const bool own_is_vouched_for =
      is_vouched_for_ && (Agree(store, own, beyond) || Agree(machine, own, beyond));
  is_sure_ = store_is_vouched_for || own_is_vouched_for;
  is_vouched_for_ = is_vouched_for_ || is_sure_;
}

bool ServiceClock::is_sure() const {
  const std::lock_guard lock(mutex_);
  return is_sure_;
}

int64_t ServiceClock::store_ahead_micros() const {
  const std::lock_guard lock(mutex_);
  return store_ahead_micros_;
}

int64_t ServiceClock::machine_ahead_micros() const {
  const std::lock_guard lock(mutex_);
  return machine_ahead_micros_;
}

}  // namespace allot::control
