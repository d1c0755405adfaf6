#include "chaos/faults.h"

#include <array>

namespace allot::chaos {
namespace {

/// By so much a clock is set at the most, one way or the other: a little, by more than a plan goes
/// back, and to another day.
constexpr std::array<Seconds, 3> kJumpMax = {Minutes(8), Minutes(40), Hours(26)};

int64_t DrawJump(SeededRandom& random, Seconds most) {
  return random.Between(-Micros(most), Micros(most));
}

}  // namespace

void Faults::Befall() {
  BefallDatabase();
  BefallServer(*servers_[world_.random.Below(servers_.size())]);
  Site& site = *sites_[world_.random.Below(sites_.size())];
  BefallNodes(site);
  BefallAgent(site);
}

void Faults::BefallDatabase() {
  const Rates& rates = world_.rates;
  if (!database_.out && world_.Strikes(rates.store_outage, "store_outage")) {
    world_.Trace("the database is out");
    database_.out = true;
    world_.AfterSome(Seconds{1}, Seconds{200}, "database", [this] { database_.out = false; });
  }
  if (!database_.full && world_.Strikes(rates.store_full, "store_disk_full")) {
    world_.Trace("the database's disk is full");
    database_.full = true;
    world_.AfterSome(Seconds{1}, Seconds{200}, "database", [this] { database_.full = false; });
  }
}

void Faults::BefallServer(Server& server) {
  if (world_.Strikes(world_.rates.server_dies, "server_dies")) {
    server.Die(static_cast<int>(world_.random.Between(0, 12)));
    world_.AfterSome(Seconds{1}, Seconds{90}, "server starts", [&server] {
      server.Die(0);
      server.Start();
    });
  }
  BefallClocks(server);
}

void Faults::BefallClocks(Server& server) {
  SeededRandom& random = world_.random;
  const Rates& rates = world_.rates;
  LocalClock& machine = server.machine_clock();
  const Seconds most = kJumpMax[random.Below(kJumpMax.size())];
  if (world_.Strikes(rates.clock_jumps, "clock_jumps")) {
    machine.set_by_micros = DrawJump(random, most);
    world_.Trace("the clock of " + server.name() + " is off by " +
                 std::to_string(machine.set_by_micros));
    world_.AfterSome(Seconds{10}, Minutes(10), "clock", [&machine] { machine.set_by_micros = 0; });
  }
  if (world_.Strikes(rates.store_clock_jumps, "store_clock_jumps")) {
    store_clock_.set_by_micros = DrawJump(random, most);
    world_.Trace("the database's clock is off by " + std::to_string(store_clock_.set_by_micros));
    world_.AfterSome(Seconds{10}, Minutes(10), "clock", [this] { store_clock_.set_by_micros = 0; });
  }
  // Two that agree outvote what is right.
  if (world_.Strikes(rates.clocks_jump_alike, "clocks_jump_alike")) {
    const int64_t by = DrawJump(random, kJumpMax.front());
    machine.set_by_micros = store_clock_.set_by_micros = by;
    world_.Trace("the clocks of " + server.name() + " and of the database are off by " +
                 std::to_string(by));
    world_.AfterSome(Seconds{10}, Minutes(10), "clock", [&machine] { machine.set_by_micros = 0; });
    world_.AfterSome(Seconds{10}, Minutes(10), "clock", [this] { store_clock_.set_by_micros = 0; });
  }
}

void Faults::BefallNodes(Site& site) {
  const Rates& rates = world_.rates;
  Machines& machines = site.machines();
  const std::size_t node = world_.random.Below(machines.size());
  const std::string name = site.cluster().id.str() + "'s node " + std::to_string(node + 1);
  if (world_.Strikes(rates.node_dies, "node_dies")) {
    world_.Trace(name + " breaks");
    machines.Break(node);
    world_.AfterSome(Seconds{5}, Minutes(12), "node", [&machines, node] { machines.Mend(node); });
  }
  if (world_.Strikes(rates.node_leaves, "node_leaves")) {
    world_.Trace(name + " leaves");
    machines.TakeAway(node);
    world_.AfterSome(Seconds{5}, Minutes(12), "node",
                     [&machines, node] { machines.BringBack(node); });
  }
}

void Faults::BefallAgent(Site& site) {
  const Rates& rates = world_.rates;
  Seat& agent = site.agent();
  if (world_.Strikes(rates.agent_dies, "agent_dies")) {
    agent.Die();
    world_.AfterSome(Seconds{1}, Minutes(world_.random.Below(4) == 0 ? 12 : 2), "agent starts",
                     [&agent] { agent.Start(); });
  }
  if (world_.Strikes(rates.agent_doubled, "agent_doubled")) {
    // On another machine, which knows nothing or what it knew when it was here last.
    Seat& second = site.second();
    if (!second.alive() && world_.Chance(500)) second.memory().Forget();
    second.Start();
    world_.AfterSome(Seconds{5}, Minutes(4), "second agent", [&second] { second.Leave(); });
  }
  if (world_.Strikes(rates.agent_clock_jumps, "agent_clock_jumps")) {
    LocalClock& clock = agent.clock();
    // Beyond the time that an agent keeps its records, too.
    clock.set_by_micros =
        DrawJump(world_.random, world_.random.Below(2) == 0 ? Hours(26) : Days(60));
    world_.AfterSome(Seconds{10}, Minutes(20), "clock", [&clock] { clock.set_by_micros = 0; });
  }
  if (world_.Strikes(rates.agent_disk_full, "agent_disk_full")) {
    agent.memory().full = true;
    world_.AfterSome(Seconds{5}, Minutes(4), "agent's disk",
                     [&agent] { agent.memory().full = false; });
  }
  if (world_.Strikes(rates.partition, "partition")) {
    world_.Trace(site.cluster().id.str() + " is cut off");
    agent.line().partitioned = true;
    world_.AfterSome(Seconds{5}, Minutes(12), "network",
                     [&agent] { agent.line().partitioned = false; });
  }
}

void Faults::Heal() {
  database_.out = database_.full = false;
  store_clock_.set_by_micros = 0;
  for (const auto& server : servers_) {
    server->machine_clock().set_by_micros = 0;
    server->Start();
  }
  for (const auto& site : sites_) {
    for (std::size_t node = 0; node < site->machines().size(); ++node) {
      site->machines().Mend(node);
      site->machines().BringBack(node);
    }
    site->second().Leave();
    Seat& agent = site->agent();
    agent.memory().full = false;
    agent.line().partitioned = false;
    agent.clock().set_by_micros = 0;
    agent.Start();
  }
}

}  // namespace allot::chaos
