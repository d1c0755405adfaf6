#include <utility>

#include "allot/control/enact.h"
#include "allot/v1/provider_service.pb.h"
#include "rpc/enums.h"
#include "rpc/fields.h"
#include "rpc/handlers.h"
#include "rpc/render.h"

namespace allot::rpc {
namespace {

class Handlers {
 public:
  explicit Handlers(const Services& services) : s_(services) {}

  Result<v1::RegisterAgentResponse> RegisterAgent(const Caller& caller,
                                                  const v1::RegisterAgentRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto name, ParseClusterName(request.cluster(), "cluster"));
    ALLOT_ASSIGN_OR_RETURN(const auto model, Parse(request.gpu_model(), "gpu_model"));
    ALLOT_RETURN_IF_ERROR(MayEnactAt(caller, request.cluster()));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCall(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto cluster,
                           control::RegisterAgent(s_.context, call, name.cluster, model));
    v1::RegisterAgentResponse response;
    response.set_session(cluster.agent_session);
    response.set_inventory_generation(cluster.inventory_generation);
    return response;
  }

  Result<v1::SyncInventoryResponse> SyncInventory(const Caller& caller,
                                                  const v1::SyncInventoryRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto inventory, Parse(request));
    ALLOT_RETURN_IF_ERROR(MayEnactAt(caller, request.cluster()));
    ALLOT_ASSIGN_OR_RETURN(const auto cluster,
                           control::SyncInventory(s_.context, caller.principal, inventory));
    v1::SyncInventoryResponse response;
    response.set_inventory_generation(cluster.inventory_generation);
    return response;
  }

  Result<v1::HeartbeatResponse> Heartbeat(const Caller& caller,
                                          const v1::HeartbeatRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto message, Parse(request));
    ALLOT_RETURN_IF_ERROR(MayEnactAt(caller, request.cluster()));
    ALLOT_ASSIGN_OR_RETURN(const auto answer,
                           control::Heartbeat(s_.context, caller.principal, message));
    v1::HeartbeatResponse response;
    response.set_inventory_wanted(answer.inventory_wanted);
    *response.mutable_heartbeat_expiry() = Render(answer.expiry);
    return response;
  }

  Result<Awaited> PullOrders(const Caller& caller, const v1::PullOrdersRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto pull, Parse(request));
    ALLOT_RETURN_IF_ERROR(MayEnactAt(caller, request.cluster()));
    // An agent whose call was lost on the way asks anew, and the old one is nobody's any more.
    return Awaited{.in_the_name_of = request.cluster() + '#' + std::to_string(pull.session),
                   .wait = pull.wait,
                   .look = [this, caller, pull] { return Look(caller, pull); },
                   .none = v1::PullOrdersResponse().SerializeAsString()};
  }

  Result<v1::Order> AcknowledgeOrder(const Caller& caller,
                                     const v1::AcknowledgeOrderRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto acknowledgement, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto name, ParseOrderName(request.name(), "name"));
    ALLOT_RETURN_IF_ERROR(
        control::MayEnact(caller.principal, name.provider, "name", request.name()));
    ALLOT_ASSIGN_OR_RETURN(const auto order,
                           control::Acknowledge(s_.context, caller.principal, acknowledgement));
    return Render(order, ClusterNamesFor(s_.cluster_names, caller.principal));
  }

  Result<v1::ListOrdersResponse> ListOrders(const Caller& caller,
                                            const v1::ListOrdersRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto parent, ParseClusterName(request.parent(), "parent"));
    ALLOT_ASSIGN_OR_RETURN(const auto state, ParseFilter(request.state(), "state"));
    ALLOT_ASSIGN_OR_RETURN(const auto query, ParsePage(request));
    ALLOT_ASSIGN_OR_RETURN(const auto page,
                           control::ListOrders(s_.context, caller.principal, parent.provider,
                                               parent.cluster, state, ToPageRequest(query)));
    v1::ListOrdersResponse response;
    for (const Order& item : page.items)
      *response.add_orders() = Render(item, ClusterNamesFor(s_.cluster_names, caller.principal));
    response.set_next_page_token(NextPageToken(query, page));
    return response;
  }

 private:
  static Status MayEnactAt(const Caller& caller, const std::string& cluster) {
    ALLOT_ASSIGN_OR_RETURN(const auto name, ParseClusterName(cluster, "cluster"));
    return control::MayEnact(caller.principal, name.provider, "cluster", cluster);
  }

  Result<std::optional<std::string>> Look(const Caller& caller, const OrderPull& pull) {
    ALLOT_ASSIGN_OR_RETURN(const auto orders,
                           control::PullOrders(s_.context, caller.principal, pull.cluster,
                                               pull.session, pull.orders_max));
    if (orders.empty()) return std::optional<std::string>();
    v1::PullOrdersResponse response;
    for (const Order& order : orders) {
      *response.add_orders() = Render(order, ClusterNamesFor(s_.cluster_names, caller.principal));
    }
    return std::optional(response.SerializeAsString());
  }

  const Services s_;
};

}  // namespace

ServiceMethods ProviderMethods(const Services& services) {
  auto handlers = std::make_shared<Handlers>(services);
  MethodTable table(
      v1::HeartbeatRequest::descriptor()->file()->FindServiceByName("ProviderService"));
  table.Unary(handlers.get(), &Handlers::RegisterAgent);
  table.Report(handlers.get(), &Handlers::SyncInventory);
  table.Report(handlers.get(), &Handlers::Heartbeat);
  table.Report(handlers.get(), &Handlers::AcknowledgeOrder);
  table.Unary(handlers.get(), &Handlers::ListOrders);
  table.Waiting(handlers.get(), &Handlers::PullOrders);
  return {std::move(handlers), std::move(table)};
}

}  // namespace allot::rpc
