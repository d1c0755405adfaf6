#include "apps/allotd/signals.h"

#include <pthread.h>
#include <unistd.h>

#include <ctime>
#include <utility>

namespace allot::allotd {

Signals::Signals() {
  sigemptyset(&ends_);
  sigaddset(&ends_, SIGTERM);
  sigaddset(&ends_, SIGINT);
  sigset_t all = ends_;
  sigaddset(&all, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  // A peer that hangs up is an error of that write, not the end of the server.
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
}

int Signals::AwaitEnd(const std::function<void()>& on_hangup) const {
  sigset_t all = ends_;
  sigaddset(&all, SIGHUP);
  for (;;) {
    int signal = 0;
    sigwait(&all, &signal);
    if (signal != SIGHUP) return signal;
    on_hangup();
  }
}

std::jthread Signals::EndAtOnceOnTheNext(std::function<void()> before) const {
  return std::jthread([ends = ends_, before = std::move(before)](const std::stop_token& stop) {
    constexpr timespec kSlice{.tv_sec = 0, .tv_nsec = 100'000'000};
    while (!stop.stop_requested()) {
      const int signal = sigtimedwait(&ends, nullptr, &kSlice);
      if (signal <= 0) continue;
      before();
      _exit(128 + signal);
    }
  });
}

}  // namespace allot::allotd
