#include "allot/control/service_clock.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace allot::control {
namespace {

constexpr int64_t kAnswerMicrosMax = 1'000'000;
/// A twentieth of the time that passed: what is small is put right within minutes.
constexpr int64_t kSlewDivisor = 20;
/// Of what passed since the last comparison: after a break nothing is put right at once.
constexpr int64_t kPassedMicrosMax = 2'000'000;

bool Agree(int64_t a_micros, int64_t b_micros) {
  return std::abs(a_micros - b_micros) <= ServiceClock::kApartMicros;
}

/// Which of the others it is drawn to: the store's, or, where that is wrong, the machine's. While
/// both are near it and apart from each other, nobody can tell which of them is wrong, and
/// following either would take away the clock that tells it in the end: this one, if it goes on by
/// itself.
std::optional<int64_t> DrawnTo(int64_t own, int64_t store, int64_t machine) {
  if (Agree(store, machine)) return store;
  const bool store_is_near = Agree(store, own);
  const bool machine_is_near = Agree(machine, own);
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
  if (answered_micros - asked_micros > kAnswerMicrosMax) return;
  const int64_t machine = machine_.Now().micros - steady_micros_();
  const std::lock_guard lock(mutex_);
  const std::optional<int64_t> compared = std::exchange(compared_micros_, answered_micros);
  // Of one moment, as what is added to the steady clock.
  const int64_t own = offset_micros_;
  const int64_t store = store_time.micros - (asked_micros + (answered_micros - asked_micros) / 2);
  store_ahead_micros_ = store - own;
  machine_ahead_micros_ = machine - own;
  const bool store_is_vouched_for = Agree(store, machine);
  // As long as nobody vouches for its own: as wrong as the store's may be, it tells all servers the
  // same.
  const std::optional<int64_t> to =
      is_vouched_for_ ? DrawnTo(own, store, machine) : std::optional(store);
  if (to && Agree(*to, own) && compared) {
    const int64_t most = std::min(answered_micros - *compared, kPassedMicrosMax) / kSlewDivisor;
    offset_micros_ = own + std::clamp(*to - own, -most, most);
  } else if (to) {
    offset_micros_ = *to;
    told_micros_ = INT64_MIN;
  }
  const bool own_is_vouched_for = is_vouched_for_ && (Agree(store, own) || Agree(machine, own));
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
