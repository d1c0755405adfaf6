#include "rpc/enums.h"
#include "rpc/fields.h"
#include "rpc/render.h"
#include "rpc/resource_name.h"

namespace allot::rpc {
namespace {

void RenderCounts(const GpusByModel& gpus, v1::GpuCounts& counts) {
  counts.set_b200(At(gpus, GpuModel::kB200));
  counts.set_h200(At(gpus, GpuModel::kH200));
}

}  // namespace

v1::Institute Render(const Institute& institute) {
  v1::Institute rendered;
  rendered.set_name(NameOf(institute.id));
  rendered.set_display_name(institute.display_name);
  rendered.set_sector(Render(institute.sector));
  rendered.set_etag(EtagOf(institute.version));
  return rendered;
}

v1::Project Render(const Project& project) {
  v1::Project rendered;
  rendered.set_name(NameOf(project.id));
  rendered.set_display_name(project.display_name);
  rendered.set_programme(project.programme.str());
  rendered.set_sector(Render(project.sector));
  rendered.set_merit(project.merit);
  rendered.set_open(project.open);
  *rendered.mutable_create_time() = Render(project.create_time);
  rendered.set_etag(EtagOf(project.version));
  return rendered;
}

v1::Quota Render(const Quota& quota) {
  v1::Quota rendered;
  rendered.set_name(QuotaNameOf(quota.project));
  RenderCounts(quota.concurrent_gpus, *rendered.mutable_concurrent_gpus());
  rendered.set_gpu_seconds(quota.gpu_time.count());
  rendered.set_etag(EtagOf(quota.version));
  return rendered;
}

v1::Quota Render(const control::QuotaDetail& detail) {
  v1::Quota rendered = Render(detail.quota);
  RenderCounts(detail.usage.held_gpus, *rendered.mutable_held_gpus());
  RenderCounts(detail.usage.borrowed_gpus, *rendered.mutable_borrowed_gpus());
  rendered.set_used_gpu_seconds(detail.usage.used.count());
  rendered.set_committed_gpu_seconds(detail.usage.committed.count());
  return rendered;
}

v1::ApiKey Render(const ApiKey& key) {
  v1::ApiKey rendered;
  rendered.set_name(NameOf(key.id));
  rendered.set_role(Render(key.role));
  if (!key.institute.empty()) rendered.set_institute(NameOf(key.institute));
  if (!key.provider.empty()) rendered.set_provider(NameOf(key.provider));
  rendered.set_display_name(key.display_name);
  *rendered.mutable_create_time() = Render(key.create_time);
  if (key.revoke_time) *rendered.mutable_revoke_time() = Render(*key.revoke_time);
  if (key.expire_time) *rendered.mutable_expire_time() = Render(*key.expire_time);
  return rendered;
}

v1::AuditEntry Render(const AuditEntry& entry, const std::string& resource) {
  v1::AuditEntry rendered;
  *rendered.mutable_time() = Render(entry.time);
  if (const auto member = MemberOf(entry.key)) {
    rendered.set_member(NameOf(*member));
  } else if (!entry.key.empty()) {
    rendered.set_api_key(NameOf(entry.key));
  }
  rendered.set_actor(entry.actor);
  rendered.set_action(entry.action);
  rendered.set_resource(resource);
  rendered.set_detail(entry.detail);
  rendered.set_request_id(entry.request_id);
  return rendered;
}

v1::ChainedAuditEntry Render(const ChainedAuditEntry& chained) {
  const AuditEntry& entry = chained.entry;
  v1::ChainedAuditEntry rendered;
  rendered.set_number(entry.number);
  *rendered.mutable_time() = Render(entry.time);
  rendered.set_key_id(entry.key.str());
  rendered.set_actor(entry.actor);
  rendered.set_action(entry.action);
  rendered.set_resource_id(entry.resource);
  rendered.set_institute_id(entry.institute.str());
  rendered.set_detail(entry.detail);
  rendered.set_request_id(entry.request_id);
  rendered.set_hash(chained.hash);
  return rendered;
}

v1::AuditCheckpoint Render(const AuditCheckpoint& checkpoint) {
  v1::AuditCheckpoint rendered;
  rendered.set_kind(checkpoint.kind == AuditCheckpoint::Kind::kReached
                        ? v1::AuditCheckpoint::KIND_REACHED
                        : v1::AuditCheckpoint::KIND_REMOVED);
  rendered.set_number(checkpoint.mark.number);
  rendered.set_hash(checkpoint.mark.hash);
  *rendered.mutable_sign_time() = Render(checkpoint.sign_time);
  rendered.set_signer(checkpoint.signer);
  rendered.set_signature(checkpoint.signature);
  return rendered;
}

}  // namespace allot::rpc
