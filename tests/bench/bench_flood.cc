// How much one institute's flood slows another's calls: a real allotd on a real PostgreSQL, one
// member that makes one call after the other, and another, in a process of its own, that has
// hundreds under way at a time and repeats what is refused at once. Prints one JSON line; progress
// goes to stderr.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "support/rpc/served_allotd.h"

namespace allot {
namespace {

using testing::ContextFor;
using testing::Must;
using testing::Quantile;
using SteadyClock = std::chrono::steady_clock;

struct Settings {
  int in_flight = 256;
  int seconds = 5;
  int rounds = 3;
  int pause_ms = 0;
  int nice = 0;
};

/// What one institute has to look at.
constexpr int kAllocations = 100;

void Submit(testing::ServedAllotd& served, const std::string& institute) {
  v1::BatchCreateAllocationsRequest batch;
  batch.set_parent("institutes/" + institute + "/projects/p");
  for (int i = 0; i < kAllocations; ++i) {
    v1::CreateAllocationRequest& request = *batch.add_requests();
    request.set_parent(batch.parent());
    request.set_allocation_id("a" + std::to_string(i));
    v1::AllocationRequest& ask = *request.mutable_allocation()->mutable_request();
    ask.set_gpus(8);
    ask.add_models(v1::GPU_MODEL_B200);
    ask.mutable_duration()->set_seconds(3600);
  }
  v1::BatchCreateAllocationsResponse made;
  Must(served.stubs().allocations->BatchCreateAllocations(ContextFor(served.operator_key()).get(),
                                                          batch, &made),
       "BatchCreateAllocations");
}

/// One member that looks at its own allocation, again and again; milliseconds of each call.
std::vector<double> Quiet(v1::AllocationService::Stub& stub, const std::string& key, int seconds) {
  std::vector<double> took_ms;
  const auto end = SteadyClock::now() + std::chrono::seconds(seconds);
  while (SteadyClock::now() < end) {
    v1::GetAllocationRequest request;
    request.set_name("institutes/quiet/projects/p/allocations/a1");
    v1::Allocation found;
    const auto start = SteadyClock::now();
    Must(stub.GetAllocation(ContextFor(key).get(), request, &found), "GetAllocation");
    const std::chrono::duration<double, std::milli> took = SteadyClock::now() - start;
    took_ms.push_back(took.count());
    // People and their scripts think between calls.
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return took_ms;
}

/// Lists, always so many at a time, until it goes.
class Flood {
 public:
  Flood(const std::shared_ptr<grpc::Channel>& channel, std::string key, const Settings& settings)
      : stub_(v1::AllocationService::NewStub(channel)),
        key_(std::move(key)),
        pause_ms_(settings.pause_ms),
        calls_(static_cast<std::size_t>(settings.in_flight)) {
    for (Call& call : calls_) Start(call);
  }
  ~Flood() {
    std::unique_lock lock(mutex_);
    ending_ = true;
    ended_.wait(lock, [this] { return under_way_ == 0; });
  }

  int answered() const { return answered_; }
  int refused() const { return refused_; }

 private:
  struct Call {
    std::unique_ptr<grpc::ClientContext> context;
    v1::ListAllocationsRequest request;
    v1::ListAllocationsResponse response;
  };

  void Start(Call& call) {
    {
      const std::lock_guard lock(mutex_);
      if (ending_) return;
      ++under_way_;
    }
    call.context = ContextFor(key_);
    call.request.set_parent("institutes/loud/projects/p");
    stub_->async()->ListAllocations(
        call.context.get(), &call.request, &call.response,
        [this, &call](const grpc::Status& status) {
          ++(status.ok() ? answered_ : refused_);
          if (!status.ok() && pause_ms_ > 0) {
            std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms_));
          }
          Start(call);
          const std::lock_guard lock(mutex_);
          if (--under_way_ == 0) ended_.notify_one();
        });
  }

  std::unique_ptr<v1::AllocationService::Stub> stub_;
  const std::string key_;
  const int pause_ms_;
  std::vector<Call> calls_;
  std::mutex mutex_;
  std::condition_variable ended_;
  int under_way_ = 0;
  bool ending_ = false;
  std::atomic<int> answered_{0};
  std::atomic<int> refused_{0};
};

/// The other process: floods until SIGTERM, then says how many calls were answered and refused.
int FloodUntilTerminated(const std::string& address, const Settings& settings) {
  sigset_t terminated;
  sigemptyset(&terminated);
  sigaddset(&terminated, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &terminated, nullptr);
  const char* const key = std::getenv("ALLOT_KEY");  // NOLINT(concurrency-mt-unsafe)
  if (key == nullptr) throw std::runtime_error("ALLOT_KEY is not set");
  const Flood flood(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()), key,
                    settings);
  std::puts("flooding");
  std::fflush(stdout);
  int signal = 0;
  sigwait(&terminated, &signal);
  std::printf("%d %d\n", flood.answered(), flood.refused());
  return 0;
}

