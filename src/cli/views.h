#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <string>
#include <vector>

#include "allot/base/time.h"
#include "allot/v1/access.pb.h"
#include "allot/v1/allocation_service.pb.h"
#include "allot/v1/member_service.pb.h"
#include "allot/v1/operator_service.pb.h"
#include "allot/v1/order.pb.h"
#include "allot/v1/policy.pb.h"
#include "allot/v1/pool_service.pb.h"
#include "allot/v1/proposal_service.pb.h"
#include "allot/v1/tenant.pb.h"
#include "cli/table.h"

namespace allot::cli {

// Answers as people read them. Times are UTC with how far they are from `now`; names are short.

template <class Message>
using Repeated = google::protobuf::RepeatedPtrField<Message>;

Table AllocationTable(const Repeated<v1::Allocation>& allocations, Instant now);
/// Everything of one allocation, a line a field.
std::string AllocationDetails(const v1::Allocation& allocation, Instant now, bool colours);
/// One line of a watch: when, which, what it became.
std::string ChangeLine(const v1::AllocationChange& change, Instant now, bool colours);
std::string ExplanationText(const v1::ExplainAllocationResponse& explanation, Instant now,
                            bool colours);

Table InstituteTable(const Repeated<v1::Institute>& institutes);
Table ProjectTable(const Repeated<v1::Project>& projects, Instant now);
Table QuotaTable(const Repeated<v1::Quota>& quotas);
/// With what counts against it.
Table QuotaUseTable(const v1::Quota& quota);

Table ProviderTable(const Repeated<v1::Provider>& providers);
Table ClusterTable(const Repeated<v1::Cluster>& clusters, Instant now);
Table NodeTable(const Repeated<v1::Node>& nodes);
Table ReservationTable(const Repeated<v1::Reservation>& reservations, Instant now);
/// With its nodes, and what is in its way.
std::string ReservationDetails(const v1::Reservation& reservation, Instant now, bool wide,
                               bool colours);
Table OrderTable(const Repeated<v1::Order>& orders, Instant now);

/// By cluster, with a sum for each model and provider, and what the pool as a whole does.
std::string CapacityText(const v1::GetCapacityResponse& capacity, Instant now, bool wide,
                         bool colours);
/// Free GPUs by cluster over time.
Table TimelineTable(const v1::GetCapacityResponse& capacity, Instant now);

/// By date.
Table PolicyTable(const Repeated<v1::Policy>& policies, Instant now);
/// When, why, and every setting.
std::string PolicyDetails(const v1::Policy& policy, Instant now, bool colours);

std::string WhatIfText(const v1::WhatIfResponse& answer, Instant now, bool colours);

Table ProposalTable(const Repeated<v1::Proposal>& proposals, Instant now);
/// With what it asks for.
std::string ProposalDetails(const v1::Proposal& proposal, Instant now);

std::string Word(v1::Role role);
Table MemberTable(const Repeated<v1::Member>& members, Instant now);
std::string CallerText(const v1::WhoAmIResponse& caller, Instant now);
Table ApiKeyTable(const Repeated<v1::ApiKey>& keys, Instant now);
Table AuditTable(const Repeated<v1::AuditEntry>& entries, Instant now);

template <class Message>
std::vector<std::string> NamesOf(const Repeated<Message>& items) {
  std::vector<std::string> names;
  for (const Message& item : items) names.push_back(item.name());
  return names;
}

}  // namespace allot::cli
