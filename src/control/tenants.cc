#include "allot/control/tenants.h"

#include "allot/control/once.h"
#include "control/record.h"
#include "control/staff.h"

namespace allot::control {
namespace {

template <class T>
Result<T> OrNotFound(Result<std::optional<T>> found, const std::string& name) {
  if (!found.ok()) return found.error();
  if (!*found) return NotFound("name", name);
  return **std::move(found);
}

Result<Institute> ReadInstitute(store::Tx& tx, const std::string& id) {
  return OrNotFound(tx.FindInstitute(InstituteId(id)), id);
}
Result<Project> ReadProject(store::Tx& tx, const std::string& id) {
  return OrNotFound(tx.FindProject(ProjectId(id)), id);
}

/// Members see their own institute, whoever sees all tenants the one asked for.
std::optional<InstituteId> Narrow(const Principal& principal,
                                  const std::optional<InstituteId>& asked) {
  if (asked || principal.institute.empty()) return asked;
  return principal.institute;
}

template <class Id>
std::string IdOf(const Id& resource) {
  return resource.id.str();
}

}  // namespace

Result<Institute> CreateInstitute(const Context& context, const Call& call,
                                  const Institute& institute) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManageTenants));
  const Instant now = context.clock.Now();
  return Once<Institute>(
      context, call, now,
      [&](store::Tx& tx) -> Result<Institute> {
        ALLOT_ASSIGN_OR_RETURN(auto existing, tx.FindInstitute(institute.id));
        if (existing) {
          return FieldError(Reason::kAlreadyExists, "institute_id", institute.id.str(),
                            "a name that is not in use");
        }
        ALLOT_RETURN_IF_ERROR(tx.InsertInstitute(institute));
        ALLOT_RETURN_IF_ERROR(tx.Audit(Record(call, now, "institute.create", institute.id.str(),
                                              institute.id, institute.display_name)));
        return institute;
      },
      IdOf<Institute>, ReadInstitute);
}

Result<Institute> GetInstitute(const Context& context, const Principal& principal,
                               const InstituteId& id) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadTenant));
  if (!MaySee(principal, id)) return NotFound("name", id.str());
  return context.store.Transact<Institute>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) { return ReadInstitute(tx, id.str()); });
}

Result<store::Page<Institute>> ListInstitutes(const Context& context, const Principal& principal,
                                              const store::PageRequest& page) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadTenant));
  return context.store.Transact<store::Page<Institute>>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) { return tx.ListInstitutes(Narrow(principal, std::nullopt), page); });
}

Result<Project> CreateProject(const Context& context, const Call& call, const Project& asked) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManageTenants));
  const Instant now = context.clock.Now();
  Project project = asked;
  project.create_time = now;
  return Once<Project>(
      context, call, now,
      [&](store::Tx& tx) -> Result<Project> {
        // Not before: of a repeat it may have been right when it came first.
        ALLOT_RETURN_IF_ERROR(
            context.policies.CheckProgramme(project.programme, now, "project.programme"));
        ALLOT_ASSIGN_OR_RETURN(auto institute, tx.FindInstitute(project.institute));
        if (!institute) return NotFound("parent", project.institute.str());
        ALLOT_ASSIGN_OR_RETURN(auto existing, tx.FindProject(project.id));
        if (existing) {
          return FieldError(Reason::kAlreadyExists, "project_id", project.id.str(),
                            "a name that is not in use in this institute");
        }
        ALLOT_RETURN_IF_ERROR(tx.InsertProject(project));
        ALLOT_RETURN_IF_ERROR(tx.Audit(Record(
            call, now, "project.create", project.id.str(), project.institute,
            "programme " + project.programme.str() + ", merit " + std::to_string(project.merit))));
        return project;
      },
      IdOf<Project>, ReadProject);
}

Result<Project> GetProject(const Context& context, const Principal& principal,
                           const ProjectId& id) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadTenant));
  if (!MaySee(principal, InstituteOf(id))) return NotFound("name", id.str());
  return context.store.Transact<Project>(store::Access::kRead, store::Scope::For(principal),
                                         [&](store::Tx& tx) { return ReadProject(tx, id.str()); });
}

Result<store::Page<Project>> ListProjects(const Context& context, const Principal& principal,
                                          const std::optional<InstituteId>& institute,
                                          const store::PageRequest& page) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadTenant));
  if (institute && !MaySee(principal, *institute)) return store::Page<Project>{};
  return context.store.Transact<store::Page<Project>>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) { return tx.ListProjects(Narrow(principal, institute), page); });
}

Result<Project> UpdateProject(const Context& context, const Call& call,
                              const ProjectUpdate& update) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManageTenants));
  if (update.merit && (*update.merit < 0 || *update.merit > kMeritMax)) {
    return FieldError(Reason::kMeritOutOfRange, "merit", std::to_string(*update.merit),
                      "0 to " + std::to_string(kMeritMax));
  }
  if (update.merit) {
    ALLOT_RETURN_IF_ERROR(RequireReason(update.reason, "why the merit changes"));
  }
  const Instant now = context.clock.Now();
  return Once<Project>(
      context, call, now,
      [&](store::Tx& tx) -> Result<Project> {
        ALLOT_ASSIGN_OR_RETURN(auto locked, tx.LockProject(update.id));
        if (!locked) return NotFound("name", update.id.str());
        Project project = *std::move(locked);
        if (update.version != 0 && update.version != project.version) {
          return FieldError(Reason::kEtagStale, "etag", std::to_string(update.version),
                            std::to_string(project.version));
        }
        std::string detail = update.reason;
        if (update.merit && *update.merit != project.merit) {
          detail += " (merit " + std::to_string(project.merit) + " to " +
                    std::to_string(*update.merit) + ")";
          project.merit = *update.merit;
        }
        if (update.display_name) project.display_name = *update.display_name;
        if (update.open) project.open = *update.open;
        ALLOT_RETURN_IF_ERROR(tx.UpdateProject(project));
        ALLOT_RETURN_IF_ERROR(
            tx.Audit(Record(call, now, update.merit ? "project.set_merit" : "project.update",
                            project.id.str(), project.institute, detail)));
        return project;
      },
      IdOf<Project>, ReadProject);
}

}  // namespace allot::control
