#include "support/rpc/served_allotd.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>

namespace allot::testing {
namespace {

constexpr auto kCallTimeout = std::chrono::seconds(30);

std::string ReadLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) throw std::runtime_error("cannot read " + path);
  return line;
}

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

void Must(const grpc::Status& status, const char* what) {
  if (!status.ok()) throw std::runtime_error(std::string(what) + ": " + status.error_message());
}

std::unique_ptr<grpc::ClientContext> ContextFor(const std::string& key) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->AddMetadata("authorization", "Bearer " + key);
  context->set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  return context;
}

std::string BinDir(const char* program) {
  const char* given = std::getenv("ALLOT_BIN_DIR");
  if (given != nullptr) return given;
  return std::filesystem::canonical(std::filesystem::path(program)).parent_path().string();
}

double Quantile(std::vector<double> values, std::size_t permille) {
  std::sort(values.begin(), values.end());
  return values[(values.size() * permille + 999) / 1000 - 1];
}

ServedAllotd::ServedAllotd(const std::string& bin_dir) : ServedAllotd(bin_dir, nullptr) {}

ServedAllotd::ServedAllotd(const std::string& bin_dir, const Authority& authority)
    : ServedAllotd(bin_dir, &authority) {}

ServedAllotd::ServedAllotd(const std::string& bin_dir, const Authority* authority)
    : credentials_(grpc::InsecureChannelCredentials()) {
  std::vector<std::string> command = {bin_dir + "/allotd", "serve",    "--data-dir",
                                      dir_ / "data",       "--listen", "127.0.0.1:0",
                                      "--metrics-listen",  "off"};
  if (authority != nullptr) {
    std::ofstream(dir_ / "allotd.yaml")
        << "server:\n  tls: {certificate: " << authority->certificate("server")
        << ", key: " << authority->key("server") << ", client_ca: " << authority->ca() << "}\n";
    command.insert(command.end(), {"--config", dir_ / "allotd.yaml"});
    credentials_ = grpc::SslCredentials({.pem_root_certs = ReadWhole(authority->ca())});
  }
  server_.emplace(command);
  if (!server_->AwaitErr("\"serving\"")) throw std::runtime_error("allotd: " + server_->err());
  operator_key_ = ReadLine(dir_ / "data/keys/operator.key");
  address_ = ReadLine(dir_ / "data/server.address");
  address_.erase(0, authority != nullptr ? std::string_view("https://").size() : 0);
  stubs_ = std::make_unique<Stubs>(Connect());
}

std::string ServedAllotd::database_url() const {
  return "host=" + (dir_ / "data/run") + " user=allot dbname=allot";
}

std::shared_ptr<grpc::Channel> ServedAllotd::Connect(const std::string& address) const {
  grpc::ChannelArguments arguments;
  // Channels to one address share a connection otherwise.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, credentials_, arguments);
}

std::string ServedAllotd::CreateProvider() {
  v1::CreateProviderRequest provider;
  provider.set_provider_id("bench");
  v1::Provider created;
  Must(stubs_->pool->CreateProvider(ContextFor(operator_key_).get(), provider, &created),
       "CreateProvider");
  v1::CreateApiKeyRequest key;
  key.mutable_api_key()->set_role(v1::ROLE_PROVIDER);
  key.mutable_api_key()->set_provider("providers/bench");
  v1::CreateApiKeyResponse made;
  Must(stubs_->operators->CreateApiKey(ContextFor(operator_key_).get(), key, &made),
       "CreateApiKey");
  return made.secret();
}

int64_t ServedAllotd::BringOnline(const std::string& provider_key, const std::string& cluster,
                                  int nodes, v1::GpuModel model) {
  v1::CreateClusterRequest create;
  create.set_parent("providers/bench");
  create.set_cluster_id(cluster);
  create.mutable_cluster()->set_gpu_model(model);
  create.mutable_cluster()->add_programmes("national");
  v1::Cluster created;
  Must(stubs_->pool->CreateCluster(ContextFor(operator_key_).get(), create, &created),
       "CreateCluster");
  v1::RegisterAgentRequest agent;
  agent.set_cluster(created.name());
  agent.set_gpu_model(model);
  v1::RegisterAgentResponse registered;
  Must(stubs_->providers->RegisterAgent(ContextFor(provider_key).get(), agent, &registered),
       "RegisterAgent");
  v1::SyncInventoryRequest inventory;
  inventory.set_cluster(created.name());
  inventory.set_session(registered.session());
  inventory.set_generation(1);
  for (int i = 1; i <= nodes; ++i) inventory.add_nodes()->set_node_id("n" + std::to_string(i));
  v1::SyncInventoryResponse synced;
  Must(stubs_->providers->SyncInventory(ContextFor(provider_key).get(), inventory, &synced),
       "SyncInventory");
  return registered.session();
}

void ServedAllotd::CreateInstitute(const std::string& institute) {
  v1::CreateInstituteRequest request;
  request.set_institute_id(institute);
  request.mutable_institute()->set_sector(v1::SECTOR_NATIONAL);
  v1::Institute made;
  Must(stubs_->projects->CreateInstitute(ContextFor(operator_key_).get(), request, &made),
       "CreateInstitute");
}

void ServedAllotd::CreateProject(const std::string& institute, const std::string& project,
                                 int merit) {
  v1::CreateProjectRequest request;
  request.set_parent("institutes/" + institute);
  request.set_project_id(project);
  request.mutable_project()->set_programme("national");
  request.mutable_project()->set_sector(v1::SECTOR_NATIONAL);
  request.mutable_project()->set_merit(merit);
  v1::Project created;
  Must(stubs_->projects->CreateProject(ContextFor(operator_key_).get(), request, &created),
       "CreateProject");
  v1::UpdateQuotaRequest quota;
  quota.set_reason("benchmark");
  quota.mutable_quota()->set_name(created.name() + "/quota");
  quota.mutable_quota()->mutable_concurrent_gpus()->set_b200(2000);
  quota.mutable_quota()->mutable_concurrent_gpus()->set_h200(2000);
  quota.mutable_quota()->set_gpu_seconds(int64_t{1} << 48);
  quota.mutable_update_mask()->add_paths("concurrent_gpus");
  quota.mutable_update_mask()->add_paths("gpu_seconds");
  v1::Quota updated;
  Must(stubs_->quotas->UpdateQuota(ContextFor(operator_key_).get(), quota, &updated),
       "UpdateQuota");
}

std::string ServedAllotd::CreateMemberKey(const std::string& institute) {
  v1::CreateApiKeyRequest request;
  request.mutable_api_key()->set_role(v1::ROLE_MEMBER);
  request.mutable_api_key()->set_institute("institutes/" + institute);
  v1::CreateApiKeyResponse made;
  Must(stubs_->operators->CreateApiKey(ContextFor(operator_key_).get(), request, &made),
       "CreateApiKey");
  return made.secret();
}

}  // namespace allot::testing
