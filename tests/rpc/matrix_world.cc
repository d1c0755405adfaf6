#include "rpc/matrix_world.h"

#include <google/protobuf/text_format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "allot/control/watch.h"
#include "rpc/bytes.h"

namespace allot::rpc {
namespace {

void Replace(std::string& text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at)) {
    text.replace(at, what.size(), by);
    at += by.size();
  }
}

std::string ProviderText(const std::string& provider) { return "providers/" + provider; }
std::string ClusterText(const std::string& provider, const std::string& cluster) {
  return ProviderText(provider) + "/clusters/" + cluster;
}
std::string ProjectText(const std::string& institute, const std::string& project) {
  return "institutes/" + institute + "/projects/" + project;
}

}  // namespace

std::string MatrixWorld::StoreUrl() {
  tap_ = std::make_unique<testing::StatementTap>(database_);
  return tap_->url();
}

const char* MatrixWorld::NameOf(Place place) {
  constexpr std::array<const char*, 7> kNames = {
      "own", "foreign", "own absent", "foreign absent", "nowhere", "disguised", "disguised absent"};
  return kNames.at(static_cast<std::size_t>(place));
}

void MatrixWorld::SetUp() {
  Api::SetUp();
  options_.watch_progress_ms = 20;
  Serve();
  std::string pine;
  std::string teak;
  AddMachines("pinex", "pinec", "GPU_MODEL_H200", pine);
  AddMachines("teakx", "teakc", "GPU_MODEL_B200", teak);
  AddWork("alder", "pinex", "pinec", "GPU_MODEL_H200", pine, own_order_);
  AddWork("birch", "teakx", "teakc", "GPU_MODEL_B200", teak, foreign_order_);
  AddPolicy();
  keys_[Role::kMinistryAdmin] = operator_key_;
  keys_[Role::kProvider] = pine;
  for (const Role role : {Role::kOperator, Role::kAuditor}) {
    keys_[role] = KeyFor(role == Role::kOperator ? "role: ROLE_OPERATOR" : "role: ROLE_AUDITOR");
  }
  for (const auto& [role, word] :
       {std::pair(Role::kInstituteAdmin, "ROLE_INSTITUTE_ADMIN"),
        std::pair(Role::kMember, "ROLE_MEMBER"), std::pair(Role::kViewer, "ROLE_VIEWER")}) {
    keys_[role] = KeyFor("role: " + std::string(word) + " institute: 'institutes/alder'");
  }
  // Somebody's key, as a thing to be exchanged and revoked.
  key_name_ = "apiKeys/" + MemberKey("birch").substr(6, control::kKeyIdLength);
  AddProposal();
  v1::Member member;
  ASSERT_EQ(ReasonOf(Call<v1::MemberService>(
                operator_key_, &Members::CreateMember,
                "member { issuer: 'https://id.example' subject: 'kim' role: ROLE_VIEWER institute: "
                "'institutes/birch' }",
                &member)),
            "OK");
  member_name_ = member.name();
  database_connection_ = std::make_unique<pqxx::connection>(database_);
}

void MatrixWorld::AddProposal() {
  const Proposal proposal{.id = ProposalId("pwaits"),
                          .method = "WithdrawPolicy",
                          .digest = std::string(64, 'a'),
                          .request = "{}",
                          .proposer = KeyId("somebody"),
                          .create_time = clock_.Now(),
                          .expire_time = clock_.Now() + Days(1)};
  const auto added =
      store_->Transact<Ok>(store::Access::kWrite, store::Scope::Everything(),
                           [&](store::Tx& tx) -> Status { return tx.InsertProposal(proposal); });
  ASSERT_TRUE(added.ok());
}

