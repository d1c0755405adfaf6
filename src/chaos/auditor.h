#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "allot/control/context.h"
#include "allot/control/enact.h"
#include "allot/control/scheduler_loop.h"
#include "allot/model/allocation.h"
#include "allot/model/order.h"
#include "allot/model/pool.h"
#include "allot/model/principal.h"
#include "chaos/auditor_epochs.h"
#include "chaos/auditor_machines.h"
#include "chaos/auditor_tenants.h"
#include "chaos/world.h"

namespace allot::chaos {

/// The reason given by calls that are only to be validated: it must never be on record.
inline constexpr char kOnlyTried[] = "only tried";

/// Watches over the rules of the service from outside. It is told what was asked and answered, and
/// after every commit asks for itself, as a reader whom no fault befalls; it keeps its own books
/// and shares no rule with the code it watches.
class Auditor {
 public:
  Auditor(World& world, const control::Context& context);

  /// The pool and its tenants were entered: what comes is looked at.
  void Begin();

  // What others were answered.
  /// A submission succeeded: under this request id, for each of its tags one allocation.
  void Submitted(const std::string& request_id, const std::vector<Allocation>& answered);
  void Registered(const ClusterId& cluster, int64_t session);
  /// An agent was told that a newer one has taken its place; it had registered under these ids.
  void Superseded(const ClusterId& cluster, const std::set<std::string>& registrations);
  /// A message of a session had its answer.
  void Answered(const char* method, const ClusterId& cluster, int64_t session, bool accepted);
  /// One that began at this moment of the machines' books.
  void PassMade(const std::string& server, const control::PassReport& pass, int64_t moment);
  /// A pass, or what is done beside it; `conflicted`: transactions of it were made to.
  void PassFailed(const std::string& server, const Error& error, bool conflicted);
  /// Whatever was asked, this is no answer.
  void Refused(const std::string& what, const Error& error);
  /// Who leads when.
  Epochs& epochs() { return epochs_; }
  /// What the machines say.
  MachineBooks& machines() { return machines_; }

  /// A transaction was committed.
  void Committed();
  /// At the end: all that was acknowledged is there, and on record once.
  void CheckRecord();

  TenantAuditor& of_tenants() { return of_tenants_; }
  const std::map<AllocationId, Allocation>& allocations() const { return allocations_; }
  Revision revision() const { return revision_; }
  int64_t passes() const { return passes_; }
  int open_orders() const;

 private:
  /// One attempt's GPUs, from the order to hand them over to the confirmation of their release.
  struct Holding {
    Order order;
    bool freed = false;
  };
  using AttemptKey = std::pair<AllocationId, int>;

  void Expect(bool holds, const char* rule, const std::string& what);
  /// Of the audit, in its order, which is seen to be dense.
  void ForEachEntry(const std::function<void(const AuditEntry&)>& look);
  void Changed(const Allocation& after, AllocationState state);
  void FirstSeen(const Allocation& allocation);
  void Moved(const Allocation& before, const Allocation& after, AllocationState state);
  void Started(const Allocation& allocation);
  void ReadClusters();
  void ReadOrders();
  void OrderOpened(const Order& order);
  void OrderClosed(const Order& order);
  Order Find(const Order& order);
  /// As it was before this commit; null when no commit told of it.
  const Allocation* Was(const AllocationId& id) const;
  void Charge(const Holding& holding, const Allocation& was, Instant until);
  void CheckProjects();

  World& world_;
  const control::Context& context_;
  const Principal reader_;
  TenantAuditor of_tenants_;
  Revision revision_ = 0;
  int64_t passes_ = 0;
  Epochs epochs_{world_};
  MachineBooks machines_{world_};
  std::map<AllocationId, Allocation> allocations_;
  /// As they were before the commit that is looked at.
  std::map<AllocationId, Allocation> before_;
  std::map<std::string, AllocationId> tags_;
  std::map<std::string, std::vector<AllocationId>> answers_;
  std::set<AllocationId> started_now_;
  std::map<ClusterId, Cluster> clusters_;
  std::map<OrderId, Order> open_orders_;
  std::map<AttemptKey, Holding> holdings_;
  std::map<NodeId, std::array<std::optional<AttemptKey>, kGpusPerNode>> held_;
  std::map<ProjectId, int64_t> charged_;
  std::map<ClusterId, int64_t> sessions_;
  std::set<ProjectId> touched_;
};

}  // namespace allot::chaos
