#pragma once

#include <functional>
#include <string>
#include <vector>

#include "allot/control/allocations.h"
#include "allot/control/identity.h"
#include "allot/control/policies.h"
#include "allot/control/pool.h"
#include "allot/control/reservations.h"
#include "allot/control/tenants.h"
#include "allot/control/watch.h"
#include "allot/control/what_if.h"
#include "allot/v1/access.pb.h"
#include "allot/v1/allocation.pb.h"
#include "allot/v1/allocation_service.pb.h"
#include "allot/v1/operator_service.pb.h"
#include "allot/v1/order.pb.h"
#include "allot/v1/policy.pb.h"
#include "allot/v1/pool.pb.h"
#include "allot/v1/pool_service.pb.h"
#include "allot/v1/tenant.pb.h"

namespace allot::rpc {

/// The resource name of a cluster ("providers/*/clusters/*").
using ClusterNamer = std::function<std::string(const ClusterId&)>;

// Model types as the API shows them. Nothing is decided here.

v1::Institute Render(const Institute& institute);
v1::Project Render(const Project& project);
/// Without the use.
v1::Quota Render(const Quota& quota);
v1::Quota Render(const control::QuotaDetail& detail);

v1::Provider Render(const Provider& provider);
v1::Cluster Render(const Cluster& cluster);
v1::Node Render(const Node& node, const std::string& cluster_name);
v1::Reservation Render(const control::ReservationDetail& detail);
v1::GetCapacityResponse Render(const control::Capacity& capacity);

v1::AllocationRequest Render(const Request& request);
/// Without the GPUs it holds.
v1::Allocation Render(const Allocation& allocation, const ClusterNamer& name_of);
v1::Allocation Render(const control::AllocationDetail& detail, const ClusterNamer& name_of);
v1::AllocationChange Render(const control::AllocationChange& change, const ClusterNamer& name_of);

v1::Order Render(const Order& order, const ClusterNamer& name_of);

v1::Policy Render(const control::PolicyDetail& detail);

v1::WhatIfResponse Render(const control::WhatIfAnswer& answer);

v1::ApiKey Render(const ApiKey& key);
/// `resource` is the name it was asked for by.
v1::AuditEntry Render(const AuditEntry& entry, const std::string& resource);
v1::ChainedAuditEntry Render(const ChainedAuditEntry& chained);
v1::AuditCheckpoint Render(const AuditCheckpoint& checkpoint);

}  // namespace allot::rpc
