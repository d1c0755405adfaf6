#pragma once

#include <mutex>
#include <string>
#include <unordered_map>

#include "allot/model/principal.h"

namespace allot::rpc {

/// Whose calls wait in one line: those of an institute or provider, or of a key or member that has
/// neither.
std::string PartyOf(const Principal& principal);
inline constexpr char kStrangers[] = "strangers";

/// Whose line a call waits in, told from its key or person before that is looked up: by what it was
/// when it was last found good. It decides nothing else, so it may be out of date. They are named
/// by their fingerprints (control::Proof). Thread safe.
class KnownCallers {
 public:
  /// All who are not known share one, kStrangers.
  std::string PartyOf(const std::string& fingerprint) const;
  /// After it was found good. Only such are kept, so nobody can fill this with others.
  void Learn(const std::string& fingerprint, const Principal& principal);
  /// After it was found to be none.
  void Forget(const std::string& fingerprint);

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::string> parties_;
};

}  // namespace allot::rpc
