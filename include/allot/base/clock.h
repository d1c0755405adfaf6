#pragma once

#include "allot/base/time.h"

namespace allot {

/// The only way to learn the time. Handed in from main; nobody else reads the system's clock.
/// Thread safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant Now() const = 0;
};

/// The operating system's wall clock.
class SystemClock final : public Clock {
 public:
  Instant Now() const override;
};

}  // namespace allot
