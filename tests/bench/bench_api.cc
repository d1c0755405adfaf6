// How many durable creates a second the API takes, against the rate of health checks by the same
// client in the same run, which is what gRPC itself can do on this machine: a real allotd on a real
// PostgreSQL (fsync on), so many calls in flight, and watchers held meanwhile that must see every
// one of them. Prints one JSON line; progress goes to stderr.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/generic/generic_stub.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "allot/base/clock.h"
#include "allot/store/store.h"
#include "support/rpc/served_allotd.h"

namespace allot {
namespace {

using testing::ContextFor;
using testing::Must;
using testing::Quantile;
using SteadyClock = std::chrono::steady_clock;

struct Settings {
  int in_flight = 64;
  int seconds = 5;
  int rounds = 3;
  int watchers = 1000;
  int busy_projects = 64;
  bool planned = false;
};

constexpr int kProjectsAnInstitute = 20;
constexpr int kConnections = 4;
/// A connection carries 100 streams at a time.
constexpr int kWatchesAConnection = 50;

struct Project {
  std::string name;
  std::string key;
};

/// As many projects as watchers, with their institutes' keys.
std::vector<Project> CreateProjects(testing::ServedAllotd& served, int count) {
  std::vector<Project> projects;
  std::string key;
  for (int i = 0; i < count; ++i) {
    const std::string institute = "i" + std::to_string(i / kProjectsAnInstitute);
    if (i % kProjectsAnInstitute == 0) {
      served.CreateInstitute(institute);
      key = served.CreateMemberKey(institute);
    }
    const std::string id = "p" + std::to_string(i);
    served.CreateProject(institute, id, 500);
    projects.push_back({"institutes/" + institute + "/projects/" + id, key});
    std::fprintf(stderr, "\rprojects: %d of %d ", i + 1, count);
  }
  std::fprintf(stderr, "\n");
  return projects;
}

/// Counts the allocations that its project was seen to get.
class Watcher final : public grpc::ClientReadReactor<v1::WatchAllocationsResponse> {
 public:
  Watcher(v1::AllocationService::Stub& stub, const Project& project) {
    context_.AddMetadata("authorization", "Bearer " + project.key);
    request_.set_parent(project.name);
    stub.async()->WatchAllocations(&context_, &request_, this);
    StartRead(&message_);
    StartCall();
  }
  ~Watcher() override {
    context_.TryCancel();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return over_; });
  }

  void AwaitBegun() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return begun_ || over_; });
    if (over_) throw std::runtime_error("a watch did not begin");
  }
  int64_t created() const { return created_; }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    for (const v1::AllocationChange& change : message_.changes()) {
      if (change.state() == v1::Allocation::STATE_PENDING && change.reason() == "not_planned_yet") {
        ++created_;
      }
    }
    {
      const std::lock_guard lock(mutex_);
      begun_ = true;
    }
    changed_.notify_all();
    StartRead(&message_);
  }
  void OnDone(const grpc::Status&) override {
    const std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
  }

 private:
  grpc::ClientContext context_;
  v1::WatchAllocationsRequest request_;
  v1::WatchAllocationsResponse message_;
  std::atomic<int64_t> created_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool begun_ = false;
  bool over_ = false;
};

/// Always so many calls under way, for a while.
class Load {
 public:
  struct Slot {
    std::unique_ptr<grpc::ClientContext> context;
    v1::CreateAllocationRequest create;
    v1::Allocation created;
    /// Empty: the health of the whole server. Debian has no stubs of grpc.health.v1.
    grpc::ByteBuffer check;
    grpc::ByteBuffer health;
    SteadyClock::time_point start;
    std::vector<double> took_ms;
  };
  /// Starts a call with what the slot has; `done` when it is over.
  using Call = std::function<void(Slot&, int slot, std::function<void(grpc::Status)> done)>;

  Load(int in_flight, Call call) : call_(std::move(call)), slots_(in_flight) {}