std::vector<std::string> FloodCommand(const std::string& address, const Settings& settings) {
  return {"nice",
          "-n",
          std::to_string(settings.nice),
          std::filesystem::read_symlink("/proc/self/exe"),
          "--flood",
          address,
          "--in-flight",
          std::to_string(settings.in_flight),
          "--pause-ms",
          std::to_string(settings.pause_ms)};
}

nlohmann::ordered_json Measure(const Settings& settings, const std::string& bin_dir) {
  testing::ServedAllotd served(bin_dir);
  served.BringOnline(served.CreateProvider(), "bench-a", 4, v1::GPU_MODEL_B200);
  std::vector<std::string> keys;
  for (const char* institute : {"quiet", "loud"}) {
    served.CreateInstitute(institute);
    served.CreateProject(institute, "p", 500);
    Submit(served, institute);
    keys.push_back(served.CreateMemberKey(institute));
  }
  const auto stub = v1::AllocationService::NewStub(served.Connect());
  std::vector<double> alone_ms;
  std::vector<double> flooded_ms;
  int answered = 0;
  int refused = 0;
  SteadyClock::duration flooded{};
  // In turns, so that the machine's moods meet both alike.
  for (int round = 0; round < settings.rounds; ++round) {
    std::fprintf(stderr, "\rround %d of %d ", round + 1, settings.rounds);
    for (const double ms : Quiet(*stub, keys[0], settings.seconds)) alone_ms.push_back(ms);
    testing::Process flood({.command = FloodCommand(served.address(), settings),
                            .environment = {{"ALLOT_KEY", keys[1]}}});
    if (!flood.AwaitOut("flooding")) throw std::runtime_error("no flood: " + flood.err());
    const auto began = SteadyClock::now();
    for (const double ms : Quiet(*stub, keys[0], settings.seconds)) flooded_ms.push_back(ms);
    flooded += SteadyClock::now() - began;
    std::istringstream counts(flood.Terminate().out);
    std::string flooding;
    int answered_now = 0;
    int refused_now = 0;
    counts >> flooding >> answered_now >> refused_now;
    answered += answered_now;
    refused += refused_now;
  }
  std::fprintf(stderr, "\n");
  const double flooded_s = std::chrono::duration<double>(flooded).count();
  return {{"bench", "flood"},
          {"in_flight", settings.in_flight},
          {"pause_ms", settings.pause_ms},
          {"flood_nice", settings.nice},
          {"flood_answered_per_s", answered / flooded_s},
          {"flood_refused_per_s", refused / flooded_s},
          {"alone_p50_ms", Quantile(alone_ms, 500)},
          {"alone_p99_ms", Quantile(alone_ms, 990)},
          {"flooded_p50_ms", Quantile(flooded_ms, 500)},
          {"flooded_p99_ms", Quantile(flooded_ms, 990)},
          {"slower_p50", Quantile(flooded_ms, 500) / Quantile(alone_ms, 500)},
          {"slower_p99", Quantile(flooded_ms, 990) / Quantile(alone_ms, 990)}};
}

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app("How much one institute's flood slows another's calls.");
  app.add_option("--in-flight", settings.in_flight, "Calls of the flood under way at a time")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--seconds", settings.seconds, "Of a round without and one with the flood")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  app.add_option("--rounds", settings.rounds, "Of both")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--pause-ms", settings.pause_ms, "The flood's pause after a refusal")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  app.add_option("--nice", settings.nice, "19: the flood itself makes way on shared processors")
      ->check(CLI::Range(0, 19))
      ->capture_default_str();
  std::string address;
  app.add_option("--flood", address, "Be nothing but the flood (of the benchmark itself)")
      ->group("");
  CLI11_PARSE(app, argc, argv);
  if (!address.empty()) return FloodUntilTerminated(address, settings);
  std::printf("%s\n", Measure(settings, testing::BinDir(argv[0])).dump().c_str());
  return 0;
}

}  // namespace
}  // namespace allot

int main(int argc, char** argv) {
  try {
    return allot::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench-flood: %s\n", error.what());
    return 1;
  }
}
