// The service as its users meet it: a real allotd on a real PostgreSQL with the national pool's
// 1,307 nodes and so many pending allocations. Measures how long after the submission a planned
// start (or a reservation) is visible to a watcher, and the server's memory, PostgreSQL's apart.
// Prints one JSON line; progress goes to stderr.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "allot/base/random.h"
#include "allot/v1/allocation_service.grpc.pb.h"
#include "allot/v1/operator_service.grpc.pb.h"
#include "allot/v1/pool_service.grpc.pb.h"
#include "allot/v1/project_service.grpc.pb.h"
#include "allot/v1/provider_service.grpc.pb.h"
#include "allot/v1/quota_service.grpc.pb.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace allot {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Settings {
  int pending = 1000;
  int samples = 100;
  int64_t seed = 1;
};

constexpr int kProjects = 50;
constexpr auto kCallTimeout = std::chrono::seconds(30);

void Must(const grpc::Status& status, const char* what) {
  if (!status.ok()) throw std::runtime_error(std::string(what) + ": " + status.error_message());
}

/// A context with the key and a deadline.
std::unique_ptr<grpc::ClientContext> ContextFor(const std::string& key) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->AddMetadata("authorization", "Bearer " + key);
  context->set_deadline(std::chrono::system_clock::now() + kCallTimeout);
  return context;
}

std::string ReadLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) throw std::runtime_error("cannot read " + path);
  return line;
}

std::string BinDir(const char* program) {
  const char* given = std::getenv("ALLOT_BIN_DIR");
  if (given != nullptr) return given;
  return std::filesystem::canonical(std::filesystem::path(program)).parent_path().string();
}

struct Stubs {
  explicit Stubs(const std::shared_ptr<grpc::Channel>& channel)
      : allocations(v1::AllocationService::NewStub(channel)),
        operators(v1::OperatorService::NewStub(channel)),
        pool(v1::PoolService::NewStub(channel)),
        projects(v1::ProjectService::NewStub(channel)),
        providers(v1::ProviderService::NewStub(channel)),
        quotas(v1::QuotaService::NewStub(channel)) {}

  std::unique_ptr<v1::AllocationService::Stub> allocations;
  std::unique_ptr<v1::OperatorService::Stub> operators;
  std::unique_ptr<v1::PoolService::Stub> pool;
  std::unique_ptr<v1::ProjectService::Stub> projects;
  std::unique_ptr<v1::ProviderService::Stub> providers;
  std::unique_ptr<v1::QuotaService::Stub> quotas;
};

struct ClusterSpec {
  const char* id;
  int nodes;
  v1::GpuModel model;
};
constexpr ClusterSpec kClusters[] = {{"naver-a", 255, v1::GPU_MODEL_H200},
                                     {"naver-b", 32, v1::GPU_MODEL_H200},
                                     {"nhn-a", 510, v1::GPU_MODEL_B200},
                                     {"nhn-b", 255, v1::GPU_MODEL_B200},
                                     {"kakao-a", 255, v1::GPU_MODEL_B200}};

/// The provider's side, without enactment: what is reserved stays in provisioning, which is all the
/// measurement needs. Heartbeats keep the nodes ready.
class Provider {
 public:
  Provider(Stubs& stubs, std::string operator_key) : stubs_(stubs) {
    v1::CreateProviderRequest provider;
    provider.set_provider_id("bench");
    v1::Provider created;
    Must(stubs.pool->CreateProvider(ContextFor(operator_key).get(), provider, &created),
         "CreateProvider");
    v1::CreateApiKeyRequest key;
    key.mutable_api_key()->set_role(v1::ROLE_PROVIDER);
    key.mutable_api_key()->set_provider("providers/bench");
    v1::CreateApiKeyResponse made;
    Must(stubs.operators->CreateApiKey(ContextFor(operator_key).get(), key, &made), "CreateApiKey");
    key_ = made.secret();
    for (const ClusterSpec& spec : kClusters) BringOnline(spec, operator_key);
    beat_ = std::jthread([this](const std::stop_token& stop) { Beat(stop); });
  }

 private:
  void BringOnline(const ClusterSpec& spec, const std::string& operator_key) {
    v1::CreateClusterRequest create;
    create.set_parent("providers/bench");
    create.set_cluster_id(spec.id);
    create.mutable_cluster()->set_gpu_model(spec.model);
    create.mutable_cluster()->add_programmes("national");
    v1::Cluster cluster;
    Must(stubs_.pool->CreateCluster(ContextFor(operator_key).get(), create, &cluster),
         "CreateCluster");
    v1::RegisterAgentRequest agent;
    agent.set_cluster(cluster.name());
    agent.set_gpu_model(spec.model);
    v1::RegisterAgentResponse registered;
    Must(stubs_.providers->RegisterAgent(ContextFor(key_).get(), agent, &registered),
         "RegisterAgent");
    v1::SyncInventoryRequest inventory;
    inventory.set_cluster(cluster.name());
    inventory.set_session(registered.session());
    inventory.set_generation(1);
    for (int i = 1; i <= spec.nodes; ++i) {
      inventory.add_nodes()->set_node_id("n" + std::to_string(i));
    }
    v1::SyncInventoryResponse synced;
    Must(stubs_.providers->SyncInventory(ContextFor(key_).get(), inventory, &synced),
         "SyncInventory");
    sessions_[cluster.name()] = registered.session();
  }

