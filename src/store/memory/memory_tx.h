#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allot/store/memory.h"
#include "allot/store/store.h"
#include "allot/store/tx.h"
#include "store/failure.h"
#include "store/memory/state.h"

namespace allot::store {

/// The verbs on a state in memory, one file a subject. As in PostgreSQL, a verb that was refused
/// loses the transaction: every later verb repeats its failure.
class MemoryTx final : public Tx {
 public:
  /// `run` counts the reruns before this one; `now` is the time of the transaction.
  MemoryTx(State& state, Access access, Locking locking, int run, Instant now)
      : state_(state),
        counters_before_(state.counters),
        access_(access),
        locking_(locking),
        run_(run),
        now_(now) {}

  const std::optional<Failure>& failure() const { return failure_; }
  /// What is looked at last, then the audit, then the events. Leaves the revision, 0 when nothing
  /// changed.
  std::optional<Failure> Finish(Revision& revision);
  void Rollback();

  // Pool: pool.cc.
  Result<std::optional<Provider>> FindProvider(const ProviderId& id) override;
  Result<Page<Provider>> ListProviders(const PageRequest& page) override;
  Status InsertProvider(const Provider& provider) override;
  Result<std::optional<Cluster>> FindCluster(const ClusterId& id) override;
  Result<std::optional<Cluster>> LockCluster(const ClusterId& id) override;
  Result<Page<Cluster>> ListClusters(const std::optional<ProviderId>& provider,
                                     const PageRequest& page) override;
  Status InsertCluster(const Cluster& cluster) override;
  Status UpdateCluster(Cluster& cluster) override;
  Status TouchCluster(const ClusterId& id, Instant heartbeat,
                      const ReportMark& newest_report) override;
  Result<std::optional<Node>> FindNode(const NodeId& id) override;
  Result<Page<Node>> ListNodes(const std::optional<ClusterId>& cluster,
                               const std::optional<NodeHealth>& health,
                               const PageRequest& page) override;
  Result<std::vector<Node>> NodesOfCluster(const ClusterId& id) override;
  Result<LargestClusterByModel> LargestClusters(const ProgrammeId& programme, Instant at) override;
  Status InsertNodes(std::span<const Node> nodes) override;
  Status UpdateNodes(std::span<Node> nodes) override;

  // Reservations: reservations.cc.
  Result<std::optional<Reservation>> FindReservation(const ReservationId& id) override;
  Result<Page<Reservation>> ListReservations(const ReservationFilter& filter,
                                             const PageRequest& page) override;
  Result<std::vector<Reservation>> LiveReservations(const ClusterId& cluster) override;
  Status InsertReservation(const Reservation& reservation) override;
  Status UpdateReservation(Reservation& reservation) override;

  // Policies: policies.cc.
  Result<std::optional<PublishedPolicy>> FindPolicy(const PolicyId& id) override;
  Result<Page<PublishedPolicy>> ListPolicies(const PageRequest& page) override;
  Result<std::vector<PublishedPolicy>> LivePolicies() override;
  Status LockPolicies() override;
  Status InsertPolicy(const PublishedPolicy& policy) override;
  Status WithdrawPolicy(const PolicyId& id, Instant at, const std::string& reason) override;

  // Proposals: proposals.cc.
  Result<std::optional<Proposal>> FindProposal(const ProposalId& id) override;
  Result<Page<Proposal>> ListProposals(const std::optional<Instant>& pending_at,
                                       const PageRequest& page) override;
  Result<std::vector<Proposal>> LockProposalsOf(const std::string& digest) override;
  Status InsertProposal(const Proposal& proposal) override;
  Status UpdateProposal(Proposal& proposal) override;

  // Tenants: tenants.cc; what counts against a quota: usage.cc.
  Result<std::optional<Institute>> FindInstitute(const InstituteId& id) override;
  Result<Page<Institute>> ListInstitutes(const std::optional<InstituteId>& only,
                                         const PageRequest& page) override;
  Status InsertInstitute(const Institute& institute) override;
  Status UpdateInstitute(Institute& institute) override;
  Result<std::optional<Project>> FindProject(const ProjectId& id) override;
  Result<std::vector<Project>> LockProjects(std::span<const ProjectId> ids) override;
  Result<Page<Project>> ListProjects(const std::optional<InstituteId>& institute,
                                     const PageRequest& page) override;
  Status InsertProject(const Project& project) override;
  Status UpdateProject(Project& project) override;
  Result<std::optional<Quota>> FindQuota(const ProjectId& id) override;
  Result<Page<Quota>> ListQuotas(const std::optional<InstituteId>& institute,
                                 const PageRequest& page) override;
  Status UpdateQuota(Quota& quota) override;
  Result<std::vector<Budget>> BudgetsOf(std::span<const ProjectId> ids) override;
  Result<Usage> UsageOf(const ProjectId& id) override;
  Result<ProjectUsage> ProjectUsageOf(const ProjectId& id) override;
  Status UpdateProjectUsage(const ProjectUsage& usage) override;

