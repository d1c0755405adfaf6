#include <map>
#include <sstream>

#include "allot/base/text.h"
#include "cli/resource.h"
#include "cli/resource_name.h"
#include "cli/text.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

std::string SmallWord(const std::string& name, std::string_view prefix) {
  std::string word = name.starts_with(prefix) ? name.substr(prefix.size()) : name;
  for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return word;
}

struct Sum {
  int clusters = 0;
  int nodes = 0;
  int nodes_ready = 0;
  int nodes_draining = 0;
  int nodes_unknown = 0;
  int nodes_down = 0;
  int gpus = 0;
  int gpus_online = 0;
  int gpus_held = 0;
  int gpus_in_use = 0;
  int gpus_free = 0;

  void Add(const v1::ClusterCapacity& c) {
    ++clusters;
    nodes += c.nodes();
    nodes_ready += c.nodes_ready();
    nodes_draining += c.nodes_draining();
    nodes_unknown += c.nodes_unknown();
    nodes_down += c.nodes_down();
    gpus += c.gpus();
    gpus_online += c.gpus_online();
    gpus_held += c.gpus_held();
    gpus_in_use += c.gpus_in_use();
    gpus_free += c.gpus_free();
  }
};

std::string Share(int part, int whole) {
  if (whole == 0) return "";
  const int64_t permille = (int64_t{part} * 1'000 + whole / 2) / whole;
  return std::to_string(permille / 10) + "." + std::to_string(permille % 10) + " %";
}

std::vector<Cell> Row(const std::string& what, const std::string& model, const Sum& sum) {
  return {what,
          model,
          FormatCount(sum.nodes),
          FormatCount(sum.nodes_ready),
          FormatCount(sum.nodes_draining),
          FormatCount(sum.nodes_unknown),
          {FormatCount(sum.nodes_down), sum.nodes_down > 0 ? Paint::kBad : Paint::kPlain},
          FormatCount(sum.gpus),
          FormatCount(sum.gpus_online),
          FormatCount(sum.gpus_held),
          FormatCount(sum.gpus_in_use),
          FormatCount(sum.gpus_free),
          Share(sum.gpus_in_use, sum.gpus_online)};
}

}  // namespace

Table ProviderTable(const Repeated<v1::Provider>& providers) {
  Table table({{"PROVIDER"}, {"DISPLAY NAME"}});
  for (const v1::Provider& p : providers) table.Add({ShortName(p.name()), p.display_name()});
  return table;
}

Table ClusterTable(const Repeated<v1::Cluster>& clusters, Instant now) {
  Table table({{"CLUSTER"},
               {"PROVIDER"},
               {"MODEL"},
               {"PROGRAMMES"},
               {"LAST HEARTBEAT"},
               {"JOINS"},
               {"LEAVES"},
               {"DISPLAY NAME"},
               {"SESSION", Align::kRight, true},
               {"GENERATION", Align::kRight, true}});
  for (const v1::Cluster& c : clusters) {
    table.Add(
        {LastPart(c.name()), ShortName(ParentOf(c.name())), Word(c.gpu_model()),
         Join({c.programmes().begin(), c.programmes().end()}, ","),
         c.has_last_heartbeat_time() ? Moment(InstantOf(c.last_heartbeat_time()), now) : "never",
         c.has_join_time() ? Moment(InstantOf(c.join_time()), now) : "",
         c.has_leave_time() ? Moment(InstantOf(c.leave_time()), now) : "", c.display_name(),
         std::to_string(c.agent_session()), std::to_string(c.inventory_generation())});
  }
  return table;
}

Table NodeTable(const Repeated<v1::Node>& nodes) {
  Table table({{"NODE"}, {"HEALTH"}, {"DRAINING"}, {"LEAF", Align::kLeft, true}, {"WHY"}});
  for (const v1::Node& n : nodes) {
    const std::string health = Word(n.health());
    std::vector<std::string> why;
    for (const std::string& reason : {n.reason(), n.drain_reason()}) {
      if (!reason.empty()) why.push_back(reason);
    }
    table.Add({ShortName(n.name()),
               {health, PaintOf(health)},
               n.draining() ? Cell("draining", Paint::kWaiting) : Cell("no"),
               n.leaf(),
               Join(why, "; ")});
  }
  return table;
}

