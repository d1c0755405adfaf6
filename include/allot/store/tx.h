#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "allot/base/result.h"
#include "allot/model/allocation.h"
#include "allot/model/audit.h"
#include "allot/model/decayed_usage.h"
#include "allot/model/event.h"
#include "allot/model/order.h"
#include "allot/model/policy.h"
#include "allot/model/pool.h"
#include "allot/model/principal.h"
#include "allot/model/proposal.h"
#include "allot/model/quota.h"
#include "allot/model/reservation.h"
#include "allot/model/tenant.h"

namespace allot::store {

/// A page of a list in the order of the ids: the items after `after`, at most `size`.
struct PageRequest {
  int size = 100;
  /// The last id of the page before; empty for the first page.
  std::string after;
};

template <class T>
struct Page {
  std::vector<T> items;
  /// Whether there is more behind the last item.
  bool more = false;
};

struct AllocationFilter {
  std::optional<InstituteId> institute;
  std::optional<ProjectId> project;
  /// Any of these; empty for all.
  std::vector<AllocationState> states;
  std::optional<ClusterId> cluster;
};

struct ReservationFilter {
  std::optional<ClusterId> cluster;
  std::optional<ProviderId> provider;
  /// Those for its projects.
  std::optional<InstituteId> institute;
};

/// What a request_id led to: enough to answer again as before.
struct RequestRecord {
  KeyId key;
  std::string request_id;
  /// SHA-256 of method and body, hexadecimal.
  std::string body_sha256;
  /// The answer as it was sent, serialised by the caller.
  std::string response;
  Instant create_time;
};

/// Under which a call is recorded.
struct RequestName {
  KeyId key;
  std::string request_id;
  friend auto operator<=>(const RequestName&, const RequestName&) = default;
};

/// What is left of a project's quota for requests that are to be admitted.
struct Budget {
  Quota quota;
  /// Charged for released claims.
  GpuSeconds used;
  /// Set aside for allocations that wait or hold GPUs.
  GpuSeconds committed;
  friend bool operator==(const Budget&, const Budget&) = default;
};

/// The keys of those who may make keys of staff; the numbers are of those that work.
struct StaffKeys {
  /// Whether there ever was a ministry admin's, working or not.
  bool had_ministry_admin = false;
  int ministry_admins = 0;
  int operators = 0;
  friend bool operator==(const StaffKeys&, const StaffKeys&) = default;
};

/// The orders of one kind that a cluster's agent has not answered yet; at least one.
struct OrderBacklog {
  ClusterId cluster;
  OrderKind kind = OrderKind::kProvision;
  int64_t orders = 0;
  Instant oldest_create_time;
  friend bool operator==(const OrderBacklog&, const OrderBacklog&) = default;
};

struct ProjectUsage {
  ProjectId project;
  /// Charged for released claims.
  GpuSeconds used;
  DecayedUsage decayed;
  friend bool operator==(const ProjectUsage&, const ProjectUsage&) = default;
};

/// The current rows of all that changed after a revision.
struct Changes {
  /// Everything up to and including this revision is reflected.
  Revision revision = 0;
  /// By which it has that number: after a failover to a database that lacked the last commits,
  /// others have theirs.
  std::string history;
  /// Everything that matters was loaded: what is not named here is not there.
  bool complete = false;
  std::vector<Provider> providers;
  std::vector<Cluster> clusters;
  std::vector<Node> nodes;
  std::vector<Project> projects;
  std::vector<Quota> quotas;
  std::vector<ProjectUsage> usages;
  /// Of a complete load those that were not cancelled, else every one that changed.
  std::vector<Reservation> reservations;
  /// Withdrawn ones too.
  std::vector<PublishedPolicy> policies;
  /// Of a complete load: those that wait, hold GPUs or are preempted, or still have claims
  /// not released. Else every one that changed, final ones too.
  std::vector<Allocation> allocations;
  /// All claims not released of the allocations above, and none of others.
  std::vector<Claim> claims;
  /// All that is promised to the allocations above, and nothing to others.
  std::vector<Claim> promises;
};

/// Beyond so many events everything is loaded: that takes no longer, and no more than it takes.
inline constexpr int kChangesMax = 20'000;

/// One of the times that an allocation is handed GPUs.
struct Attempt {
  AllocationId allocation;
  int number = 0;
};

struct Leadership {
  int64_t epoch = 0;
  /// Empty: nobody.
  std::string holder;
  /// By the holder's clock. Moves with every renewal.
  Instant lease_until;

