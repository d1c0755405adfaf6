#include "store/postgres/rows.h"

#include <charconv>

namespace allot::store {
namespace {

// Braced initialisers below are evaluated in the order they are written, which is the order of the
// columns: so a member that comes later in its struct is read into a variable first.

TimeWindow WindowOf(Instant start, Instant end) {
  const std::optional<TimeWindow> window = TimeWindow::Make(start, end);
  if (!window) throw UnexpectedRow("an empty window");
  return *window;
}

TimeWindow ReadWindow(RowReader& row) {
  const Instant start = row.Time();
  return WindowOf(start, row.Time());
}

Request ReadRequest(RowReader& row) {
  Request request;
  request.shape = {.nodes = row.Int(), .gpus_per_node = row.Int(), .remainder_gpus = row.Int()};
  for (const std::string& name : SplitList(row.Text())) {
    const std::optional<GpuModel> model = ParseGpuModel(name);
    if (!model) throw UnexpectedRow("unknown GPU model '" + name + "'");
    request.models.push_back(*model);
  }
  request.duration = Seconds{row.Int64()};
  request.earliest_start = row.OptionalTime();
  request.deadline = row.OptionalTime();
  request.preemptible = row.Bool();
  request.borrow = row.Bool();
  request.same_leaf_wait = Seconds{row.Int64()};
  if (const std::string model = row.Text(); !model.empty()) {
    const std::optional<GpuModel> exchanged = ParseGpuModel(model);
    if (!exchanged) throw UnexpectedRow("unknown GPU model '" + model + "'");
    request.exchanged = ExchangedShape{.model = *exchanged};
  }
  const Shape shape{.nodes = row.Int(), .gpus_per_node = row.Int(), .remainder_gpus = row.Int()};
  if (request.exchanged) request.exchanged->shape = shape;
  if (const int gpus_max = row.Int(); gpus_max > 0) request.gpus_max = gpus_max;
  return request;
}

}  // namespace

Provider ReadProvider(RowReader& row) {
  return {.id = row.AsId<ProviderId>(), .display_name = row.Text(), .version = row.Int64()};
}

Cluster ReadCluster(RowReader& row) {
  Cluster cluster{.id = row.AsId<ClusterId>(),
                  .provider = row.AsId<ProviderId>(),
                  .display_name = row.Text(),
                  .model = row.Named(ParseGpuModel)};
  for (std::string& programme : SplitList(row.Text())) {
    cluster.programmes.emplace_back(std::move(programme));
  }
  cluster.agent_session = row.Int64();
  cluster.inventory_generation = row.Int64();
  cluster.last_heartbeat = row.OptionalTime();
  cluster.newest_report = {.session = row.Int64(), .number = row.Int64()};
  cluster.draining = row.Bool();
  cluster.drain_reason = row.Text();
  cluster.join_time = row.OptionalTime();
  cluster.leave_time = row.OptionalTime();
  cluster.version = row.Int64();
  return cluster;
}

Node ReadNode(RowReader& row) {
  return {.id = row.AsId<NodeId>(),
          .cluster = row.AsId<ClusterId>(),
          .health = row.Named(ParseNodeHealth),
          .draining = row.Bool(),
          .drain_reason = row.Text(),
          .reason = row.Text(),
          .leaf = row.Text(),
          .version = row.Int64()};
}

Reservation ReadReservation(RowReader& row) {
  Reservation reservation{.id = row.AsId<ReservationId>(),
                          .cluster = row.AsId<ClusterId>(),
                          .project = row.AsId<ProjectId>(),
                          .display_name = row.Text()};
  for (std::string& node : SplitList(row.Text())) reservation.nodes.emplace_back(std::move(node));
  reservation.window = ReadWindow(row);
  reservation.repeat_every = Seconds{row.Int64()};
  reservation.occurrences = row.Int();
  reservation.create_time = row.Time();
  reservation.cancel_time = row.OptionalTime();
  reservation.version = row.Int64();
  return reservation;
}

Institute ReadInstitute(RowReader& row) {
  return {.id = row.AsId<InstituteId>(),
          .display_name = row.Text(),
          .sector = row.Named(ParseSector),
          .version = row.Int64()};
}

Project ReadProject(RowReader& row) {
  return {.id = row.AsId<ProjectId>(),
          .institute = row.AsId<InstituteId>(),
          .programme = row.AsId<ProgrammeId>(),
          .display_name = row.Text(),
          .sector = row.Named(ParseSector),
          .merit = row.Int(),
          .open = row.Bool(),
          .create_time = row.Time(),
          .version = row.Int64()};
}

Quota ReadQuota(RowReader& row) {
  return {.project = row.AsId<ProjectId>(),
          .concurrent_gpus = {row.Int(), row.Int()},
          .gpu_time = GpuSeconds::FromCount(row.Int64()),
          .version = row.Int64()};
}

ProjectUsage ReadProjectUsage(RowReader& row) {
  return {.project = row.AsId<ProjectId>(),
          .used = GpuSeconds::FromCount(row.Int64()),
          .decayed = {.value = row.Int64(), .as_of = row.Time()}};
}

Allocation ReadAllocation(RowReader& row) {
  Allocation allocation{.id = row.AsId<AllocationId>(),
                        .project = row.AsId<ProjectId>(),
                        .display_name = row.Text(),
                        .request = ReadRequest(row),
                        .state = row.Named(ParseAllocationState),
                        .attempt = row.Int(),
                        .failures = row.Int(),
                        .create_time = row.Time(),
                        .update_time = row.Time()};
  const std::optional<Instant> start = row.OptionalTime();
  const std::optional<Instant> end = row.OptionalTime();
  if (start && end) allocation.window = WindowOf(*start, *end);
  allocation.cluster = row.AsId<ClusterId>();
  allocation.promised = row.Bool();
  allocation.active_time = row.OptionalTime();
  allocation.end_time = row.OptionalTime();
  allocation.reason = row.Text();
  allocation.message = row.Text();
  allocation.setback = row.Text();
  allocation.cancel_requested = row.Bool();
  allocation.version = row.Int64();
  allocation.preempt_requested = row.Bool();
  allocation.preemptions = row.Int();
  if (const auto remaining = row.OptionalInt64()) allocation.remaining = Seconds{*remaining};
  allocation.preempt_time = row.OptionalTime();
  if (!row.SkipNull()) allocation.after = row.AsId<AllocationId>();
  allocation.ready_time = row.OptionalTime();
  allocation.told_start = row.OptionalTime();
  allocation.overdue_under = row.Text();
  allocation.urgent = row.Bool();
  allocation.urgent_reason = row.Text();
  allocation.consolidate = row.Bool();
  allocation.consolidate_reason = row.Text();
  allocation.moved = row.Bool();
  if (!row.SkipNull()) allocation.grows = row.AsId<AllocationId>();
  return allocation;
}

StartEstimate ReadEstimate(RowReader& row) {
  return {.told_time = row.Time(), .planned_start = row.OptionalTime()};
}

Claim ReadClaim(RowReader& row) {
  return {.allocation = row.AsId<AllocationId>(),
          .attempt = row.Int(),
          .node = row.AsId<NodeId>(),
          .gpus = static_cast<GpuMask>(row.Int()),
          .window = ReadWindow(row),
          .released_at = row.OptionalTime()};
}

Order ReadOrder(RowReader& row) {
  Order order{.id = row.AsId<OrderId>(),
              .cluster = row.AsId<ClusterId>(),
              .allocation = row.AsId<AllocationId>(),
              .attempt = row.Int(),
              .kind = row.Named(ParseOrderKind),
              .state = row.Named(ParseOrderState)};
  const std::vector<std::string> nodes = SplitList(row.Text());
  const std::vector<std::string> masks = SplitList(row.Text());
  if (nodes.size() != masks.size()) throw UnexpectedRow("an order with nodes but no GPUs");
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const char* const end = masks[i].data() + masks[i].size();
    GpuMask gpus = 0;
    const auto [rest, problem] = std::from_chars(masks[i].data(), end, gpus);
    if (problem != std::errc() || rest != end) throw UnexpectedRow("GPUs that are no mask");
    order.nodes.push_back({.node = NodeId(nodes[i]), .gpus = gpus});
  }
  order.window = ReadWindow(row);
  order.epoch = row.Int64();
  order.create_time = row.Time();
  order.acknowledge_time = row.OptionalTime();
  order.message = row.Text();
  return order;
}

