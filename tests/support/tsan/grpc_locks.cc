// Tells ThreadSanitizer of gRPC's locks. gRPC and Abseil are Debian's, built without
// instrumentation: their locks are invisible, and whatever they guard, our own messages included,
// would be reported as a race.
//
// These definitions stand before Abseil's own in the order of the dynamic linker; each calls the
// real one. Every lock counts for itself: one for all of gRPC would hide our own races, since each
// call would order its worker behind all others.

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <cstdio>
#include <cstdlib>

#include <absl/synchronization/mutex.h>

namespace {

void Taken(absl::Mutex* mutex) { __tsan_acquire(mutex); }
void GivenBack(absl::Mutex* mutex) { __tsan_release(mutex); }

template <class Function>
Function Real(const char* symbol) {
  void* const found = dlsym(RTLD_NEXT, symbol);
  if (found == nullptr) {
    // Another version of Abseil, with another name for its inline namespace.
    std::fprintf(stderr, "tests/support/tsan: there is no %s\n", symbol);
    std::abort();
  }
  return reinterpret_cast<Function>(found);
}

// A member function is called as a function whose first argument is the object.
template <class Timeout>
using TimedWait = bool (*)(absl::CondVar*, absl::Mutex*, Timeout);

}  // namespace

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  static const auto real = Real<void (*)(Mutex*)>("_ZN4absl7debian35Mutex4LockEv");
  real(this);
  Taken(this);
}

bool Mutex::TryLock() {
  static const auto real = Real<bool (*)(Mutex*)>("_ZN4absl7debian35Mutex7TryLockEv");
  if (!real(this)) return false;
  Taken(this);
  return true;
}

void Mutex::Unlock() {
  static const auto real = Real<void (*)(Mutex*)>("_ZN4absl7debian35Mutex6UnlockEv");
  GivenBack(this);
  real(this);
}

void CondVar::Wait(Mutex* mutex) {
  static const auto real =
      Real<void (*)(CondVar*, Mutex*)>("_ZN4absl7debian37CondVar4WaitEPNS0_5MutexE");
  GivenBack(mutex);
  real(this, mutex);
  Taken(mutex);
}

bool CondVar::WaitWithTimeout(Mutex* mutex, Duration timeout) {
  static const auto real = Real<TimedWait<Duration>>(
      "_ZN4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE");
  GivenBack(mutex);
  const bool timed_out = real(this, mutex, timeout);
  Taken(mutex);
  return timed_out;
}

bool CondVar::WaitWithDeadline(Mutex* mutex, Time deadline) {
  static const auto real =
      Real<TimedWait<Time>>("_ZN4absl7debian37CondVar16WaitWithDeadlineEPNS0_5MutexENS0_4TimeE");
  GivenBack(mutex);
  const bool timed_out = real(this, mutex, deadline);
  Taken(mutex);
  return timed_out;
}

ABSL_NAMESPACE_END
}  // namespace absl
