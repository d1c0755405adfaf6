#include "chaos/site.h"

#include <algorithm>

#include "allot/control/identity.h"

namespace allot::chaos {
namespace {

using agent::Answer;
using agent::Failure;

constexpr int64_t kRestartMicros = Micros(Seconds{10});
constexpr int64_t kIdleMicros = Micros(Seconds{6});
/// An agent without a session looks for one 50 times a second, which shows nothing.
constexpr int64_t kOrderPauseMicros = 200 * kMillisecond;
/// Nothing but time goes on.
constexpr int64_t kCalmIdleMicros = Micros(Seconds{20});
constexpr int kOrdersMax = 1'000;

Failure TryLater(const char* why) { return {Failure::Kind::kTryLater, why}; }

/// As the agent's own connection reads a status.
Failure FailureOf(const Error& error) {
  const std::string message = Describe(error);
  switch (error.reason) {
    case Reason::kAgentSuperseded:
      return {Failure::Kind::kSuperseded, message};
    case Reason::kInventoryStale:
      return {Failure::Kind::kInventoryStale, message};
    case Reason::kOrderNotCurrent:
      return {Failure::Kind::kOrderNotCurrent, message};
    case Reason::kStoreUnavailable:
    case Reason::kStoreConflict:
    case Reason::kCommitOutcomeUnknown:
    case Reason::kInternal:
      return {Failure::Kind::kTryLater, message};
    default:
      return {Failure::Kind::kRefused, message};
  }
}

std::vector<control::ReportedNode> Reported(const std::vector<agent::NodeReport>& nodes) {
  std::vector<control::ReportedNode> reported;
  for (const agent::NodeReport& node : nodes) {
    reported.push_back(
        {.name = node.name, .healthy = node.healthy, .reason = node.reason, .leaf = node.leaf});
  }
  return reported;
}

}  // namespace

Line::Line(Installation& installation, Servers& servers, Cluster cluster, std::string secret)
    : in_(installation),
      servers_(servers),
      cluster_(std::move(cluster)),
      secret_(std::move(secret)) {}

template <class T>
std::optional<Result<T>> Line::Deliver(const char* method, int64_t session,
                                       const Handler<T>& handler) {
  Server* const server = AnyAlive(in_.world, servers_);
  if (server == nullptr) return std::nullopt;
  const Server::Visit visit(*server);
  in_.world.CallBegins();
  const auto principal = control::Authenticate(server->context(), secret_);
  Result<T> answer = principal.ok() ? handler(server->context(), *principal) : principal.error();
  in_.world.Trace(cluster_.id.str() + "'s agent, " + method + " of session " +
                  std::to_string(session) + " at " + server->name() + ": " +
                  (answer.ok() ? "OK" : std::string(Name(answer.error().reason))));
  if (session > 0) in_.auditor.Answered(method, cluster_.id, session, answer.ok());
  if (!answer.ok()) {
    in_.auditor.Refused(cluster_.id.str() + "'s agent, " + method, answer.error());
    const Reason reason = answer.error().reason;
    if (reason == Reason::kAgentSuperseded) in_.world.Probe("agent_superseded");
    if (reason == Reason::kInventoryStale) in_.world.Probe("inventory_stale");
    if (reason == Reason::kOrderNotCurrent) in_.world.Probe("order_not_current");
  }
  if (!server->alive()) return std::nullopt;
  return answer;
}

template <class T>
Answer<T> Line::Call(const char* method, int64_t session, Handler<T> handler, bool repeats) {
  World& world = in_.world;
  world.Pass(world.random.Between(100, 3 * kMillisecond));
  if (cut) return TryLater("the agent is dead");
  if (partitioned) return TryLater("nobody answers");
  const bool lost = world.Strikes(world.rates.request_lost, "request_lost");
  if (repeats && world.Strikes(world.rates.duplicated, "message_duplicated")) {
    // When the message itself was lost, the copy is a message that came very late.
    world.After(Micros(Seconds{world.random.Between(1, 240)}), kNobody, "late copy",
                [this, method, session, handler] {
                  in_.world.Probe("late_copy_of_a_message");
                  static_cast<void>(Deliver<T>(method, session, handler));
                });
  }
  if (lost) return TryLater("nobody answers");
  if (world.Strikes(world.rates.delayed, "message_delayed")) {
    world.Pass(world.random.Between(kMillisecond, Micros(Seconds{8})));
  }
  const auto answer = Deliver<T>(method, session, handler);
  if (world.Strikes(world.rates.delayed, "answer_delayed")) {
    world.Pass(world.random.Between(kMillisecond, Micros(Seconds{8})));
  }
  if (!answer || cut) return TryLater("the connection was lost");
  if (world.Strikes(world.rates.answer_lost, "answer_lost")) {
    return TryLater("the connection was lost");
  }
  if (!answer->ok()) return FailureOf(answer->error());
  return **answer;
}

template <class T>
void Line::Tell(const MachineBooks::Report& report, const Result<T>& answer) {
  in_.auditor.reports().IsAnswered(report, answer.ok());
  if (answer.ok()) return in_.auditor.machines().Taken(report);
  const Reason reason = answer.error().reason;
  // Whoever died at a commit does not say whether it came about.
  if (reason == Reason::kCommitOutcomeUnknown || reason == Reason::kStoreUnavailable) {
    in_.auditor.machines().MayBeTaken(report);
  }
}

Answer<agent::Registration> Line::Register(const std::string& request_id) {
  registrations.insert(request_id);
  const Handler<agent::Registration> handler =
      [this, request_id](const control::Context& context,
                         const Principal& principal) -> Result<agent::Registration> {
    const control::Call call{.principal = principal,
                             .request_id = request_id,
                             .body_sha256 = std::string(64, 'a'),
                             .validate_only = false};
    ALLOT_ASSIGN_OR_RETURN(const Cluster cluster,
                           control::RegisterAgent(context, call, cluster_.id, cluster_.model));
    in_.auditor.Registered(cluster_.id, cluster.agent_session);
    return agent::Registration{cluster.agent_session, cluster.inventory_generation};
  };
  return Call<agent::Registration>("RegisterAgent", 0, handler, true);
}

Answer<int64_t> Line::SyncInventory(const agent::ReportHead& head,
                                    const std::vector<agent::NodeReport>& nodes) {
  const control::Inventory inventory{.cluster = cluster_.id,
                                     .session = head.session,
                                     .generation = head.generation,
                                     .report = head.number,
                                     .nodes = Reported(nodes)};
  const Handler<int64_t> handler = [this, inventory](
                                       const control::Context& context,
                                       const Principal& principal) -> Result<int64_t> {
    MachineBooks::Report report{.cluster = cluster_.id,
                                .mark = {inventory.session, inventory.report},
                                .is_inventory = true,
                                .nodes = {}};
    for (const auto& node : inventory.nodes) report.nodes.emplace(node.name, node.healthy);
    in_.auditor.reports().Arrives(report);
    const auto cluster = control::SyncInventory(context, principal, inventory);
    Tell(report, cluster);
    if (!cluster.ok()) return cluster.error();
    return cluster->inventory_generation;
  };
  return Call<int64_t>("SyncInventory", head.session, handler, true);
}

Answer<agent::HeartbeatAnswer> Line::Heartbeat(const agent::ReportHead& head,
                                               const std::vector<agent::NodeReport>& unhealthy) {
  const control::HeartbeatMessage message{.cluster = cluster_.id,
                                          .session = head.session,
                                          .generation = head.generation,
                                          .report = head.number,
                                          .unhealthy = Reported(unhealthy)};
  const Handler<agent::HeartbeatAnswer> handler =
      [this, message](const control::Context& context,
                      const Principal& principal) -> Result<agent::HeartbeatAnswer> {
    MachineBooks::Report report{.cluster = cluster_.id,
                                .mark = {message.session, message.report},
                                .is_inventory = false,
                                .nodes = {}};
    for (const auto& node : message.unhealthy) report.nodes.emplace(node.name, false);
    in_.auditor.reports().Arrives(report);
    const auto answer = control::Heartbeat(context, principal, message);
    report.is_of_nodes = !answer.ok() || !answer->inventory_wanted;
    Tell(report, answer);
    if (!answer.ok()) return answer.error();
    return agent::HeartbeatAnswer{.inventory_wanted = answer->inventory_wanted,
                                  .expiry = answer->expiry};
  };
  return Call<agent::HeartbeatAnswer>("Heartbeat", head.session, handler, true);
}

Answer<agent::PulledOrders> Line::PullOrders(int64_t session, Seconds) {
  const Handler<agent::PulledOrders> handler =
      [this, session](const control::Context& context,
                      const Principal& principal) -> Result<agent::PulledOrders> {
    ALLOT_ASSIGN_OR_RETURN(
        auto orders, control::PullOrders(context, principal, cluster_.id, session, kOrdersMax));
    return agent::PulledOrders{.orders = std::move(orders), .unreadable = {}};
  };
  auto answer = Call<agent::PulledOrders>("PullOrders", session, handler, false);
  const auto* orders = std::get_if<agent::PulledOrders>(&answer);
  pulled = orders == nullptr ? 0 : orders->orders.size();
  return answer;
}

Answer<Ok> Line::Acknowledge(int64_t session, const OrderId& order, const agent::Outcome& outcome) {
  const control::Acknowledgement acknowledgement{.cluster = cluster_.id,
                                                 .order = order,
                                                 .session = session,
                                                 .done = outcome.done,
                                                 .message = outcome.message};
  const Handler<Ok> handler = [this, acknowledgement](const control::Context& context,
                                                      const Principal& principal) -> Result<Ok> {
    in_.auditor.Acknowledges(acknowledgement.order, acknowledgement.done);
    ALLOT_RETURN_IF_ERROR(control::Acknowledge(context, principal, acknowledgement));
    return Ok{};
  };
  return Call<Ok>("AcknowledgeOrder", session, handler, true);
}

Seat::Seat(Installation& installation, Servers& servers, const Cluster& cluster, Machines& machines,
           std::string name, std::string secret, Actor reports, Actor orders)
    : in_(installation),
      cluster_(cluster.id),
      name_(std::move(name)),
      hands_(installation.world, machines),
      memory_(installation.world),
      line_(installation, servers, cluster, std::move(secret)),
      clock_(installation.world),
      reports_(reports),
      orders_(orders) {}

void Seat::Start() {
  wanted_ = true;
  if (alive()) return;
  if (in_.world.AtWork(reports_) || in_.world.AtWork(orders_)) {
    in_.world.After(kMillisecond * 100, kNobody, "agent starts", [this] {
      if (wanted_) Start();
    });
    return;
  }
  hands_.cut = memory_.cut = line_.cut = false;
  line_.registrations.clear();
  in_.world.Trace(name_ + " starts");
  const auto silent = [](agent::LogLevel, std::string_view,
                         std::initializer_list<agent::LogField>) {};
  ++lives_;
  agent_ = std::make_unique<agent::Agent>(
      hands_, memory_, line_,
      agent::Agent::Surroundings{
          .clock = clock_,
          .steady_ms = [this] { return in_.world.now().micros / kMillisecond; },
          .ids = in_.ids,
          .log = silent},
      agent::Agent::Options{.inventory_poll_ms = 6'000, .seed = in_.world.random.Next()});
  ReportLater(0);
  OrderLater(kMillisecond * 50);
}

void Seat::Leave() {
  wanted_ = false;
  Die();
}

void Seat::Die() {
  if (!alive()) return;
  in_.world.Trace(name_ + " dies");
  if (in_.world.AtWork(orders_)) in_.world.Probe("agent_died_within_an_order");
  hands_.cut = memory_.cut = line_.cut = true;
}

bool Seat::Bury() {
  if (!agent_->ending()) return !alive();
  // Whoever runs the service starts it again.
  in_.world.Trace(name_ + " ends: " + agent_->ending()->message);
  if (agent_->ending()->cause == agent::Ending::Cause::kRefused) {
    in_.world.Violate("agent_serves", name_ + " was refused: " + agent_->ending()->message);
  } else {
    in_.auditor.Superseded(cluster_, line_.registrations);
  }
  hands_.cut = memory_.cut = line_.cut = true;
  in_.world.After(kRestartMicros, kNobody, "agent starts", [this] {
    if (wanted_) Start();
  });
  return true;
}

void Seat::ReportLater(int64_t micros) {
  in_.world.After(std::max(micros, kMillisecond), reports_, "report", [this, life = lives_] {
    if (life != lives_ || !alive()) return;
    const int64_t wait_ms = agent_->ReportTurn();
    if (!Bury()) ReportLater(wait_ms * kMillisecond);
  });
}

void Seat::OrderLater(int64_t micros) {
  in_.world.After(std::max(micros, kMillisecond), orders_, "orders", [this, life = lives_] {
    if (life != lives_ || !alive()) return;
    line_.pulled = 0;
    const int64_t wait_ms = agent_->OrderTurn();
    // A pull waits at the server until there is an order.
    const bool idle = wait_ms == 0 && line_.pulled == 0;
    if (Bury()) return;
    const int64_t most = in_.world.healed ? kCalmIdleMicros : kIdleMicros;
    OrderLater(idle ? in_.world.random.Between(kMillisecond, most)
                    : std::max(wait_ms * kMillisecond, kOrderPauseMicros));
  });
}

Site::Site(Installation& installation, Servers& servers, Cluster cluster,
           std::vector<std::string> nodes, const std::string& secret, Actors first, Actors second)
    : cluster_(std::move(cluster)),
      machines_(installation.world, installation.auditor, std::move(nodes)),
      agent_(installation, servers, cluster_, machines_, "the agent of " + cluster_.id.str(),
             secret, first.reports, first.orders),
      second_(installation, servers, cluster_, machines_,
              "the second agent of " + cluster_.id.str(), secret, second.reports, second.orders) {}

}  // namespace allot::chaos
