#include <array>
#include <string_view>

#include "allot/model/name.h"
#include "rpc/enums.h"
#include "rpc/fields.h"
#include "rpc/parse.h"

namespace allot::rpc {
namespace {

Result<int> ParseMerit(int32_t merit, const std::string& field) {
  if (merit < 0 || merit > kMeritMax) {
    return FieldError(Reason::kMeritOutOfRange, field, std::to_string(merit),
                      "0 to " + std::to_string(kMeritMax));
  }
  return merit;
}

/// More than the nation's GPUs in 100 years.
constexpr int64_t kGpuSecondsMax = 1'000'000'000'000'000;

Result<int64_t> ParseLimit(int64_t limit, int64_t most, const std::string& field) {
  if (limit < 0 || limit > most) {
    return FieldError(Reason::kQuotaOutOfRange, field, std::to_string(limit),
                      "0 to " + std::to_string(most));
  }
  return limit;
}

Result<std::optional<int64_t>> ParseGpus(int64_t gpus, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const int64_t limit, ParseLimit(gpus, kGpusMax, field));
  return std::optional(limit);
}

std::optional<int64_t>& Of(control::QuotaUpdate& update, GpuModel model) {
  return update.concurrent_gpus[static_cast<std::size_t>(model)];
}

Status ApplyPath(const v1::Quota& quota, const std::string& path, control::QuotaUpdate& update) {
  const v1::GpuCounts& gpus = quota.concurrent_gpus();
  const bool all_models = path == "concurrent_gpus";
  if (all_models || path == "concurrent_gpus.b200") {
    ALLOT_ASSIGN_OR_RETURN(Of(update, GpuModel::kB200),
                           ParseGpus(gpus.b200(), "quota.concurrent_gpus.b200"));
  }
  if (all_models || path == "concurrent_gpus.h200") {
    ALLOT_ASSIGN_OR_RETURN(Of(update, GpuModel::kH200),
                           ParseGpus(gpus.h200(), "quota.concurrent_gpus.h200"));
  }
  if (path == "gpu_seconds") {
    ALLOT_ASSIGN_OR_RETURN(const int64_t limit,
                           ParseLimit(quota.gpu_seconds(), kGpuSecondsMax, "quota.gpu_seconds"));
    update.gpu_time = GpuSeconds::FromCount(limit);
  }
  return Ok{};
}

}  // namespace

Result<Institute> Parse(const v1::CreateInstituteRequest& request) {
  Institute institute;
  ALLOT_ASSIGN_OR_RETURN(auto name, ParseNewName(request.institute_id(), "institute_id"));
  institute.id = InstituteId(std::move(name));
  ALLOT_ASSIGN_OR_RETURN(
      institute.display_name,
      ParseDisplayName(request.institute().display_name(), "institute.display_name"));
  ALLOT_ASSIGN_OR_RETURN(institute.sector, Parse(request.institute().sector(), "institute.sector"));
  return institute;
}

Result<Project> Parse(const v1::CreateProjectRequest& request) {
  Project project;
  const v1::Project& asked = request.project();
  ALLOT_ASSIGN_OR_RETURN(project.institute, ParseInstituteName(request.parent(), "parent"));
  ALLOT_ASSIGN_OR_RETURN(auto name, ParseNewName(request.project_id(), "project_id"));
  project.id = MakeProjectId(project.institute, name);
  ALLOT_ASSIGN_OR_RETURN(project.display_name,
                         ParseDisplayName(asked.display_name(), "project.display_name"));
  ALLOT_ASSIGN_OR_RETURN(auto programme, ParseNewName(asked.programme(), "project.programme"));
  project.programme = ProgrammeId(std::move(programme));
  ALLOT_ASSIGN_OR_RETURN(project.sector, Parse(asked.sector(), "project.sector"));
  ALLOT_ASSIGN_OR_RETURN(project.merit, ParseMerit(asked.merit(), "project.merit"));
  project.open = !asked.has_open() || asked.open();
  return project;
}