void MatrixWorld::AddMachines(const std::string& provider, const std::string& cluster,
                              const std::string& model, std::string& key) {
  const std::string name = ClusterText(provider, cluster);
  ASSERT_EQ(ReasonOf(Call<v1::PoolService>(operator_key_, &Pool::CreateProvider,
                                           "provider_id: '" + provider + "'")),
            "OK");
  ASSERT_EQ(ReasonOf(Call<v1::PoolService>(
                operator_key_, &Pool::CreateCluster,
                "parent: '" + ProviderText(provider) + "' cluster_id: '" + cluster +
                    "' cluster { gpu_model: " + model + " programmes: 'call' }")),
            "OK");
  key = KeyFor("role: ROLE_PROVIDER provider: '" + ProviderText(provider) + "'");
  ASSERT_EQ(ReasonOf(Call<v1::ProviderService>(
                key, &Agents::RegisterAgent,
                "cluster: '" + name + "' gpu_model: " + model + " request_id: 'registered'")),
            "OK");
  ASSERT_EQ(ReasonOf(Call<v1::ProviderService>(
                key, &Agents::SyncInventory,
                "cluster: '" + name +
                    "' session: 1 generation: 1 nodes { node_id: 'nodex' } nodes { node_id: 'n2' } "
                    "nodes { node_id: 'n3' } nodes { node_id: 'n4' }")),
            "OK");
}

void MatrixWorld::AddWork(const std::string& institute, const std::string& provider,
                          const std::string& cluster, const std::string& model,
                          const std::string& agent, std::string& order) {
  const std::string project = ProjectText(institute, "projx");
  ASSERT_EQ(ReasonOf(Call<v1::ProjectService>(operator_key_, &Projects::CreateInstitute,
                                              "institute_id: '" + institute +
                                                  "' institute { sector: SECTOR_ACADEMIA "
                                                  "display_name: 'The house of " +
                                                  institute + "' }")),
            "OK");
  ASSERT_EQ(ReasonOf(Call<v1::ProjectService>(
                operator_key_, &Projects::CreateProject,
                "parent: 'institutes/" + institute +
                    "' project_id: 'projx' project { programme: "
                    "'call' sector: SECTOR_ACADEMIA merit: 500 display_name: 'What " +
                    institute + " does' }")),
            "OK");
  ASSERT_EQ(
      ReasonOf(Call<v1::QuotaService>(operator_key_, &Quotas::UpdateQuota,
                                      "quota { name: '" + project +
                                          "/quota' concurrent_gpus { b200: 64 h200: 64 } "
                                          "gpu_seconds: 3600000000 } update_mask { paths: '*' } "
                                          "reason: 'call'")),
      "OK");
  for (const auto& [id, gpus] :
       {std::pair("runx1", "8"), std::pair("ordrx", "8"), std::pair("waitx", "32")}) {
    ASSERT_EQ(
        ReasonOf(Call<v1::AllocationService>(operator_key_, &Allocations::CreateAllocation,
                                             "parent: '" + project + "' allocation_id: '" + id +
                                                 "' allocation { request { "
                                                 "gpus: " +
                                                 gpus + " models: " + model +
                                                 " duration { seconds: 3600 } } "
                                                 "display_name: 'Work of " +
                                                 institute + "' }")),
        "OK");
    Schedule();
  }
  const std::string name = ClusterText(provider, cluster);
  v1::PullOrdersResponse orders;
  ASSERT_EQ(ReasonOf(Call<v1::ProviderService>(agent, &Agents::PullOrders,
                                               "cluster: '" + name + "' session: 1", &orders)),
            "OK");
  ASSERT_EQ(orders.orders_size(), 2);
  for (const v1::Order& open : orders.orders()) {
    if (open.allocation().ends_with("/ordrx")) {
      order = open.name();
      continue;
    }
    ASSERT_EQ(ReasonOf(Call<v1::ProviderService>(
                  agent, &Agents::AcknowledgeOrder,
                  "name: '" + open.name() + "' session: 1 outcome: OUTCOME_DONE")),
              "OK");
  }
  const auto at = [&](int64_t hours) {
    return "{ seconds: " + std::to_string(clock_.Now().seconds() + hours * 3600) + " }";
  };
  ASSERT_EQ(
      ReasonOf(Call<v1::PoolService>(operator_key_, &Pool::CreateReservation,
                                     "parent: '" + name +
                                         "' reservation_id: 'bookx' node_count: 1 reservation { "
                                         "start_time " +
                                         at(200) + " end_time " + at(202) + " project: '" +
                                         project + "' display_name: 'For " + institute +
                                         "' } reason: 'a show of " + institute + "'")),
      "OK");
}

