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
#include "allot/control/reservations.h"
#include "allot/control/scheduler_loop.h"
#include "allot/control/submit.h"
#include "allot/model/allocation.h"
#include "allot/model/order.h"
#include "allot/model/policy.h"
#include "allot/model/pool.h"
#include "allot/model/principal.h"
#include "allot/model/quota.h"
#include "chaos/auditor_epochs.h"
#include "chaos/auditor_machines.h"
#include "chaos/auditor_tenants.h"
#include "chaos/reports.h"
#include "chaos/settings.h"
#include "chaos/world.h"

namespace allot::chaos {

/// The reason given by calls that are only to be validated: it must never be on record.
inline constexpr char kOnlyTried[] = "only tried";

/// What somebody wants of an allocation that is there.
enum class Wish : uint8_t { kCancel, kRelease, kReject, kUrgent, kConsolidate };

/// "quota of H200 of snu/p1", "GPU time of snu/p1", "merit of snu/p1", "draining of ca/n1": as
/// Settings knows them.
std::string QuotaOf(GpuModel model, const ProjectId& project);
std::string GpuTimeOf(const ProjectId& project);
std::string MeritOf(const ProjectId& project);
template <class Id>
std::string DrainingOf(const Id& node_or_cluster) {
  return "draining of " + node_or_cluster.str();
}

/// Watches over the rules of the service from outside. It is told what is asked and answered, and
/// after every commit asks for itself, as a reader whom no fault befalls; it keeps its own books,
/// by its own clock, and shares no rule with the code it watches. What the service says of an
/// allocation is held against what was asked for it.
class Auditor {
 public:
  Auditor(World& world, const control::Context& context, const Policy& policy);

  /// The pool and its tenants were entered: what comes is looked at.
  void Begin();

  // What others ask for, before it is sent. What is only to be validated is not told.
  /// Each with a display_name of its own, by which it is known again.
  void AsksToSubmit(const std::vector<control::Submission>& submissions);
  void AsksFor(Wish wish, const AllocationId& id);
  /// With a display_name of its own.
  void AsksToReserve(const control::ReservationRequest& wanted);
  /// Quotas, merits and drains are asked for, and acknowledged, here.
  Settings& settings() { return settings_; }
  /// What agents say of nodes.
  Reports& reports() { return reports_; }
  /// A provider's word on an order is at a server: it is done, or could not be.
  void Acknowledges(const OrderId& order, bool done);

  // What others were answered.
  /// A submission succeeded: under this request id, each with one allocation, in their order.
  void Submitted(const std::string& request_id, const std::vector<control::Submission>& submissions,
                 const std::vector<Allocation>& answered);
  /// It was so from the attempt on that the allocation was in when it was asked for.
  void Granted(Wish wish, const AllocationId& id, int attempt_when_asked);
  void Reserved(const std::string& display_name);
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
  /// Enough passes have gone by with nothing in the way: all that waits, and may start, has a
  /// start.
  void ExpectPlaced();
  /// What was asked for last, when nothing was in the way, is over, and had all of its time.
  void ExpectServed(const AllocationId& id);
  /// At the end: the store has what the auditor's books have, and all is on record once.
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
    /// When a server ordered the one and the other.
    Reading began;
    std::optional<Reading> ended = std::nullopt;
  };
  using AttemptKey = std::pair<AllocationId, int>;
  /// What was asked for, and when it was first.
  struct Asked {
    control::Submission submission;
    Instant time;
  };
  /// What became of an allocation, by what was asked and told, and by the auditor's clock.
  struct Course {
    std::set<Wish> wishes;
    std::set<Wish> granted;
    /// Of the time it asked for, what it has not had.
    Seconds left;
    /// Of its current attempt: when it began, for how long, when it is to be stopped for others,
    /// and whether it waits for what is left of it then.
    Reading began;
    Seconds given;
    std::optional<Instant> stop;
    bool comes_back = false;
    /// Of what it is added to, when it began.
    int base_attempt = 0;
    int failures = 0;
    int stops = 0;
  };
  /// At least, and at most.
  struct Charged {
    int64_t exactly = 0;
    int64_t least = 0;
    int64_t most = 0;
  };

