#pragma once

#include <mutex>
#include <string>
#include <unordered_map>

#include "allot/model/principal.h"

namespace allot::rpc {

/// Whose calls wait in one line: those of an institute or provider, or of a key that has neither.
std::string PartyOf(const Principal& principal);

/// Whose line a call waits in, told from its key before that is looked up: by what the key was when
/// it was last found good. It decides nothing else, so it may be out of date. Keys are named by
/// their SHA-256. Thread safe.
class KnownCallers {
 public:
  /// All who are not known share one.
  std::string PartyOf(const std::string& key_sha256) const;
  /// After a key was found good. Only such are kept, so nobody can fill this with others.
  void Learn(const std::string& key_sha256, const Principal& principal);
  /// After it was found to be none.
  void Forget(const std::string& key_sha256);

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::string> parties_;
};

}  // namespace allot::rpc