  friend bool operator==(const Leadership&, const Leadership&) = default;
};

/// One transaction: domain verbs, no SQL. Every verb fails with a store reason when the database
/// does; the caller passes it on and the store reruns or reports. Every write of a resource adds
/// its outbox event; the transaction's revision is given at commit.
/// Writes of a versioned row require the version that was read, and leave the next one in the
/// argument; a stale version is store_conflict, which makes the store rerun the whole transaction.
/// A verb that met a conflict or was refused by the database loses the transaction: later verbs
/// repeat its failure, and nothing is committed even when the work makes light of it.
/// Inserting an id that exists is already_exists; the work is rerun once before, so that it sees
/// what another transaction committed while it looked (the answer to the same request_id above
/// all). Not thread safe.
class Tx {
 public:
  virtual ~Tx() = default;

  // Pool.
  virtual Result<std::optional<Provider>> FindProvider(const ProviderId& id) = 0;
  virtual Result<Page<Provider>> ListProviders(const PageRequest& page) = 0;
  virtual Status InsertProvider(const Provider& provider) = 0;
  virtual Result<std::optional<Cluster>> FindCluster(const ClusterId& id) = 0;
  /// Locks the row until the end of the transaction: agents' messages of a cluster come one by one.
  virtual Result<std::optional<Cluster>> LockCluster(const ClusterId& id) = 0;
  virtual Result<Page<Cluster>> ListClusters(const std::optional<ProviderId>& provider,
                                             const PageRequest& page) = 0;
  virtual Status InsertCluster(const Cluster& cluster) = 0;
  virtual Status UpdateCluster(Cluster& cluster) = 0;
  /// Writes the last heartbeat and the newest report alone: no version, no event, cheap.
  virtual Status TouchCluster(const ClusterId& id, Instant heartbeat,
                              const ReportMark& newest_report) = 0;
  virtual Result<std::optional<Node>> FindNode(const NodeId& id) = 0;
  virtual Result<Page<Node>> ListNodes(const std::optional<ClusterId>& cluster,
                                       const std::optional<NodeHealth>& health,
                                       const PageRequest& page) = 0;
  /// All of a cluster, removed ones too, by id.
  virtual Result<std::vector<Node>> NodesOfCluster(const ClusterId& id) = 0;
  /// In nodes, removed ones and clusters that have left by `at` not counted; what `Admit` measures
  /// a request against.
  virtual Result<LargestClusterByModel> LargestClusters(const ProgrammeId& programme,
                                                        Instant at) = 0;
  virtual Status InsertNodes(std::span<const Node> nodes) = 0;
  virtual Status UpdateNodes(std::span<Node> nodes) = 0;

  // Reservations.
  virtual Result<std::optional<Reservation>> FindReservation(const ReservationId& id) = 0;
  virtual Result<Page<Reservation>> ListReservations(const ReservationFilter& filter,
                                                     const PageRequest& page) = 0;
  /// Of a cluster, those that were not cancelled; by id.
  virtual Result<std::vector<Reservation>> LiveReservations(const ClusterId& cluster) = 0;
  /// Nodes that another reservation has, or claims of others (promised ones too), in one of its
  /// windows: store_conflict for the whole transaction. From then on claims of others on its nodes
  /// in its windows meet the same.
  virtual Status InsertReservation(const Reservation& reservation) = 0;
  /// One that is cancelled gives its nodes back.
  virtual Status UpdateReservation(Reservation& reservation) = 0;

  // Policies.
  virtual Result<std::optional<PublishedPolicy>> FindPolicy(const PolicyId& id) = 0;
  virtual Result<Page<PublishedPolicy>> ListPolicies(const PageRequest& page) = 0;
  /// Those that were not withdrawn, by the time they take effect.
  virtual Result<std::vector<PublishedPolicy>> LivePolicies() = 0;
  /// Until the end of the transaction nobody else publishes or withdraws one.
  virtual Status LockPolicies() = 0;
  /// One that takes effect at the same time or later: store_conflict for the whole transaction.
  virtual Status InsertPolicy(const PublishedPolicy& policy) = 0;
  /// Requires: `at` is before it takes effect. One that is withdrawn already is store_conflict.
  virtual Status WithdrawPolicy(const PolicyId& id, Instant at, const std::string& reason) = 0;

