#pragma once

#include <optional>
#include <string>
#include <vector>

#include "chaos/server.h"
#include "chaos/world.h"

namespace allot::chaos {

/// A project and whose it is.
struct Tenant {
  ProjectId project;
  /// Of a member's key.
  std::string secret;
};

/// Members who ask, in every way there is, for what is another institute's; and in the same way for
/// what is nowhere, which must be answered in the same words.
class Strangers {
 public:
  /// All outlive it.
  Strangers(Installation& installation, Servers& servers, const std::vector<Tenant>& tenants)
      : in_(installation), servers_(servers), tenants_(tenants) {}

  /// One of them asks in one way.
  void Ask();

 private:
  struct Way;
  struct Names {
    std::string anothers;
    std::string nowhere;
  };
  static const std::vector<Way>& Ways();
  std::optional<Names> Draw(const Way& way, const Tenant& tenant);
  void AskAt(Server& server, const Tenant& tenant, const Way& way, const Names& names);

  Installation& in_;
  Servers& servers_;
  const std::vector<Tenant>& tenants_;
  int64_t asked_ = 0;
};

}  // namespace allot::chaos
