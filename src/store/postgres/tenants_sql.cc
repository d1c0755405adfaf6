#include "store/postgres/postgres_tx.h"
#include "store/postgres/rows.h"

namespace allot::store {
namespace {

const std::string kSelectInstitute =
    std::string("SELECT ") + kInstituteColumns + " FROM institutes";
const std::string kSelectProject = std::string("SELECT ") + kProjectColumns + " FROM projects";
const std::string kSelectQuota = std::string("SELECT ") + kQuotaColumns + " FROM quotas";

const Statement kFindInstitute{"find_institute", kSelectInstitute + " WHERE id = $1"};
const Statement kInsertInstitute{"insert_institute",
                                 "INSERT INTO institutes (id, display_name, sector, version)"
                                 " VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"};
const Statement kUpdateInstitute{
    "update_institute",
    "UPDATE institutes SET display_name = $2, sector = $3, version = version + 1"
    " WHERE id = $1 AND version = $4"};

const Statement kFindProject{"find_project", kSelectProject + " WHERE id = $1"};
// Not FOR UPDATE: that would also hold up those who insert an allocation that refers to it.
const Statement kLockProjects{
    "lock_projects", kSelectProject + " WHERE id = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE"};
const Statement kInsertProject{
    "insert_project",
    "INSERT INTO projects (id, institute_id, programme, display_name, sector, merit, open,"
    " create_time, version) VALUES ($1, $2, $3, $4, $5, $6, $7, instant($8), $9)"
    " ON CONFLICT DO NOTHING"};
const Statement kInsertQuota{
    "insert_quota",
    "INSERT INTO quotas (project_id, concurrent_b200_gpus, concurrent_h200_gpus, gpu_seconds,"
    " version) VALUES ($1, 0, 0, 0, 1) ON CONFLICT DO NOTHING"};
const Statement kInsertProjectUsage{
    "insert_project_usage",
    "INSERT INTO project_usage (project_id, used_gpu_seconds, decayed, decayed_as_of)"
    " VALUES ($1, 0, 0, instant(0)) ON CONFLICT DO NOTHING"};
const Statement kUpdateProject{
    "update_project",
    "UPDATE projects SET programme = $2, display_name = $3, sector = $4, merit = $5, open = $6,"
    " version = version + 1 WHERE id = $1 AND version = $7"};

const Statement kFindQuota{"find_quota", kSelectQuota + " WHERE project_id = $1"};
const Statement kUpdateQuota{
    "update_quota",
    "UPDATE quotas SET concurrent_b200_gpus = $2, concurrent_h200_gpus = $3, gpu_seconds = $4,"
    " version = version + 1 WHERE project_id = $1 AND version = $5"};

const Statement kFindProjectUsage{
    "find_project_usage",
    std::string("SELECT ") + kProjectUsageColumns + " FROM project_usage WHERE project_id = $1"};
const Statement kUpdateProjectUsage{
    "update_project_usage",
    "UPDATE project_usage SET used_gpu_seconds = $2, decayed = $3, decayed_as_of = instant($4)"
    " WHERE project_id = $1"};

// Held: what was lost with a node is not held any more, though nobody confirmed it; so only the
// current attempts of allocations in a state that holds GPUs count.
const Statement kUsageOf{
    "usage_of",
    "WITH holding AS ("
    "  SELECT a.id, a.attempt, a.borrow,"
    "         gpus_set_aside(a.nodes::bigint * a.gpus_per_node + a.remainder_gpus,"
    "           a.exchanged_model, a.exchanged_nodes::bigint * a.exchanged_gpus_per_node"
    "             + a.exchanged_remainder_gpus, a.gpu_models, c.gpu_model) AS gpus,"
    "         CASE WHEN a.preempt_requested OR a.grows_id IS NOT NULL"
    "              THEN extract(epoch FROM a.window_end - a.window_start)::bigint"
    "              ELSE COALESCE(a.remaining_s, a.duration_s) END AS held_s"
    "  FROM allocations a JOIN clusters c ON c.id = a.cluster_id"
    "  WHERE a.id > $1 || '/' AND a.id < $1 || '0'"
    "    AND a.state IN ('provisioning', 'active', 'releasing')),"
    " held AS ("
    "  SELECT c.gpu_model, h.borrow, bit_count(claims.gpu_mask::bit(8)) AS gpus"
    "  FROM holding h"
    "  JOIN claims ON claims.allocation_id = h.id AND claims.attempt = h.attempt"
    "  JOIN nodes n ON n.id = claims.node_id JOIN clusters c ON c.id = n.cluster_id"
    "  WHERE claims.released_at IS NULL)"
    " SELECT COALESCE((SELECT sum(gpus) FROM held WHERE gpu_model = 'B200' AND NOT borrow), 0),"
    "        COALESCE((SELECT sum(gpus) FROM held WHERE gpu_model = 'H200' AND NOT borrow), 0),"
    "        COALESCE((SELECT sum(gpus) FROM held WHERE gpu_model = 'B200' AND borrow), 0),"
    "        COALESCE((SELECT sum(gpus) FROM held WHERE gpu_model = 'H200' AND borrow), 0),"
    "        COALESCE((SELECT used_gpu_seconds FROM project_usage WHERE project_id = $1), 0),"
    "        COALESCE((SELECT committed_gpu_seconds FROM project_usage WHERE project_id = $1), 0),"
    "        COALESCE((SELECT sum(gpus * held_s) FROM holding), 0)"};
const std::string kSelectBudgets =
    std::string("SELECT ") + kQuotaColumns +
    ", used_gpu_seconds, committed_gpu_seconds FROM quotas JOIN project_usage USING (project_id)";
const Statement kBudgetsOf{
    "budgets_of", kSelectBudgets + " WHERE project_id = ANY ($1::text[]) ORDER BY project_id"};

Budget ReadBudget(RowReader& row) {
  Budget budget{.quota = ReadQuota(row), .used = {}, .committed = {}};
  budget.used = GpuSeconds::FromCount(row.Int64());
  budget.committed = GpuSeconds::FromCount(row.Int64());
  return budget;
}

Usage ReadUsage(RowReader& row) {
  return {.held_gpus = {row.Int(), row.Int()},
          .borrowed_gpus = {row.Int(), row.Int()},
          .used = GpuSeconds::FromCount(row.Int64()),
          .committed = GpuSeconds::FromCount(row.Int64()),
          .reserved = GpuSeconds::FromCount(row.Int64())};
}

}  // namespace

Result<std::optional<Institute>> PostgresTx::FindInstitute(const InstituteId& id) {
  return FindOne(ReadInstitute, kFindInstitute, Arguments(id));
}

Result<Page<Institute>> PostgresTx::ListInstitutes(const std::optional<InstituteId>& only,
                                                   const PageRequest& page) {
  return FindPage(ReadInstitute, ListQuery(kSelectInstitute, "id", page).Where("id = ", only));
}

Status PostgresTx::InsertInstitute(const Institute& institute) {
  Changed(ResourceKind::kInstitute, institute.id);
  return Insert(kInsertInstitute, Arguments(institute.id, institute.display_name, institute.sector,
                                            institute.version));
}

Status PostgresTx::UpdateInstitute(Institute& institute) {
  ALLOT_RETURN_IF_ERROR(Update(kUpdateInstitute, Arguments(institute.id, institute.display_name,
                                                           institute.sector, institute.version)));
  Changed(ResourceKind::kInstitute, institute.id);
  ++institute.version;
  return Ok{};
}

Result<std::optional<Project>> PostgresTx::FindProject(const ProjectId& id) {
  return FindOne(ReadProject, kFindProject, Arguments(id));
}

Result<std::vector<Project>> PostgresTx::LockProjects(std::span<const ProjectId> ids) {
  return FindAll(ReadProject, kLockProjects, Arguments(SqlArray(ids)));
}

Result<Page<Project>> PostgresTx::ListProjects(const std::optional<InstituteId>& institute,
                                               const PageRequest& page) {
  return FindPage(ReadProject,
                  ListQuery(kSelectProject, "id", page).Where("institute_id = ", institute));
}

Status PostgresTx::InsertProject(const Project& project) {
  Changed(ResourceKind::kProject, project.id);
  Changed(ResourceKind::kQuota, project.id);
  ALLOT_RETURN_IF_ERROR(
      Insert(kInsertProject, Arguments(project.id, project.institute, project.programme,
                                       project.display_name, project.sector, project.merit,
                                       project.open, project.create_time, project.version)));
  ALLOT_RETURN_IF_ERROR(Insert(kInsertQuota, Arguments(project.id)));
  return Insert(kInsertProjectUsage, Arguments(project.id));
}

Status PostgresTx::UpdateProject(Project& project) {
  ALLOT_RETURN_IF_ERROR(Update(
      kUpdateProject, Arguments(project.id, project.programme, project.display_name, project.sector,
                                project.merit, project.open, project.version)));
  Changed(ResourceKind::kProject, project.id);
  ++project.version;
  return Ok{};
}

Result<std::optional<Quota>> PostgresTx::FindQuota(const ProjectId& id) {
  return FindOne(ReadQuota, kFindQuota, Arguments(id));
}

Result<Page<Quota>> PostgresTx::ListQuotas(const std::optional<InstituteId>& institute,
                                           const PageRequest& page) {
  // A project's id begins with its institute's.
  return FindPage(ReadQuota, ListQuery(kSelectQuota, "project_id", page)
                                 .Where("split_part(project_id, '/', 1) = ", institute));
}

Status PostgresTx::UpdateQuota(Quota& quota) {
  ALLOT_RETURN_IF_ERROR(
      Update(kUpdateQuota,
             Arguments(quota.project, At(quota.concurrent_gpus, GpuModel::kB200),
                       At(quota.concurrent_gpus, GpuModel::kH200), quota.gpu_time, quota.version)));
  Changed(ResourceKind::kQuota, quota.project);
  ++quota.version;
  return Ok{};
}

Result<std::vector<Budget>> PostgresTx::BudgetsOf(std::span<const ProjectId> ids) {
  return FindAll(ReadBudget, kBudgetsOf, Arguments(SqlArray(ids)));
}

Result<Usage> PostgresTx::UsageOf(const ProjectId& id) {
  ALLOT_ASSIGN_OR_RETURN(const std::optional<Usage> usage,
                         FindOne(ReadUsage, kUsageOf, Arguments(id)));
  return usage.value_or(Usage{});
}

Result<ProjectUsage> PostgresTx::ProjectUsageOf(const ProjectId& id) {
  ALLOT_ASSIGN_OR_RETURN(const std::optional<ProjectUsage> usage,
                         FindOne(ReadProjectUsage, kFindProjectUsage, Arguments(id)));
  if (!usage) return StateError(Reason::kNotFound, "There is no such project.");
  return *usage;
}

Status PostgresTx::UpdateProjectUsage(const ProjectUsage& usage) {
  // Shown with the quota, so it is the quota that changed.
  Changed(ResourceKind::kQuota, usage.project);
  return Update(kUpdateProjectUsage,
                Arguments(usage.project, usage.used, usage.decayed.value, usage.decayed.as_of));
}

}  // namespace allot::store