  // Tenants.
  virtual Result<std::optional<Institute>> FindInstitute(const InstituteId& id) = 0;
  virtual Result<Page<Institute>> ListInstitutes(const std::optional<InstituteId>& only,
                                                 const PageRequest& page) = 0;
  virtual Status InsertInstitute(const Institute& institute) = 0;
  virtual Status UpdateInstitute(Institute& institute) = 0;
  virtual Result<std::optional<Project>> FindProject(const ProjectId& id) = 0;
  /// Locks the rows, in the order of the ids: admissions of one project come one by one, so that no
  /// two spend the same quota. Unknown ids are left out.
  virtual Result<std::vector<Project>> LockProjects(std::span<const ProjectId> ids) = 0;
  Result<std::optional<Project>> LockProject(const ProjectId& id) {
    ALLOT_ASSIGN_OR_RETURN(auto locked, LockProjects(std::span(&id, 1)));
    if (locked.empty()) return std::optional<Project>();
    return std::optional<Project>(std::move(locked.front()));
  }
  virtual Result<Page<Project>> ListProjects(const std::optional<InstituteId>& institute,
                                             const PageRequest& page) = 0;
  virtual Status InsertProject(const Project& project) = 0;
  virtual Status UpdateProject(Project& project) = 0;
  /// A project always has one; inserted with zeros by InsertProject.
  virtual Result<std::optional<Quota>> FindQuota(const ProjectId& id) = 0;
  virtual Result<Page<Quota>> ListQuotas(const std::optional<InstituteId>& institute,
                                         const PageRequest& page) = 0;
  virtual Status UpdateQuota(Quota& quota) = 0;
  /// Of projects that are locked, by id; unknown ids are left out. However much they have under
  /// way: what is set aside is summed up as it changes.
  virtual Result<std::vector<Budget>> BudgetsOf(std::span<const ProjectId> ids) = 0;
  /// Held: claims not released of current attempts that provision, are active or releasing (what
  /// was lost with a node does not count). Committed: the full cost of what waits, holds GPUs or is
  /// preempted. Reserved: of that, what provisions, is active or releasing.
  virtual Result<Usage> UsageOf(const ProjectId& id) = 0;
  /// Charges released claims and the decayed use; under the project's lock.
  virtual Result<ProjectUsage> ProjectUsageOf(const ProjectId& id) = 0;
  virtual Status UpdateProjectUsage(const ProjectUsage& usage) = 0;

  // Allocations and what they hold.
  virtual Result<std::optional<Allocation>> FindAllocation(const AllocationId& id) = 0;
  /// All that adds, or added, to this one; by id.
  virtual Result<std::vector<Allocation>> GrowthsOf(const AllocationId& base) = 0;
  /// Without locking, in the order of the ids; unknown ids are left out.
  virtual Result<std::vector<Allocation>> FindAllocations(std::span<const AllocationId> ids) = 0;
  /// Locked until the end of the transaction, in the order of the ids; unknown ids are left out.
  virtual Result<std::vector<Allocation>> LockAllocations(std::span<const AllocationId> ids) = 0;
  virtual Result<Page<Allocation>> ListAllocations(const AllocationFilter& filter,
                                                   const PageRequest& page) = 0;
  /// What it was told about its start, the newest first, at most `limit`. Kept with every update
  /// that changes its planned start.
  virtual Result<std::vector<StartEstimate>> EstimatesOf(const AllocationId& id, int limit) = 0;
  /// All of them, or already_exists.
  virtual Status InsertAllocations(std::span<const Allocation> allocations) = 0;
  Status InsertAllocation(const Allocation& allocation) {
    return InsertAllocations(std::span(&allocation, 1));
  }
  virtual Status UpdateAllocations(std::span<Allocation> allocations) = 0;
  /// Not released, of these allocations; by node, then allocation.
  virtual Result<std::vector<Claim>> OpenClaims(std::span<const AllocationId> allocations) = 0;
  /// Not released, on these nodes.
  virtual Result<std::vector<Claim>> OpenClaimsOnNodes(std::span<const NodeId> nodes) = 0;
  /// All, released ones too, of one allocation; by attempt, then node.
  virtual Result<std::vector<Claim>> ClaimsOf(const AllocationId& allocation) = 0;
  /// A GPU already booked: store_conflict for the whole transaction, nothing is changed.
  virtual Status InsertClaims(std::span<const Claim> claims) = 0;
  /// What these allocations are promised: claims of their next attempt that are not held yet, and
  /// that OpenClaims leaves out; by node, then allocation.
  virtual Result<std::vector<Claim>> Promises(std::span<const AllocationId> allocations) = 0;
  /// The same on these nodes, whoever is promised.
  virtual Result<std::vector<Claim>> PromisesOnNodes(std::span<const NodeId> nodes) = 0;
  /// As InsertClaims. When the transaction ends, their allocations must be `promised`.
  virtual Status InsertPromises(std::span<const Claim> claims) = 0;
  /// Removes all that these allocations are promised.
  virtual Status RemovePromises(std::span<const AllocationId> allocations) = 0;
  /// Ends an attempt's claims at `at`: no window ends before its start, or in another's after it.
  virtual Status ReleaseClaims(const AllocationId& allocation, int attempt, Instant at) = 0;
  /// Windows of an attempt that is held end at `end` now, if they would have ended later.
  virtual Status CutClaims(const AllocationId& allocation, int attempt, Instant end) = 0;
  virtual Status InsertOrders(std::span<const Order> orders) = 0;
  virtual Result<std::optional<Order>> FindOrder(const OrderId& id) = 0;
  /// After the lock on its allocation, if that is to be changed too.
  virtual Result<std::optional<Order>> LockOrder(const OrderId& id) = 0;
  virtual Status UpdateOrder(const Order& order) = 0;
  /// Open provision orders of these attempts become superseded: the agent must not enact them any
  /// more.
  virtual Status SupersedeProvisionOrders(std::span<const Attempt> attempts) = 0;
  /// Open ones of a cluster: the oldest first, behind them those that failed, the longest ago
  /// first.
  virtual Result<std::vector<Order>> OpenOrders(const ClusterId& cluster, int limit) = 0;
  /// Of all clusters; by cluster, then kind.
  virtual Result<std::vector<OrderBacklog>> OrderBacklogs() = 0;
  virtual Result<Page<Order>> ListOrders(const std::optional<ClusterId>& cluster,
                                         const std::optional<OrderState>& state,
                                         const PageRequest& page) = 0;

