#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allot/control/context.h"
#include "allot/model/allocation.h"
#include "allot/model/principal.h"
#include "chaos/world.h"

namespace allot::chaos {

/// The service was unable to say anything: what was asked may or may not have happened.
bool IsUnable(const Error& error);
/// An error with all its parts: what a caller is told.
std::string InWords(const Error& error);

/// The auditor's rules about tenants: what one may learn of another, which is nothing, and whose a
/// request id is. It is told what was asked and answered, and reads nothing itself.
class TenantAuditor {
 public:
  explicit TenantAuditor(World& world) : world_(world) {}

  /// Those whose names nobody else may read.
  void Begin(std::set<InstituteId> institutes) { institutes_ = std::move(institutes); }

  /// An allocation was shown to somebody.
  void Shown(const Principal& reader, const Allocation& allocation);
  /// Somebody read these words, in answer to a question about `asked` if that is not empty.
  void Told(const Principal& reader, const std::string& words, const std::string& asked);

  /// What somebody asked for by its name, and was told.
  struct Reply {
    std::string name;
    std::string words;
    std::optional<Error> error;
  };
  /// Somebody asked in the same way for what is another's and for what is nowhere. What is named
  /// must be refused; lists and watches of it are empty.
  void Pried(const Principal& reader, const std::string& what, bool is_named, const Reply& anothers,
             const Reply& nowhere);
  /// As above, when both were answered at the same revision: in the same words.
  void Compare(const std::string& what, const Reply& anothers, const Reply& nowhere);

  /// A call that is done once for its request id.
  struct OnceCall {
    std::pair<KeyId, std::string> name;
    std::string body;
    /// Before it came, this had been done, or another body under its request id.
    bool is_repeat = false;
    bool is_another = false;
  };
  /// It came to a server.
  OnceCall Came(const control::Call& call);
  /// It was answered; without an error it was done.
  void Answered(const OnceCall& call, const std::optional<Error>& error);

 private:
  void Expect(bool holds, const char* rule, const std::string& what);

  World& world_;
  std::set<InstituteId> institutes_;
  /// By key and request id: how many calls with each body may have been done, as they were not
  /// refused yet; and the body that was.
  std::map<std::pair<KeyId, std::string>, std::map<std::string, int>> open_;
  std::map<std::pair<KeyId, std::string>, std::string> done_;
};

}  // namespace allot::chaos
