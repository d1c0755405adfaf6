// A pass on file, as `allot-sim replay` reads it. What is accepted is written the same again, and a
// plan is made of it: the same one twice, whatever the recording says.
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "allot/replay/recording.h"
#include "allot/scheduler/check_plan.h"
#include "allot/scheduler/explain.h"
#include "fuzz/support/json_mutator.h"
#include "fuzz/support/property.h"

namespace allot::fuzz {
namespace {

using replay::Recording;
using scheduler::Plan;

/// A plan that is not that of its hash gets the hash it has, or no input would get past it.
Result<Recording> Read(const std::string& text) {
  auto recording = replay::ParseRecording(text);
  if (recording.ok() || recording.error().field != "plan.hash") return recording;
  nlohmann::json json = nlohmann::json::parse(text);
  json["plan"]["hash"] = recording.error().limit;
  return replay::ParseRecording(json.dump());
}

void CheckPlanning(const Recording& recording) {
  const scheduler::Snapshot& snapshot = recording.snapshot;
  const Plan plan = Schedule(snapshot, recording.policy);
  Require(Hash(snapshot, plan) == Hash(snapshot, Schedule(snapshot, recording.policy)),
          "equal snapshots give equal plans");
  Require(plan.placements.size() + plan.deferrals.size() == snapshot.pending.size(),
          "everybody who waits has a start or a reason");
  // Of a pool that breaks rules already it may find something.
  static_cast<void>(CheckPlan(snapshot, recording.policy, plan));
  const int waiting = static_cast<int>(snapshot.pending.size());
  for (int i = 0; i < waiting && i < 3; ++i) {
    const auto why = Explain(snapshot, recording.policy, plan, i);
    Require(!why.reason.empty() && !why.message.empty(), "an explanation says something");
  }
}

}  // namespace
}  // namespace allot::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  using namespace allot;
  const std::string text(fuzz::TextOf(data, size));
  const auto recording = fuzz::Read(text);
  if (!recording.ok()) {
    fuzz::RequireShowable(recording.error());
    fuzz::Require(recording.error().reason == Reason::kConfigInvalid, "it is config_invalid");
    return 0;
  }
  const std::string written =
      replay::FormatRecording(recording->snapshot, recording->policy, recording->plan);
  const auto again = replay::ParseRecording(written);
  fuzz::Require(
      again.ok() && replay::FormatRecording(again->snapshot, again->policy, again->plan) == written,
      "a recording comes back", again.ok() ? "" : Describe(again.error()));
  fuzz::CheckPlanning(*recording);
  return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  return allot::fuzz::MutateJson(data, size, max_size, seed);
}
