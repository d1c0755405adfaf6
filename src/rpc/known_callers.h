#pragma once

#include <mutex>
#include <string>
#include <unordered_map>

#include "allot/model/principal.h"

namespace allot::rpc {

/// Whose line a call waits in, told from its key before that is looked up: by what the key was when
/// it was last found good. It decides nothing else, so it may be out of date. Thread safe.
class KnownCallers {
 public:
  /// The institute or provider of the key; the key itself where it has neither. All who are not
  /// known share one.
  std::string PartyOf(const std::string& key) const;
  /// After a key was found good. Only such are kept, so nobody can fill this with others.
  void Learn(const std::string& key, const Principal& principal);
  /// After it was found to be none.
  void Forget(const std::string& key);

 private:
  mutable std::mutex mutex_;
  /// By the SHA-256 of the key.
  std::unordered_map<std::string, std::string> parties_;
};

}  // namespace allot::rpc