  /// Calls answered a second.
  double Run(int seconds) {
    const auto start = SteadyClock::now();
    end_ = start + std::chrono::seconds(seconds);
    under_way_ = static_cast<int>(slots_.size());
    for (std::size_t i = 0; i < slots_.size(); ++i) Next(static_cast<int>(i));
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return under_way_ == 0; });
    const std::chrono::duration<double> took = SteadyClock::now() - start;
    const auto answered = static_cast<double>(answered_.exchange(0));
    return answered / took.count();
  }

  int64_t refused() const { return refused_; }
  std::vector<double> took_ms() const {
    std::vector<double> all;
    for (const Slot& slot : slots_) all.insert(all.end(), slot.took_ms.begin(), slot.took_ms.end());
    return all;
  }

 private:
  void Next(int index) {
    Slot& slot = slots_[static_cast<std::size_t>(index)];
    slot.start = SteadyClock::now();
    if (slot.start >= end_) {
      const std::lock_guard lock(mutex_);
      if (--under_way_ == 0) ended_.notify_one();
      return;
    }
    call_(slot, index, [this, &slot, index](const grpc::Status& status) {
      const std::chrono::duration<double, std::milli> took = SteadyClock::now() - slot.start;
      slot.took_ms.push_back(took.count());
      ++(status.ok() ? answered_ : refused_);
      if (!status.ok() && refused_ == 1) {
        std::fprintf(stderr, "refused: %s\n", status.error_message().c_str());
      }
      Next(index);
    });
  }

  const Call call_;
  std::vector<Slot> slots_;
  SteadyClock::time_point end_;
  std::atomic<int64_t> answered_{0};
  std::atomic<int64_t> refused_{0};
  std::mutex mutex_;
  std::condition_variable ended_;
  int under_way_ = 0;
};

/// Another server that leads, as long as it exists: the one measured only serves.
class LeadingElsewhere {
 public:
  explicit LeadingElsewhere(const std::string& database_url) {
    auto opened = store::OpenPostgres({.url = database_url, .connections = 1});
    if (!opened.ok()) throw std::runtime_error(Describe(opened.error()));
    store_ = *std::move(opened);
    Lead();
    renewing_ = std::jthread([this](const std::stop_token& stop) {
      std::mutex mutex;
      std::condition_variable_any stopped;
      std::unique_lock lock(mutex);
      while (!stopped.wait_for(lock, stop, std::chrono::seconds(1), [] { return false; })) {
        if (stop.stop_requested()) return;
        Lead();
      }
    });
  }

 private:
  void Lead() {
    // Beyond any lease that stands.
    const Instant now = SystemClock().Now() + Hours(1);
    const auto led = store_->Transact<std::optional<store::Leadership>>(
        store::Access::kWrite, store::Scope::Everything(),
        [&](store::Tx& tx) { return tx.AcquireLeadership("bench-api", epoch_, now, Seconds{60}); });
    if (!led.ok() || !*led) throw std::runtime_error("the leadership could not be taken");
    epoch_ = (*led)->epoch;
  }

  std::unique_ptr<store::Store> store_;
  int64_t epoch_ = 0;
  std::jthread renewing_;
};

