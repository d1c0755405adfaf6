#include <utility>

#include "allot/control/pool.h"
#include "allot/v1/pool_service.pb.h"
#include "rpc/call_for_two.h"
#include "rpc/enums.h"
#include "rpc/fields.h"
#include "rpc/handlers.h"
#include "rpc/render.h"

namespace allot::rpc {
namespace {

class Handlers {
 public:
  explicit Handlers(const Services& services) : s_(services) {}

  Result<v1::Provider> CreateProvider(const Caller& caller,
                                      const v1::CreateProviderRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCall(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto changed, control::CreateProvider(s_.context, call, asked));
    return Render(changed);
  }

  Result<v1::Provider> GetProvider(const Caller& caller, const v1::GetProviderRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto id, ParseProviderName(request.name(), "name"));
    ALLOT_ASSIGN_OR_RETURN(const auto found,
                           control::GetProvider(s_.context, caller.principal, id));
    return Render(found);
  }

  Result<v1::ListProvidersResponse> ListProviders(const Caller& caller,
                                                  const v1::ListProvidersRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto query, ParsePage(request));
    ALLOT_ASSIGN_OR_RETURN(const auto page, control::ListProviders(s_.context, caller.principal,
                                                                   ToPageRequest(query)));
    v1::ListProvidersResponse response;
    for (const Provider& item : page.items) *response.add_providers() = Render(item);
    response.set_next_page_token(NextPageToken(query, page));
    return response;
  }

  Result<v1::Cluster> CreateCluster(const Caller& caller, const v1::CreateClusterRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCall(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto changed, control::CreateCluster(s_.context, call, asked));
    return Render(changed);
  }

  Result<v1::Cluster> UpdateCluster(const Caller& caller, const v1::UpdateClusterRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto changed, control::UpdateCluster(s_.context, call, asked));
    return Render(changed);
  }

  Result<v1::Cluster> GetCluster(const Caller& caller, const v1::GetClusterRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto id, ParseClusterName(request.name(), "name"));
    ALLOT_ASSIGN_OR_RETURN(const auto found, control::GetCluster(s_.context, caller.principal,
                                                                 id.provider, id.cluster));
    return Render(found);
  }

  Result<v1::ListClustersResponse> ListClusters(const Caller& caller,
                                                const v1::ListClustersRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto scope, ParseProviderScope(request.parent(), "parent"));
    ALLOT_ASSIGN_OR_RETURN(const auto query, ParsePage(request));
    ALLOT_ASSIGN_OR_RETURN(const auto page, control::ListClusters(s_.context, caller.principal,
                                                                  scope, ToPageRequest(query)));
    v1::ListClustersResponse response;
    for (const Cluster& item : page.items) *response.add_clusters() = Render(item);
    response.set_next_page_token(NextPageToken(query, page));
    return response;
  }

  Result<v1::Node> GetNode(const Caller& caller, const v1::GetNodeRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto id, ParseNodeName(request.name(), "name"));
    ALLOT_ASSIGN_OR_RETURN(const auto found,
                           control::GetNode(s_.context, caller.principal, id.provider, id.node));
    return Render(found, NameOf(id.provider, id.cluster));
  }

  Result<v1::ListNodesResponse> ListNodes(const Caller& caller,
                                          const v1::ListNodesRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto parent, ParseClusterName(request.parent(), "parent"));
    ALLOT_ASSIGN_OR_RETURN(const auto health, ParseFilter(request.health(), "health"));
    ALLOT_ASSIGN_OR_RETURN(const auto query, ParsePage(request));
    ALLOT_ASSIGN_OR_RETURN(const auto page,
                           control::ListNodes(s_.context, caller.principal, parent.provider,
                                              parent.cluster, health, ToPageRequest(query)));
    v1::ListNodesResponse response;
    for (const Node& item : page.items)
      *response.add_nodes() = Render(item, NameOf(parent.provider, parent.cluster));
    response.set_next_page_token(NextPageToken(query, page));
    return response;
  }

  Result<v1::Reservation> CreateReservation(const Caller& caller,
                                            const v1::CreateReservationRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto created, control::CreateReservation(s_.context, call, asked));
    return Render(created);
  }

  Result<v1::Reservation> GetReservation(const Caller& caller,
                                         const v1::GetReservationRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto id, ParseReservationName(request.name(), "name"));
    ALLOT_ASSIGN_OR_RETURN(const auto found, control::GetReservation(s_.context, caller.principal,
                                                                     id.provider, id.reservation));
    return Render(found);
  }

  Result<v1::ListReservationsResponse> ListReservations(
      const Caller& caller, const v1::ListReservationsRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto scope, ParseClusterScope(request.parent(), "parent"));
    ALLOT_ASSIGN_OR_RETURN(const auto query, ParsePage(request));
    ALLOT_ASSIGN_OR_RETURN(
        const auto page,
        control::ListReservations(s_.context, caller.principal, {scope.provider, scope.cluster},
                                  ToPageRequest(query)));
    v1::ListReservationsResponse response;
    for (const auto& item : page.items) *response.add_reservations() = Render(item);
    response.set_next_page_token(NextPageToken(query, page));
    return response;
  }

  Result<v1::Reservation> CancelReservation(const Caller& caller,
                                            const v1::CancelReservationRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto ended, control::CancelReservation(s_.context, call, asked));
    return Render(ended);
  }

  Result<v1::GetCapacityResponse> GetCapacity(const Caller& caller,
                                              const v1::GetCapacityRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto query, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(
        const auto capacity,
        control::GetCapacity(s_.context, caller.principal, s_.planner, query.horizon, query.step));
    v1::GetCapacityResponse response = Render(capacity);
    if (!query.timeline) response.clear_timeline();
    return response;
  }

 private:
  const Services s_;
};

}  // namespace

ServiceMethods PoolMethods(const Services& services) {
  auto handlers = std::make_shared<Handlers>(services);
  MethodTable table(v1::GetNodeRequest::descriptor()->file()->FindServiceByName("PoolService"));
  table.Unary(handlers.get(), &Handlers::CreateProvider);
  table.Unary(handlers.get(), &Handlers::GetProvider);
  table.Unary(handlers.get(), &Handlers::ListProviders);
  table.Unary(handlers.get(), &Handlers::CreateCluster);
  table.Unary(handlers.get(), &Handlers::UpdateCluster);
  table.Unary(handlers.get(), &Handlers::GetCluster);
  table.Unary(handlers.get(), &Handlers::ListClusters);
  table.Unary(handlers.get(), &Handlers::GetNode);
  table.Unary(handlers.get(), &Handlers::ListNodes);
  table.Unary(handlers.get(), &Handlers::CreateReservation);
  table.Unary(handlers.get(), &Handlers::GetReservation);
  table.Unary(handlers.get(), &Handlers::ListReservations);
  table.Unary(handlers.get(), &Handlers::CancelReservation);
  table.Unary(handlers.get(), &Handlers::GetCapacity);
  return {std::move(handlers), std::move(table)};
}

}  // namespace allot::rpc
