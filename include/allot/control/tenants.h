#pragma once

#include <optional>
#include <string>

#include "allot/control/context.h"
#include "allot/model/quota.h"
#include "allot/model/tenant.h"
#include "allot/store/tx.h"

namespace allot::control {

Result<Institute> CreateInstitute(const Context& context, const Call& call,
                                  const Institute& institute);
Result<Institute> GetInstitute(const Context& context, const Principal& principal,
                               const InstituteId& id);
Result<store::Page<Institute>> ListInstitutes(const Context& context, const Principal& principal,
                                              const store::PageRequest& page);

/// Its quota starts at zero: set it before the project can submit.
Result<Project> CreateProject(const Context& context, const Call& call, const Project& project);
Result<Project> GetProject(const Context& context, const Principal& principal, const ProjectId& id);
/// No institute: all that the principal may see.
Result<store::Page<Project>> ListProjects(const Context& context, const Principal& principal,
                                          const std::optional<InstituteId>& institute,
                                          const store::PageRequest& page);

struct ProjectUpdate {
  ProjectId id;
  /// The version the caller saw; 0 to skip the check (etag_stale otherwise).
  int64_t version = 0;
  std::optional<std::string> display_name;
  std::optional<bool> open;
  std::optional<int> merit;
  /// Why; kept in the audit, required for merit.
  std::string reason;
};
Result<Project> UpdateProject(const Context& context, const Call& call,
                              const ProjectUpdate& update);

struct QuotaDetail {
  Quota quota;
  Usage usage;
};
Result<QuotaDetail> GetQuota(const Context& context, const Principal& principal,
                             const ProjectId& id);
Result<store::Page<Quota>> ListQuotas(const Context& context, const Principal& principal,
                                      const std::optional<InstituteId>& institute,
                                      const store::PageRequest& page);

struct QuotaUpdate {
  ProjectId project;
  int64_t version = 0;
  /// Each may be left as it is.
  std::array<std::optional<int64_t>, kGpuModelCount> concurrent_gpus;
  std::optional<GpuSeconds> gpu_time;
  /// Required, and kept in the audit.
  std::string reason;
};
/// quota_below_use when less would be left than is held (GPUs) or used and committed (GPU time).
Result<QuotaDetail> UpdateQuota(const Context& context, const Call& call,
                                const QuotaUpdate& update);

}  // namespace allot::control
