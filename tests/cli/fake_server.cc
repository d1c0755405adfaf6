#include "fake_server.h"

#include <google/rpc/status.pb.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <thread>

#include "allot/v1/allocation_service.grpc.pb.h"
#include "allot/v1/error_reason.pb.h"
#include "allot/v1/member_service.grpc.pb.h"
#include "allot/v1/operator_service.grpc.pb.h"
#include "allot/v1/pool_service.grpc.pb.h"
#include "allot/v1/project_service.grpc.pb.h"
#include "allot/v1/quota_service.grpc.pb.h"

namespace allot::cli::testing {
namespace {

using grpc::ServerContext;

grpc::Status Refusal(const Error& error) {
  v1::ErrorInfo info;
  std::string name(Name(error.reason));
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  info.set_reason(name);
  (*info.mutable_metadata())["advice"] = std::string(Advice(error.reason));
  (*info.mutable_metadata())["field"] = error.field;
  (*info.mutable_metadata())["value"] = error.value;
  (*info.mutable_metadata())["limit"] = error.limit;
  google::rpc::Status rich;
  auto& any = *rich.add_details();
  any.set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
  any.set_value(info.SerializeAsString());
  return {static_cast<grpc::StatusCode>(CodeOf(error.reason)), error.message,
          rich.SerializeAsString()};
}

}  // namespace

class FakeServer::Services final : public v1::PoolService::Service,
                                   public v1::ProjectService::Service,
                                   public v1::QuotaService::Service,
                                   public v1::OperatorService::Service,
                                   public v1::MemberService::Service,
                                   public v1::AllocationService::Service {
 public:
  Services(FakeServer& fake, int* port) : fake_(fake) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), port);
    builder.RegisterService(static_cast<v1::PoolService::Service*>(this));
    builder.RegisterService(static_cast<v1::ProjectService::Service*>(this));
    builder.RegisterService(static_cast<v1::QuotaService::Service*>(this));
    builder.RegisterService(static_cast<v1::OperatorService::Service*>(this));
    builder.RegisterService(static_cast<v1::MemberService::Service*>(this));
    builder.RegisterService(static_cast<v1::AllocationService::Service*>(this));
    server_ = builder.BuildAndStart();
  }
  ~Services() override {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
  }

  // ---- The pool

  grpc::Status GetProvider(ServerContext* c, const v1::GetProviderRequest* q,
                           v1::Provider* a) override {
    return Get(c, "GetProvider", fake_.state.providers, q->name(), a);
  }
  grpc::Status CreateProvider(ServerContext* c, const v1::CreateProviderRequest* q,
                              v1::Provider* a) override {
    return Create(c, "CreateProvider", *q, fake_.state.providers, "providers/" + q->provider_id(),
                  q->provider(), a);
  }
  grpc::Status GetCluster(ServerContext* c, const v1::GetClusterRequest* q,
                          v1::Cluster* a) override {
    return Get(c, "GetCluster", fake_.state.clusters, q->name(), a);
  }
  grpc::Status CreateCluster(ServerContext* c, const v1::CreateClusterRequest* q,
                             v1::Cluster* a) override {
    return Create(c, "CreateCluster", *q, fake_.state.clusters,
                  q->parent() + "/clusters/" + q->cluster_id(), q->cluster(), a);
  }
  grpc::Status ListClusters(ServerContext* c, const v1::ListClustersRequest*,
                            v1::ListClustersResponse* a) override {
    return Answer(c, "ListClusters", "", [&] {
      for (const auto& [name, cluster] : fake_.state.clusters) *a->add_clusters() = cluster;
    });
  }
  grpc::Status UpdateCluster(ServerContext* c, const v1::UpdateClusterRequest* q,
                             v1::Cluster* a) override {
    return Answer(c, "UpdateCluster", q->request_id(), [&] {
      fake_.state.cluster_updates.push_back(*q);
      *a = q->cluster();
    });
  }
  grpc::Status CreateReservation(ServerContext* c, const v1::CreateReservationRequest* q,
                                 v1::Reservation* a) override {
    return Answer(c, "CreateReservation", q->request_id(), [&] {
      fake_.state.reservation_requests.push_back(*q);
      *a = q->reservation();
      a->set_name(q->parent() + "/reservations/" + q->reservation_id());
      a->set_node_count(std::max(q->node_count(), a->nodes_size()));
      if (q->validate_only()) *a->add_conflicts() = fake_.state.conflict;
      if (!q->validate_only()) fake_.state.reservations[a->name()] = *a;
    });
  }
  grpc::Status GetReservation(ServerContext* c, const v1::GetReservationRequest* q,
                              v1::Reservation* a) override {
    return Get(c, "GetReservation", fake_.state.reservations, q->name(), a);
  }
  grpc::Status ListReservations(ServerContext* c, const v1::ListReservationsRequest*,
                                v1::ListReservationsResponse* a) override {
    return Answer(c, "ListReservations", "", [&] {
      for (const auto& [name, row] : fake_.state.reservations) *a->add_reservations() = row;
    });
  }
  grpc::Status CancelReservation(ServerContext* c, const v1::CancelReservationRequest* q,
                                 v1::Reservation* a) override {
    return Answer(c, "CancelReservation", q->request_id(), [&] {
      *a = fake_.state.reservations[q->name()];
      a->mutable_cancel_time()->set_seconds(1);
    });
  }
  grpc::Status GetCapacity(ServerContext* c, const v1::GetCapacityRequest*,
                           v1::GetCapacityResponse* a) override {
    return Answer(c, "GetCapacity", "", [&] { *a = fake_.state.capacity; });
  }

  // ---- People

  grpc::Status WhoAmI(ServerContext* c, const v1::WhoAmIRequest*, v1::WhoAmIResponse* a) override {
    return Answer(c, "WhoAmI", "", [&] { *a = fake_.state.caller; });
  }

  // ---- Access

  grpc::Status ReadAuditChain(ServerContext* c, const v1::ReadAuditChainRequest*,
                              v1::ReadAuditChainResponse* a) override {
    return Answer(c, "ReadAuditChain", "", [&] {
      *a = fake_.state.audit_pages.front();
      if (fake_.state.audit_pages.size() > 1) {
        fake_.state.audit_pages.erase(fake_.state.audit_pages.begin());
      }
    });
  }
  grpc::Status CreateApiKey(ServerContext* c, const v1::CreateApiKeyRequest* q,
                            v1::CreateApiKeyResponse* a) override {
    return Answer(c, "CreateApiKey", q->request_id(), [&] {
      fake_.state.key_requests.push_back(*q);
      *a->mutable_api_key() = q->api_key();
      a->mutable_api_key()->set_name("apiKeys/k1");
      a->set_secret("allot_k1_secret");
    });
  }

  // ---- Tenants

  grpc::Status GetInstitute(ServerContext* c, const v1::GetInstituteRequest* q,
                            v1::Institute* a) override {
    return Get(c, "GetInstitute", fake_.state.institutes, q->name(), a);
  }
  grpc::Status CreateInstitute(ServerContext* c, const v1::CreateInstituteRequest* q,
                               v1::Institute* a) override {
    return Create(c, "CreateInstitute", *q, fake_.state.institutes,
                  "institutes/" + q->institute_id(), q->institute(), a);
  }
  /// Two on a page, whatever was asked for.
  grpc::Status ListInstitutes(ServerContext* c, const v1::ListInstitutesRequest* q,
                              v1::ListInstitutesResponse* a) override {
    return Answer(c, "ListInstitutes", "", [&] {
      for (auto at = fake_.state.institutes.upper_bound(q->page_token());
           at != fake_.state.institutes.end(); ++at) {
        if (a->institutes_size() == 2) {
          a->set_next_page_token(a->institutes(1).name());
          return;
        }
        *a->add_institutes() = at->second;
      }
    });
  }
  grpc::Status ListProjects(ServerContext* c, const v1::ListProjectsRequest*,
                            v1::ListProjectsResponse* a) override {
    return Answer(c, "ListProjects", "", [&] {
      for (const auto& [name, project] : fake_.state.projects) *a->add_projects() = project;
      a->set_next_page_token(fake_.state.project_page_token);
    });
  }
  grpc::Status ListQuotas(ServerContext* c, const v1::ListQuotasRequest*,
                          v1::ListQuotasResponse* a) override {
    return Answer(c, "ListQuotas", "", [&] {
      for (const auto& [name, quota] : fake_.state.quotas) *a->add_quotas() = quota;
    });
  }
  grpc::Status GetProject(ServerContext* c, const v1::GetProjectRequest* q,
                          v1::Project* a) override {
    return Get(c, "GetProject", fake_.state.projects, q->name(), a);
  }
  grpc::Status CreateProject(ServerContext* c, const v1::CreateProjectRequest* q,
                             v1::Project* a) override {
    const std::string name = q->parent() + "/projects/" + q->project_id();
    const auto refused = fake_.state.refused_projects.find(name);
    if (refused != fake_.state.refused_projects.end()) return Refusal(refused->second);
    const grpc::Status status =
        Create(c, "CreateProject", *q, fake_.state.projects, name, q->project(), a);
    const std::lock_guard lock(mutex_);
    if (status.ok()) fake_.state.quotas[name + "/quota"].set_name(name + "/quota");
    return status;
  }
  grpc::Status UpdateProject(ServerContext* c, const v1::UpdateProjectRequest* q,
                             v1::Project* a) override {
    return Answer(c, "UpdateProject", q->request_id(), [&] {
      v1::Project project = fake_.state.projects[q->project().name()];
      for (const std::string& path : q->update_mask().paths()) {
        if (path == "display_name") project.set_display_name(q->project().display_name());
        if (path == "open") project.set_open(q->project().open());
      }
      *a = project;
      if (!q->validate_only()) fake_.state.projects[project.name()] = project;
    });
  }
  grpc::Status SetMerit(ServerContext* c, const v1::SetMeritRequest* q, v1::Project* a) override {
    return Answer(c, "SetMerit", q->request_id(), [&] {
      v1::Project project = fake_.state.projects[q->name()];
      project.set_merit(q->merit());
      *a = project;
      if (q->validate_only()) return;
      fake_.state.projects[project.name()] = project;
      fake_.state.merit_reasons.push_back(q->reason());
    });
  }
  grpc::Status GetQuota(ServerContext* c, const v1::GetQuotaRequest* q, v1::Quota* a) override {
    return Get(c, "GetQuota", fake_.state.quotas, q->name(), a);
  }
  grpc::Status UpdateQuota(ServerContext* c, const v1::UpdateQuotaRequest* q,
                           v1::Quota* a) override {
    return Answer(c, "UpdateQuota", q->request_id(), [&] {
      v1::Quota quota = fake_.state.quotas[q->quota().name()];
      const auto& wanted = q->quota();
      for (const std::string& path : q->update_mask().paths()) {
        if (path == "concurrent_gpus.h200") {
          quota.mutable_concurrent_gpus()->set_h200(wanted.concurrent_gpus().h200());
        }
        if (path == "concurrent_gpus.b200") {
          quota.mutable_concurrent_gpus()->set_b200(wanted.concurrent_gpus().b200());
        }
        if (path == "gpu_seconds") quota.set_gpu_seconds(wanted.gpu_seconds());
      }
      *a = quota;
      if (!q->validate_only()) fake_.state.quotas[quota.name()] = quota;
    });
  }

  // ---- Allocations

  grpc::Status GetAllocation(ServerContext* c, const v1::GetAllocationRequest* q,
                             v1::Allocation* a) override {
    return Get(c, "GetAllocation", fake_.state.allocations, q->name(), a);
  }
  grpc::Status CreateAllocation(ServerContext* c, const v1::CreateAllocationRequest* q,
                                v1::Allocation* a) override {
    const std::string id = q->allocation_id().empty() ? "minted" : q->allocation_id();
    v1::Allocation allocation = q->allocation();
    allocation.set_state(v1::Allocation::STATE_PENDING);
    allocation.set_name(q->parent() + "/allocations/" + id);
    return Answer(c, "CreateAllocation", q->request_id(), [&] {
      *a = allocation;
      if (q->validate_only()) {
        a->MergeFrom(fake_.state.foretold);
        return;
      }
      fake_.state.allocations[a->name()] = *a;
      fake_.state.allocations_made.push_back(a->name());
    });
  }
  grpc::Status BatchCreateAllocations(ServerContext* c, const v1::BatchCreateAllocationsRequest* q,
                                      v1::BatchCreateAllocationsResponse* a) override {
    return Answer(c, "BatchCreateAllocations", q->request_id(), [&] {
      for (int i = 0; i < q->requests_size(); ++i) {
        const std::string& id = q->requests(i).allocation_id();
        v1::Allocation& made = *a->add_allocations();
        made = q->requests(i).allocation();
        made.set_name(q->parent() + "/allocations/" + (id.empty() ? "m" + std::to_string(i) : id));
        made.set_state(v1::Allocation::STATE_PENDING);
        if (!q->validate_only()) fake_.state.allocations[made.name()] = made;
      }
    });
  }
  grpc::Status ListAllocations(ServerContext* c, const v1::ListAllocationsRequest*,
                               v1::ListAllocationsResponse* a) override {
    return Answer(c, "ListAllocations", "", [&] {
      for (const auto& [name, one] : fake_.state.allocations) *a->add_allocations() = one;
    });
  }
  grpc::Status CancelAllocation(ServerContext* c, const v1::CancelAllocationRequest* q,
                                v1::Allocation* a) override {
    return Answer(c, "CancelAllocation", q->request_id(), [&] {
      v1::Allocation& allocation = fake_.state.allocations[q->name()];
      allocation.set_state(v1::Allocation::STATE_CANCELLED);
      *a = allocation;
    });
  }
  grpc::Status ExplainAllocation(ServerContext* c, const v1::ExplainAllocationRequest*,
                                 v1::ExplainAllocationResponse* a) override {
    return Answer(c, "ExplainAllocation", "", [&] { *a = fake_.state.explanation; });
  }
  grpc::Status WatchAllocations(ServerContext* c, const v1::WatchAllocationsRequest* q,
                                grpc::ServerWriter<v1::WatchAllocationsResponse>* writer) override {
    std::vector<v1::WatchAllocationsResponse> script;
    if (fake_.on_watch) fake_.on_watch();
    const grpc::Status begun = Answer(c, "WatchAllocations", "", [] {});
    if (!begun.ok()) return begun;
    {
      const std::lock_guard lock(mutex_);
      const std::size_t turn = fake_.watch_requests.size();
      fake_.watch_requests.push_back(*q);
      if (turn < fake_.watches.size()) script = fake_.watches[turn];
    }
    if (script.empty()) {
      writer->Write({});
      while (!c->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
      return grpc::Status::OK;
    }
    for (const auto& message : script) {
      {
        const std::lock_guard lock(mutex_);
        for (const auto& change : message.changes()) {
          fake_.state.allocations[change.allocation().name()] = change.allocation();
        }
      }
      writer->Write(message);
    }
    return {grpc::StatusCode::UNAVAILABLE, "gone"};
  }

  // ---- What tests ask for

  std::vector<Seen> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  void Queue(const std::string& method, const grpc::Status& status, int times) {
    const std::lock_guard lock(mutex_);
    for (int i = 0; i < times; ++i) failures_[method].push_back(status);
  }

 private:
  template <class Work>
  grpc::Status Answer(ServerContext* context, const std::string& method,
                      const std::string& request_id, const Work& work) {
    const std::lock_guard lock(mutex_);
    Seen seen{.method = method, .request_id = request_id};
    const auto key = context->client_metadata().find("authorization");
    if (key != context->client_metadata().end()) {
      seen.authorization = std::string(key->second.data(), key->second.size());
    }
    seen.has_deadline = context->raw_deadline().tv_sec < gpr_inf_future(GPR_CLOCK_REALTIME).tv_sec;
    seen_.push_back(seen);
    auto& failures = failures_[method];
    if (!failures.empty()) {
      const grpc::Status status = failures.front();
      failures.pop_front();
      if (fake_.on_refusal) fake_.on_refusal();
      return status;
    }
    work();
    return grpc::Status::OK;
  }

  template <class Message>
  grpc::Status Get(ServerContext* context, const std::string& method,
                   const std::map<std::string, Message>& from, const std::string& name,
                   Message* to) {
    bool found = false;
    const grpc::Status status = Answer(context, method, "", [&] {
      const auto at = from.find(name);
      found = at != from.end();
      if (found) *to = at->second;
    });
    if (!status.ok() || found) return status;
    return Refusal(StateError(Reason::kNotFound, name + " does not exist"));
  }

  template <class Request, class Message>
  grpc::Status Create(ServerContext* context, const std::string& method, const Request& request,
                      std::map<std::string, Message>& in, const std::string& name,
                      const Message& message, Message* to) {
    return Answer(context, method, request.request_id(), [&] {
      *to = message;
      to->set_name(name);
      if (!request.validate_only()) in[name] = *to;
    });
  }

  FakeServer& fake_;
  mutable std::mutex mutex_;
  std::vector<Seen> seen_;
  std::map<std::string, std::deque<grpc::Status>> failures_;
  std::unique_ptr<grpc::Server> server_;
};

FakeServer::FakeServer() : services_(std::make_unique<Services>(*this, &port_)) {}
FakeServer::~FakeServer() = default;

std::vector<FakeServer::Seen> FakeServer::seen() const { return services_->seen(); }

std::vector<FakeServer::Seen> FakeServer::seen(const std::string& method) const {
  std::vector<Seen> some;
  for (const Seen& call : seen()) {
    if (call.method == method) some.push_back(call);
  }
  return some;
}

void FakeServer::FailNext(const std::string& method, const Error& error, int times) {
  services_->Queue(method, Refusal(error), times);
}

void FakeServer::AnswerNext(const std::string& method, const grpc::Status& status, int times) {
  services_->Queue(method, status, times);
}

void FakeServer::BreakNext(const std::string& method, int times) {
  services_->Queue(method, {grpc::StatusCode::UNAVAILABLE, "connection reset"}, times);
}

}  // namespace allot::cli::testing
