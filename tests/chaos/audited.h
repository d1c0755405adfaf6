#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "allot/control/policy_book.h"
#include "allot/store/memory.h"
#include "chaos/auditor.h"

namespace allot::chaos {

/// An empty service of one programme, under an auditor's eyes.
class Audited {
 public:
  /// That was broken first; empty: none.
  std::string Rule() const { return world_.violated() ? world_.report.violation->rule : ""; }

 protected:
  const std::function<void(std::string_view)> silent_;
  World world_{1, silent_};
  LocalClock clock_{world_};
  CountedIds ids_;
  std::unique_ptr<store::Store> store_ = store::OpenMemory(clock_);
  const Policy policy_ = [] {
    Policy policy = DefaultPolicy();
    policy.programmes = {{ProgrammeId("call"), {64, 64}, Days(366)}};
    return policy;
  }();
  control::PolicyBook book_{policy_};
  control::Context context_{*store_, clock_, ids_, book_};
  Auditor auditor_{world_, context_, policy_};
};

}  // namespace allot::chaos
