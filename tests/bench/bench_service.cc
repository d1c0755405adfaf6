// The service as its users meet it: a real allotd on a real PostgreSQL with the national pool's
// 1,307 nodes and so many pending allocations. Measures how long after the submission a planned
// start (or a reservation) is visible to a watcher, and the server's memory, PostgreSQL's apart.
// Prints one JSON line; progress goes to stderr.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
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
#include "allot/sim/seed.h"
#include "support/rpc/served_allotd.h"

namespace allot {
namespace {

using testing::ContextFor;
using testing::Must;
using testing::Quantile;
using testing::Stubs;
using SteadyClock = std::chrono::steady_clock;

struct Settings {
  int pending = 1000;
  int samples = 100;
  int64_t seed = 1;
};

constexpr int kProjects = 50;
constexpr auto kCallTimeout = std::chrono::seconds(30);

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
  explicit Provider(testing::ServedAllotd& served)
      : stubs_(served.stubs()), key_(served.CreateProvider()) {
    for (const ClusterSpec& spec : kClusters) {
      sessions_["providers/bench/clusters/" + std::string(spec.id)] =
          served.BringOnline(key_, spec.id, spec.nodes, spec.model);
    }
    beat_ = std::jthread([this](const std::stop_token& stop) { Beat(stop); });
  }

 private:
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
  const std::string key_;
  std::map<std::string, int64_t> sessions_;
  std::jthread beat_;
};

std::string ProjectName(int project) {
  return "institutes/bench/projects/p" + std::to_string(project);
}

void CreateProjects(testing::ServedAllotd& served) {
  served.CreateInstitute("bench");
  for (int i = 0; i < kProjects; ++i) {
    served.CreateProject("bench", "p" + std::to_string(i), 300 + i * 10);
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
  testing::ServedAllotd served(bin_dir);
  const std::string key = served.operator_key();
  Stubs& stubs = served.stubs();
  Provider provider(served);
  CreateProjects(served);
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
          {"server_rss_mb", MemoryMb(served.pid(), "VmRSS")},
          {"server_peak_rss_mb", MemoryMb(served.pid(), "VmHWM")}};
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
  app.add_option("--seed", settings.seed, "Of the requests")
      ->check(sim::WhyNoSeed)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::printf("%s\n", Measure(settings, testing::BinDir(argv[0])).dump().c_str());
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