Table OrderTable(const Repeated<v1::Order>& orders, Instant now) {
  Table table({{"ORDER"},
               {"KIND"},
               {"STATE"},
               {"ALLOCATION"},
               {"ATTEMPT", Align::kRight, true},
               {"NODES", Align::kRight},
               {"WRITTEN"},
               {"ACKNOWLEDGED"},
               {"EPOCH", Align::kRight, true},
               {"MESSAGE"}});
  for (const v1::Order& o : orders) {
    const std::string state = SmallWord(v1::Order::State_Name(o.state()), "STATE_");
    table.Add({ShortName(o.name()), SmallWord(v1::Order::Kind_Name(o.kind()), "KIND_"),
               Cell(state, PaintOf(state)), ShortName(o.allocation()), std::to_string(o.attempt()),
               FormatCount(o.nodes_size()), Moment(InstantOf(o.create_time()), now),
               o.has_acknowledge_time() ? Moment(InstantOf(o.acknowledge_time()), now) : "",
               std::to_string(o.epoch()), o.message()});
  }
  return table;
}

std::string CapacityText(const v1::GetCapacityResponse& capacity, Instant now, bool wide,
                         bool colours) {
  Table table({{"POOL"},
               {"MODEL"},
               {"NODES", Align::kRight},
               {"READY", Align::kRight},
               {"DRAINING", Align::kRight, true},
               {"UNKNOWN", Align::kRight, true},
               {"DOWN", Align::kRight},
               {"GPUS", Align::kRight},
               {"ONLINE", Align::kRight},
               {"HELD", Align::kRight},
               {"IN USE", Align::kRight},
               {"FREE", Align::kRight},
               {"USED", Align::kRight}});
  std::map<std::string, std::pair<std::string, Sum>> providers;
  std::map<std::string, Sum> models;
  Sum all;
  for (const v1::ClusterCapacity& c : capacity.clusters()) {
    Sum one;
    one.Add(c);
    table.Add(Row(LastPart(c.cluster()), Word(c.gpu_model()), one));
    auto& [provider_models, provider] = providers[ShortName(ParentOf(c.cluster()))];
    const std::string model = Word(c.gpu_model());
    if (provider_models.find(model) == std::string::npos) {
      provider_models += (provider_models.empty() ? "" : ",") + model;
    }
    provider.Add(c);
    models[model].Add(c);
    all.Add(c);
  }
  for (const auto& [provider, sum] : providers) {
    table.Add(Row("provider " + provider, sum.first, sum.second));
  }
  for (const auto& [model, sum] : models) table.Add(Row("all of " + model, model, sum));
  table.Add(Row("the whole pool", "", all));

  std::ostringstream text;
  table.Print(text, wide, colours);
  text << "\nProjects served " << FormatCount(capacity.projects_served()) << ", waiting "
       << FormatCount(capacity.projects_waiting()) << "; allocations active "
       << FormatCount(capacity.allocations_active()) << ", waiting "
       << FormatCount(capacity.allocations_waiting()) << "; utilisation "
       << capacity.utilisation_permille() / 10 << "." << capacity.utilisation_permille() % 10
       << " % of the GPUs online\n";
  if (capacity.next_starts_size() > 0) {
    Table starts({{"NEXT PLANNED START"}, {"GPUS", Align::kRight}, {"CLUSTER"}, {"ALLOCATION"}});
    for (const v1::PlannedStart& s : capacity.next_starts()) {
      starts.Add({Moment(InstantOf(s.start_time()), now), FormatCount(s.gpus()),
                  LastPart(s.cluster()), ShortName(s.allocation())});
    }
    text << "\n";
    starts.Print(text, wide, colours);
  }
  return text.str();
}

Table TimelineTable(const v1::GetCapacityResponse& capacity, Instant now) {
  std::vector<Column> columns = {{"FREE GPUS FROM"}};
  for (const v1::ClusterCapacity& c : capacity.clusters()) {
    columns.push_back({LastPart(c.cluster()), Align::kRight});
  }
  columns.push_back({"ALL", Align::kRight});
  Table table(std::move(columns));
  for (const v1::CapacityPoint& point : capacity.timeline()) {
    std::vector<Cell> row = {Moment(InstantOf(point.time()), now)};
    int all = 0;
    for (int i = 0; i < capacity.clusters_size(); ++i) {
      const int free = i < point.gpus_free_size() ? point.gpus_free(i) : 0;
      all += free;
      row.emplace_back(FormatCount(free));
    }
    row.emplace_back(FormatCount(all));
    table.Add(std::move(row));
  }
  return table;
}

}  // namespace allot::cli
