#pragma once

#include <vector>

#include "allot/base/time.h"
#include "allot/oidc/issuer.h"
#include "apps/allotd/yaml_fields.h"

namespace allot::allotd {

/// Whose tokens people may come with; without an issuer, with none.
struct IdentityConfig {
  std::vector<oidc::Issuer> issuers;
  /// How far the clocks of issuers may be off.
  Seconds leeway{30};
};

void ReadIdentity(YamlFields identity, IdentityConfig& result);

}  // namespace allot::allotd
