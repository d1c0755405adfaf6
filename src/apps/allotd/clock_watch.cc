#include "apps/allotd/clock_watch.h"

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "apps/allotd/json_log.h"

namespace allot::allotd {
namespace {

constexpr std::chrono::seconds kEvery{1};

double InSeconds(int64_t micros) { return static_cast<double>(micros) / 1e6; }

prometheus::Gauge& ApartFrom(prometheus::Registry& registry, const std::string& clock) {
  return prometheus::BuildGauge()
      .Name("allot_clock_apart_seconds")
      .Help("What the database's and this machine's clock are ahead of the time this server has.")
      .Register(registry)
      .Add({{"clock", clock}});
}

}  // namespace

ClockWatch::ClockWatch(store::Store& store, control::ServiceClock& clock,
                       std::function<int64_t()> steady_micros, prometheus::Registry& registry)
    : store_(store),
      clock_(clock),
      steady_micros_(std::move(steady_micros)),
      store_apart_(ApartFrom(registry, "database")),
      machine_apart_(ApartFrom(registry, "machine")),
      sure_(prometheus::BuildGauge()
                .Name("allot_clock_sure")
                .Help("1 while two of three clocks agree; a server that is not sure does not lead.")
                .Register(registry)
                .Add({})) {
  Compare();
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void ClockWatch::Run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  while (!stopped.wait_for(lock, stop, kEvery, [&] { return stop.stop_requested(); })) Compare();
}

void ClockWatch::Compare() {
  const int64_t asked = steady_micros_();
  const auto time = store_.Transact<Instant>(store::Access::kGlance, store::Scope::Everything(),
                                             [](store::Tx& tx) { return tx.StoreTime(); });
  if (!time.ok()) return;
  clock_.Compare(*time, asked, steady_micros_());
  const int64_t store_ahead = clock_.store_ahead_micros();
  const int64_t machine_ahead = clock_.machine_ahead_micros();
  store_apart_.Set(InSeconds(store_ahead));
  machine_apart_.Set(InSeconds(machine_ahead));
  sure_.Set(clock_.is_sure() ? 1 : 0);
  const auto near = [](int64_t ahead) {
    return std::abs(ahead) <= control::ServiceClock::kApartMicros;
  };
  const bool agree = near(store_ahead) && near(machine_ahead);
  if (agree == agreed_) return;
  agreed_ = agree;
  const nlohmann::ordered_json apart = {{"database_ahead_s", InSeconds(store_ahead)},
                                        {"machine_ahead_s", InSeconds(machine_ahead)},
                                        {"sure", clock_.is_sure()}};
  if (agree) return LogInfo("clocks_agree", apart);
  LogWarning("clocks_apart", apart);
}

}  // namespace allot::allotd