  // Leadership. The epoch grows with every change of holder and every start of one.
  /// Who holds it now, as it was written last; locks nothing.
  virtual Result<Leadership> FindLeadership() = 0;
  /// Takes the lease, or renews it for whoever has held it without a break since `epoch` (0: not
  /// yet): a holder that comes back after a restart gets an epoch of its own. Nothing when another
  /// holds it beyond `now`. Servers' clocks differ: who would take another's lease passes the end
  /// of the one that it saw run out by its own steady clock (control::SchedulerLoop).
  virtual Result<std::optional<Leadership>> AcquireLeadership(const std::string& holder,
                                                              int64_t epoch, Instant now,
                                                              Seconds lease) = 0;
  /// not_leader unless `epoch` is current; holds the row until the end, so that no newer leader can
  /// write in between.
  virtual Status AssertLeader(int64_t epoch) = 0;
  /// One plan at a time a cluster; released at the end of the transaction. Lock in the order of the
  /// ids.
  virtual Status LockPool(const ClusterId& cluster) = 0;

  // Identity, idempotency, records.
  /// By the SHA-256 of their secrets, hexadecimal; in no order, and unknown ones are left out.
  virtual Result<std::vector<ApiKey>> FindApiKeysByHash(
      std::span<const std::string> secrets_sha256) = 0;
  virtual Result<std::optional<ApiKey>> FindApiKey(const KeyId& id) = 0;
  /// After LockStaffKeys, if both are wanted.
  virtual Result<std::optional<ApiKey>> LockApiKey(const KeyId& id) = 0;
  virtual Status InsertApiKey(const ApiKey& key) = 0;
  virtual Result<Page<ApiKey>> ListApiKeys(const PageRequest& page) = 0;
  virtual Status RevokeApiKey(const KeyId& id, Instant at) = 0;
  /// It expires at `at`, if it would not have sooner.
  virtual Status ExpireApiKey(const KeyId& id, Instant at) = 0;
  /// Locks the keys of ministry admins and operators, and counts those that work at `at`.
  virtual Result<StaffKeys> LockStaffKeys(Instant at) = 0;
  /// Of these persons those who are members and were not removed; in no order.
  virtual Result<std::vector<Member>> FindMembersByPerson(std::span<const Person> persons) = 0;
  virtual Result<std::optional<Member>> FindMember(const MemberId& id) = 0;
  /// already_exists for a person who is a member.
  virtual Status InsertMember(const Member& member) = 0;
  /// Removed ones too.
  virtual Result<Page<Member>> ListMembers(const PageRequest& page) = 0;
  /// The first removal stands.
  virtual Status RemoveMember(const MemberId& id, Instant at) = 0;

