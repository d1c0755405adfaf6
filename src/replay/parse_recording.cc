#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "allot/replay/recording.h"
#include "replay/check_snapshot.h"
#include "replay/fields.h"
#include "replay/json_text.h"

namespace allot::replay {
namespace {

using scheduler::Snapshot;

constexpr int64_t kAny = std::numeric_limits<int64_t>::max();
// Far from where sums of times overflow.
constexpr int64_t kMicrosMax = int64_t{1} << 58;
constexpr int64_t kSecondsMax = Days(100'000).count;
constexpr int kNodesMax = 2'000'000;

Instant ReadInstant(const Fields& fields, const char* name) {
  return Instant{fields.Int(name, -kMicrosMax, kMicrosMax)};
}

std::optional<Instant> ReadOptionalInstant(const Fields& fields, const char* name,
                                           int64_t since = 1) {
  if (!fields.Has(name, since)) return std::nullopt;
  return ReadInstant(fields, name);
}

Seconds ReadSeconds(const Fields& fields, const char* name, int64_t min) {
  return Seconds{fields.Int(name, min, kSecondsMax)};
}

GpuModel ReadModel(const Fields& fields, const char* name) {
  return fields.Named(name, ParseGpuModel, "B200 or H200");
}

GpusByModel ReadByModel(const Fields& fields) {
  GpusByModel gpus{};
  for (const GpuModel model : kGpuModels) {
    const std::string name(Name(model));
    gpus[static_cast<std::size_t>(model)] =
        static_cast<int>(fields.Int(name.c_str(), 0, kNodesMax * kGpusPerNode));
  }
  return gpus;
}

/// Notes the one called `name` unless it is after the other; either may be open.
void DemandLater(const Fields& fields, const char* name, std::optional<Instant> later,
                 const char* than, std::optional<Instant> earlier) {
  if (!later || !earlier || *later > *earlier) return;
  fields.Note(name, std::to_string(later->micros),
              "after " + (than + (" " + std::to_string(earlier->micros))));
}

TimeWindow ReadWindow(const Fields& fields) {
  const Instant start = ReadInstant(fields, "start_us");
  const Instant end = ReadInstant(fields, "end_us");
  const auto window = TimeWindow::Make(start, end);
  DemandLater(fields, "end_us", end, "start_us", start);
  return window.value_or(*TimeWindow::Make(Instant{0}, Instant{1}));
}

Policy ReadPolicy(const Fields& fields) {
  Policy policy;
  policy.version = fields.Text("version");
  policy.usage_half_life = Seconds{fields.Int("usage_half_life_s", 1, kUsageHalfLifeMax.count)};
  policy.starvation_bound = ReadSeconds(fields, "starvation_bound_s", 0);
  policy.gathering_time = ReadSeconds(fields, "gathering_time_s", 0);
  policy.planning_horizon = ReadSeconds(fields, "planning_horizon_s", 1);
  policy.release_time = ReadSeconds(fields, "release_time_s", 0);
  policy.promise_nodes = static_cast<int>(fields.Int("promise_nodes", 1, kNodesMax));
  policy.promise_within = ReadSeconds(fields, "promise_within_s", 0);
  // Before the fifth format nobody was held to what it was told.
  if (fields.Has("planned_slip_max_s", 5)) {
    policy.planned_slip_max = ReadSeconds(fields, "planned_slip_max_s", 0);
  }
  // Before the third format nobody was stopped.
  policy.preemptions_per_pass = 0;
  if (fields.Has("preemptions_per_pass", 3)) {
    policy.preemption_grace = ReadSeconds(fields, "preemption_grace_s", 0);
    policy.preemption_min_run = ReadSeconds(fields, "preemption_min_run_s", 0);
    policy.preemptions_max = static_cast<int>(fields.Int("preemptions_max", 0, kNodesMax));
    policy.preemption_gain = ReadSeconds(fields, "preemption_gain_s", 0);
    policy.preemptions_per_pass =
        static_cast<int>(fields.Int("preemptions_per_pass", 0, kNodesMax));
  }
  // Before the sixth format nobody borrowed, any number of a project's were stopped, and plans were
  // taken as they were first made.
  policy.borrowed_gpus_max = 0;
  policy.preemptions_per_project = kNodesMax;
  policy.improver_rounds = 0;
  if (fields.Has("improver_rounds", 6)) {
    policy.tie_seed = static_cast<int>(fields.Int("tie_seed", 0, kTieSeedMax));
    policy.borrowed_gpus_max = static_cast<int>(fields.Int("borrowed_gpus_max", 0, kGpusMax));
    policy.preemptions_per_project =
        static_cast<int>(fields.Int("preemptions_per_project", 0, kNodesMax));
    policy.improver_rounds = static_cast<int>(fields.Int("improver_rounds", 0, kImproverRoundsMax));
    policy.improver_delay_max = ReadSeconds(fields, "improver_delay_max_s", 0);
  }
  // Before the seventh format nothing was exchanged, and nothing grew.
  if (fields.Has("b200_worth_permille", 7)) {
    policy.growth_min = ReadSeconds(fields, "growth_min_s", 0);
    policy.b200_worth_permille = static_cast<int>(fields.Int("b200_worth_permille", 100, 10'000));
  }
  fields.Each("programmes", [&](const Fields& row) {
    ProgrammeCaps caps{.programme = ProgrammeId(row.Text("id")),
                       .duration_max = ReadSeconds(row, "duration_max_s", 0)};
    caps.gpus_max = row.Object("gpus_max", ReadByModel);
    policy.programmes.push_back(std::move(caps));
  });
  return policy;
}

Shape ReadShape(const Fields& fields) {
  Shape shape;
  shape.nodes = static_cast<int>(fields.Int("nodes", 1, kNodesMax));
  shape.gpus_per_node = static_cast<int>(fields.Int("gpus_per_node", 1, kGpusPerNode));
  shape.remainder_gpus = static_cast<int>(fields.Int("remainder_gpus", 0, shape.gpus_per_node - 1));
  return shape;
}

Request ReadRequest(const Fields& fields) {
  Request request;
  request.shape = ReadShape(fields);
  if (fields.Has("exchanged", 7)) {
    request.exchanged = fields.Object("exchanged", [](const Fields& exchanged) {
      return ExchangedShape{ReadModel(exchanged, "model"), ReadShape(exchanged)};
    });
  }
  for (const std::string& text : fields.Texts("models")) {
    const auto model = ParseGpuModel(text);
    if (!model) fields.Note("models", text, "B200 or H200");
    if (model && std::ranges::find(request.models, *model) != request.models.end()) {
      fields.Note("models", text, "each model once");
    }
    request.models.push_back(model.value_or(GpuModel::kH200));
  }
  if (request.models.empty()) fields.Note("models", "", "at least one model");
  request.duration = ReadSeconds(fields, "duration_s", 1);
  request.earliest_start = ReadOptionalInstant(fields, "earliest_start_us");
  request.deadline = ReadOptionalInstant(fields, "deadline_us");
  request.preemptible = fields.Bool("preemptible");
  request.borrow = fields.Has("borrow", 6) && fields.Bool("borrow");
  if (request.borrow && !request.preemptible)
    fields.Note("borrow", "true", "false, or preemptible");
  if (fields.Has("same_leaf_wait_s", 3)) {
    request.same_leaf_wait = ReadSeconds(fields, "same_leaf_wait_s", 0);
  }
  return request;
}

std::vector<scheduler::PlacedNode> ReadNodes(const Fields& fields, const Snapshot& snapshot) {
  std::vector<scheduler::PlacedNode> nodes;
  fields.Each("nodes", [&](const Fields& row) {
    nodes.push_back({row.Position("node", snapshot.nodes.size()),
                     static_cast<GpuMask>(row.Int("gpus", 1, 255))});
  });
  if (nodes.empty()) fields.Note("nodes", "", "at least one node");
  return nodes;
}

scheduler::SnapshotReservation ReadReservation(const Fields& fields, const Snapshot& snapshot) {
  scheduler::SnapshotReservation reservation{.id = ReservationId(fields.Text("id"))};
  if (fields.Has("project")) {
    reservation.project = fields.Position("project", snapshot.projects.size());
  }
  reservation.nodes = fields.Ints("nodes", 0, static_cast<int64_t>(snapshot.nodes.size()) - 1);
  fields.Each("windows",
              [&](const Fields& row) { reservation.windows.push_back(ReadWindow(row)); });
  if (reservation.nodes.empty()) fields.Note("nodes", "", "at least one node");
  if (reservation.windows.empty()) fields.Note("windows", "", "at least one window");
  return reservation;
}

void ReadRows(const Fields& fields, Snapshot& snapshot) {
  fields.Each("clusters", [&](const Fields& row) {
    scheduler::SnapshotCluster cluster{ClusterId(row.Text("id")), ReadModel(row, "model"), {}};
    for (const std::string& text : row.Texts("programmes")) cluster.programmes.emplace_back(text);
    cluster.join_time = ReadOptionalInstant(row, "join_us", 2);
    cluster.leave_time = ReadOptionalInstant(row, "leave_us", 2);
    DemandLater(row, "leave_us", cluster.leave_time, "join_us", cluster.join_time);
    snapshot.clusters.push_back(std::move(cluster));
  });
  fields.Each("nodes", [&](const Fields& row) {
    snapshot.nodes.push_back(
        {.id = NodeId(row.Text("id")),
         .cluster = row.Position("cluster", snapshot.clusters.size()),
         .schedulable = row.Bool("schedulable"),
         .health = row.Named("health", ParseNodeHealth, "ready, unknown, down or removed"),
         .draining = row.Bool("draining"),
         .leaf = row.Has("leaf", 3) ? row.Text("leaf") : ""});
  });
  fields.Each("projects", [&](const Fields& row) {
    snapshot.projects.push_back(
        {.id = ProjectId(row.Text("id")),
         .programme = ProgrammeId(row.Text("programme")),
         .merit = static_cast<int>(row.Int("merit", 0, kMeritMax)),
         .open = row.Bool("open"),
         .concurrent_gpus = row.Object("concurrent_gpus", ReadByModel),
         .gpu_time_left = GpuSeconds::FromCount(row.Int("gpu_seconds_left", -kAny, kAny)),
         .usage = {row.Int("decayed_usage", 0, kAny), ReadInstant(row, "decayed_as_of_us")},
         .stopped_lately = row.Has("stopped_lately", 6)
                               ? static_cast<int>(row.Int("stopped_lately", 0, kNodesMax))
                               : 0});
  });
  fields.Each("claims", [&](const Fields& row) {
    snapshot.claims.push_back({.allocation = AllocationId(row.Text("allocation")),
                               .project = row.Position("project", snapshot.projects.size()),
                               .node = row.Position("node", snapshot.nodes.size()),
                               .gpus = static_cast<GpuMask>(row.Int("gpus", 1, 255)),
                               .start = ReadInstant(row, "start_us"),
                               .until = ReadInstant(row, "until_us"),
                               .counts_against_quota = row.Bool("counts_against_quota"),
                               .borrowed = row.Has("borrowed", 6) && row.Bool("borrowed")});
    const scheduler::SnapshotClaim& claim = snapshot.claims.back();
    DemandLater(row, "until_us", claim.until, "start_us", claim.start);
  });
  // Recordings of the first format had none.
  if (fields.Has("reservations", 2)) {
    fields.Each("reservations", [&](const Fields& row) {
      snapshot.reservations.push_back(ReadReservation(row, snapshot));
    });
  }
  if (fields.Has("preemptible", 3)) {
    fields.Each("preemptible", [&](const Fields& row) {
      snapshot.preemptible.push_back(
          {.id = AllocationId(row.Text("id")),
           .project = row.Position("project", snapshot.projects.size()),
           .request = row.Object("request", ReadRequest),
           .create_time = ReadInstant(row, "create_us"),
           .start = ReadInstant(row, "start_us"),
           .until = ReadInstant(row, "until_us"),
           .preemptions = static_cast<int>(row.Int("preemptions", 0, kNodesMax)),
           .grows = std::nullopt});
      scheduler::SnapshotPreemptible& running = snapshot.preemptible.back();
      DemandLater(row, "until_us", running.until, "start_us", running.start);
      DemandLater(row, "request.deadline_us", running.request.deadline, "create_us",
                  running.create_time);
      if (row.Has("grows", 7)) running.grows = AllocationId(row.Text("grows"));
      if (!row.Has("growths", 7)) return;
      for (const std::string& id : row.Texts("growths")) running.growths.emplace_back(id);
    });
  }
  fields.Each("pending", [&](const Fields& row) {
    scheduler::SnapshotPending pending{
        .id = AllocationId(row.Text("id")),
        .project = row.Position("project", snapshot.projects.size()),
        .request = row.Object("request", ReadRequest),
        .create_time = ReadInstant(row, "create_us"),
        .requeued = row.Bool("requeued"),
        .told_start = ReadOptionalInstant(row, "told_start_us", 5),
        .overdue = row.Has("overdue", 5) && row.Bool("overdue"),
        .urgent = row.Has("urgent", 5) && row.Bool("urgent"),
        .consolidate = row.Has("consolidate", 6) && row.Bool("consolidate"),
        .after = std::nullopt,
        .grows = std::nullopt,
        .beside = std::nullopt,
        .planned_start = ReadOptionalInstant(row, "planned_start_us"),
        .promise = std::nullopt};
    DemandLater(row, "request.deadline_us", pending.request.deadline, "create_us",
                pending.create_time);
    if (row.Has("after", 4)) pending.after = AllocationId(row.Text("after"));
    if (row.Has("grows", 7)) pending.grows = AllocationId(row.Text("grows"));
    if (row.Has("beside", 7)) pending.beside = row.Position("beside", snapshot.clusters.size());
    if (row.Has("promise")) {
      pending.promise = row.Object("promise", [&](const Fields& promise) {
        return scheduler::SnapshotPromise{ReadWindow(promise), ReadNodes(promise, snapshot)};
      });
    }
    snapshot.pending.push_back(std::move(pending));
  });
}

scheduler::Plan ReadPlan(const Fields& fields, const Snapshot& snapshot) {
  using scheduler::DeferralReason;
  using scheduler::SlipCause;
  const std::size_t waiting = snapshot.pending.size();
  scheduler::Plan plan;
  plan.now = ReadInstant(fields, "now_us");
  plan.revision = fields.Int("revision", 0, kAny);
  if (plan.revision != snapshot.revision) {
    fields.Note("revision", std::to_string(plan.revision),
                "that of the snapshot, " + std::to_string(snapshot.revision));
  }
  fields.Each("placements", [&](const Fields& row) {
    plan.placements.push_back({.pending = row.Position("pending", waiting),
                               .model = ReadModel(row, "model"),
                               .cluster = row.Position("cluster", snapshot.clusters.size()),
                               .window = ReadWindow(row),
                               .nodes = ReadNodes(row, snapshot),
                               .promised = row.Bool("promised"),
                               .reservation = std::nullopt});
    if (row.Has("reservation", 2)) {
      plan.placements.back().reservation =
          row.Position("reservation", snapshot.reservations.size());
    }
  });
  fields.Each("deferrals", [&](const Fields& row) {
    plan.deferrals.push_back(
        {.pending = row.Position("pending", waiting),
         .reason = row.Named("reason", scheduler::ParseDeferralReason, "a reason to wait"),
         .message = row.Text("message")});
  });
  fields.Each("slips", [&](const Fields& row) {
    plan.slips.push_back({.pending = row.Position("pending", waiting),
                          .promised = ReadInstant(row, "promised_us"),
                          .cause = row.Named("cause", scheduler::ParseSlipCause, "a cause")});
  });
  if (fields.Has("preemptions", 3)) {
    fields.Each("preemptions", [&](const Fields& row) {
      const Instant stop = ReadInstant(row, "stop_us");
      plan.preemptions.push_back(
          {.preemptible = row.Position("preemptible", snapshot.preemptible.size()),
           .pending = row.Position("pending", waiting),
           .stop = stop,
           // Not told before the sixth format.
           .restart = ReadOptionalInstant(row, "restart_us", 6).value_or(stop)});
    });
  }
  if (fields.Has("overdue", 5)) {
    plan.overdue = fields.Ints("overdue", 0, static_cast<int64_t>(waiting) - 1);
  }
  plan.order = fields.Ints("order", 0, static_cast<int64_t>(waiting) - 1);
  return plan;
}

Snapshot ReadSnapshot(const Fields& fields) {
  Snapshot snapshot;
  snapshot.now = ReadInstant(fields, "now_us");
  snapshot.revision = fields.Int("revision", 0, kAny);
  ReadRows(fields, snapshot);
  return snapshot;
}

}  // namespace

Result<Recording> ParseRecording(std::string_view text) {
  ALLOT_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(text));
  if (!json.is_object()) {
    return StateError(Reason::kConfigInvalid,
                      "JSON, but no object; a recording is what 'allot record' writes");
  }
  Reading reading;
  const Fields fields(json, "", reading);
  const int64_t version = fields.Int("allot_recording", 1, kAny);
  if (version > kRecordingVersion) {
    return FieldError(
        Reason::kConfigInvalid, "allot_recording", std::to_string(version),
        std::to_string(kRecordingVersion) +
            " at most: a newer release wrote it, and only that or a newer one reads it");
  }
  reading.format = version;
  std::string hash;
  Recording recording;
  recording.policy = fields.Object("policy", ReadPolicy);
  recording.snapshot = fields.Object("snapshot", ReadSnapshot);
  recording.plan = fields.Object("plan", [&](const Fields& plan) {
    hash = plan.Text("hash");
    return ReadPlan(plan, recording.snapshot);
  });
  fields.RefuseOthers();
  if (reading.error) return *reading.error;

  ALLOT_RETURN_IF_ERROR(CheckSnapshot(recording.snapshot));
  const std::string is = FormatHash(scheduler::Hash(recording.snapshot, recording.plan));
  if (is != hash) return FieldError(Reason::kConfigInvalid, "plan.hash", hash, is);
  return recording;
}

}  // namespace allot::replay