  void Expect(bool holds, const char* rule, const std::string& what);
  /// Of what the auditor asks as a reader.
  template <class T>
  bool Has(const Result<T>& answer, const char* what) {
    Expect(answer.ok(), "auditor_may_read",
           answer.ok() ? "" : std::string(what) + ": " + Describe(answer.error()));
    return answer.ok();
  }
  bool MayBeNow(Instant written) const;

  // What was asked for (auditor_requests.cc).
  void CheckAsAsked(const Allocation& allocation);
  void CheckRequest(const Allocation& allocation, const Asked& asked);
  void CheckModels(const Allocation& allocation, const RawRequest& raw);
  bool MayBeDropped(GpuModel model, const Allocation& allocation) const;
  void CheckGrowths(const Allocation& base);

  // What becomes of it (auditor_ends.cc).
  void Stepped(const Allocation& was, const Allocation& now);
  void CheckStop(const Allocation& was, const Allocation& now, Course& course);
  void CheckWindow(const Allocation& was, const Allocation& now);
  /// Why it may have come from the one state to the other; nothing: there is no cause.
  std::optional<std::string> CauseOf(const Allocation& was, const Allocation& now, Course& course);
  std::optional<std::string> CauseOfRelease(const Allocation& was, const Allocation& now,
                                            const Course& course) const;
  std::optional<std::string> CauseOfLoss(const Allocation& was, const Allocation& now,
                                         Course& course);
  bool TimeIsOver(const Allocation& was, const Course& course) const;
  bool HasLostNode(const Allocation& was) const;
  bool BaseGoesOn(const Allocation& growth, const Course& course) const;

  // What was acknowledged (auditor_settings.cc).
  void CheckGranted(const Allocation& allocation);
  void ReadSettings();
  void ReadReservations();
  void CheckReserved(const Reservation& reservation);
  /// It starts on nothing that is set aside for others while it runs.
  void CheckOffReserved(const Allocation& allocation, const Order& order);

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
  void ChargeByClock(const Holding& holding, const Course& course, Charged& charged) const;
  void CheckProjects();

  World& world_;
  const control::Context& context_;
  const Policy& policy_;
  const Principal reader_;
  TenantAuditor of_tenants_;
  Settings settings_{world_};
  Reports reports_{world_, policy_.node_down_after};
  Revision revision_ = 0;
  int64_t passes_ = 0;
  Epochs epochs_{world_};
  MachineBooks machines_{world_};
  std::map<AllocationId, Allocation> allocations_;
  /// As they were before the commit that is looked at.
  std::map<AllocationId, Allocation> before_;
  std::map<std::string, Asked> asked_;
  std::map<AllocationId, Course> courses_;
  /// What providers said of orders: it is done, or could not be.
  std::set<std::pair<OrderId, bool>> told_;
  std::map<std::string, control::ReservationRequest> asked_reservations_;
  std::map<ReservationId, Reservation> reservations_;
  std::map<std::string, AllocationId> tags_;
  std::map<std::string, std::vector<AllocationId>> answers_;
  std::set<AllocationId> started_now_;
  std::map<ClusterId, Cluster> clusters_;
  std::map<NodeId, Node> nodes_;
  std::vector<AllocationId> seen_now_;
  std::map<OrderId, Order> open_orders_;
  std::map<AttemptKey, Holding> holdings_;
  std::map<NodeId, std::array<std::optional<AttemptKey>, kGpusPerNode>> held_;
  std::map<ProjectId, Charged> charged_;
  std::map<ClusterId, int64_t> sessions_;
  std::set<ProjectId> touched_;
};

}  // namespace allot::chaos
