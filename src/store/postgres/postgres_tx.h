#pragma once

#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "allot/store/tx.h"
#include "store/postgres/failure.h"
#include "store/postgres/session.h"

namespace allot::store {

/// A list in the order of the ids, its conditions added one by one: a statement with only what is
/// asked for has a better plan than one for every case.
class ListQuery {
 public:
  /// `select` ends in its FROM; `id` is the column the pages follow.
  ListQuery(std::string select, std::string id, const PageRequest& page);
  /// `condition` ends where the argument stands, such as "health = ".
  template <class Value>
  ListQuery& Where(std::string_view condition, const std::optional<Value>& value) {
    if (value) Add(condition, ToSql(*value));
    return *this;
  }
  ListQuery& WhereAny(std::string_view column, const std::string& array);
  /// Of an index over few of the rows: what is asked lies within it, and PostgreSQL cannot see that
  /// from arguments.
  ListQuery& Within(std::string_view condition_of_index);
  int size() const { return size_; }
  std::string sql() const;
  const Arguments& arguments() const { return arguments_; }

 private:
  void Add(std::string_view condition, const SqlValue& value);

  std::string sql_;
  std::string id_;
  int size_;
  Arguments arguments_;
};

/// The verbs in SQL, one file a subject. Exceptions end in each verb: after the first failure the
/// transaction is lost, every later verb repeats that failure, and the store does not commit.
class PostgresTx final : public Tx {
 public:
  using Report = std::function<void(const std::string&)>;

  /// `run` counts the reruns before this one.
  PostgresTx(Session& session, pqxx::transaction_base& transaction, int run, const Report& report)
      : session_(session), transaction_(transaction), run_(run), report_(report) {}

  const std::optional<Failure>& failure() const { return failure_; }
  /// The last statement of a transaction: writes the outbox and takes the revision, 0 when nothing
  /// changed. Its lock is the last one taken, so it is in no deadlock, and is held until the
  /// commit, so revisions are dense and in commit order.
  Result<Revision> WriteEvents();
  /// Before those: whoever writes both takes their locks in one order.
  Status WriteAudit();

  // Pool: pool_sql.cc.
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

  // Reservations: reservations_sql.cc.
  Result<std::optional<Reservation>> FindReservation(const ReservationId& id) override;
  Result<Page<Reservation>> ListReservations(const ReservationFilter& filter,
                                             const PageRequest& page) override;
  Result<std::vector<Reservation>> LiveReservations(const ClusterId& cluster) override;
  Status InsertReservation(const Reservation& reservation) override;
  Status UpdateReservation(Reservation& reservation) override;

  // Policies: policies_sql.cc.
  Result<std::optional<PublishedPolicy>> FindPolicy(const PolicyId& id) override;
  Result<Page<PublishedPolicy>> ListPolicies(const PageRequest& page) override;
  Result<std::vector<PublishedPolicy>> LivePolicies() override;
  Status LockPolicies() override;
  Status InsertPolicy(const PublishedPolicy& policy) override;
  Status WithdrawPolicy(const PolicyId& id, Instant at, const std::string& reason) override;

  // Proposals: proposals_sql.cc.
  Result<std::optional<Proposal>> FindProposal(const ProposalId& id) override;
  Result<Page<Proposal>> ListProposals(const std::optional<Instant>& pending_at,
                                       const PageRequest& page) override;
  Result<std::vector<Proposal>> LockProposalsOf(const std::string& digest) override;
  Status InsertProposal(const Proposal& proposal) override;
  Status UpdateProposal(Proposal& proposal) override;

  // Tenants: tenants_sql.cc.
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

  // Allocations: allocations_sql.cc.
  Result<std::optional<Allocation>> FindAllocation(const AllocationId& id) override;
  Result<std::vector<Allocation>> GrowthsOf(const AllocationId& base) override;
  Result<std::vector<Allocation>> FindAllocations(std::span<const AllocationId> ids) override;
  Result<std::vector<Allocation>> LockAllocations(std::span<const AllocationId> ids) override;
  Result<Page<Allocation>> ListAllocations(const AllocationFilter& filter,
                                           const PageRequest& page) override;
  Result<std::vector<StartEstimate>> EstimatesOf(const AllocationId& id, int limit) override;
  Status InsertAllocations(std::span<const Allocation> allocations) override;
  Status UpdateAllocations(std::span<Allocation> allocations) override;

  // Claims: claims_sql.cc.
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

  // Orders: orders_sql.cc.
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

  // Leadership, identity, idempotency, records: control_sql.cc.
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

