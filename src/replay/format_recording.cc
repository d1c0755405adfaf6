#include <nlohmann/json.hpp>

#include "allot/replay/recording.h"

namespace allot::replay {
namespace {

using Json = nlohmann::ordered_json;

template <class Id>
Json Names(const std::vector<Id>& ids) {
  Json names = Json::array();
  for (const Id& id : ids) names.push_back(id.str());
  return names;
}

Json Models(const std::vector<GpuModel>& models) {
  Json names = Json::array();
  for (const GpuModel model : models) names.push_back(Name(model));
  return names;
}

template <class Numbers>
Json ByModel(const Numbers& numbers) {
  Json by_model;
  for (const GpuModel model : kGpuModels) {
    by_model[std::string(Name(model))] = numbers[static_cast<std::size_t>(model)];
  }
  return by_model;
}

Json Format(const Policy& policy) {
  Json json;
  json["version"] = policy.version;
  json["usage_half_life_s"] = policy.usage_half_life.count;
  json["starvation_bound_s"] = policy.starvation_bound.count;
  json["gathering_time_s"] = policy.gathering_time.count;
  json["planning_horizon_s"] = policy.planning_horizon.count;
  json["release_time_s"] = policy.release_time.count;
  json["promise_nodes"] = policy.promise_nodes;
  json["promise_within_s"] = policy.promise_within.count;
  json["planned_slip_max_s"] = policy.planned_slip_max.count;
  json["preemption_grace_s"] = policy.preemption_grace.count;
  json["preemption_min_run_s"] = policy.preemption_min_run.count;
  json["preemptions_max"] = policy.preemptions_max;
  json["preemption_gain_s"] = policy.preemption_gain.count;
  json["preemptions_per_pass"] = policy.preemptions_per_pass;
  json["tie_seed"] = policy.tie_seed;
  json["borrowed_gpus_max"] = policy.borrowed_gpus_max;
  json["growth_min_s"] = policy.growth_min.count;
  json["b200_worth_permille"] = policy.b200_worth_permille;
  json["preemptions_per_project"] = policy.preemptions_per_project;
  json["improver_rounds"] = policy.improver_rounds;
  json["improver_delay_max_s"] = policy.improver_delay_max.count;
  json["programmes"] = Json::array();
  for (const ProgrammeCaps& caps : policy.programmes) {
    json["programmes"].push_back({{"id", caps.programme.str()},
                                  {"gpus_max", ByModel(caps.gpus_max)},
                                  {"duration_max_s", caps.duration_max.count}});
  }
  return json;
}

Json Format(const Request& request) {
  Json json;
  json["nodes"] = request.shape.nodes;
  json["gpus_per_node"] = request.shape.gpus_per_node;
  json["remainder_gpus"] = request.shape.remainder_gpus;
  if (request.exchanged) {
    json["exchanged"] = {{"model", Name(request.exchanged->model)},
                         {"nodes", request.exchanged->shape.nodes},
                         {"gpus_per_node", request.exchanged->shape.gpus_per_node},
                         {"remainder_gpus", request.exchanged->shape.remainder_gpus}};
  }
  json["models"] = Models(request.models);
  json["duration_s"] = request.duration.count;
  if (request.earliest_start) json["earliest_start_us"] = request.earliest_start->micros;
  if (request.deadline) json["deadline_us"] = request.deadline->micros;
  json["preemptible"] = request.preemptible;
  if (request.borrow) json["borrow"] = true;
  if (request.same_leaf_wait.count > 0) json["same_leaf_wait_s"] = request.same_leaf_wait.count;
  return json;
}

Json Format(const TimeWindow& window) {
  return {{"start_us", window.start().micros}, {"end_us", window.end().micros}};
}

Json Format(const std::vector<scheduler::PlacedNode>& nodes) {
  Json json = Json::array();
  for (const auto& placed : nodes) json.push_back({{"node", placed.node}, {"gpus", placed.gpus}});
  return json;
}

Json Format(const scheduler::SnapshotPending& row) {
  Json json = {{"id", row.id.str()},
               {"project", row.project},
               {"request", Format(row.request)},
               {"create_us", row.create_time.micros},
               {"requeued", row.requeued}};
  if (row.told_start) json["told_start_us"] = row.told_start->micros;
  if (row.overdue) json["overdue"] = true;
  if (row.urgent) json["urgent"] = true;
  if (row.consolidate) json["consolidate"] = true;
  if (row.after) json["after"] = row.after->str();
  if (row.grows) json["grows"] = row.grows->str();
  if (row.beside) json["beside"] = *row.beside;
  if (row.planned_start) json["planned_start_us"] = row.planned_start->micros;
  if (row.promise) {
    json["promise"] = Format(row.promise->window);
    json["promise"]["nodes"] = Format(row.promise->nodes);
  }
  return json;
}

Json Format(const scheduler::Snapshot& snapshot) {
  Json json;
  json["now_us"] = snapshot.now.micros;
  json["revision"] = snapshot.revision;
  for (const char* rows :
       {"clusters", "nodes", "projects", "claims", "reservations", "preemptible", "pending"}) {
    json[rows] = Json::array();
  }
  for (const auto& cluster : snapshot.clusters) {
    json["clusters"].push_back({{"id", cluster.id.str()},
                                {"model", Name(cluster.model)},
                                {"programmes", Names(cluster.programmes)}});
    Json& row = json["clusters"].back();
    if (cluster.join_time) row["join_us"] = cluster.join_time->micros;
    if (cluster.leave_time) row["leave_us"] = cluster.leave_time->micros;
  }
  for (const auto& node : snapshot.nodes) {
    json["nodes"].push_back({{"id", node.id.str()},
                             {"cluster", node.cluster},
                             {"schedulable", node.schedulable},
                             {"health", Name(node.health)},
                             {"draining", node.draining}});
    if (!node.leaf.empty()) json["nodes"].back()["leaf"] = node.leaf;
  }
  for (const auto& project : snapshot.projects) {
    json["projects"].push_back({{"id", project.id.str()},
                                {"programme", project.programme.str()},
                                {"merit", project.merit},
                                {"open", project.open},
                                {"concurrent_gpus", ByModel(project.concurrent_gpus)},
                                {"gpu_seconds_left", project.gpu_time_left.count()},
                                {"decayed_usage", project.usage.value},
                                {"decayed_as_of_us", project.usage.as_of.micros},
                                {"stopped_lately", project.stopped_lately}});
  }
  for (const auto& claim : snapshot.claims) {
    json["claims"].push_back({{"allocation", claim.allocation.str()},
                              {"project", claim.project},
                              {"node", claim.node},
                              {"gpus", claim.gpus},
                              {"start_us", claim.start.micros},
                              {"until_us", claim.until.micros},
                              {"counts_against_quota", claim.counts_against_quota}});
    if (claim.borrowed) json["claims"].back()["borrowed"] = true;
  }
  for (const auto& reservation : snapshot.reservations) {
    Json row = {{"id", reservation.id.str()}};
    if (reservation.project) row["project"] = *reservation.project;
    row["nodes"] = reservation.nodes;
    row["windows"] = Json::array();
    for (const TimeWindow& window : reservation.windows) row["windows"].push_back(Format(window));
    json["reservations"].push_back(std::move(row));
  }
  for (const auto& running : snapshot.preemptible) {
    json["preemptible"].push_back({{"id", running.id.str()},
                                   {"project", running.project},
                                   {"request", Format(running.request)},
                                   {"create_us", running.create_time.micros},
                                   {"start_us", running.start.micros},
                                   {"until_us", running.until.micros},
                                   {"preemptions", running.preemptions}});
    Json& row = json["preemptible"].back();
    if (running.grows) row["grows"] = running.grows->str();
    if (!running.growths.empty()) row["growths"] = Names(running.growths);
  }
  for (const auto& row : snapshot.pending) json["pending"].push_back(Format(row));
  return json;
}

Json Format(const scheduler::Snapshot& snapshot, const scheduler::Plan& plan) {
  Json json;
  json["hash"] = FormatHash(scheduler::Hash(snapshot, plan));
  json["now_us"] = plan.now.micros;
  json["revision"] = plan.revision;
  for (const char* rows : {"placements", "deferrals", "slips", "preemptions"})
    json[rows] = Json::array();
  for (const auto& placement : plan.placements) {
    Json row = {{"pending", placement.pending},
                {"model", Name(placement.model)},
                {"cluster", placement.cluster},
                {"promised", placement.promised}};
    row.update(Format(placement.window));
    row["nodes"] = Format(placement.nodes);
    if (placement.reservation) row["reservation"] = *placement.reservation;
    json["placements"].push_back(std::move(row));
  }
  for (const auto& deferral : plan.deferrals) {
    json["deferrals"].push_back({{"pending", deferral.pending},
                                 {"reason", Name(deferral.reason)},
                                 {"message", deferral.message}});
  }
  for (const auto& slip : plan.slips) {
    json["slips"].push_back({{"pending", slip.pending},
                             {"promised_us", slip.promised.micros},
                             {"cause", Name(slip.cause)}});
  }
  if (!plan.overdue.empty()) json["overdue"] = plan.overdue;
  for (const auto& preemption : plan.preemptions) {
    json["preemptions"].push_back({{"preemptible", preemption.preemptible},
                                   {"pending", preemption.pending},
                                   {"stop_us", preemption.stop.micros},
                                   {"restart_us", preemption.restart.micros}});
  }
  json["order"] = plan.order;
  return json;
}

}  // namespace

std::string FormatHash(uint64_t value) {
  std::string text(16, '0');
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, value >>= 4) {
    *digit = "0123456789abcdef"[value & 0xf];
  }
  return text;
}

std::string FormatRecording(const scheduler::Snapshot& snapshot, const Policy& policy,
                            const scheduler::Plan& plan) {
  Json json;
  json["allot_recording"] = kRecordingVersion;
  json["policy"] = Format(policy);
  json["snapshot"] = Format(snapshot);
  json["plan"] = Format(snapshot, plan);
  return json.dump() + "\n";
}

}  // namespace allot::replay
