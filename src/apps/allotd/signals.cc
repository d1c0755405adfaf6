#include "apps/allotd/signals.h"

#include <pthread.h>
#include <unistd.h>

#include <ctime>
#include <utility>

namespace allot::allotd {

EndSignals::EndSignals() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGTERM);
  sigaddset(&signals_, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  // A peer that hangs up is an error of that write, not the end of the server.
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
}

int EndSignals::Await() const {
  int signal = 0;
  sigwait(&signals_, &signal);
  return signal;
}

std::jthread EndSignals::EndAtOnceOnTheNext(std::function<void()> before) const {
  return std::jthread(
      [signals = signals_, before = std::move(before)](const std::stop_token& stop) {
        constexpr timespec kSlice{.tv_sec = 0, .tv_nsec = 100'000'000};
        while (!stop.stop_requested()) {
          const int signal = sigtimedwait(&signals, nullptr, &kSlice);
          if (signal <= 0) continue;
          before();
          _exit(128 + signal);
        }
      });
}

}  // namespace allot::allotd
