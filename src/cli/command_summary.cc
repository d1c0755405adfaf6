#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "cli/commands.h"
#include "cli/resource.h"
#include "cli/summary.h"
#include "cli/values.h"

namespace allot::cli {
namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

struct SummaryFlags {
  /// First waits until so many nodes are ready.
  int nodes = 0;
  /// First waits until everything that starts now is active.
  bool settled = false;
  std::string within = "60s";
};

constexpr milliseconds kBetweenLooks{100};
constexpr milliseconds kBetweenNotes{1'000};
constexpr Seconds kPresently{60};

/// What is not there yet; empty when all is.
using StillMissing = Outcome<std::string>;

StillMissing MissingNodes(Client& client, int nodes) {
  const auto capacity = client.Call(&Pool::GetCapacity, v1::GetCapacityRequest());
  if (!capacity.ok()) return capacity.failure();
  int ready = 0;
  for (const v1::ClusterCapacity& cluster : capacity->clusters()) ready += cluster.nodes_ready();
  if (ready >= nodes) return std::string();
  return std::to_string(ready) + " of " + std::to_string(nodes) + " nodes are ready";
}

/// Whether the next start lies so near that it is part of what starts now: requests that arrive
/// together are gathered for a moment before the first of them starts.
Outcome<bool> StartsPresently(Client& client) {
  const auto capacity = client.Call(&Pool::GetCapacity, v1::GetCapacityRequest());
  if (!capacity.ok()) return capacity.failure();
  return !capacity->next_starts().empty() && InstantOf(capacity->next_starts(0).start_time()) <=
                                                 InstantOf(capacity->time()) + kPresently;
}

/// Everything that waits was considered, nothing is being handed over, and nothing starts
/// presently.
StillMissing Unsettled(Client& client) {
  const auto presently = StartsPresently(client);
  if (!presently.ok()) return presently.failure();
  v1::ListAllocationsRequest request;
  request.set_parent(kEveryProject);
  request.set_page_size(1'000);
  request.add_states(v1::Allocation::STATE_PENDING);
  request.add_states(v1::Allocation::STATE_PROVISIONING);
  const auto listed = client.Call(&Allocations::ListAllocations, request);
  if (!listed.ok()) return listed.failure();
  int provisioning = 0;
  int unconsidered = 0;
  for (const v1::Allocation& allocation : listed->allocations()) {
    if (allocation.state() == v1::Allocation::STATE_PROVISIONING) ++provisioning;
    if (allocation.state() == v1::Allocation::STATE_PENDING && allocation.reason().empty()) {
      ++unconsidered;
    }
  }
  if (provisioning == 0 && unconsidered == 0) {
    return *presently ? std::string("the next allocations start within a minute") : std::string();
  }
  return std::to_string(unconsidered) + " not planned yet, " + std::to_string(provisioning) +
         " being handed over";
}

std::optional<Failure> Await(Session& session, Steady::time_point deadline,
                             const std::function<StillMissing()>& look) {
  Steady::time_point next_note = Steady::now() + kBetweenNotes;
  for (;;) {
    const StillMissing missing = look();
    if (!missing.ok()) return missing.failure();
    if (missing->empty()) return std::nullopt;
    const Steady::time_point now = Steady::now();
    if (now >= deadline) {
      return Failure{.exit_code = ExitCode::kNotReached,
                     .reason = "wait_timed_out",
                     .message = *missing,
                     .advice = "Wait longer with --within, or look with 'allot pool'."};
    }
    if (now >= next_note) {
      session.output().Note(*missing);
      next_note = now + kBetweenNotes;
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

ExitCode ShowSummary(Session& session, const SummaryFlags& flags) {
  const Output& output = session.output();
  if (output.format() == Format::kYaml || output.format() == Format::kName) {
    return session.Fail(UsageFailure("allot summary takes -o table or json"));
  }
  const auto within = ParseLength("--within", flags.within);
  if (!within.ok()) return session.Fail(FailureOf(within.error()));
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());

  const auto deadline = Steady::now() + std::chrono::seconds(within->count);
  if (flags.nodes > 0) {
    const auto failure =
        Await(session, deadline, [&] { return MissingNodes(**client, flags.nodes); });
    if (failure) return session.Fail(*failure);
  }
  if (flags.settled) {
    const auto failure = Await(session, deadline, [&] { return Unsettled(**client); });
    if (failure) return session.Fail(*failure);
  }
  const auto summary = Summarise(**client);
  if (!summary.ok()) return session.Fail(summary.failure());
  session.environment().out << (output.format() == Format::kJson
                                    ? JsonOf(*summary)
                                    : PageOf(*summary, output.colours()));
  return ExitCode::kOk;
}

}  // namespace

void AddSummaryCommand(CLI::App& root, Action& chosen) {
  auto flags = std::make_shared<SummaryFlags>();
  CLI::App* summary =
      AddCommand(root, "summary", "Where everybody stands, on one page in Korean and English",
                 "  allot summary\n"
                 "  allot summary --settled --within 2m -o json\n"
                 "  allot summary --nodes 1307");
  summary->add_flag("--settled", flags->settled,
                    "First wait until everything that starts now is active");
  summary->add_option("--nodes", flags->nodes, "First wait until so many nodes are ready")
      ->check(AtLeastOne());
  summary->add_option("--within", flags->within, "How long to wait (60s)");
  summary->callback([&chosen, flags] {
    chosen = [flags](Session& session) { return ShowSummary(session, *flags); };
  });
}

}  // namespace allot::cli