Result<control::ProjectUpdate> Parse(const v1::UpdateProjectRequest& request) {
  static constexpr std::array<std::string_view, 2> kUpdatable = {"display_name", "open"};
  static constexpr std::array<std::string_view, 6> kImmutable = {"name",  "programme",   "sector",
                                                                 "merit", "create_time", "etag"};
  control::ProjectUpdate update;
  const v1::Project& project = request.project();
  ALLOT_ASSIGN_OR_RETURN(update.id, ParseProjectName(project.name(), "project.name"));
  ALLOT_ASSIGN_OR_RETURN(update.version, ParseEtag(project.etag(), "project.etag"));
  ALLOT_ASSIGN_OR_RETURN(const auto paths,
                         ParseFieldMask(request.update_mask(), kUpdatable, kImmutable));
  for (const std::string& path : paths) {
    if (path == "display_name") {
      ALLOT_ASSIGN_OR_RETURN(update.display_name,
                             ParseDisplayName(project.display_name(), "project.display_name"));
    } else if (project.has_open()) {
      update.open = project.open();
    } else {
      return FieldError(Reason::kFieldRequired, "project.open", "", "true or false");
    }
  }
  return update;
}

Result<control::ProjectUpdate> Parse(const v1::SetMeritRequest& request) {
  control::ProjectUpdate update;
  ALLOT_ASSIGN_OR_RETURN(update.id, ParseProjectName(request.name(), "name"));
  if (!request.has_merit()) {
    return FieldError(Reason::kFieldRequired, "merit", "", "0 to " + std::to_string(kMeritMax));
  }
  ALLOT_ASSIGN_OR_RETURN(update.merit, ParseMerit(request.merit(), "merit"));
  ALLOT_ASSIGN_OR_RETURN(update.reason, ParseRequiredText(request.reason(), "reason"));
  ALLOT_ASSIGN_OR_RETURN(update.version, ParseEtag(request.etag(), "etag"));
  return update;
}

Result<control::QuotaUpdate> Parse(const v1::UpdateQuotaRequest& request) {
  static constexpr std::array<std::string_view, 2> kAll = {"concurrent_gpus", "gpu_seconds"};
  static constexpr std::array<std::string_view, 4> kUpdatable = {
      "concurrent_gpus", "concurrent_gpus.b200", "concurrent_gpus.h200", "gpu_seconds"};
  static constexpr std::array<std::string_view, 6> kImmutable = {
      "name", "held_gpus", "borrowed_gpus", "used_gpu_seconds", "committed_gpu_seconds", "etag"};
  control::QuotaUpdate update;
  const v1::Quota& quota = request.quota();
  ALLOT_ASSIGN_OR_RETURN(update.project, ParseQuotaName(quota.name(), "quota.name"));
  ALLOT_ASSIGN_OR_RETURN(update.version, ParseEtag(quota.etag(), "quota.etag"));
  const bool everything =
      request.update_mask().paths_size() == 1 && request.update_mask().paths(0) == "*";
  ALLOT_ASSIGN_OR_RETURN(
      const auto paths,
      ParseFieldMask(request.update_mask(),
                     everything ? std::span<const std::string_view>(kAll) : kUpdatable,
                     kImmutable));
  for (const std::string& path : paths) ALLOT_RETURN_IF_ERROR(ApplyPath(quota, path, update));
  ALLOT_ASSIGN_OR_RETURN(update.reason, ParseRequiredText(request.reason(), "reason"));
  return update;
}

Result<control::NewKey> Parse(const v1::CreateApiKeyRequest& request) {
  control::NewKey key;
  const v1::ApiKey& asked = request.api_key();
  ALLOT_ASSIGN_OR_RETURN(key.role, Parse(asked.role(), "api_key.role"));
  if (IsOfInstitute(key.role) || !asked.institute().empty()) {
    ALLOT_ASSIGN_OR_RETURN(key.institute,
                           ParseInstituteName(asked.institute(), "api_key.institute"));
  }
  if (key.role == Role::kProvider || !asked.provider().empty()) {
    ALLOT_ASSIGN_OR_RETURN(key.provider, ParseProviderName(asked.provider(), "api_key.provider"));
  }
  ALLOT_ASSIGN_OR_RETURN(key.display_name,
                         ParseDisplayName(asked.display_name(), "api_key.display_name"));
  if (asked.has_expire_time()) {
    ALLOT_ASSIGN_OR_RETURN(key.expire_time,
                           ParseTimestamp(asked.expire_time(), "api_key.expire_time"));
  }
  return key;
}

}  // namespace allot::rpc
