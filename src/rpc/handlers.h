#pragma once

#include <memory>
#include <string>

#include "allot/control/planner.h"
#include "allot/control/shared_commit.h"
#include "rpc/caller.h"
#include "rpc/cluster_names.h"
#include "rpc/method_table.h"
#include "rpc/page.h"
#include "rpc/parse.h"

namespace allot::rpc {

/// What every handler stands on. A handler parses, calls control, and renders: it decides nothing.
struct Services {
  const control::Context& context;
  control::Planner& planner;
  control::SharedCommit& shared_commit;
  ClusterNames& cluster_names;
};

/// The handlers of one service, alive as long as their table.
struct ServiceMethods {
  std::shared_ptr<void> handlers;
  MethodTable table;
};

ServiceMethods AllocationMethods(const Services& services);
ServiceMethods ProjectMethods(const Services& services);
ServiceMethods QuotaMethods(const Services& services);
ServiceMethods PoolMethods(const Services& services);
ServiceMethods ProviderMethods(const Services& services);
ServiceMethods PolicyMethods(const Services& services);
ServiceMethods OperatorMethods(const Services& services);
ServiceMethods ProposalMethods(const Services& services);
ServiceMethods MemberMethods(const Services& services);

inline const std::string& PageKey(const Quota& quota) { return quota.project.str(); }
inline std::string PageKey(const AuditEntry& entry) { return std::to_string(entry.number); }
inline const std::string& PageKey(const control::ReservationDetail& detail) {
  return detail.reservation.id.str();
}
inline const std::string& PageKey(const control::PolicyDetail& detail) {
  return detail.published.id.str();
}
template <class Item>
const std::string& PageKey(const Item& item) {
  return item.id.str();
}

/// The token of the page behind `page`; empty when it is the last.
template <class Item>
std::string NextPageToken(const PageQuery& query, const store::Page<Item>& page) {
  if (!page.more || page.items.empty()) return {};
  return MakePageToken({PageKey(page.items.back()), query.position.revision}, query.scope);
}

}  // namespace allot::rpc
