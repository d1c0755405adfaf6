#include "allot/agent/agent.h"

#include <algorithm>
#include <utility>

#include "agent/lost_enactments.h"
#include "allot/base/check.h"
#include "allot/model/timeline.h"

namespace allot::agent {
namespace {

/// How soon to look again for a session that the report turns have yet to open.
constexpr int64_t kSessionPollMs = 20;
/// A third of the expiry is the most; a fifth leaves room for a try that times out.
constexpr int64_t kHeartbeatsPerExpiry = 5;
constexpr int64_t kHeartbeatIntervalMinMs = 50;
constexpr Seconds kRemovalInterval = Days(1);

std::vector<NodeReport> Unhealthy(const std::vector<NodeReport>& nodes) {
  std::vector<NodeReport> unhealthy;
  std::ranges::copy_if(nodes, std::back_inserter(unhealthy),
                       [](const NodeReport& node) { return !node.healthy; });
  return unhealthy;
}

/// What an inventory says beyond health, for its generation: "n1", or "n1 leaf-a".
std::vector<std::string> ListingOf(const std::vector<NodeReport>& nodes) {
  std::vector<std::string> listing;
  listing.reserve(nodes.size());
  for (const NodeReport& node : nodes) {
    listing.push_back(node.leaf.empty() ? node.name : node.name + ' ' + node.leaf);
  }
  return listing;
}

int64_t Count(std::size_t size) { return static_cast<int64_t>(size); }

}  // namespace

int64_t Backoff::NextMs() {
  const int64_t ceiling = ceiling_ms_;
  ceiling_ms_ = std::min(max_ms_, ceiling_ms_ * 2);
  return random_.Between(ceiling / 2, ceiling);
}

Agent::Agent(Adapter& adapter, State& state, Connection& connection, const Clock& clock, Log log,
             Options options)
    : adapter_(adapter),
      state_(state),
      connection_(connection),
      clock_(clock),
      log_(std::move(log)),
      options_(options),
      report_backoff_(options.retry_first_ms, options.retry_max_ms, options.seed),
      heartbeat_jitter_(options.seed + 1),
      lost_(std::make_unique<LostEnactments>(adapter_, state_, clock_, log_)),
      order_backoff_(options.retry_first_ms, options.retry_max_ms, options.seed + 2) {}

Agent::~Agent() = default;

void Agent::Stop() {
  stopping_.store(true);
  connection_.Interrupt();
}

std::optional<Ending> Agent::ending() const {
  const std::lock_guard lock(ending_mutex_);
  return ending_;
}

void Agent::Note(const char* call, const Failure& failure) {
  // A call that was interrupted because we stop is no failure.
  if (stopping_.load() && failure.kind == Failure::Kind::kTryLater) return;
  const bool superseded = failure.kind == Failure::Kind::kSuperseded;
  if (!superseded && failure.kind != Failure::Kind::kRefused) {
    log_(LogLevel::kWarn, "the server did not take a call; it will be repeated",
         {{"call", call}, {"cause", failure.message}});
    return;
  }
  {
    const std::lock_guard lock(ending_mutex_);
    if (ending_) return;
    ending_ =
        Ending{superseded ? Ending::Cause::kSuperseded : Ending::Cause::kRefused, failure.message};
  }
  Stop();
}

// ---- Reports: registration, inventory, heartbeats

int64_t Agent::ReportTurn(int64_t now_ms) {
  if (stopping_.load()) return options_.inventory_poll_ms;
  const std::vector<NodeReport>* nodes = ReadInventory();
  if (nodes == nullptr) return report_backoff_.NextMs();
  if (session_.load() == 0) {
    if (const auto retry_ms = Register()) return *retry_ms;
    next_heartbeat_ms_ = now_ms;
  }
  const Result<int64_t> generation = state_.GenerationOf(ListingOf(*nodes));
  if (!generation.ok()) {
    log_(LogLevel::kError, "the inventory's generation cannot be kept; it will be tried again",
         {{"cause", generation.error().message}});
    return report_backoff_.NextMs();
  }
  const int64_t session = session_.load();
  if (synced_generation_ != *generation) {
    if (!Sync(session, *generation, *nodes)) return report_backoff_.NextMs();
    next_heartbeat_ms_ = now_ms;
  }
  const std::vector<NodeReport> unhealthy = Unhealthy(*nodes);
  if (now_ms >= next_heartbeat_ms_ || unhealthy != reported_unhealthy_) {
    const auto answer = Beat(session, *generation, unhealthy);
    if (!answer) return report_backoff_.NextMs();
    const int64_t interval_ms =
        std::max(answer->expiry.count * 1'000 / kHeartbeatsPerExpiry, kHeartbeatIntervalMinMs);
    next_heartbeat_ms_ = now_ms + heartbeat_jitter_.Between(interval_ms * 9 / 10, interval_ms);
    if (answer->inventory_wanted) {
      synced_generation_ = 0;
      return 0;
    }
  }
  report_backoff_.Reset();
  return std::clamp(next_heartbeat_ms_ - now_ms, int64_t{1}, options_.inventory_poll_ms);
}

const std::vector<NodeReport>* Agent::ReadInventory() {
  Result<std::vector<NodeReport>> read = adapter_.Inventory();
  if (read.ok()) {
    nodes_ = *std::move(read);
    inventory_error_.clear();
  } else if (read.error().message != inventory_error_) {
    // Said once, not at every poll.
    inventory_error_ = read.error().message;
    log_(LogLevel::kError, "the nodes cannot be read; the last list stays in force",
         {{"cause", inventory_error_}});
  }
  return nodes_.empty() ? nullptr : &nodes_;
}

std::optional<int64_t> Agent::Register() {
  const Answer<Registration> answer = connection_.Register();
  if (const auto* failure = std::get_if<Failure>(&answer)) {
    Note("RegisterAgent", *failure);
    return report_backoff_.NextMs();
  }
  const auto& registration = std::get<Registration>(answer);
  if (const Status raised = state_.RaiseGenerationAbove(registration.inventory_generation);
      !raised.ok()) {
    log_(LogLevel::kError, "the inventory's generation cannot be kept; it will be tried again",
         {{"cause", raised.error().message}});
    return report_backoff_.NextMs();
  }
  synced_generation_ = 0;
  session_.store(registration.session);
  log_(LogLevel::kInfo, "registered", {{"session", registration.session}});
  return std::nullopt;
}

bool Agent::Sync(int64_t session, int64_t generation, const std::vector<NodeReport>& nodes) {
  const Answer<int64_t> answer = connection_.SyncInventory(session, generation, nodes);
  if (const auto* failure = std::get_if<Failure>(&answer)) {
    Note("SyncInventory", *failure);
    // The server's generation is not said, but a new session begins without one.
    if (failure->kind == Failure::Kind::kInventoryStale) session_.store(0);
    return false;
  }
  synced_generation_ = generation;
  reported_unhealthy_ = Unhealthy(nodes);
  log_(LogLevel::kInfo, "inventory sent",
       {{"generation", generation},
        {"nodes", Count(nodes.size())},
        {"unhealthy", Count(reported_unhealthy_.size())}});
  return true;
}

std::optional<HeartbeatAnswer> Agent::Beat(int64_t session, int64_t generation,
                                           const std::vector<NodeReport>& unhealthy) {
  const Answer<HeartbeatAnswer> answer = connection_.Heartbeat(session, generation, unhealthy);
  if (const auto* failure = std::get_if<Failure>(&answer)) {
    Note("Heartbeat", *failure);
    if (failure->kind == Failure::Kind::kInventoryStale) session_.store(0);
    return std::nullopt;
  }
  if (unhealthy != reported_unhealthy_) {
    log_(LogLevel::kInfo, "health of nodes reported", {{"unhealthy", Count(unhealthy.size())}});
    reported_unhealthy_ = unhealthy;
  }
  return std::get<HeartbeatAnswer>(answer);
}

// ---- Orders

int64_t Agent::OrderTurn() {
  const int64_t session = session_.load();
  if (stopping_.load() || session == 0) return kSessionPollMs;
  RemoveOldRecords();
  // With an order under way the next look is ours to time.
  const Seconds wait = under_way_ ? Seconds{0} : options_.order_wait;
  const Answer<PulledOrders> answer = connection_.PullOrders(session, wait);
  if (const auto* failure = std::get_if<Failure>(&answer)) {
    Note("PullOrders", *failure);
    return order_backoff_.NextMs();
  }
  const auto& pulled = std::get<PulledOrders>(answer);
  under_way_ = false;
  under_way_retry_ms_ = options_.inventory_poll_ms;
  bool settled = false;
  bool stuck = false;
  for (const UnreadableOrder& order : pulled.unreadable) {
    if (stopping_.load()) return 0;
    log_(LogLevel::kError, "an order that this agent cannot read",
         {{"order", order.id.str()}, {"cause", order.why}});
    Acknowledge(session, order.id, {false, order.why});
    stuck = true;
  }
  for (const Order& order : pulled.orders) {
    if (stopping_.load()) return 0;
    const Settled result = Settle(session, order);
    settled |= result == Settled::kYes;
    under_way_ |= result == Settled::kUnderWay;
    stuck |= result == Settled::kNotYet;
  }
  if (settled) order_backoff_.Reset();
  // What is still open comes back at once with the next pull: without a pause this would spin.
  if (stuck && !settled) return order_backoff_.NextMs();
  if (under_way_ && !settled) return under_way_retry_ms_;
  return 0;
}

// Nothing depends on these records any more. A release that comes again is enacted again, which the
// adapter takes as done; the provision of an attempt is withdrawn before its release is ordered.
void Agent::RemoveOldRecords() {
  const Instant now = clock_.Now();
  if (now < next_removal_) return;
  next_removal_ = now + kRemovalInterval;
  const Result<int> removed = state_.RemoveEndedBefore(now - options_.record_retention);
  if (!removed.ok()) {
    log_(LogLevel::kError, "old records cannot be removed; it will be tried again tomorrow",
         {{"cause", removed.error().message}});
  } else if (*removed > 0) {
    log_(LogLevel::kInfo, "old records removed", {{"records", int64_t{*removed}}});
  }
}

Agent::Settled Agent::Settle(int64_t session, const Order& order) {
  const Result<Progress> progress = Enact(order);
  if (!progress.ok()) {
    log_(LogLevel::kError, "an order cannot be recorded, so it waits",
         {{"order", order.id.str()},
          {"allocation", order.allocation.str()},
          {"cause", progress.error().message}});
    return Settled::kNotYet;
  }
  if (progress->state == Progress::State::kUnderWay) {
    under_way_retry_ms_ = std::min(under_way_retry_ms_, std::max(progress->retry_ms, int64_t{1}));
    return Settled::kUnderWay;
  }
  const bool done = progress->state == Progress::State::kDone;
  const std::initializer_list<LogField> fields = {{"order", order.id.str()},
                                                  {"kind", std::string(Name(order.kind))},
                                                  {"allocation", order.allocation.str()},
                                                  {"attempt", int64_t{order.attempt}},
                                                  {"nodes", Count(order.nodes.size())},
                                                  {"epoch", order.epoch},
                                                  {"cause", progress->message}};
  log_(done ? LogLevel::kInfo : LogLevel::kError, done ? "order enacted" : "order failed", fields);
  if (!Acknowledge(session, order.id, {done, progress->message})) return Settled::kNotYet;
  // The server keeps a release that failed open: the GPUs are held until it is done.
  return done || order.kind == OrderKind::kProvision ? Settled::kYes : Settled::kNotYet;
}

bool Agent::Acknowledge(int64_t session, const OrderId& order, const Outcome& outcome) {
  const Answer<Ok> answer = connection_.Acknowledge(session, order, outcome);
  const auto* failure = std::get_if<Failure>(&answer);
  if (failure == nullptr) return true;
  if (failure->kind == Failure::Kind::kOrderNotCurrent) {
    // What was handed over for it stays on record until its release is ordered.
    log_(LogLevel::kInfo, "the order is no longer wanted",
         {{"order", order.str()}, {"cause", failure->message}});
    return true;
  }
  Note("AcknowledgeOrder", *failure);
  return false;
}

// ---- Enactment: what the record allows, the record, the adapter, the record

Result<Progress> Agent::Enact(const Order& order) {
  if (order.kind == OrderKind::kProvision) {
    ALLOT_ASSIGN_OR_RETURN(const Progress way, lost_->MakeWayFor(order));
    if (way.state != Progress::State::kDone) return way;
  }
  ALLOT_ASSIGN_OR_RETURN(std::optional<Enactment> record,
                         state_.Find(order.allocation, order.attempt));
  // Epoch 0: no leader decided, but the allocation's owner; nothing can be newer than that.
  if (record && order.epoch != 0 && order.epoch < record->epoch) {
    return Progress::Failed("the order's epoch " + std::to_string(order.epoch) +
                            " is older than epoch " + std::to_string(record->epoch) +
                            ", which was enacted for this attempt");
  }
  return order.kind == OrderKind::kProvision ? Provision(order, std::move(record))
                                             : Release(order, std::move(record));
}

Result<Progress> Agent::Provision(const Order& order, std::optional<Enactment> record) {
  if (record && IsOfEarlierTimeline(record->epoch, order.epoch)) {
    // The pool's database was restored since: what it orders now is so, whatever became of it then.
    const bool has_them = record->state == EnactmentState::kProvisioned ||
                          record->state == EnactmentState::kProvisioning;
    if (!has_them || record->nodes != order.nodes) {
      record.reset();
    } else {
      record->epoch = order.epoch;
      ALLOT_RETURN_IF_ERROR(state_.Write(*record));
    }
  }
  if (record) {
    switch (record->state) {
      case EnactmentState::kReleasing:
      case EnactmentState::kReleased:
        return Progress::Failed("this attempt was released already");
      case EnactmentState::kFailed:
        return Progress::Failed(record->message);
      case EnactmentState::kProvisioned:
      case EnactmentState::kProvisioning:
        if (record->nodes != order.nodes) {
          return Progress::Failed("this attempt was provisioned on other GPUs already");
        }
        if (record->state == EnactmentState::kProvisioned) return Progress::Done();
        break;
    }
  } else {
    record = Enactment{.allocation = order.allocation,
                       .attempt = order.attempt,
                       .state = EnactmentState::kProvisioning,
                       .epoch = order.epoch,
                       .order = order.id,
                       .nodes = order.nodes,
                       .window = order.window,
                       .update_time = clock_.Now(),
                       .message = {}};
    // Before the adapter acts: whatever happens, the record says what may have been handed over.
    ALLOT_RETURN_IF_ERROR(state_.Write(*record));
  }
  const Progress progress = adapter_.Provision(order);
  if (progress.state == Progress::State::kUnderWay) return progress;
  const bool done = progress.state == Progress::State::kDone;
  record->state = done ? EnactmentState::kProvisioned : EnactmentState::kFailed;
  record->epoch = std::max(record->epoch, order.epoch);
  record->order = order.id;
  record->update_time = clock_.Now();
  record->message = progress.message;
  ALLOT_RETURN_IF_ERROR(state_.Write(*record));
  return progress;
}

Result<Progress> Agent::Release(const Order& order, std::optional<Enactment> record) {
  if (record && record->state == EnactmentState::kReleased) return Progress::Done();
  Enactment release{.allocation = order.allocation,
                    .attempt = order.attempt,
                    .state = EnactmentState::kReleasing,
                    .epoch = std::max(record ? record->epoch : 0, order.epoch),
                    .order = order.id,
                    .nodes = record ? record->nodes : order.nodes,
                    .window = order.window,
                    .update_time = clock_.Now(),
                    .message = {}};
  if (!record || record->state != EnactmentState::kReleasing) {
    ALLOT_RETURN_IF_ERROR(state_.Write(release));
  }
  // Also when nothing is on record: a state folder may have been lost, the adapter's work not.
  const Progress progress = adapter_.Release(order);
  if (progress.state != Progress::State::kDone) return progress;
  release.state = EnactmentState::kReleased;
  release.update_time = clock_.Now();
  ALLOT_RETURN_IF_ERROR(state_.Write(release));
  return progress;
}

}  // namespace allot::agent