nlohmann::ordered_json Measure(const Settings& settings, const std::string& bin_dir) {
  testing::ServedAllotd served(bin_dir);
  std::optional<LeadingElsewhere> leading;
  if (!settings.planned) leading.emplace(served.database_url());
  const std::string provider = served.CreateProvider();
  served.BringOnline(provider, "b", 64, v1::GPU_MODEL_B200);
  const auto projects = CreateProjects(served, std::max(settings.watchers, settings.busy_projects));

  std::vector<std::unique_ptr<v1::AllocationService::Stub>> watching;
  std::vector<std::unique_ptr<Watcher>> watchers;
  for (int i = 0; i < settings.watchers; ++i) {
    if (i % kWatchesAConnection == 0) {
      watching.push_back(v1::AllocationService::NewStub(served.Connect()));
    }
    watchers.push_back(
        std::make_unique<Watcher>(*watching.back(), projects[static_cast<std::size_t>(i)]));
    // Keys that the server has not seen yet share one line.
    watchers.back()->AwaitBegun();
  }

  std::vector<std::unique_ptr<v1::AllocationService::Stub>> creators;
  std::vector<std::unique_ptr<grpc::GenericStub>> checkers;
  for (int i = 0; i < kConnections; ++i) {
    const auto channel = served.Connect();
    creators.push_back(v1::AllocationService::NewStub(channel));
    checkers.push_back(std::make_unique<grpc::GenericStub>(channel));
  }
  std::atomic<int64_t> number{0};
  Load creates(settings.in_flight, [&](Load::Slot& slot, int index, auto done) {
    const int64_t n = number++;
    const Project& project = projects[static_cast<std::size_t>(n % settings.busy_projects)];
    slot.context = ContextFor(project.key);
    slot.create.set_parent(project.name);
    slot.create.set_request_id("r" + std::to_string(n));
    v1::AllocationRequest& ask = *slot.create.mutable_allocation()->mutable_request();
    ask.set_gpus(8);
    if (ask.models_size() == 0) ask.add_models(v1::GPU_MODEL_B200);
    ask.mutable_duration()->set_seconds(3600);
    creators[static_cast<std::size_t>(index % kConnections)]->async()->CreateAllocation(
        slot.context.get(), &slot.create, &slot.created, done);
  });
  Load checks(settings.in_flight, [&](Load::Slot& slot, int index, auto done) {
    slot.context = std::make_unique<grpc::ClientContext>();
    const grpc::Slice nothing;
    slot.check = grpc::ByteBuffer(&nothing, 1);
    slot.health.Clear();
    checkers[static_cast<std::size_t>(index % kConnections)]->UnaryCall(
        slot.context.get(), "/grpc.health.v1.Health/Check", grpc::StubOptions(), &slot.check,
        &slot.health, done);
  });

  std::vector<double> create_per_s;
  std::vector<double> health_per_s;
  std::vector<double> ratios;
  for (int round = 0; round < settings.rounds; ++round) {
    health_per_s.push_back(checks.Run(settings.seconds));
    create_per_s.push_back(creates.Run(settings.seconds));
    ratios.push_back(create_per_s.back() / health_per_s.back());
    std::fprintf(stderr, "round %d of %d: %.0f health checks and %.0f creates a second\n",
                 round + 1, settings.rounds, health_per_s.back(), create_per_s.back());
  }
  const int64_t acknowledged = static_cast<int64_t>(creates.took_ms().size()) - creates.refused();
  int64_t seen = 0;
  const auto last = SteadyClock::now() + std::chrono::seconds(60);
  while (SteadyClock::now() < last) {
    seen = 0;
    for (const auto& watcher : watchers) seen += watcher->created();
    if (seen >= acknowledged) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return {{"bench", "api"},
          {"in_flight", settings.in_flight},
          {"watchers", settings.watchers},
          {"planned", settings.planned},
          {"create_per_s", Quantile(create_per_s, 500)},
          {"health_per_s", Quantile(health_per_s, 500)},
          {"ratio", Quantile(ratios, 500)},
          {"p50_ms", Quantile(creates.took_ms(), 500)},
          {"p99_ms", Quantile(creates.took_ms(), 990)},
          {"refused", creates.refused()},
          {"acknowledged", acknowledged},
          {"seen_by_watchers", seen}};
}

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Durable creates a second, against health checks a second by the same client.");
  app.add_option("--in-flight", settings.in_flight, "Calls under way at a time")
      ->check(CLI::Range(1, 100 * kConnections))
      ->capture_default_str();
  app.add_option("--seconds", settings.seconds, "Of each turn")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  app.add_option("--rounds", settings.rounds, "Turns of each kind")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--watchers", settings.watchers, "Held meanwhile, each of a project of its own")
      ->check(CLI::Range(0, 4000))
      ->capture_default_str();
  app.add_option("--projects", settings.busy_projects, "Projects that requests come from, in turn")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_flag("--planned", settings.planned, "The server measured plans, too");
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
    std::fprintf(stderr, "bench-api: %s\n", error.what());
    return 1;
  }
}
