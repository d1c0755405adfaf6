// A full plan over the national pool: how long it takes, and that it is valid. Prints one JSON
// line.
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "allot/scheduler/check_plan.h"
#include "allot/scheduler/explain.h"
#include "allot/scheduler/plan.h"
#include "scheduler/fair_order.h"
#include "support/manual_clock.h"
#include "support/national_pool.h"

namespace allot {
namespace {

struct Timed {
  double wall_ms = 0;
  // Of this thread: what the work costs when others keep the machine busy.
  double cpu_ms = 0;
};

double CpuMs() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

template <class Work>
Timed Time(Work work) {
  const double cpu_start_ms = CpuMs();
  const auto start = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double, std::milli> wall = std::chrono::steady_clock::now() - start;
  return {wall.count(), CpuMs() - cpu_start_ms};
}

// The smallest measurement that at least `permille` of all do not exceed.
double Quantile(std::vector<double> values, std::size_t permille) {
  std::sort(values.begin(), values.end());
  return values[(values.size() * permille + 999) / 1000 - 1];
}

void RunOrder(const scheduler::Snapshot& snapshot, const Policy& policy) {
  scheduler::FairOrder order(snapshot, policy, std::vector<bool>(snapshot.pending.size(), false));
  while (!order.Done()) {
    order.Next();
    order.ChargeLast();
  }
}

std::string Hex(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(value));
  return text;
}

int Main(int argc, char** argv) {
  testing::MixedQueue queue;
  queue.pending = 10'000;
  int runs = 50;
  CLI::App app(
      "Times a full plan over the national pool (1,307 nodes in five clusters, partly busy).");
  app.add_option("--pending", queue.pending, "Pending allocations")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--seed", queue.seed, "Seed of the queue")->capture_default_str();
  app.add_option("--runs", runs, "Plans to time")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  scheduler::Snapshot snapshot = testing::NationalPool(testing::ManualClock::kStart);
  testing::AddMixedQueue(queue, snapshot);
  const Policy policy;

  scheduler::Plan plan = scheduler::Schedule(snapshot, policy);
  const uint64_t hash = Hash(snapshot, plan);
  std::vector<double> times_ms;
  std::vector<double> cpu_times_ms;
  bool repeats = true;
  for (int i = 0; i < runs; ++i) {
    const Timed timed = Time([&] { plan = scheduler::Schedule(snapshot, policy); });
    times_ms.push_back(timed.wall_ms);
    cpu_times_ms.push_back(timed.cpu_ms);
    repeats = repeats && Hash(snapshot, plan) == hash;
  }
  const double order_ms = Time([&] { RunOrder(snapshot, policy); }).cpu_ms;
  std::vector<std::string> violations;
  const double check_ms =
      Time([&] { violations = scheduler::CheckPlan(snapshot, policy, plan); }).cpu_ms;
  const double explain_ms =
      Time([&] { Explain(snapshot, policy, plan, queue.pending / 2); }).cpu_ms;
  const auto now = std::count_if(
      plan.placements.begin(), plan.placements.end(),
      [&](const scheduler::Placement& p) { return p.window.start() == snapshot.now; });

  for (const std::string& violation : violations) std::fprintf(stderr, "%s\n", violation.c_str());
  nlohmann::ordered_json line;
  line["bench"] = "plan";
  line["pending"] = snapshot.pending.size();
  line["nodes"] = snapshot.nodes.size();
  line["claims"] = snapshot.claims.size();
  line["median_ms"] = Quantile(times_ms, 500);
  line["p99_ms"] = Quantile(times_ms, 990);
  line["cpu_median_ms"] = Quantile(cpu_times_ms, 500);
  line["order_ms"] = order_ms;
  line["check_ms"] = check_ms;
  line["explain_ms"] = explain_ms;
  line["planned"] = plan.placements.size();
  line["planned_now"] = now;
  line["deferred"] = plan.deferrals.size();
  line["violations"] = violations.size();
  line["repeats"] = repeats;
  line["plan_hash"] = Hex(hash);
  line["seed"] = queue.seed;
  line["runs"] = runs;
  std::printf("%s\n", line.dump().c_str());
  return violations.empty() && repeats ? 0 : 1;
}

}  // namespace
}  // namespace allot

int main(int argc, char** argv) { return allot::Main(argc, argv); }