ApiKey ReadApiKey(RowReader& row) {
  return {.id = row.AsId<KeyId>(),
          .role = row.Named(ParseRole),
          .institute = row.AsId<InstituteId>(),
          .provider = row.AsId<ProviderId>(),
          .display_name = row.Text(),
          .secret_sha256 = row.Text(),
          .create_time = row.Time(),
          .revoke_time = row.OptionalTime(),
          .expire_time = row.OptionalTime(),
          .line = row.AsId<KeyId>()};
}

Member ReadMember(RowReader& row) {
  return {.id = row.AsId<MemberId>(),
          .person = {.issuer = row.Text(), .subject = row.Text()},
          .role = row.Named(ParseRole),
          .institute = row.AsId<InstituteId>(),
          .display_name = row.Text(),
          .create_time = row.Time(),
          .remove_time = row.OptionalTime()};
}

Event ReadEvent(RowReader& row) {
  Event event{.revision = row.Int64(),
              .kind = row.Named(ParseResourceKind),
              .resource = row.Text(),
              .institute = row.AsId<InstituteId>()};
  if (!row.SkipNull()) event.state = row.Named(ParseAllocationState);
  event.time = row.Time();
  event.reason = row.Text();
  event.message = row.Text();
  return event;
}

AuditEntry ReadAuditEntry(RowReader& row) {
  return {.number = row.Int64(),
          .time = row.Time(),
          .key = row.AsId<KeyId>(),
          .actor = row.Text(),
          .action = row.Text(),
          .resource = row.Text(),
          .institute = row.AsId<InstituteId>(),
          .detail = row.Text(),
          .request_id = row.Text()};
}

}  // namespace allot::store
