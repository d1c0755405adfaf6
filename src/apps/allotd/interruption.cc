#include "apps/allotd/interruption.h"

#include <pthread.h>
#include <unistd.h>

#include <ctime>
#include <iostream>

namespace allot::allotd {

Interruption::Interruption() {
  sigemptyset(&signals_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals_, signal);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  thread_ = std::jthread([this](const std::stop_token& end) { Await(end); });
}

std::optional<int> Interruption::ExitStatus() const {
  const int signal = signal_;
  if (signal == 0) return std::nullopt;
  return 128 + signal;
}

void Interruption::Await(const std::stop_token& end) {
  constexpr timespec kSlice{.tv_sec = 0, .tv_nsec = 50'000'000};
  while (!end.stop_requested()) {
    const int signal = sigtimedwait(&signals_, nullptr, &kSlice);
    if (signal <= 0) continue;
    if (signal_ != 0) _exit(128 + signal);
    signal_ = signal;
    std::cerr << "allotd: interrupted: putting away what was begun (once more: end at once)\n";
    stop_.request_stop();
  }
}

}  // namespace allot::allotd