  // Allocations: allocations.cc; claims: bookings.cc; orders: orders.cc.
  Result<std::optional<Allocation>> FindAllocation(const AllocationId& id) override;
  Result<std::vector<Allocation>> GrowthsOf(const AllocationId& base) override;
  Result<std::vector<Allocation>> FindAllocations(std::span<const AllocationId> ids) override;
  Result<std::vector<Allocation>> LockAllocations(std::span<const AllocationId> ids) override;
  Result<Page<Allocation>> ListAllocations(const AllocationFilter& filter,
                                           const PageRequest& page) override;
  Result<std::vector<StartEstimate>> EstimatesOf(const AllocationId& id, int limit) override;
  Status InsertAllocations(std::span<const Allocation> allocations) override;
  Status UpdateAllocations(std::span<Allocation> allocations) override;
  Result<std::vector<Claim>> OpenClaims(std::span<const AllocationId> allocations) override;
  Result<std::vector<Claim>> OpenClaimsOnNodes(std::span<const NodeId> nodes) override;
  Result<std::vector<Claim>> ClaimsOf(const AllocationId& allocation) override;
  Status InsertClaims(std::span<const Claim> claims) override;
  Result<std::vector<Claim>> Promises(std::span<const AllocationId> allocations) override;
  Result<std::vector<Claim>> PromisesOnNodes(std::span<const NodeId> nodes) override;
  Status InsertPromises(std::span<const Claim> claims) override;
  Status RemovePromises(std::span<const AllocationId> allocations) override;
  Status ReleaseClaims(const AllocationId& allocation, int attempt, Instant at) override;
  Status CutClaims(const AllocationId& allocation, int attempt, Instant end) override;
  Status InsertOrders(std::span<const Order> orders) override;
  Result<std::optional<Order>> FindOrder(const OrderId& id) override;
  Result<std::optional<Order>> LockOrder(const OrderId& id) override;
  Status UpdateOrder(const Order& order) override;
  Status SupersedeProvisionOrders(std::span<const Attempt> attempts) override;
  Result<std::vector<Order>> OpenOrders(const ClusterId& cluster, int limit) override;
  Result<std::vector<OrderBacklog>> OrderBacklogs() override;
  Result<Page<Order>> ListOrders(const std::optional<ClusterId>& cluster,
                                 const std::optional<OrderState>& state,
                                 const PageRequest& page) override;

  // Leadership, identity, idempotency: control.cc; the audit: audit.cc.
  Result<Leadership> FindLeadership() override;
  Result<std::optional<Leadership>> AcquireLeadership(const std::string& holder, int64_t epoch,
                                                      Instant now, Seconds lease) override;
  Status AssertLeader(int64_t epoch) override;
  Status LockPool(const ClusterId& cluster) override;
  Result<std::vector<ApiKey>> FindApiKeysByHash(
      std::span<const std::string> secrets_sha256) override;
  Result<std::optional<ApiKey>> FindApiKey(const KeyId& id) override;
  Result<std::optional<ApiKey>> LockApiKey(const KeyId& id) override;
  Status InsertApiKey(const ApiKey& key) override;
  Result<Page<ApiKey>> ListApiKeys(const PageRequest& page) override;
  Status RevokeApiKey(const KeyId& id, Instant at) override;
  Status ExpireApiKey(const KeyId& id, Instant at) override;
  Result<StaffKeys> LockStaffKeys(Instant at) override;
  Result<std::vector<RequestRecord>> FindRequests(std::span<const RequestName> names) override;
  Status InsertRequests(std::span<const RequestRecord> records) override;
  Status Audit(const AuditEntry& entry) override;
  Result<AuditChain> AuditAfter(int64_t number, int limit) override;
  Result<AuditMark> AuditHead() override;
  Result<std::optional<AuditCheckpoint>> NewestAuditCheckpoint() override;
  Status InsertAuditCheckpoint(const AuditCheckpoint& checkpoint) override;
  Result<std::optional<AuditMark>> AuditToRemove(Instant t, int limit) override;
  Status RemoveAudit(const AuditMark& through) override;
  Result<Page<AuditEntry>> AuditOf(const AuditedResource& resource, int64_t before,
                                   int size) override;
  Result<int> RemoveRequests(Instant t, int limit) override;

  // Members: members.cc.
  Result<std::vector<Member>> FindMembersByPerson(std::span<const Person> persons) override;
  Result<std::optional<Member>> FindMember(const MemberId& id) override;
  Status InsertMember(const Member& member) override;
  Result<Page<Member>> ListMembers(const PageRequest& page) override;
  Status RemoveMember(const MemberId& id, Instant at) override;

