#include "allot/agent/agent.h"

#include <algorithm>
#include <utility>

#include "agent/lost_enactments.h"

namespace allot::agent {
namespace {

/// A third of the expiry is the most; a fifth leaves room for a try that times out.
constexpr int64_t kHeartbeatsPerExpiry = 5;
constexpr int64_t kHeartbeatIntervalMinMs = 50;
constexpr int kRequestIdLength = 20;

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

Agent::Agent(Adapter& adapter, State& state, Connection& connection, Surroundings surroundings,
             Options options)
    : adapter_(adapter),
      state_(state),
      connection_(connection),
      clock_(surroundings.clock),
      steady_ms_(std::move(surroundings.steady_ms)),
      ids_(surroundings.ids),
      log_(std::move(surroundings.log)),
      options_(options),
      registration_id_(state_.PendingRegistration()),
      registration_is_inherited_(!registration_id_.empty()),
      report_backoff_(options.retry_first_ms, options.retry_max_ms, options.seed),
      heartbeat_jitter_(options.seed + 1),
      lost_(std::make_unique<LostEnactments>(adapter_, state_, clock_, log_)),
      pull_backoff_(options.retry_first_ms, options.retry_max_ms, options.seed + 2),
      stuck_backoff_(options.retry_first_ms, options.retry_max_ms, options.seed + 3) {}

Agent::~Agent() = default;

void Agent::Stop() {
  stopping_.store(true);
  connection_.Interrupt();
}

std::optional<Ending> Agent::ending() const {
  const std::lock_guard lock(ending_mutex_);
  return ending_;
}

void Agent::Note(const char* call, int64_t session, const Failure& failure) {
  // A call that was interrupted because we stop is no failure.
  if (stopping_.load() && failure.kind == Failure::Kind::kTryLater) return;
  // Of a session that this agent gave up itself, the newer one is its own.
  const bool superseded = failure.kind == Failure::Kind::kSuperseded && session == session_.load();
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

int64_t Agent::ReportTurn() {
  if (stopping_.load()) return options_.inventory_poll_ms;
  const int64_t now_ms = steady_ms_();
  const std::vector<NodeReport>* nodes = ReadInventory();
  if (nodes == nullptr) return report_backoff_.NextMs();
  if (session_.load() == 0) {
    if (const auto retry_ms = Register()) return *retry_ms;
    next_heartbeat_ms_ = now_ms;
  }
  const auto generation = GenerationOf(*nodes);
  if (!generation) return report_backoff_.NextMs();
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

std::optional<int64_t> Agent::GenerationOf(const std::vector<NodeReport>& nodes) {
  const Result<int64_t> generation = state_.GenerationOf(ListingOf(nodes));
  if (generation.ok()) {
    generation_error_.clear();
    return *generation;
  }
  if (generation.error().message != generation_error_) {
    generation_error_ = generation.error().message;
    log_(LogLevel::kError, "the inventory's generation cannot be kept; it will be tried again",
         {{"cause", generation_error_}});
  }
  // The server goes on with the list it has: silence would cost the whole cluster its work.
  if (synced_generation_ == 0) return std::nullopt;
  return synced_generation_;
}

std::optional<int64_t> Agent::Register() {
  // A call that was given up may still be carried out, behind the one that was answered: under an
  // id of its own it would open a newer session, and supersede this agent.
  if (registration_id_.empty()) BeginRegistration();
  const Answer<Registration> answer = connection_.Register(registration_id_);
  if (const auto* failure = std::get_if<Failure>(&answer)) {
    const bool answered = failure->kind != Failure::Kind::kTryLater;
    // What was said to an earlier life (another agent came, the cluster has another model now) is
    // no answer to this one, which asks for itself.
    if (!answered || !registration_is_inherited_) Note("RegisterAgent", 0, *failure);
    // Repeated, it would be answered so for ever: the session it opened may be of before a restore.
    if (answered) EndRegistration();
    return report_backoff_.NextMs();
  }
  const auto& registration = std::get<Registration>(answer);
  if (const Status raised = state_.RaiseGenerationAbove(registration.inventory_generation);
      !raised.ok()) {
    log_(LogLevel::kError, "the inventory's generation cannot be kept; it will be tried again",
         {{"cause", raised.error().message}});
    return report_backoff_.NextMs();
  }
  EndRegistration();
  synced_generation_ = 0;
  session_.store(registration.session);
  log_(LogLevel::kInfo, "registered", {{"session", registration.session}});
  return std::nullopt;
}

// Kept, because the call may outlive this process, too: a server that hangs is when somebody starts
// the agent again.
void Agent::BeginRegistration() {
  registration_id_ = ids_.Mint(kRequestIdLength);
  if (const Status kept = state_.KeepPendingRegistration(registration_id_); !kept.ok()) {
    log_(LogLevel::kWarn, "the registration's id cannot be kept; it is good for this process only",
         {{"cause", kept.error().message}});
  }
}

void Agent::EndRegistration() {
  registration_id_.clear();
  registration_is_inherited_ = false;
  if (const Status ended = state_.KeepPendingRegistration(""); !ended.ok()) {
    log_(LogLevel::kWarn, "the registration's id cannot be removed",
         {{"cause", ended.error().message}});
  }
}

bool Agent::Sync(int64_t session, int64_t generation, const std::vector<NodeReport>& nodes) {
  const Answer<int64_t> answer =
      connection_.SyncInventory({session, generation, ++reports_}, nodes);
  if (const auto* failure = std::get_if<Failure>(&answer)) {
    Note("SyncInventory", session, *failure);
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
  const Answer<HeartbeatAnswer> answer =
      connection_.Heartbeat({session, generation, ++reports_}, unhealthy);
  if (const auto* failure = std::get_if<Failure>(&answer)) {
    Note("Heartbeat", session, *failure);
    if (failure->kind == Failure::Kind::kInventoryStale) session_.store(0);
    return std::nullopt;
  }
  if (unhealthy != reported_unhealthy_) {
    log_(LogLevel::kInfo, "health of nodes reported", {{"unhealthy", Count(unhealthy.size())}});
    reported_unhealthy_ = unhealthy;
  }
  return std::get<HeartbeatAnswer>(answer);
}

}  // namespace allot::agent
