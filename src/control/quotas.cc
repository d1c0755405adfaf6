#include "allot/control/once.h"
#include "allot/control/tenants.h"
#include "control/record.h"
#include "control/staff.h"

namespace allot::control {
namespace {

/// Far beyond the nation's pool; both keep every sum of quotas inside 64 bits.
constexpr int64_t kConcurrentGpusMax = kGpusMax;
constexpr int64_t kGpuSecondsMax = 1'000'000'000'000'000;

Result<QuotaDetail> ReadQuota(store::Tx& tx, const std::string& id) {
  ALLOT_ASSIGN_OR_RETURN(auto quota, tx.FindQuota(ProjectId(id)));
  if (!quota) return NotFound("name", id);
  ALLOT_ASSIGN_OR_RETURN(auto usage, tx.UsageOf(ProjectId(id)));
  return QuotaDetail{.quota = *std::move(quota), .usage = usage};
}

std::string FieldOf(GpuModel model) {
  return std::string("quota.concurrent_gpus.") + (model == GpuModel::kH200 ? "h200" : "b200");
}

Status InRange(const QuotaUpdate& update) {
  for (const GpuModel model : kGpuModels) {
    const auto& gpus = update.concurrent_gpus[static_cast<std::size_t>(model)];
    if (gpus && (*gpus < 0 || *gpus > kConcurrentGpusMax)) {
      return FieldError(Reason::kQuotaOutOfRange, FieldOf(model), std::to_string(*gpus),
                        "0 to " + std::to_string(kConcurrentGpusMax) + " GPUs");
    }
  }
  if (update.gpu_time &&
      (update.gpu_time->count() < 0 || update.gpu_time->count() > kGpuSecondsMax)) {
    return FieldError(Reason::kQuotaOutOfRange, "quota.gpu_seconds",
                      std::to_string(update.gpu_time->count()) + " s",
                      "0 to " + std::to_string(kGpuSecondsMax) + " GPU-seconds");
  }
  return Ok{};
}

/// What is not lowered is no worse than it was: it is never a reason to refuse something else.
Status NotBelowUse(const Quota& before, const Quota& quota, const Usage& usage) {
  for (const GpuModel model : kGpuModels) {
    const bool lowered = At(quota.concurrent_gpus, model) < At(before.concurrent_gpus, model);
    if (lowered && At(quota.concurrent_gpus, model) < At(usage.held_gpus, model)) {
      return FieldError(
          Reason::kQuotaBelowUse, FieldOf(model), std::to_string(At(quota.concurrent_gpus, model)),
          "at least the " + std::to_string(At(usage.held_gpus, model)) + " GPUs held now");
    }
  }
  if (quota.gpu_time >= before.gpu_time) return Ok{};
  const auto spoken_for = usage.used.Plus(usage.committed);
  if (!spoken_for || quota.gpu_time < *spoken_for) {
    return FieldError(Reason::kQuotaBelowUse, "quota.gpu_seconds", FormatGpuHours(quota.gpu_time),
                      "at least what is used (" + FormatGpuHours(usage.used) + ") and committed (" +
                          FormatGpuHours(usage.committed) + ")");
  }
  return Ok{};
}

}  // namespace

Result<QuotaDetail> GetQuota(const Context& context, const Principal& principal,
                             const ProjectId& id) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadTenant));
  if (!MaySee(principal, InstituteOf(id))) return NotFound("name", id.str());
  return context.store.Transact<QuotaDetail>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) { return ReadQuota(tx, id.str()); });
}

Result<store::Page<Quota>> ListQuotas(const Context& context, const Principal& principal,
                                      const std::optional<InstituteId>& institute,
                                      const store::PageRequest& page) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadTenant));
  if (institute && !MaySee(principal, *institute)) return store::Page<Quota>{};
  const auto narrowed =
      institute || principal.institute.empty() ? institute : std::optional(principal.institute);
  return context.store.Transact<store::Page<Quota>>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) { return tx.ListQuotas(narrowed, page); });
}

Result<QuotaDetail> UpdateQuota(const Context& context, const Call& call,
                                const QuotaUpdate& update) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManageTenants));
  ALLOT_RETURN_IF_ERROR(InRange(update));
  ALLOT_RETURN_IF_ERROR(RequireReason(update.reason, "why the quota changes"));
  const Instant now = context.clock.Now();
  return Once<QuotaDetail>(
      context, call, now,
      [&](store::Tx& tx) -> Result<QuotaDetail> {
        // The project's lock keeps admissions out while its limits change.
        ALLOT_ASSIGN_OR_RETURN(auto project, tx.LockProject(update.project));
        if (!project) return NotFound("name", update.project.str());
        ALLOT_ASSIGN_OR_RETURN(auto detail, ReadQuota(tx, update.project.str()));
        if (update.version != 0 && update.version != detail.quota.version) {
          return FieldError(Reason::kEtagStale, "etag", std::to_string(update.version),
                            std::to_string(detail.quota.version));
        }
        const Quota before = detail.quota;
        for (std::size_t i = 0; i < update.concurrent_gpus.size(); ++i) {
          const auto& gpus = update.concurrent_gpus[i];
          if (gpus) detail.quota.concurrent_gpus[i] = static_cast<int>(*gpus);
        }
        if (update.gpu_time) detail.quota.gpu_time = *update.gpu_time;
        ALLOT_RETURN_IF_ERROR(NotBelowUse(before, detail.quota, detail.usage));
        ALLOT_RETURN_IF_ERROR(tx.UpdateQuota(detail.quota));
        std::string limits;
        for (const GpuModel model : kGpuModels) {
          limits += std::string(Name(model)) + " " +
                    std::to_string(At(detail.quota.concurrent_gpus, model)) + " GPUs, ";
        }
        limits += FormatGpuHours(detail.quota.gpu_time);
        ALLOT_RETURN_IF_ERROR(tx.Audit(Record(call, now, "quota.update", update.project.str(),
                                              project->institute, limits + ": " + update.reason)));
        return detail;
      },
      [](const QuotaDetail& d) { return d.quota.project.str(); }, ReadQuota);
}

}  // namespace allot::control
