#pragma once

#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "campaign/database.h"
#include "campaign/installation.h"

namespace allot::campaign {

/// Since when the service could have been whole again: when the fault was made, or, where nothing
/// can serve while it lasts, when it was lifted.
struct Struck {
  int64_t since_ms = 0;
  /// For faults that only another leader ends: when one led.
  std::optional<int64_t> lead_ms;
};

/// What can be done to an installation. Each leaves everything able to run again; nothing when
/// there was nobody to do it to.
struct FaultKind {
  std::string name;
  /// How often, beside the others.
  int weight;
  std::function<std::optional<Struck>()> strike;
};

/// All kinds that this installation's machine can make. `patroni` may be null. The random source
/// decides on whom and for how long; it outlives what is returned, as the others do.
std::vector<FaultKind> FaultKinds(Installation& installation, Database& database,
                                  PatroniDatabase* patroni, std::mt19937_64& random);

}  // namespace allot::campaign