void MatrixWorld::AddPolicy() {
  v1::Policy configured;
  ASSERT_EQ(ReasonOf(Call<v1::PolicyService>(operator_key_, &Policies::GetPolicy,
                                             "name: 'policies/current'", &configured)),
            "OK");
  google::protobuf::TextFormat::PrintToString(configured.settings(), &settings_);
  ASSERT_EQ(ReasonOf(Call<v1::PolicyService>(operator_key_, &Policies::CreatePolicy,
                                             "policy_id: 'next' policy { settings { " + settings_ +
                                                 " } effective_time { "
                                                 "seconds: " +
                                                 std::to_string(clock_.Now().seconds() + 3600) +
                                                 " } } reason: 'as ever'")),
            "OK");
}

std::map<std::string, std::string> MatrixWorld::Words(Place place) const {
  using enum Place;
  const auto is_one_of = [&](std::initializer_list<Place> places) {
    return std::find(places.begin(), places.end(), place) != places.end();
  };
  const bool own = is_one_of({kOwn, kOwnAbsent, kDisguised, kDisguisedAbsent});
  const bool disguised = is_one_of({kDisguised, kDisguisedAbsent});
  const bool absent = is_one_of({kOwnAbsent, kForeignAbsent, kDisguisedAbsent});
  const bool nowhere = place == kNowhere;
  const std::string institute = own ? "alder" : nowhere ? "cedar" : "birch";
  const std::string provider = own ? "pinex" : nowhere ? "yewxx" : "teakx";
  const std::string cluster = nowhere ? "yewwc" : own && !disguised ? "pinec" : "teakc";
  const std::string project = ProjectText(institute, "projx");
  const std::string in_cluster = ClusterText(provider, cluster);
  const std::string& order = place == kOwn ? own_order_ : foreign_order_;
  std::string order_id = order.substr(order.rfind('/') + 1);
  if (absent || nowhere) order_id.replace(0, 4, "none");
  // No allocation is of two institutes: there is nothing to be disguised.
  const bool gone = absent || disguised;
  return {
      {"$INSTITUTE", "institutes/" + institute},
      {"$PROJECT", gone ? ProjectText(institute, "projy") : project},
      {"$RUNNING", project + "/allocations/" + (gone ? "runy1" : "runx1")},
      {"$WAITING", project + "/allocations/" + (gone ? "waity" : "waitx")},
      {"$PROVIDER", ProviderText(provider)},
      {"$CLUSTER", absent ? ClusterText(provider, "nonec") : in_cluster},
      {"$NODE", in_cluster + "/nodes/" + (absent ? "nodey" : "nodex")},
      {"$RESERVATION", in_cluster + "/reservations/" + (absent ? "booky" : "bookx")},
      {"$ORDER", in_cluster + "/orders/" + order_id},
      // What its agent registered with: it keeps its session.
      {"$ONCE", place == kOwn ? "request_id: 'registered'" : ""},
      {"$KEY", key_name_},
      {"$PROPOSAL", "pwaits"},
      {"$MEMBER", member_name_},
      {"$SETTINGS", settings_},
      {"$LATER", "{ seconds: " + std::to_string(clock_.Now().seconds() + 300 * 3600) + " }"},
      {"$MUCH_LATER", "{ seconds: " + std::to_string(clock_.Now().seconds() + 302 * 3600) + " }"},
  };
}

std::string MatrixWorld::TextFor(const MethodRow& row, Place place) const {
  std::string text(row.request);
  for (const auto& [word, value] : Words(place)) Replace(text, word, value);
  EXPECT_EQ(text.find('$'), std::string::npos) << "no such word: " << text;
  return text;
}

std::string MatrixWorld::BytesFor(const MethodRow& row,
                                  const google::protobuf::MethodDescriptor& method,
                                  Place place) const {
  const auto request = RequestOf(method);
  const std::string text = TextFor(row, place);
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, request.get())) << text;
  return request->SerializeAsString();
}