  void Beat(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any stopped;
    std::unique_lock lock(mutex);
    while (!stopped.wait_for(lock, stop, std::chrono::seconds(8), [] { return false; })) {
      if (stop.stop_requested()) return;
      for (const auto& [cluster, session] : sessions_) {
        v1::HeartbeatRequest beat;
        beat.set_cluster(cluster);
        beat.set_session(session);
        beat.set_generation(1);
        v1::HeartbeatResponse answer;
        Must(stubs_.providers->Heartbeat(ContextFor(key_).get(), beat, &answer), "Heartbeat");
      }
    }
  }

  Stubs& stubs_;
  std::string key_;
  std::map<std::string, int64_t> sessions_;
  std::jthread beat_;
};

std::string ProjectName(int project) {
  return "institutes/bench/projects/p" + std::to_string(project);
}

void CreateProjects(Stubs& stubs, const std::string& key) {
  v1::CreateInstituteRequest institute;
  institute.set_institute_id("bench");
  institute.mutable_institute()->set_sector(v1::SECTOR_NATIONAL);
  v1::Institute made;
  Must(stubs.projects->CreateInstitute(ContextFor(key).get(), institute, &made), "CreateInstitute");
  for (int i = 0; i < kProjects; ++i) {
    v1::CreateProjectRequest project;
    project.set_parent("institutes/bench");
    project.set_project_id("p" + std::to_string(i));
    project.mutable_project()->set_programme("national");
    project.mutable_project()->set_sector(v1::SECTOR_NATIONAL);
    project.mutable_project()->set_merit(300 + i * 10);
    v1::Project created;
    Must(stubs.projects->CreateProject(ContextFor(key).get(), project, &created), "CreateProject");
    v1::UpdateQuotaRequest quota;
    quota.mutable_quota()->set_name(ProjectName(i) + "/quota");
    quota.mutable_quota()->mutable_concurrent_gpus()->set_b200(2000);
    quota.mutable_quota()->mutable_concurrent_gpus()->set_h200(2000);
    quota.mutable_quota()->set_gpu_seconds(int64_t{1} << 48);
    quota.mutable_update_mask()->add_paths("concurrent_gpus");
    quota.mutable_update_mask()->add_paths("gpu_seconds");
    v1::Quota updated;
    Must(stubs.quotas->UpdateQuota(ContextFor(key).get(), quota, &updated), "UpdateQuota");
  }
}

/// 1 GPU to 16 nodes, 1 hour to 7 days, as bench-plan's queue.
v1::CreateAllocationRequest DrawRequest(SeededRandom& random, int64_t number) {
  v1::CreateAllocationRequest request;
  request.set_parent(ProjectName(static_cast<int>(random.Below(kProjects))));
  request.set_allocation_id("a" + std::to_string(number));
  v1::AllocationRequest& ask = *request.mutable_allocation()->mutable_request();
  if (random.Below(2) == 0) {
    ask.set_gpus(static_cast<int>(random.Between(1, 8)));
  } else {
    ask.mutable_node_shape()->set_nodes(static_cast<int>(random.Between(1, 16)));
    ask.mutable_node_shape()->set_gpus_per_node(8);
  }
  ask.add_models(v1::GPU_MODEL_B200);
  ask.mutable_duration()->set_seconds(3600 * random.Between(1, 168));
  return request;
}

std::string Submit(Stubs& stubs, const std::string& key, v1::CreateAllocationRequest request) {
  v1::Allocation created;
  Must(stubs.allocations->CreateAllocation(ContextFor(key).get(), request, &created),
       "CreateAllocation");
  return created.name();
}

v1::GetCapacityResponse Capacity(Stubs& stubs, const std::string& key) {
  v1::GetCapacityResponse capacity;
  Must(stubs.pool->GetCapacity(ContextFor(key).get(), v1::GetCapacityRequest(), &capacity),
       "GetCapacity");
  return capacity;
}

/// Submits until so many wait that could not start.
int64_t FillQueue(Stubs& stubs, const std::string& key, const Settings& settings) {
  constexpr int kClients = 8;
  SeededRandom random(static_cast<uint64_t>(settings.seed));
  int64_t number = 0;
  for (;;) {
    const int waiting = Capacity(stubs, key).allocations_waiting();
    std::fprintf(stderr, "\rwaiting: %d of %d ", waiting, settings.pending);
    if (waiting >= settings.pending) break;
    std::vector<v1::CreateAllocationRequest> requests;
    for (int i = waiting; i < settings.pending; ++i) {
      requests.push_back(DrawRequest(random, number++));
    }
    std::atomic<std::size_t> next{0};
    std::vector<std::jthread> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.emplace_back([&] {
        for (std::size_t r = next++; r < requests.size(); r = next++) {
          Submit(stubs, key, requests[r]);
        }
      });
    }
    clients.clear();
    // Whatever can start now is reserved by the pass under way; the rest is waiting then.
    std::this_thread::sleep_for(std::chrono::seconds(2));
  }
  std::fprintf(stderr, "\n");
  return number;
}

