#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/model/policy.h"

namespace allot::control {

/// Which policy is in force when: the published one that took effect last, and until the first
/// does, the configured one. Thread safe.
class PolicyBook {
 public:
  /// Requires: `configured` outlives the book.
  explicit PolicyBook(const Policy& configured) : configured_(configured) {}

  const Policy& configured() const { return configured_; }
  /// Never null.
  std::shared_ptr<const Policy> At(Instant time) const;
  /// When the next takes effect, after `time`; kEndOfTime when none will.
  Instant NextChange(Instant time) const;
  /// enum_unknown unless the policy in force or one to come has caps for the programme: a misspelt
  /// one would join nobody to nothing.
  Status CheckProgramme(const ProgrammeId& programme, Instant now, const std::string& field) const;

  /// All that were published; withdrawn ones are left out.
  void Replace(const std::vector<PublishedPolicy>& published);

 private:
  struct Dated {
    Instant effective_time;
    std::shared_ptr<const Policy> policy;
  };

  const Policy& configured_;
  mutable std::mutex mutex_;
  /// By the time they take effect.
  std::vector<Dated> published_;
};

}  // namespace allot::control
