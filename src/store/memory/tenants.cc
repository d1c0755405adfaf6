#include "store/memory/memory_tx.h"

namespace allot::store {
namespace {

bool IsStorable(const Project& project) {
  return project.merit >= 0 && project.merit <= kMeritMax &&
         project.id.str().starts_with(project.institute.str() + "/");
}

}  // namespace

Result<std::optional<Institute>> MemoryTx::FindInstitute(const InstituteId& id) {
  return FindOne(state_.institutes, id);
}

Result<Page<Institute>> MemoryTx::ListInstitutes(const std::optional<InstituteId>& only,
                                                 const PageRequest& page) {
  return FindPage(state_.institutes, page,
                  [&](const Institute& row) { return !only || row.id == *only; });
}

Status MemoryTx::InsertInstitute(const Institute& institute) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  ALLOT_RETURN_IF_ERROR(CheckText(institute.display_name));
  Changed(ResourceKind::kInstitute, institute.id);
  return Insert(state_.institutes, institute.id, institute);
}

Status MemoryTx::UpdateInstitute(Institute& institute) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  ALLOT_RETURN_IF_ERROR(CheckText(institute.display_name));
  ALLOT_RETURN_IF_ERROR(Update(state_.institutes, institute.id, institute));
  Changed(ResourceKind::kInstitute, institute.id);
  return Ok{};
}

Result<std::optional<Project>> MemoryTx::FindProject(const ProjectId& id) {
  return FindOne(state_.projects, id);
}

Result<std::vector<Project>> MemoryTx::LockProjects(std::span<const ProjectId> ids) {
  return Verb([&] {
    std::vector<Project> found;
    for (const ProjectId& id : std::set(ids.begin(), ids.end())) {
      Hold(Lock::kProject, id);
      const Project* const row = state_.projects.Find(id);
      if (row != nullptr) found.push_back(*row);
    }
    return found;
  });
}

Result<Page<Project>> MemoryTx::ListProjects(const std::optional<InstituteId>& institute,
                                             const PageRequest& page) {
  return FindPage(state_.projects, page,
                  [&](const Project& row) { return !institute || row.institute == *institute; });
}

Status MemoryTx::InsertProject(const Project& project) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  ALLOT_RETURN_IF_ERROR(CheckText(project.display_name));
  if (!IsStorable(project)) return Refuse();
  if (state_.institutes.Find(project.institute) == nullptr) return Fail(RefersToNothing());
  Hold(Lock::kProject, project.id);
  Changed(ResourceKind::kProject, project.id);
  Changed(ResourceKind::kQuota, project.id);
  ALLOT_RETURN_IF_ERROR(Insert(state_.projects, project.id, project));
  ALLOT_RETURN_IF_ERROR(Insert(state_.quotas, project.id, Quota{.project = project.id}));
  return Insert(state_.usages, project.id, ProjectUsage{.project = project.id});
}

Status MemoryTx::UpdateProject(Project& project) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  ALLOT_RETURN_IF_ERROR(CheckText(project.display_name));
  if (!IsStorable(project)) return Refuse();
  ALLOT_RETURN_IF_ERROR(Update(state_.projects, project.id, project));
  Changed(ResourceKind::kProject, project.id);
  return Ok{};
}

Result<std::optional<Quota>> MemoryTx::FindQuota(const ProjectId& id) {
  return FindOne(state_.quotas, id);
}

Result<Page<Quota>> MemoryTx::ListQuotas(const std::optional<InstituteId>& institute,
                                         const PageRequest& page) {
  return FindPage(state_.quotas, page, [&](const Quota& row) {
    return !institute || InstituteOf(row.project) == *institute;
  });
}

Status MemoryTx::UpdateQuota(Quota& quota) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  const bool negative = std::ranges::any_of(quota.concurrent_gpus, [](int n) { return n < 0; });
  if (negative || quota.gpu_time < GpuSeconds()) return Refuse();
  // Its version guards the row, and not what is admitted by it.
  ALLOT_RETURN_IF_ERROR(RequireHeld(Lock::kProject, quota.project));
  ALLOT_RETURN_IF_ERROR(Update(state_.quotas, quota.project, quota));
  Changed(ResourceKind::kQuota, quota.project);
  return Ok{};
}

}  // namespace allot::store
