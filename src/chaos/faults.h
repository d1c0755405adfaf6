#pragma once

#include "chaos/faulty_store.h"
#include "chaos/server.h"
#include "chaos/site.h"
#include "chaos/world.h"

namespace allot::chaos {

using Sites = std::vector<std::unique_ptr<Site>>;

/// What befalls machines, programs, clocks and the network from time to time, and is over after a
/// while. Transactions and messages have faults of their own, where they are made.
class Faults {
 public:
  /// All outlive it; somebody is there when it begins.
  Faults(World& world, Database& database, LocalClock& store_clock, Servers& servers, Sites& sites)
      : world_(world),
        database_(database),
        store_clock_(store_clock),
        servers_(servers),
        sites_(sites) {}

  void Befall();
  /// Everything is as it should be, and everybody lives.
  void Heal();

 private:
  void BefallDatabase();
  void BefallServer(Server& server);
  void BefallClocks(Server& server);
  void BefallNodes(Site& site);
  void BefallAgent(Site& site);

  World& world_;
  Database& database_;
  LocalClock& store_clock_;
  Servers& servers_;
  Sites& sites_;
};

}  // namespace allot::chaos