/// Notes when each allocation was first seen with a start.
class Watcher {
 public:
  Watcher(Stubs& stubs, const std::string& key) {
    context_.AddMetadata("authorization", "Bearer " + key);
    v1::WatchAllocationsRequest request;
    request.set_parent("institutes/-/projects/-");
    stream_ = stubs.allocations->WatchAllocations(&context_, request);
    v1::WatchAllocationsResponse first;
    if (!stream_->Read(&first)) throw std::runtime_error("the watch did not begin");
    reader_ = std::jthread([this] { Read(); });
  }
  ~Watcher() { context_.TryCancel(); }

  SteadyClock::time_point Await(const std::string& name) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kCallTimeout, [&] { return seen_.contains(name); })) {
      throw std::runtime_error(name + " got no start in time");
    }
    return seen_.at(name);
  }

 private:
  void Read() {
    v1::WatchAllocationsResponse message;
    while (stream_->Read(&message)) {
      const auto now = SteadyClock::now();
      const std::lock_guard lock(mutex_);
      for (const v1::AllocationChange& change : message.changes()) {
        if (change.allocation().has_start_time()) seen_.emplace(change.allocation().name(), now);
      }
      changed_.notify_all();
    }
  }

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchAllocationsResponse>> stream_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, SteadyClock::time_point> seen_;
  std::jthread reader_;
};

double Quantile(std::vector<double> values, std::size_t permille) {
  std::sort(values.begin(), values.end());
  return values[(values.size() * permille + 999) / 1000 - 1];
}

/// Of /proc/PID/status, in MB (10^6 bytes).
double MemoryMb(pid_t pid, const std::string& field) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind(field + ":", 0) == 0)
      return std::stod(line.substr(field.size() + 1)) * 1024 / 1e6;
  }
  throw std::runtime_error("no " + field + " in /proc");
}

nlohmann::ordered_json Measure(const Settings& settings, const std::string& bin_dir) {
  const testing::TempDir dir;
  testing::Process server({bin_dir + "/allotd", "serve", "--data-dir", dir / "data", "--listen",
                           "127.0.0.1:0", "--metrics-listen", "off"});
  if (!server.AwaitErr("\"serving\"")) throw std::runtime_error("allotd: " + server.err());
  const std::string key = ReadLine(dir / "data/keys/operator.key");
  Stubs stubs(grpc::CreateChannel(ReadLine(dir / "data/server.address"),
                                  grpc::InsecureChannelCredentials()));
  Provider provider(stubs, key);
  CreateProjects(stubs, key);
  int64_t number = FillQueue(stubs, key, settings);

  Watcher watcher(stubs, key);
  SeededRandom random(static_cast<uint64_t>(settings.seed) + 1);
  std::vector<double> latencies_ms;
  for (int i = 0; i < settings.samples; ++i) {
    const auto request = DrawRequest(random, number++);
    const auto start = SteadyClock::now();
    const std::string name = Submit(stubs, key, request);
    const std::chrono::duration<double, std::milli> took = watcher.Await(name) - start;
    latencies_ms.push_back(took.count());
    std::fprintf(stderr, "\rmeasured: %d of %d ", i + 1, settings.samples);
  }
  std::fprintf(stderr, "\n");
  const auto capacity = Capacity(stubs, key);
  return {{"bench", "service"},
          {"nodes", 1307},
          {"pending", capacity.allocations_waiting()},
          {"samples", settings.samples},
          {"seed", settings.seed},
          {"submit_to_planned_p50_ms", Quantile(latencies_ms, 500)},
          {"submit_to_planned_p99_ms", Quantile(latencies_ms, 990)},
          {"server_rss_mb", MemoryMb(server.pid(), "VmRSS")},
          {"server_peak_rss_mb", MemoryMb(server.pid(), "VmHWM")}};
}

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app(
      "Submit-to-planned-start latency and server memory, with a real allotd and PostgreSQL.");
  app.add_option("--pending", settings.pending, "Allocations that wait while it is measured")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_option("--samples", settings.samples, "Submissions measured, one after the other")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--seed", settings.seed, "Of the requests")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::printf("%s\n", Measure(settings, BinDir(argv[0])).dump().c_str());
  return 0;
}

}  // namespace
}  // namespace allot

int main(int argc, char** argv) {
  try {
    return allot::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-service: %s\n", error.what());
    return 1;
  }
}
