#include "cli/summary.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/listing.h"
#include "cli/resource.h"
#include "cli/resource_name.h"

namespace allot::cli {
namespace {

constexpr std::size_t kNextStartsMax = 5;

Outcome<std::map<std::string, std::string>> DisplayNamesOfProviders(Client& client) {
  const auto listed = ListAll(client, &Pool::ListProviders, v1::ListProvidersRequest(),
                              [](const auto& page) { return page.providers_size(); });
  if (!listed.ok()) return listed.failure();
  std::map<std::string, std::string> names;
  for (const v1::Provider& provider : listed->providers()) {
    const std::string name = LastPart(provider.name());
    names.emplace(name, provider.display_name().empty() ? name : provider.display_name());
  }
  return names;
}

/// By provider and model, and all together.
void CountGpus(const v1::GetCapacityResponse& capacity,
               const std::map<std::string, std::string>& display_names, Summary& summary) {
  std::map<std::pair<std::string, std::string>, PoolShare> shares;
  for (const v1::ClusterCapacity& cluster : capacity.clusters()) {
    const std::string provider = LastPart(ParentOf(cluster.cluster()));
    PoolShare& share = shares[{provider, Word(cluster.gpu_model())}];
    share.provider = provider;
    const auto display_name = display_names.find(provider);
    share.provider_display_name =
        display_name == display_names.end() ? provider : display_name->second;
    share.model = Word(cluster.gpu_model());
    for (PoolShare* counted : {&share, &summary.total}) {
      counted->clusters += 1;
      counted->nodes += cluster.nodes();
      counted->gpus += cluster.gpus();
      counted->gpus_online += cluster.gpus_online();
      counted->gpus_in_use += cluster.gpus_in_use();
    }
  }
  for (auto& [key, share] : shares) summary.shares.push_back(std::move(share));
}

/// What people call it; its name when it cannot be had.
std::string DisplayNameOfProject(Client& client, const std::string& allocation) {
  const std::string project = ParentOf(allocation);
  v1::GetProjectRequest request;
  request.set_name(project);
  const auto found = client.Call(&Projects::GetProject, request);
  return found.ok() && !found->display_name().empty() ? found->display_name() : ShortName(project);
}

Outcome<std::vector<NextStart>> NextStarts(Client& client,
                                           const v1::GetCapacityResponse& capacity) {
  std::vector<NextStart> starts;
  for (const v1::PlannedStart& planned : capacity.next_starts()) {
    if (starts.size() == kNextStartsMax) break;
    NextStart start{.allocation = ShortName(planned.allocation()),
                    .project_display_name = {},
                    .cluster = LastPart(planned.cluster()),
                    .gpus = planned.gpus(),
                    .start = InstantOf(planned.start_time())};
    if (!planned.allocation().empty()) {
      start.project_display_name = DisplayNameOfProject(client, planned.allocation());
    }
    starts.push_back(std::move(start));
  }
  return starts;
}

/// The one whose turn comes next is the one people ask about.
Outcome<std::string> SomebodyWaiting(Client& client, const v1::GetCapacityResponse& capacity) {
  for (const v1::PlannedStart& planned : capacity.next_starts()) {
    if (!planned.allocation().empty()) return planned.allocation();
  }
  v1::ListAllocationsRequest request;
  request.set_parent(kEveryProject);
  request.set_page_size(1);
  request.add_states(v1::Allocation::STATE_PENDING);
  request.add_states(v1::Allocation::STATE_PLANNED);
  auto listed = client.Call(&Allocations::ListAllocations, request);
  if (!listed.ok()) return listed.failure();
  return listed->allocations().empty() ? std::string() : listed->allocations(0).name();
}

Outcome<std::optional<Waiting>> ExplainOne(Client& client,
                                           const v1::GetCapacityResponse& capacity) {
  const auto allocation = SomebodyWaiting(client, capacity);
  if (!allocation.ok()) return allocation.failure();
  if (allocation->empty()) return std::optional<Waiting>();
  v1::ExplainAllocationRequest request;
  request.set_name(*allocation);
  const auto explained = client.Call(&Allocations::ExplainAllocation, request);
  if (!explained.ok()) return explained.failure();
  Waiting waiting{.allocation = ShortName(*allocation),
                  .project_display_name = DisplayNameOfProject(client, *allocation),
                  .gpus = GpusOf(explained->allocation().request()),
                  .rank = explained->rank(),
                  .rank_of = explained->rank_of(),
                  .planned_start = std::nullopt,
                  .reason = explained->reason(),
                  .message = explained->message()};
  if (explained->has_planned_start_time()) {
    waiting.planned_start = InstantOf(explained->planned_start_time());
  }
  return std::optional<Waiting>(std::move(waiting));
}

nlohmann::ordered_json JsonOfShare(const PoolShare& share) {
  return {{"provider", share.provider},
          {"model", share.model},
          {"clusters", share.clusters},
          {"nodes", share.nodes},
          {"gpus", share.gpus},
          {"gpus_online", share.gpus_online},
          {"gpus_in_use", share.gpus_in_use}};
}

}  // namespace

Outcome<Summary> Summarise(Client& client) {
  const auto capacity = client.Call(&Pool::GetCapacity, v1::GetCapacityRequest());
  if (!capacity.ok()) return capacity.failure();
  Summary summary{.time = InstantOf(capacity->time())};
  const auto providers = DisplayNamesOfProviders(client);
  if (!providers.ok()) return providers.failure();
  CountGpus(*capacity, *providers, summary);
  summary.projects_served = capacity->projects_served();
  summary.projects_waiting = capacity->projects_waiting();
  summary.allocations_active = capacity->allocations_active();
  summary.allocations_waiting = capacity->allocations_waiting();
  summary.utilisation_permille = capacity->utilisation_permille();
  auto starts = NextStarts(client, *capacity);
  if (!starts.ok()) return starts.failure();
  summary.next_starts = std::move(*starts);
  auto waiting = ExplainOne(client, *capacity);
  if (!waiting.ok()) return waiting.failure();
  summary.waiting = std::move(*waiting);
  return summary;
}

std::string JsonOf(const Summary& summary) {
  nlohmann::ordered_json json{{"time", FormatRfc3339(summary.time)},
                              {"nodes", summary.total.nodes},
                              {"gpus", summary.total.gpus},
                              {"gpus_online", summary.total.gpus_online},
                              {"gpus_in_use", summary.total.gpus_in_use},
                              {"utilisation", summary.utilisation_permille / 1000.0},
                              {"projects_served", summary.projects_served},
                              {"projects_waiting", summary.projects_waiting},
                              {"allocations_active", summary.allocations_active},
                              {"allocations_waiting", summary.allocations_waiting}};
  json["pool"] = nlohmann::ordered_json::array();
  for (const PoolShare& share : summary.shares) json["pool"].push_back(JsonOfShare(share));
  json["next_starts"] = nlohmann::ordered_json::array();
  for (const NextStart& start : summary.next_starts) {
    json["next_starts"].push_back({{"allocation", start.allocation},
                                   {"project", start.project_display_name},
                                   {"cluster", start.cluster},
                                   {"gpus", start.gpus},
                                   {"start_time", FormatRfc3339(start.start)}});
  }
  json["why_waiting"] = nullptr;
  if (const auto& waiting = summary.waiting) {
    json["why_waiting"] = {{"allocation", waiting->allocation},
                           {"project", waiting->project_display_name},
                           {"gpus", waiting->gpus},
                           {"rank", waiting->rank},
                           {"rank_of", waiting->rank_of},
                           {"reason", waiting->reason},
                           {"message", waiting->message}};
    if (waiting->planned_start) {
      json["why_waiting"]["planned_start_time"] = FormatRfc3339(*waiting->planned_start);
    }
  }
  return json.dump() + "\n";
}

}  // namespace allot::cli