std::string MatrixWorld::WithoutNames(std::string text) const {
  for (const std::string& order : {own_order_, foreign_order_}) {
    const std::string id = order.substr(order.rfind('/') + 1);
    Replace(text, id, "ORDER");
    Replace(text, "none" + id.substr(4), "ORDER");
  }
  static constexpr std::pair<const char*, const char*> kNames[] = {
      {"alder", "INSTI"}, {"birch", "INSTI"}, {"cedar", "INSTI"}, {"projx", "PROJE"},
      {"projy", "PROJE"}, {"runx1", "RUNNI"}, {"runy1", "RUNNI"}, {"waitx", "WAITI"},
      {"waity", "WAITI"}, {"pinex", "PROVI"}, {"teakx", "PROVI"}, {"yewxx", "PROVI"},
      {"pinec", "CLUST"}, {"teakc", "CLUST"}, {"yewwc", "CLUST"}, {"nonec", "CLUST"},
      {"nodex", "NODEN"}, {"nodey", "NODEN"}, {"bookx", "BOOKN"}, {"booky", "BOOKN"}};
  for (const auto& [name, kind] : kNames) Replace(text, name, kind);
  return text;
}

Answer MatrixWorld::Ask(const std::string& key, const google::protobuf::MethodDescriptor& method,
                        const std::string& bytes) {
  if (!method.server_streaming()) return CallUnary(channel_, As(key), method, bytes);
  EXPECT_EQ(method.name(), "WatchAllocations") << "teach Ask to read this stream";
  return Watch(key, bytes);
}

Answer MatrixWorld::Watch(const std::string& key, const std::string& bytes) {
  const Principal staff{.key = KeyId("k"), .role = Role::kAuditor};
  const Revision present = control::PresentRevision(*context_, staff).value();
  v1::WatchAllocationsRequest request;
  const auto context = As(key);
  if (!CheckWire(*request.GetDescriptor(), bytes).ok()) {
    Answer refused{.status = CallBytes(channel_, "/allot.v1.AllocationService/WatchAllocations",
                                       bytes, context.get()),
                   .message = std::make_unique<v1::WatchAllocationsResponse>(),
                   .trailing = {}};
    return refused;
  }
  EXPECT_TRUE(request.ParseFromString(bytes));
  v1::AllocationService::Stub stub(channel_);
  const auto stream = stub.WatchAllocations(context.get(), request);
  auto all = std::make_unique<v1::WatchAllocationsResponse>();
  v1::WatchAllocationsResponse message;
  bool caught_up = false;
  while (!caught_up && stream->Read(&message)) {
    all->MergeFrom(message);
    caught_up = message.resume_revision() >= present;
  }
  if (caught_up) context->TryCancel();
  Answer answer;
  answer.status = stream->Finish();
  if (caught_up) answer.status = grpc::Status::OK;
  answer.message = std::move(all);
  for (const auto& [name, value] : context->GetServerTrailingMetadata()) {
    answer.trailing.emplace(std::string(name.data(), name.size()),
                            std::string(value.data(), value.size()));
  }
  return answer;
}

std::map<std::string, std::string> MatrixWorld::Digests() {
  pqxx::nontransaction work(*database_connection_);
  std::string sql;
  for (const pqxx::row& row :
       work.exec("SELECT c.oid::regclass::text FROM pg_class c WHERE c.relkind = 'r' AND "
                 "c.relnamespace = 'public'::regnamespace ORDER BY 1")) {
    const std::string table = row[0].as<std::string>();
    sql += (sql.empty() ? "" : " UNION ALL ") + std::string("SELECT '") + table +
           "', md5(COALESCE(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM " + table +
           " t";
  }
  std::map<std::string, std::string> digests;
  for (const pqxx::row& row : work.exec(sql)) {
    digests.emplace(row[0].as<std::string>(), row[1].as<std::string>());
  }
  return digests;
}

bool MatrixWorld::IsAudited(const std::string& words) {
  pqxx::nontransaction work(*database_connection_);
  return !work.exec_params("SELECT FROM audit_entries WHERE strpos(detail, $1) > 0 LIMIT 1", words)
              .empty();
}

}  // namespace allot::rpc
