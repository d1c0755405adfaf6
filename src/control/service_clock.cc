#include "allot/control/service_clock.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace allot::control {
namespace {

constexpr int64_t kAnswerMicrosMax = 1'000'000;
/// A twentieth of the time that passed: it still goes forward, and is put right within minutes.
constexpr int64_t kSlewDivisor = 20;

bool Agree(int64_t a_micros, int64_t b_micros) {
  return std::abs(a_micros - b_micros) <= ServiceClock::kApartMicros;
}

}  // namespace

ServiceClock::ServiceClock(const Clock& machine, std::function<int64_t()> steady_micros)
    : machine_(machine),
      steady_micros_(std::move(steady_micros)),
      offset_micros_(machine_.Now().micros - steady_micros_()) {}

Instant ServiceClock::Now() const { return {steady_micros_() + offset_micros_}; }

void ServiceClock::Compare(Instant store_time, int64_t asked_micros, int64_t answered_micros) {
  if (answered_micros - asked_micros > kAnswerMicrosMax) return;
  const int64_t passed = answered_micros - compared_micros_;
  compared_micros_ = answered_micros;
  // Of one moment, as what is added to the steady clock.
  const int64_t own = offset_micros_;
  const int64_t store = store_time.micros - (asked_micros + (answered_micros - asked_micros) / 2);
  const int64_t machine = machine_.Now().micros - steady_micros_();
  store_ahead_micros_ = store - own;
  machine_ahead_micros_ = machine - own;
  const bool store_is_near = Agree(store, own);
  const bool store_is_vouched_for = Agree(store, machine);
  // As long as nobody vouches for its own: as wrong as the store's may be, it tells all servers the
  // same.
  if (store_is_near || store_is_vouched_for || !is_vouched_for_) {
    const int64_t most = store_is_near ? passed / kSlewDivisor : INT64_MAX;
    offset_micros_ = own + std::clamp(store - own, -most, most);
  }
  is_sure_ = store_is_vouched_for || (is_vouched_for_ && (store_is_near || Agree(own, machine)));
  is_vouched_for_ = is_vouched_for_ || is_sure_;
}

}  // namespace allot::control