  // Members: members_sql.cc.
  Result<std::vector<Member>> FindMembersByPerson(std::span<const Person> persons) override;
  Result<std::optional<Member>> FindMember(const MemberId& id) override;
  Status InsertMember(const Member& member) override;
  Result<Page<Member>> ListMembers(const PageRequest& page) override;
  Status RemoveMember(const MemberId& id, Instant at) override;

  // The event stream: events_sql.cc.
  Result<Revision> CurrentRevision() override;
  Result<Instant> StoreTime() override;
  Result<Revision> RemovedThrough() override;
  Result<int> RemoveEvents(Instant t, int revisions) override;
  Result<std::vector<Event>> EventsAfter(Revision after,
                                         const std::optional<InstituteId>& institute,
                                         int limit) override;
  Result<Changes> ChangesAfter(Revision after, const std::string& history) override;

 private:
  /// Reads all there is: more time than others have, and more patience.
  Status TakeTime();

  pqxx::result Execute(const Statement& statement, const Arguments& arguments) {
    return session_.Execute(transaction_, statement, arguments);
  }

  /// The one place where exceptions end.
  template <class Body>
  auto Verb(Body body) -> decltype(body()) {
    if (failure_) return failure_->error;
    try {
      return body();
    } catch (...) {
      std::string own_words;
      failure_ = FailureOfCurrentException(own_words);
      report_(own_words);
      return failure_->error;
    }
  }

  template <class T>
  using Reader = T (*)(RowReader&);
  template <class T>
  static std::vector<T> ReadAll(const pqxx::result& rows, Reader<T> read) {
    std::vector<T> items;
    items.reserve(rows.size());
    for (const pqxx::row& row : rows) {
      RowReader reader(row);
      items.push_back(read(reader));
    }
    return items;
  }
  template <class T>
  Result<std::optional<T>> FindOne(Reader<T> read, const Statement& statement,
                                   const Arguments& arguments) {
    return Verb([&]() -> Result<std::optional<T>> {
      const pqxx::result rows = Execute(statement, arguments);
      if (rows.empty()) return std::optional<T>();
      const pqxx::row row = rows.front();
      RowReader reader(row);
      return std::optional<T>(read(reader));
    });
  }
  template <class T>
  Result<std::vector<T>> FindAll(Reader<T> read, const Statement& statement,
                                 const Arguments& arguments) {
    return Verb(
        [&]() -> Result<std::vector<T>> { return ReadAll(Execute(statement, arguments), read); });
  }
  /// Requires: `rows` were asked for with one more than `size`, which shows whether there is more.
  template <class T>
  static Page<T> ReadPage(const pqxx::result& rows, Reader<T> read, int size) {
    Page<T> page{.items = ReadAll(rows, read)};
    page.more = page.items.size() > static_cast<std::size_t>(size);
    if (page.more) page.items.pop_back();
    return page;
  }
  template <class T>
  Result<Page<T>> FindPage(Reader<T> read, const ListQuery& query) {
    return Verb([&]() -> Result<Page<T>> {
      return ReadPage(transaction_.exec_params(query.sql(), pqxx::prepare::make_dynamic_params(
                                                                query.arguments().pointers())),
                      read, query.size());
    });
  }
  /// The one number a statement returns.
  Result<int64_t> FindNumber(const Statement& statement, const Arguments& arguments) {
    return Verb([&]() -> Result<int64_t> {
      const pqxx::result rows = Execute(statement, arguments);
      const pqxx::row row = rows.front();
      return RowReader(row).Int64();
    });
  }

  /// Locks the newest audit entry, numbers those of this transaction, and links them; their hashes,
  /// hexadecimal.
  Result<std::vector<std::string>> LinkAudit();
  Status InsertBookings(std::span<const Claim> claims, bool promised);
  /// Runs an INSERT … ON CONFLICT DO NOTHING of `count` rows. When one of them exists already, the
  /// work is rerun once, because it may have looked before the other committed; then the caller is
  /// told that it exists.
  Status Insert(const Statement& statement, const Arguments& arguments, std::size_t count = 1);
  /// Runs an UPDATE of `count` rows by version: fewer is a conflict.
  Status Update(const Statement& statement, const Arguments& arguments, std::size_t count = 1);
  Error Fail(Failure failure);

  template <class Id>
  void Changed(ResourceKind kind, const Id& id) {
    changed_.emplace(kind, id.str());
  }

  Session& session_;
  pqxx::transaction_base& transaction_;
  const int run_;
  const Report& report_;
  std::optional<Failure> failure_;
  std::vector<AuditEntry> audit_;
  /// One event each, however often it changed; in this order.
  std::set<std::pair<ResourceKind, std::string>> changed_;
};

}  // namespace allot::store