  // Calls that wait for a second person.
  virtual Result<std::optional<Proposal>> FindProposal(const ProposalId& id) = 0;
  /// By id; those that are pending at that moment only, if one is given.
  virtual Result<Page<Proposal>> ListProposals(const std::optional<Instant>& pending_at,
                                               const PageRequest& page) = 0;
  /// Of one call, locked, by id: those that it did not go through by yet, expired ones too.
  virtual Result<std::vector<Proposal>> LockProposalsOf(const std::string& digest) = 0;
  /// A call waits once at any time: already_exists for another that waits in its time.
  virtual Status InsertProposal(const Proposal& proposal) = 0;
  /// The decision and the time it was done are written; nothing else of a proposal changes.
  virtual Status UpdateProposal(Proposal& proposal) = 0;

  // Of every call.
  /// In no order; unknown ones are left out. What is found is as durable, once the transaction has
  /// committed, as what is written.
  virtual Result<std::vector<RequestRecord>> FindRequests(std::span<const RequestName> names) = 0;
  Result<std::optional<RequestRecord>> FindRequest(const KeyId& key,
                                                   const std::string& request_id) {
    const RequestName name{key, request_id};
    ALLOT_ASSIGN_OR_RETURN(auto found, FindRequests(std::span(&name, 1)));
    if (found.empty()) return std::optional<RequestRecord>();
    return std::optional<RequestRecord>(std::move(found.front()));
  }
  /// A second one for the same key and id: store_conflict, so that a rerun finds the first.
  virtual Status InsertRequests(std::span<const RequestRecord> records) = 0;
  Status InsertRequest(const RequestRecord& record) {
    return InsertRequests(std::span(&record, 1));
  }
  /// Written last, in the order of the calls: what links it to the entry before holds up every
  /// other writer until the commit.
  virtual Status Audit(const AuditEntry& entry) = 0;
  /// At most `limit` of the entries after `number`, oldest first.
  virtual Result<AuditChain> AuditAfter(int64_t number, int limit) = 0;
  /// The newest entry there is.
  virtual Result<AuditMark> AuditHead() = 0;
  /// The newest of the kind kReached.
  virtual Result<std::optional<AuditCheckpoint>> NewestAuditCheckpoint() = 0;
  /// Refused unless the entry stands there with that hash.
  virtual Status InsertAuditCheckpoint(const AuditCheckpoint& checkpoint) = 0;
  /// The last of the oldest entries, at most `limit`, all of which are from before `t`; never the
  /// newest of all. Nothing when there is none.
  virtual Result<std::optional<AuditMark>> AuditToRemove(Instant t, int limit) = 0;
  /// Removes the entries up to this one: the audit begins behind it. Refused unless a checkpoint of
  /// the kind kRemoved says so.
  virtual Status RemoveAudit(const AuditMark& through) = 0;
  /// The newest first: those with a number below `before` (0: from the newest), at most `size`, and
  /// an action of one of the kinds: what its name has before the dot. A provider and an institute
  /// may share an id; their actions tell them apart.
  virtual Result<Page<AuditEntry>> AuditOf(const AuditedResource& resource, int64_t before,
                                           int size) = 0;
  /// Forgets request ids recorded before `t`, at most `limit`; returns how many went.
  virtual Result<int> RemoveRequests(Instant t, int limit) = 0;

  // The event stream.
  virtual Result<Revision> CurrentRevision() = 0;
  /// By the store's own clock, of this moment.
  virtual Result<Instant> StoreTime() = 0;
  /// Events up to and including this revision were removed: a reader can begin at it or later.
  virtual Result<Revision> RemovedThrough() = 0;
  /// Removes the events of the oldest revisions, as long as they happened before `t`, of at most
  /// `revisions` revisions; returns how many revisions went.
  virtual Result<int> RemoveEvents(Instant t, int revisions) = 0;
  /// Requires: `after` is not before RemovedThrough.
  /// After `after`, in order, never part of a revision; of one institute if given. At most `limit`,
  /// unless the first revision alone has more: then that one. An allocation's event has its update
  /// time, others the time of their transaction.
  virtual Result<std::vector<Event>> EventsAfter(Revision after,
                                                 const std::optional<InstituteId>& institute,
                                                 int limit) = 0;
  /// See Changes. Loads everything that still matters when `after` is 0, when its events were
  /// removed since, when there is more than kChangesMax to read, and when `history`, of the changes
  /// that ended in it, is not the present one. In a transaction that reads: one that writes does
  /// not see a single moment.
  virtual Result<Changes> ChangesAfter(Revision after, const std::string& history) = 0;
};

}  // namespace allot::store
