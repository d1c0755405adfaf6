#include <utility>

#include "allot/control/tenants.h"
#include "allot/v1/project_service.pb.h"
#include "rpc/call_for_two.h"
#include "rpc/fields.h"
#include "rpc/handlers.h"
#include "rpc/render.h"

namespace allot::rpc {
namespace {

class Handlers {
 public:
  explicit Handlers(const Services& services) : s_(services) {}

  Result<v1::Institute> CreateInstitute(const Caller& caller,
                                        const v1::CreateInstituteRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCall(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto changed, control::CreateInstitute(s_.context, call, asked));
    return Render(changed);
  }

  Result<v1::Institute> GetInstitute(const Caller& caller, const v1::GetInstituteRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto id, ParseInstituteName(request.name(), "name"));
    ALLOT_ASSIGN_OR_RETURN(const auto found,
                           control::GetInstitute(s_.context, caller.principal, id));
    return Render(found);
  }

  Result<v1::ListInstitutesResponse> ListInstitutes(const Caller& caller,
                                                    const v1::ListInstitutesRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto query, ParsePage(request));
    ALLOT_ASSIGN_OR_RETURN(const auto page, control::ListInstitutes(s_.context, caller.principal,
                                                                    ToPageRequest(query)));
    v1::ListInstitutesResponse response;
    for (const Institute& item : page.items) *response.add_institutes() = Render(item);
    response.set_next_page_token(NextPageToken(query, page));
    return response;
  }

  Result<v1::Project> CreateProject(const Caller& caller, const v1::CreateProjectRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto changed, control::CreateProject(s_.context, call, asked));
    return Render(changed);
  }

  Result<v1::Project> GetProject(const Caller& caller, const v1::GetProjectRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto id, ParseProjectName(request.name(), "name"));
    ALLOT_ASSIGN_OR_RETURN(const auto found, control::GetProject(s_.context, caller.principal, id));
    return Render(found);
  }

  Result<v1::ListProjectsResponse> ListProjects(const Caller& caller,
                                                const v1::ListProjectsRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto scope, ParseInstituteScope(request.parent(), "parent"));
    ALLOT_ASSIGN_OR_RETURN(const auto query, ParsePage(request));
    ALLOT_ASSIGN_OR_RETURN(const auto page, control::ListProjects(s_.context, caller.principal,
                                                                  scope, ToPageRequest(query)));
    v1::ListProjectsResponse response;
    for (const Project& item : page.items) *response.add_projects() = Render(item);
    response.set_next_page_token(NextPageToken(query, page));
    return response;
  }

  Result<v1::Project> UpdateProject(const Caller& caller, const v1::UpdateProjectRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto changed, control::UpdateProject(s_.context, call, asked));
    return Render(changed);
  }

 private:
  const Services s_;
};

}  // namespace

ServiceMethods ProjectMethods(const Services& services) {
  auto handlers = std::make_shared<Handlers>(services);
  MethodTable table(
      v1::CreateProjectRequest::descriptor()->file()->FindServiceByName("ProjectService"));
  table.Unary(handlers.get(), &Handlers::CreateInstitute);
  table.Unary(handlers.get(), &Handlers::GetInstitute);
  table.Unary(handlers.get(), &Handlers::ListInstitutes);
  table.Unary(handlers.get(), &Handlers::CreateProject);
  table.Unary(handlers.get(), &Handlers::GetProject);
  table.Unary(handlers.get(), &Handlers::ListProjects);
  table.Unary(handlers.get(), &Handlers::UpdateProject);
  return {std::move(handlers), std::move(table)};
}

}  // namespace allot::rpc