  // The event stream: events.cc.
  Result<Revision> CurrentRevision() override;
  Result<Instant> StoreTime() override;
  Result<Revision> RemovedThrough() override;
  Result<int> RemoveEvents(Instant t, int revisions) override;
  Result<std::vector<Event>> EventsAfter(Revision after,
                                         const std::optional<InstituteId>& institute,
                                         int limit) override;
  Result<Changes> ChangesAfter(Revision after, const std::string& history) override;

 private:
  Error Fail(Failure failure);
  Error Conflict() { return Fail({StoreConflict(), Failure::Remedy::kRerun}); }
  /// What a constraint of the schema refuses and no caller can bring about.
  Error Refuse();
  /// Of every verb that writes.
  Status MayWrite();
  /// What is locked until the end; what was inserted nobody else can write.
  enum class Lock : uint8_t { kCluster, kPool, kProject, kAllocation, kOrder, kPolicies, kKey };
  template <class Id>
  void Hold(Lock lock, const Id& id) {
    if (locking_ == Locking::kRequired) held_.emplace(lock, id.str());
  }
  Status RequireHeld(Lock lock, const std::string& id);
  template <class Id>
  Status RequireHeld(Lock lock, const Id& id) {
    return RequireHeld(lock, id.str());
  }
  /// Of every verb that only reads: the result, unless the transaction is lost.
  template <class Body>
  auto Verb(Body body) -> Result<decltype(body())> {
    if (failure_) return failure_->error;
    return body();
  }

  template <class Key, class Row>
  Result<std::optional<Row>> FindOne(const Table<Key, Row>& table, const Key& key) {
    return Verb([&]() -> std::optional<Row> {
      const Row* row = table.Find(key);
      return row == nullptr ? std::nullopt : std::optional<Row>(*row);
    });
  }
  template <class Key, class Row, class Wanted>
  Result<Page<Row>> FindPage(const Table<Key, Row>& table, const PageRequest& page, Wanted wanted) {
    return Verb([&]() -> Page<Row> {
      Page<Row> found;
      auto row =
          page.after.empty() ? table.rows().begin() : table.rows().upper_bound(Key(page.after));
      for (; row != table.rows().end(); ++row) {
        if (!wanted(*row->second)) continue;
        if (found.items.size() == static_cast<std::size_t>(page.size)) {
          found.more = true;
          break;
        }
        found.items.push_back(*row->second);
      }
      return found;
    });
  }
  template <class Key, class Row>
  Status Insert(Table<Key, Row>& table, const Key& key, const Row& row) {
    if (table.Find(key) != nullptr) return Fail(AlreadyThere(run_));
    table.Put(undo_, key, row);
    return Ok{};
  }
  /// By version, which is the next one afterwards; a conflict when the row has another.
  template <class Key, class Row>
  Status Update(Table<Key, Row>& table, const Key& key, Row& row) {
    const Row* const before = table.Find(key);
    if (before == nullptr || before->version != row.version) return Conflict();
    ++row.version;
    table.Put(undo_, key, row);
    return Ok{};
  }
  template <class Id>
  void Changed(ResourceKind kind, const Id& id) {
    changed_.emplace(kind, id.str());
  }
  Status CheckText(std::string_view text);

  Status InsertOne(const Allocation& allocation);
  Status CheckTransition(const Allocation& before, const Allocation& after);
  bool MayBeStored(const Allocation& allocation) const;
  void KeepEstimate(const Allocation& before, const Allocation& after);
  Status Book(std::span<const Claim> claims, bool promised);
  /// Whether another booking of the node has one of its GPUs at one of its times, or holds it.
  bool IsTaken(const Booking& booking) const;
  /// A released one does not reach into another's that begins after it.
  void EndBeforeNext(Claim& claim) const;
  bool IsSetAsideForOthers(const Booking& booking) const;
  /// What was released by a clock that was ahead ends where the next one begins.
  void EndReleased(const Claim& next);
  void StoreBooking(const Booking& booking);
  /// … and tells of it.
  void PutBooking(const Booking& booking);
  template <class Wanted>
  std::vector<Claim> BookingsOf(std::span<const AllocationId> allocations, Wanted wanted) const;
  template <class Wanted>
  std::vector<Claim> BookingsOn(std::span<const NodeId> nodes, Wanted wanted) const;
  template <class Wanted>
  std::vector<Claim> AllBookings(Wanted wanted) const;
  void PutOrder(const Order& order);
  void WriteAudit();
  Revision WriteEvents();
  Event EventOf(ResourceKind kind, const std::string& resource) const;

  State& state_;
  const Counters counters_before_;
  const Access access_;
  const Locking locking_;
  const int run_;
  const Instant now_;
  UndoLog undo_;
  std::optional<Failure> failure_;
  std::set<std::pair<Lock, std::string>> held_;
  std::vector<AuditEntry> audit_;
  /// One event each, however often it changed; in this order.
  std::set<std::pair<ResourceKind, std::string>> changed_;
};

}  // namespace allot::store
