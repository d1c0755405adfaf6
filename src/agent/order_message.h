#pragma once

#include <string>

#include "allot/base/id.h"
#include "allot/base/result.h"
#include "allot/model/order.h"
#include "allot/v1/order.pb.h"

namespace allot::agent {

/// "providers/naver/clusters/naver-a".
std::string ClusterName(const ProviderId& provider, const ClusterId& cluster);
/// "providers/naver/clusters/naver-a/orders/o7".
std::string OrderName(const ProviderId& provider, const ClusterId& cluster, const OrderId& order);

/// The last part of an order's name, whatever else the message holds.
OrderId OrderIdOf(const v1::Order& message);
/// An order of this provider's cluster, checked field by field: its ids become names of files.
Result<Order> ParseOrder(const v1::Order& message, const ProviderId& provider,
                         const ClusterId& cluster);

}  // namespace allot::agent
