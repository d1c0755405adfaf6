#include "fuzz/support/nation.h"

#include <google/protobuf/text_format.h>

#include <future>

#include "allot/control/allocations.h"
#include "allot/control/enact.h"
#include "allot/control/identity.h"
#include "allot/control/pool.h"
#include "allot/control/reservations.h"
#include "allot/control/submit.h"
#include "allot/control/tenants.h"
#include "allot/control/watch.h"
#include "allot/v1/policy_service.pb.h"
#include "fuzz/support/property.h"

namespace allot::fuzz {
namespace {

using google::protobuf::MethodDescriptor;

template <class T>
T Must(Result<T> result) {
  Require(result.ok(), "the nation is made", result.ok() ? "" : Describe(result.error()));
  return std::move(result).value();
}

Principal As(Role role) {
  Principal principal{.key = KeyId("k" + std::string(Name(role))), .role = role};
  if (role == Role::kProvider) principal.provider = ProviderId("pinex");
  if (IsOfInstitute(role)) principal.institute = InstituteId("alder");
  return principal;
}

control::Call By(Role role) {
  return {.principal = As(role), .request_id = {}, .body_sha256 = {}, .validate_only = false};
}

}  // namespace

Nation::Nation()
    : policy_(DefaultPolicy()),
      store_(store::OpenMemory(clock_, store::Locking::kRequired)),
      context_{*store_, clock_, ids_, policies_},
      loop_(context_, planner_,
            {.holder = "server-1", .steady_micros = [this] { return clock_.Now().micros; }}) {
  policy_.programmes = {{ProgrammeId("call"), {64, 64}, Days(366)}};
  AddMachines();
  AddTenant("alder");
  AddTenant("birch");
  AddWork();
  AddTables();
  AddWords();
}

void Nation::AddMachines() {
  const control::Call call = By(Role::kOperator);
  Must(CreateProvider(context_, call, {.id = ProviderId("pinex"), .display_name = "Pine"}));
  Cluster cluster;
  cluster.id = ClusterId("pinec");
  cluster.provider = ProviderId("pinex");
  cluster.programmes = {ProgrammeId("call")};
  Must(CreateCluster(context_, call, cluster));
  control::Inventory inventory{
      .cluster = cluster.id,
      .session = Must(RegisterAgent(context_, By(Role::kProvider), cluster.id, GpuModel::kH200))
                     .agent_session,
      .generation = 1,
      .nodes = {}};
  for (const char* name : {"nodex", "n2", "n3", "n4"}) inventory.nodes.push_back({.name = name});
  Must(SyncInventory(context_, As(Role::kProvider), inventory));
}

void Nation::AddTenant(const std::string& institute) {
  const control::Call call = By(Role::kOperator);
  Must(CreateInstitute(context_, call, {.id = InstituteId(institute)}));
  Project project;
  project.id = ProjectId(institute + "/projx");
  project.institute = InstituteId(institute);
  project.programme = ProgrammeId("call");
  project.merit = 500;
  Must(CreateProject(context_, call, project));
  control::QuotaUpdate quota;
  quota.project = project.id;
  quota.reason = "call";
  quota.concurrent_gpus = {64, 64};
  quota.gpu_time = GpuSeconds::FromCount(3'600'000'000);
  Must(UpdateQuota(context_, call, quota));
}

void Nation::AddWork() {
  for (const auto& [name, nodes] : {std::pair("runx1", 1), {"ordrx", 1}, {"waitx", 4}}) {
    control::Submission submission{
        .project = ProjectId("alder/projx"), .allocation_name = name, .display_name = "Vision"};
    submission.request.nodes = nodes;
    submission.request.gpus_per_node = kGpusPerNode;
    submission.request.models = {"H200"};
    submission.request.duration = Hours(1);
    Must(Submit(context_, By(Role::kOperator), submission));
    Must(loop_.Turn());
  }
  const ClusterId cluster("pinec");
  for (const Order& order :
       Must(PullOrders(context_, As(Role::kProvider), cluster, /*session=*/1, 100))) {
    if (order.allocation.str().ends_with("/ordrx")) {
      order_ = order.id.str();
      continue;
    }
    Must(Acknowledge(context_, As(Role::kProvider),
                     {.cluster = cluster, .order = order.id, .session = 1, .done = true}));
  }
  control::ReservationRequest booking{.provider = ProviderId("pinex"), .name = "bookx"};
  booking.reservation.cluster = cluster;
  booking.reservation.project = ProjectId("alder/projx");
  booking.reservation.window =
      *TimeWindow::Make(clock_.Now() + Hours(200), clock_.Now() + Hours(202));
  booking.node_count = 1;
  booking.reason = "a show";
  Must(CreateReservation(context_, By(Role::kOperator), booking));
}

void Nation::AddTables() {
  const rpc::Services services{context_, planner_, shared_commit_, cluster_names_};
  for (rpc::ServiceMethods methods :
       {rpc::AllocationMethods(services), rpc::ProjectMethods(services),
        rpc::QuotaMethods(services), rpc::PoolMethods(services), rpc::ProviderMethods(services),
        rpc::PolicyMethods(services), rpc::OperatorMethods(services),
        rpc::ProposalMethods(services), rpc::MemberMethods(services)}) {
    const auto* service = &methods.table.service();
    services_.emplace(service, std::move(methods));
  }
}

void Nation::AddWords() {
  const std::string project = "institutes/alder/projects/projx";
  const std::string cluster = "providers/pinex/clusters/pinec";
  const auto at = [this](int64_t hours) {
    return "{ seconds: " + std::to_string(clock_.Now().seconds() + hours * 3600) + " }";
  };
  const auto key = Must(CreateApiKey(context_, By(Role::kOperator),
                                     {.role = Role::kMember, .institute = InstituteId("alder")}));
  std::string settings;
  google::protobuf::TextFormat::PrintToString(PolicyInForce().settings(), &settings);
  words_ = {{"$INSTITUTE", "institutes/alder"},
            {"$PROJECT", project},
            {"$RUNNING", project + "/allocations/runx1"},
            {"$WAITING", project + "/allocations/waitx"},
            {"$PROVIDER", "providers/pinex"},
            {"$CLUSTER", cluster},
            {"$NODE", cluster + "/nodes/nodex"},
            {"$RESERVATION", cluster + "/reservations/bookx"},
            {"$ORDER", cluster + "/orders/" + order_},
            {"$ONCE", ""},
            {"$KEY", "apiKeys/" + key.key.id.str()},
            {"$PROPOSAL", "pwaits"},
            {"$MEMBER", "members/m-nobody"},
            {"$SETTINGS", settings},
            {"$LATER", at(300)},
            {"$MUCH_LATER", at(302)}};
}

v1::Policy Nation::PolicyInForce() {
  v1::GetPolicyRequest request;
  request.set_name("policies/current");
  const auto* service = request.GetDescriptor()->file()->FindServiceByName("PolicyService");
  v1::Policy policy;
  policy.ParseFromString(Must(
      Call(Role::kOperator, *service->FindMethodByName("GetPolicy"), request.SerializeAsString())));
  return policy;
}

Nation::Mark Nation::mark() const {
  return {.revision = Must(PresentRevision(context_, As(Role::kAuditor))),
          .audited = Must(ReadAuditChain(context_, As(Role::kAuditor), 0, 1)).head.number};
}

Result<std::string> Nation::Call(Role role, const MethodDescriptor& method,
                                 std::string_view bytes) {
  const auto service = services_.find(method.service());
  Require(service != services_.end(), "the nation serves every service", method.full_name());
  const rpc::Method& handler = service->second.table.At(&method);
  const rpc::Caller caller{As(role)};
  rpc::CallRecord record;
  if (const auto* unary = std::get_if<rpc::UnaryMethod>(&handler)) {
    return (*unary)(caller, record, bytes);
  }
  if (const auto* awaited = std::get_if<rpc::AwaitedMethod>(&handler)) {
    ALLOT_ASSIGN_OR_RETURN(const rpc::Awaited waits, (*awaited)(caller, record, bytes));
    ALLOT_ASSIGN_OR_RETURN(auto found, waits.look());
    return std::move(found).value_or(waits.none);
  }
  if (const auto* watch = std::get_if<rpc::WatchMethod>(&handler)) {
    ALLOT_ASSIGN_OR_RETURN(const auto source, (*watch)(caller, record, bytes));
    std::string messages = source->Begin();
    ALLOT_ASSIGN_OR_RETURN(const auto news, source->Next());
    for (const std::string& message : news) messages += message;
    return messages;
  }
  // The answer comes on the thread that commits.
  std::promise<Result<std::string>> answer;
  std::get<rpc::DeferredMethod>(handler)(
      caller, record, bytes, [](const std::function<void()>& job) { job(); },
      [&answer](const Result<std::string>& made) { answer.set_value(made); });
  return answer.get_future().get();
}

}  // namespace allot::fuzz
