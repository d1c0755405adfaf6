#pragma once

#include <optional>
#include <string_view>

#include "allot/base/result.h"

namespace allot::store {

/// Why a statement, a connection or a commit failed, and what the store does about it.
struct Failure {
  enum class Remedy {
    kReport,              ///< the caller is told
    kRerun,               ///< the transaction is run again
    kRerunOnFreshServer,  ///< … on a new connection: this one is lost
  };
  Error error;
  Remedy remedy = Remedy::kReport;
};

/// How often a transaction is run before its conflict is reported.
inline constexpr int kRunsMax = 8;

Error StoreConflict();
Error StoreUnavailable(std::string_view what);

// What every store refuses in the same words.
Failure AlreadyThere(int run);
Failure RefersToNothing();
Failure IllegalTransition();
Failure NotUtf8();
Failure ZeroByte();

/// What becomes of a transaction whose work ended in `done` and one of whose verbs may have lost
/// it, whatever the work made of that; nothing when it may be committed.
std::optional<Failure> Judge(const Status& done, const std::optional<Failure>& lost);

}  // namespace allot::store
