#include "chaos/auditor.h"

#include <algorithm>

#include "allot/control/allocations.h"
#include "allot/control/identity.h"
#include "allot/control/pool.h"
#include "allot/control/tenants.h"
#include "allot/control/watch.h"

namespace allot::chaos {
namespace {

using S = AllocationState;

/// So late is what was promised still started as it was promised.
constexpr Seconds kPromiseKept = Minutes(1);

/// What may be seen of an allocation from one commit to the next. What is stopped or lost and waits
/// again within one commit is seen as waiting.
bool MayFollow(S before, S after) {
  switch (before) {
    case S::kPending:
      return after == S::kPlanned || after == S::kProvisioning || after == S::kCancelled ||
             after == S::kRejected || after == S::kExpired;
    case S::kPlanned:
      return after == S::kPending || after == S::kProvisioning || after == S::kCancelled ||
             after == S::kRejected || after == S::kExpired;
    case S::kProvisioning:
      return after == S::kActive || after == S::kReleasing || after == S::kPending ||
             after == S::kFailed;
    case S::kActive:
      return after == S::kReleasing || after == S::kPending || after == S::kFailed;
    case S::kReleasing:
      return after == S::kCompleted || after == S::kCancelled || after == S::kPending;
    default:
      return false;
  }
}

bool Holds(S state) {
  return state == S::kProvisioning || state == S::kActive || state == S::kReleasing;
}

bool IsOver(S state) {
  return state == S::kCompleted || state == S::kRejected || state == S::kCancelled ||
         state == S::kExpired || state == S::kFailed;
}

}  // namespace

Auditor::Auditor(World& world, const control::Context& context, const Policy& policy)
    : world_(world),
      context_(context),
      policy_(policy),
      reader_{.key = KeyId("auditor"), .role = Role::kAuditor, .display_name = "auditor"},
      of_tenants_(world) {}

void Auditor::Begin() {
  const auto present = control::PresentRevision(context_, reader_);
  if (Has(present, "the revision")) revision_ = *present;
  ReadClusters();
  ReadSettings();
  const auto institutes = control::ListInstitutes(context_, reader_, {.size = 100});
  if (!Has(institutes, "the institutes")) return;
  std::set<InstituteId> names;
  for (const Institute& institute : institutes->items) names.insert(institute.id);
  of_tenants_.Begin(std::move(names));
}

void Auditor::Expect(bool holds, const char* rule, const std::string& what) {
  if (!holds) world_.Violate(rule, what);
}

void Auditor::Registered(const ClusterId& cluster, int64_t session) {
  int64_t& newest = sessions_[cluster];
  newest = std::max(newest, session);
}

void Auditor::Superseded(const ClusterId& cluster, const std::set<std::string>& registrations) {
  std::string newest;
  ForEachEntry([&](const AuditEntry& entry) {
    const bool registered = entry.action == "agent.register" && entry.resource == cluster.str();
    if (registered) newest = entry.request_id;
  });
  Expect(!registrations.contains(newest), "superseded_by_another",
         "the agent of " + cluster.str() + " was superseded by its own registration " + newest);
}

void Auditor::Answered(const char* method, const ClusterId& cluster, int64_t session,
                       bool accepted) {
  if (!accepted) return;
  const int64_t newest = sessions_[cluster];
  Expect(session >= newest, "session_newest",
         std::string(method) + " of session " + std::to_string(session) + " of " + cluster.str() +
             " was accepted after session " + std::to_string(newest) + " had begun");
}

void Auditor::PassMade(const std::string& server, const control::PassReport& pass, int64_t moment) {
  ++passes_;
  ++world_.report.passes;
  const control::Applied& applied = pass.applied;
  const bool wrote = applied.reserved + applied.planned + applied.promised + applied.slipped +
                         applied.preempted + applied.expired >
                     0;
  // A pass that wrote nothing may be of any epoch.
  if (wrote) epochs_.PassMade(server, pass.epoch);
  machines_.PassMade(moment, [this](const AttemptKey& key) {
    const auto row = allocations_.find(key.first);
    return row != allocations_.end() && row->second.attempt == key.second &&
           (row->second.state == S::kProvisioning || row->second.state == S::kActive);
  });
  if (applied.promised > 0) world_.Probe("promise_made");
  if (applied.slipped > 0) world_.Probe("promise_slipped");
  if (applied.preempted > 0) world_.Probe("allocation_preempted");
  if (applied.skipped > 0) world_.Probe("pass_found_things_changed");
}

void Auditor::PassFailed(const std::string& server, const Error& error, bool conflicted) {
  // A plan the checker refuses, a row that the store will not take: nothing the pool can be in. Nor
  // is anybody in the way where transactions come one by one.
  const bool expected =
      error.reason == Reason::kStoreUnavailable || error.reason == Reason::kCommitOutcomeUnknown ||
      error.reason == Reason::kNotLeader || (error.reason == Reason::kStoreConflict && conflicted);
  Expect(expected, "pass_is_sound", server + "'s pass ended with " + Describe(error));
}

void Auditor::Refused(const std::string& what, const Error& error) {
  Expect(error.reason != Reason::kInternal, "answers_are_sound", what + ": " + Describe(error));
}

void Auditor::Committed() {
  const auto present = control::PresentRevision(context_, reader_);
  if (!Has(present, "the revision") || *present == revision_) return;
  ++world_.report.commits;
  Expect(*present == revision_ + 1, "revisions_dense",
         "revision " + std::to_string(*present) + " came after " + std::to_string(revision_));
  const auto batch =
      control::ChangesSince(context_, reader_, std::nullopt, std::nullopt, revision_, 10'000);
  revision_ = *present;
  if (!Has(batch, "the events of the newest revision")) return;
  before_.clear();
  started_now_.clear();
  seen_now_.clear();
  touched_.clear();
  ReadClusters();
  ReadSettings();
  for (const control::AllocationChange& change : batch->changes) {
    Expect(change.revision == revision_, "revisions_dense",
           change.allocation.id.str() + " changed at revision " + std::to_string(change.revision) +
               ", seen at " + std::to_string(revision_));
    Changed(change.allocation, change.state);
  }
  for (const AllocationId& id : seen_now_) CheckGrowths(allocations_.at(id));
  ReadOrders();
  for (const AllocationId& id : started_now_) Started(allocations_.at(id));
  for (const auto& [id, was] : before_) Stepped(was, allocations_.at(id));
  CheckProjects();
}

void Auditor::Changed(const Allocation& after, AllocationState state) {
  world_.Trace("revision " + std::to_string(revision_) + ": " + after.id.str() + " is " +
               std::string(Name(state)) + " (" + after.reason + "), attempt " +
               std::to_string(after.attempt));
  touched_.insert(after.project);
  Expect(after.state == state, "events_true",
         after.id.str() + " is " + std::string(Name(after.state)) + " and its event says " +
             std::string(Name(state)));
  const auto found = allocations_.find(after.id);
  if (found == allocations_.end()) {
    FirstSeen(after);
    allocations_.emplace(after.id, after);
    ++world_.report.allocations;
    return;
  }
  Expect(after.message.find(kOnlyTried) == std::string::npos, "dry_runs_change_nothing",
         after.id.str() + " was ended by a call that was only to be validated");
  before_.emplace(after.id, found->second);
  Moved(found->second, after, state);
  found->second = after;
}

void Auditor::FirstSeen(const Allocation& allocation) {
  Expect(allocation.state == S::kPending, "transition_legal",
         allocation.id.str() + " began as " + std::string(Name(allocation.state)));
  Expect(allocation.display_name.find("dry") == std::string::npos, "dry_runs_change_nothing",
         allocation.id.str() + " was only to be validated");
  CheckAsAsked(allocation);
  if (allocation.grows) return;
  const bool is_first = tags_.emplace(allocation.display_name, allocation.id).second;
  Expect(is_first, "request_once",
         allocation.id.str() + " is the second allocation of " + allocation.display_name);
}

void Auditor::Moved(const Allocation& before, const Allocation& after, AllocationState state) {
  const std::string& id = after.id.str();
  const std::string step =
      id + " went from " + std::string(Name(before.state)) + " to " + std::string(Name(state));
  Expect(before.state == state || MayFollow(before.state, state), "transition_legal", step);
  Expect(after.version >= before.version, "version_grows", id + " has an older version");
  Expect(after.request == before.request && after.after == before.after &&
             after.grows == before.grows && after.create_time == before.create_time,
         "request_immutable", "the request of " + id + " changed");
  const bool starts = state == S::kProvisioning && before.state != S::kProvisioning;
  Expect(after.attempt == before.attempt + (starts ? 1 : 0), "attempts_counted",
         step + " with attempt " + std::to_string(before.attempt) + " and then " +
             std::to_string(after.attempt));
  Expect(!after.promised || state == S::kPlanned, "promise_is_planned", step + ", promised");
  if (starts) started_now_.insert(after.id);
  if (state == before.state) return;
  if (state == S::kActive) machines_.Active(after.id, after.attempt);
  if (state == S::kExpired) world_.Probe("allocation_expired");
  if (state == S::kFailed) world_.Probe("allocation_failed");
  if (after.reason == "node_lost") {
    world_.Probe("allocation_lost_its_node");
    if (after.message.find("no heartbeat") != std::string::npos) world_.Probe("nodes_fell_silent");
    if (after.message.find(" is removed") != std::string::npos) {
      world_.Probe("node_left_with_work_on_it");
    }
  }
  if (before.state == S::kProvisioning && after.cancel_requested) {
    world_.Probe("cancelled_while_provisioning");
  }
}

void Auditor::Started(const Allocation& one) {
  const std::string& id = one.id.str();
  const auto found = holdings_.find({one.id, one.attempt});
  Expect(found != holdings_.end(), "starts_with_an_order", id + " started without an order");
  if (found == holdings_.end()) return;
  const Order& order = found->second.order;
  const auto cluster = clusters_.find(order.cluster);
  Expect(cluster != clusters_.end(), "starts_where_it_may", id + " started on no cluster");
  if (cluster == clusters_.end()) return;
  const GpuModel model = cluster->second.model;
  int gpus = 0;
  for (const OrderedNode& node : order.nodes) {
    gpus += CountGpus(node.gpus);
    const auto row = nodes_.find(node.node);
    const bool may_start = row != nodes_.end() && row->second.health == NodeHealth::kReady &&
                           settings_.Of(DrainingOf(node.node)) == 0 &&
                           settings_.Of(DrainingOf(order.cluster)) == 0;
    Expect(may_start, "starts_where_it_may",
           id + " started on " + node.node.str() + ", which takes no new work");
  }
  CheckOffReserved(one, order);
  const Request& request = one.request;
  const bool exchanges = request.exchanged && request.exchanged->model == model;
  const Shape& shape = exchanges ? request.exchanged->shape : request.shape;
  Expect(std::ranges::find(request.models, model) != request.models.end() &&
             gpus == shape.nodes * shape.gpus_per_node + shape.remainder_gpus,
         "gets_what_it_asked_for",
         id + " asked for another model or number than " + std::to_string(gpus) + " of " +
             std::string(Name(model)));
  Expect(one.window.has_value() && one.window->start() == order.window.start() &&
             one.window->end() == order.window.end() && one.cluster == order.cluster,
         "gets_what_it_asked_for", id + " and its order have different windows or places");
  if (!one.window) return;
  Course& course = courses_[one.id];
  const Allocation* const before = Was(one.id);
  const bool was_promised = before != nullptr && before->promised && before->window &&
                            before->window->start() == one.window->start();
  // A promise that is kept late is kept as it was: it ends when it was to end.
  if (was_promised && one.window->start() < found->second.began.least) {
    const Instant began = Instant::FromSeconds(found->second.began.least.seconds());
    Expect(one.window->start() + kPromiseKept >= began, "starts_by_the_clock",
           id + " starts at " + FormatRfc3339(one.window->start()) + ", long after it was to");
    found->second.began.least = one.window->start();
    world_.Probe("promise_kept_late");
  }
  course.began = found->second.began;
  course.began.least = Instant::FromSeconds(course.began.least.seconds());
  course.given = one.window->length();
  Expect(one.window->start() >= course.began.least && one.window->start() <= course.began.most,
         "starts_by_the_clock", id + " starts at " + FormatRfc3339(one.window->start()));
  // What is added goes as far as what it is added to.
  const bool fits =
      one.grows ? one.window->length() <= course.left : one.window->length() == course.left;
  Expect(fits, "gets_what_it_asked_for", id + " got another time than it asked for");
  Expect(!request.deadline || one.window->end() <= *request.deadline, "deadline_held",
         id + " would end after its deadline");
  Expect(!request.earliest_start || one.window->start() >= *request.earliest_start,
         "earliest_start_held", id + " started too early");
  if (one.after) {
    world_.Probe("allocation_started_after_another");
    const auto first = allocations_.find(*one.after);
    Expect(first != allocations_.end() && IsOver(first->second.state), "starts_after_its_end",
           id + " started before " + one.after->str() + " had ended");
  }
  if (one.grows) {
    world_.Probe("allocation_added_to_another");
    const auto base = allocations_.find(*one.grows);
    const bool runs = base != allocations_.end() && Holds(base->second.state) &&
                      base->second.cluster == one.cluster;
    Expect(runs, "added_where_its_base_runs", id + " was added to what does not run there");
    if (!runs) return;
    course.base_attempt = base->second.attempt;
    Expect(base->second.window && one.window->end() <= base->second.window->end(),
           "added_where_its_base_runs", id + " would outlive what it was added to");
  }
  if (request.borrow) world_.Probe("allocation_borrowed");
}

void Auditor::ForEachEntry(const std::function<void(const AuditEntry&)>& look) {
  int64_t number = 0;
  for (;;) {
    const auto part = control::ReadAuditChain(context_, reader_, number, 1'000);
    if (!Has(part, "the audit") || part->entries.empty()) break;
    for (const ChainedAuditEntry& entry : part->entries) {
      Expect(entry.entry.number == number + 1, "audit_dense",
             "the audit has no entry " + std::to_string(number + 1));
      number = entry.entry.number;
      look(entry.entry);
    }
  }
}

void Auditor::CheckRecord() {
  std::size_t listed = 0;
  const auto page = control::ListAllocations(context_, reader_, {}, {.size = 100'000});
  if (!Has(page, "the allocations")) return;
  for (const Allocation& one : page->items) {
    const auto known = allocations_.find(one.id);
    ++listed;
    Expect(known != allocations_.end() && known->second == one, "record_kept",
           one.id.str() + " is not as the last commit left it");
  }
  Expect(listed == allocations_.size(), "record_kept", "an allocation is not there any more");
  std::map<std::string, int> created;
  ForEachEntry([&](const AuditEntry& entry) {
    if (entry.action == "allocation.create") ++created[entry.resource];
  });
  for (const auto& [id, allocation] : allocations_) {
    if (allocation.grows) continue;
    Expect(created[id.str()] == 1, "audit_complete",
           id.str() + " is recorded " + std::to_string(created[id.str()]) + " times");
  }
}

}  // namespace allot::chaos
