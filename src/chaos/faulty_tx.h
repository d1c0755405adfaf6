#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "allot/store/tx.h"

namespace allot::chaos {

/// A transaction one of whose verbs may fail, as when the connection breaks or another transaction
/// is in the way: from then on every verb repeats that, and whatever the work makes of it is not to
/// be committed. It remembers whether anything was written, and who was given the lead.
class FaultyTx final : public store::Tx {
  using Tx = store::Tx;

 public:
  /// The `fails_at`-th verb fails with `failure`; none when 0.
  FaultyTx(Tx& inner, int fails_at, const Error& failure)
      : inner_(inner), left_(fails_at), failure_(failure) {}

  bool lost() const { return lost_; }
  bool wrote() const { return wrote_; }
  const std::optional<store::Leadership>& given() const { return given_; }

  Result<std::optional<Provider>> FindProvider(const ProviderId& id) override {
    return Read(&Tx::FindProvider, id);
  }
  Result<store::Page<Provider>> ListProviders(const store::PageRequest& page) override {
    return Read(&Tx::ListProviders, page);
  }
  Status InsertProvider(const Provider& provider) override {
    return Write(&Tx::InsertProvider, provider);
  }
  Result<std::optional<Cluster>> FindCluster(const ClusterId& id) override {
    return Read(&Tx::FindCluster, id);
  }
  Result<std::optional<Cluster>> LockCluster(const ClusterId& id) override {
    return Read(&Tx::LockCluster, id);
  }
  Result<store::Page<Cluster>> ListClusters(const std::optional<ProviderId>& provider,
                                            const store::PageRequest& page) override {
    return Read(&Tx::ListClusters, provider, page);
  }
  Status InsertCluster(const Cluster& cluster) override {
    return Write(&Tx::InsertCluster, cluster);
  }
  Status UpdateCluster(Cluster& cluster) override { return Write(&Tx::UpdateCluster, cluster); }
  Status TouchCluster(const ClusterId& id, Instant heartbeat,
                      const ReportMark& newest_report) override {
    return Write(&Tx::TouchCluster, id, heartbeat, newest_report);
  }
  Result<std::optional<Node>> FindNode(const NodeId& id) override {
    return Read(&Tx::FindNode, id);
  }
  Result<store::Page<Node>> ListNodes(const std::optional<ClusterId>& cluster,
                                      const std::optional<NodeHealth>& health,
                                      const store::PageRequest& page) override {
    return Read(&Tx::ListNodes, cluster, health, page);
  }
  Result<std::vector<Node>> NodesOfCluster(const ClusterId& id) override {
    return Read(&Tx::NodesOfCluster, id);
  }
  Result<LargestClusterByModel> LargestClusters(const ProgrammeId& programme,
                                                Instant now) override {
    return Read(&Tx::LargestClusters, programme, now);
  }
  Status InsertNodes(std::span<const Node> nodes) override {
    return Write(&Tx::InsertNodes, nodes);
  }
  Status UpdateNodes(std::span<Node> nodes) override { return Write(&Tx::UpdateNodes, nodes); }
  Result<std::optional<Reservation>> FindReservation(const ReservationId& id) override {
    return Read(&Tx::FindReservation, id);
  }
  Result<store::Page<Reservation>> ListReservations(const store::ReservationFilter& filter,
                                                    const store::PageRequest& page) override {
    return Read(&Tx::ListReservations, filter, page);
  }
  Result<std::vector<Reservation>> LiveReservations(const ClusterId& cluster) override {
    return Read(&Tx::LiveReservations, cluster);
  }
  Status InsertReservation(const Reservation& reservation) override {
    return Write(&Tx::InsertReservation, reservation);
  }
  Status UpdateReservation(Reservation& reservation) override {
    return Write(&Tx::UpdateReservation, reservation);
  }
  Result<std::optional<PublishedPolicy>> FindPolicy(const PolicyId& id) override {
    return Read(&Tx::FindPolicy, id);
  }
  Result<store::Page<PublishedPolicy>> ListPolicies(const store::PageRequest& page) override {
    return Read(&Tx::ListPolicies, page);
  }
  Result<std::vector<PublishedPolicy>> LivePolicies() override { return Read(&Tx::LivePolicies); }
  Status LockPolicies() override { return Read(&Tx::LockPolicies); }
  Status InsertPolicy(const PublishedPolicy& policy) override {
    return Write(&Tx::InsertPolicy, policy);
  }
  Status WithdrawPolicy(const PolicyId& id, Instant at, const std::string& reason) override {
    return Write(&Tx::WithdrawPolicy, id, at, reason);
  }
  Result<std::optional<Institute>> FindInstitute(const InstituteId& id) override {
    return Read(&Tx::FindInstitute, id);
  }
  Result<store::Page<Institute>> ListInstitutes(const std::optional<InstituteId>& only,
                                                const store::PageRequest& page) override {
    return Read(&Tx::ListInstitutes, only, page);
  }
  Status InsertInstitute(const Institute& institute) override {
    return Write(&Tx::InsertInstitute, institute);
  }
  Status UpdateInstitute(Institute& institute) override {
    return Write(&Tx::UpdateInstitute, institute);
  }
  Result<std::optional<Project>> FindProject(const ProjectId& id) override {
    return Read(&Tx::FindProject, id);
  }
  Result<std::vector<Project>> LockProjects(std::span<const ProjectId> ids) override {
    return Read(&Tx::LockProjects, ids);
  }
  Result<store::Page<Project>> ListProjects(const std::optional<InstituteId>& institute,
                                            const store::PageRequest& page) override {
    return Read(&Tx::ListProjects, institute, page);
  }
  Status InsertProject(const Project& project) override {
    return Write(&Tx::InsertProject, project);
  }
  Status UpdateProject(Project& project) override { return Write(&Tx::UpdateProject, project); }
  Result<std::optional<Quota>> FindQuota(const ProjectId& id) override {
    return Read(&Tx::FindQuota, id);
  }
  Result<store::Page<Quota>> ListQuotas(const std::optional<InstituteId>& institute,
                                        const store::PageRequest& page) override {
    return Read(&Tx::ListQuotas, institute, page);
  }
  Status UpdateQuota(Quota& quota) override { return Write(&Tx::UpdateQuota, quota); }
  Result<std::vector<store::Budget>> BudgetsOf(std::span<const ProjectId> ids) override {
    return Read(&Tx::BudgetsOf, ids);
  }
  Result<Usage> UsageOf(const ProjectId& id) override { return Read(&Tx::UsageOf, id); }
  Result<store::ProjectUsage> ProjectUsageOf(const ProjectId& id) override {
    return Read(&Tx::ProjectUsageOf, id);
  }
  Status UpdateProjectUsage(const store::ProjectUsage& usage) override {
    return Write(&Tx::UpdateProjectUsage, usage);
  }
  Result<std::optional<Allocation>> FindAllocation(const AllocationId& id) override {
    return Read(&Tx::FindAllocation, id);
  }
  Result<std::vector<Allocation>> GrowthsOf(const AllocationId& base) override {
    return Read(&Tx::GrowthsOf, base);
  }
  Result<std::vector<Allocation>> FindAllocations(std::span<const AllocationId> ids) override {
    return Read(&Tx::FindAllocations, ids);
  }
  Result<std::vector<Allocation>> LockAllocations(std::span<const AllocationId> ids) override {
    return Read(&Tx::LockAllocations, ids);
  }
  Result<store::Page<Allocation>> ListAllocations(const store::AllocationFilter& filter,
                                                  const store::PageRequest& page) override {
    return Read(&Tx::ListAllocations, filter, page);
  }
  Result<std::vector<StartEstimate>> EstimatesOf(const AllocationId& id, int limit) override {
    return Read(&Tx::EstimatesOf, id, limit);
  }
  Status InsertAllocations(std::span<const Allocation> allocations) override {
    return Write(&Tx::InsertAllocations, allocations);
  }
  Status UpdateAllocations(std::span<Allocation> allocations) override {
    return Write(&Tx::UpdateAllocations, allocations);
  }
  Result<std::vector<Claim>> OpenClaims(std::span<const AllocationId> allocations) override {
    return Read(&Tx::OpenClaims, allocations);
  }
  Result<std::vector<Claim>> OpenClaimsOnNodes(std::span<const NodeId> nodes) override {
    return Read(&Tx::OpenClaimsOnNodes, nodes);
  }
  Result<std::vector<Claim>> ClaimsOf(const AllocationId& allocation) override {
    return Read(&Tx::ClaimsOf, allocation);
  }
  Status InsertClaims(std::span<const Claim> claims) override {
    return Write(&Tx::InsertClaims, claims);
  }
  Result<std::vector<Claim>> Promises(std::span<const AllocationId> allocations) override {
    return Read(&Tx::Promises, allocations);
  }
  Result<std::vector<Claim>> PromisesOnNodes(std::span<const NodeId> nodes) override {
    return Read(&Tx::PromisesOnNodes, nodes);
  }
  Status InsertPromises(std::span<const Claim> claims) override {
    return Write(&Tx::InsertPromises, claims);
  }
  Status RemovePromises(std::span<const AllocationId> allocations) override {
    return Write(&Tx::RemovePromises, allocations);
  }
  Status ReleaseClaims(const AllocationId& allocation, int attempt, Instant at) override {
    return Write(&Tx::ReleaseClaims, allocation, attempt, at);
  }
  Status CutClaims(const AllocationId& allocation, int attempt, Instant end) override {
    return Write(&Tx::CutClaims, allocation, attempt, end);
  }
  Status InsertOrders(std::span<const Order> orders) override {
    return Write(&Tx::InsertOrders, orders);
  }
  Result<std::optional<Order>> FindOrder(const OrderId& id) override {
    return Read(&Tx::FindOrder, id);
  }
  Result<std::optional<Order>> LockOrder(const OrderId& id) override {
    return Read(&Tx::LockOrder, id);
  }
  Status UpdateOrder(const Order& order) override { return Write(&Tx::UpdateOrder, order); }
  Status SupersedeProvisionOrders(std::span<const store::Attempt> attempts) override {
    return Write(&Tx::SupersedeProvisionOrders, attempts);
  }
  Result<std::vector<Order>> OpenOrders(const ClusterId& cluster, int limit) override {
    return Read(&Tx::OpenOrders, cluster, limit);
  }
  Result<std::vector<store::OrderBacklog>> OrderBacklogs() override {
    return Read(&Tx::OrderBacklogs);
  }
  Result<store::Page<Order>> ListOrders(const std::optional<ClusterId>& cluster,
                                        const std::optional<OrderState>& state,
                                        const store::PageRequest& page) override {
    return Read(&Tx::ListOrders, cluster, state, page);
  }
  Result<store::Leadership> FindLeadership() override { return Read(&Tx::FindLeadership); }
  Result<std::optional<store::Leadership>> AcquireLeadership(const std::string& holder,
                                                             int64_t epoch, Instant now,
                                                             Seconds lease) override {
    auto given = Read(&Tx::AcquireLeadership, holder, epoch, now, lease);
    if (given.ok() && *given) given_ = **given;
    return given;
  }
  Status AssertLeader(int64_t epoch) override { return Read(&Tx::AssertLeader, epoch); }
  Status LockPool(const ClusterId& cluster) override { return Read(&Tx::LockPool, cluster); }
  Result<std::vector<ApiKey>> FindApiKeysByHash(
      std::span<const std::string> secrets_sha256) override {
    return Read(&Tx::FindApiKeysByHash, secrets_sha256);
  }
  Result<std::optional<ApiKey>> FindApiKey(const KeyId& id) override {
    return Read(&Tx::FindApiKey, id);
  }
  Result<std::optional<ApiKey>> LockApiKey(const KeyId& id) override {
    return Read(&Tx::LockApiKey, id);
  }
  Status InsertApiKey(const ApiKey& key) override { return Write(&Tx::InsertApiKey, key); }
  Result<store::Page<ApiKey>> ListApiKeys(const store::PageRequest& page) override {
    return Read(&Tx::ListApiKeys, page);
  }
  Status RevokeApiKey(const KeyId& id, Instant at) override {
    return Write(&Tx::RevokeApiKey, id, at);
  }
  Status ExpireApiKey(const KeyId& id, Instant at) override {
    return Write(&Tx::ExpireApiKey, id, at);
  }
  Result<store::StaffKeys> LockStaffKeys(Instant at) override {
    return Read(&Tx::LockStaffKeys, at);
  }
  Result<std::vector<Member>> FindMembersByPerson(std::span<const Person> persons) override {
    return Read(&Tx::FindMembersByPerson, persons);
  }
  Result<std::optional<Member>> FindMember(const MemberId& id) override {
    return Read(&Tx::FindMember, id);
  }
  Status InsertMember(const Member& member) override { return Write(&Tx::InsertMember, member); }
  Result<store::Page<Member>> ListMembers(const store::PageRequest& page) override {
    return Read(&Tx::ListMembers, page);
  }
  Status RemoveMember(const MemberId& id, Instant at) override {
    return Write(&Tx::RemoveMember, id, at);
  }
  Result<std::optional<Proposal>> FindProposal(const ProposalId& id) override {
    return Read(&Tx::FindProposal, id);
  }
  Result<store::Page<Proposal>> ListProposals(const std::optional<Instant>& pending_at,
                                              const store::PageRequest& page) override {
    return Read(&Tx::ListProposals, pending_at, page);
  }
  Result<std::vector<Proposal>> LockProposalsOf(const std::string& digest) override {
    return Read(&Tx::LockProposalsOf, digest);
  }
  Status InsertProposal(const Proposal& proposal) override {
    return Write(&Tx::InsertProposal, proposal);
  }
  Status UpdateProposal(Proposal& proposal) override {
    return Write(&Tx::UpdateProposal, proposal);
  }
  Result<std::vector<store::RequestRecord>> FindRequests(
      std::span<const store::RequestName> names) override {
    return Read(&Tx::FindRequests, names);
  }
  Status InsertRequests(std::span<const store::RequestRecord> records) override {
    return Write(&Tx::InsertRequests, records);
  }
  Status Audit(const AuditEntry& entry) override { return Write(&Tx::Audit, entry); }
  Result<AuditChain> AuditAfter(int64_t number, int limit) override {
    return Read(&Tx::AuditAfter, number, limit);
  }
  Result<AuditMark> AuditHead() override { return Read(&Tx::AuditHead); }
  Result<std::optional<AuditCheckpoint>> NewestAuditCheckpoint() override {
    return Read(&Tx::NewestAuditCheckpoint);
  }
  Status InsertAuditCheckpoint(const AuditCheckpoint& checkpoint) override {
    return Write(&Tx::InsertAuditCheckpoint, checkpoint);
  }
  Result<std::optional<AuditMark>> AuditToRemove(Instant t, int limit) override {
    return Read(&Tx::AuditToRemove, t, limit);
  }
  Status RemoveAudit(const AuditMark& through) override { return Write(&Tx::RemoveAudit, through); }
  Result<store::Page<AuditEntry>> AuditOf(const AuditedResource& resource, int64_t before,
                                          int size) override {
    return Read(&Tx::AuditOf, resource, before, size);
  }
  Result<int> RemoveRequests(Instant t, int limit) override {
    return Write(&Tx::RemoveRequests, t, limit);
  }
  Result<Revision> CurrentRevision() override { return Read(&Tx::CurrentRevision); }
  Result<Instant> StoreTime() override { return Read(&Tx::StoreTime); }
  Result<Revision> RemovedThrough() override { return Read(&Tx::RemovedThrough); }
  Result<int> RemoveEvents(Instant t, int revisions) override {
    return Write(&Tx::RemoveEvents, t, revisions);
  }
  Result<std::vector<Event>> EventsAfter(Revision after,
                                         const std::optional<InstituteId>& institute,
                                         int limit) override {
    return Read(&Tx::EventsAfter, after, institute, limit);
  }
  Result<store::Changes> ChangesAfter(Revision after, const std::string& history) override {
    return Read(&Tx::ChangesAfter, after, history);
  }

 private:
  template <class R, class... P, class... A>
  R Read(R (Tx::*verb)(P...), A&&... arguments) {
    if (left_ > 0 && --left_ == 0) lost_ = true;
    if (lost_) return failure_;
    return (inner_.*verb)(std::forward<A>(arguments)...);
  }
  template <class R, class... P, class... A>
  R Write(R (Tx::*verb)(P...), A&&... arguments) {
    wrote_ = true;
    return Read(verb, std::forward<A>(arguments)...);
  }

  Tx& inner_;
  int left_;
  const Error& failure_;
  bool lost_ = false;
  bool wrote_ = false;
  std::optional<store::Leadership> given_;
};

}  // namespace allot::chaos
