#include "apps/allot-sim/recordings.h"

#include <chrono>
#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "allot/replay/recording.h"
#include "allot/scheduler/check_plan.h"
#include "allot/scheduler/explain.h"
#include "allot/scheduler/what_if.h"
#include "apps/allot-sim/settings.h"
#include "apps/allot-sim/whole_file.h"

namespace allot::apps {
namespace {

using replay::Recording;
using scheduler::Explanation;
using scheduler::Plan;
using scheduler::PlanSummary;
using scheduler::ProjectShift;
using scheduler::Snapshot;
using Json = nlohmann::ordered_json;

struct Flags {
  std::string file;
  std::optional<std::string> explain;
  std::vector<std::string> merits;
  std::vector<std::string> quotas;
  std::vector<std::string> drains;
  std::vector<std::string> withdrawals;
  std::vector<std::string> settings;
  bool json = false;
};

int Fail(const std::string& problem) {
  std::cerr << "allot-sim: " << problem << '\n';
  return 2;
}

int Fail(const std::string& file, const Error& error) {
  return Fail(file + ": " + Describe(error));
}

std::optional<Recording> Read(const std::string& file, int& exit_code) {
  const auto text = ReadWholeFile(file);
  if (!text) {
    exit_code = Fail(file +
                     ": cannot be read as a file of 1 GiB at most; 'allot record >pass.json' "
                     "writes one");
    return std::nullopt;
  }
  auto recording = replay::ParseRecording(*text);
  if (!recording.ok()) {
    exit_code = Fail(file, recording.error());
    return std::nullopt;
  }
  return *std::move(recording);
}

std::string InHours(int64_t seconds) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << static_cast<double>(seconds) / 3600 << " h";
  return text.str();
}

std::string InPercent(int permille) {
  return std::to_string(permille / 10) + "." + std::to_string(permille % 10) + " %";
}

// ---- replay
// ----------------------------------------------------------------------------------------

void TellWhy(const Recording& recording, const Plan& plan, int pending) {
  const auto why = Explain(recording.snapshot, recording.policy, plan, pending);
  const auto& row = recording.snapshot.pending[static_cast<std::size_t>(pending)];
  std::cout << row.id.str() << ": " << why.reason << ": " << why.message << '\n'
            << "  rank " << why.rank << " of " << why.rank_of << ", entitled to "
            << InPercent(why.entitled_share_permille) << " of its programme, had "
            << InPercent(why.used_share_permille) << '\n';
  for (const auto& alternative : why.alternatives) std::cout << "  " << alternative.message << '\n';
}

Json ToJson(const AllocationId& id, const Explanation& why) {
  Json json = {{"id", id.str()},
               {"reason", why.reason},
               {"message", why.message},
               {"rank", why.rank},
               {"rank_of", why.rank_of},
               {"entitled_share_permille", why.entitled_share_permille},
               {"used_share_permille", why.used_share_permille}};
  json["alternatives"] = Json::array();
  for (const auto& alternative : why.alternatives) {
    json["alternatives"].push_back(alternative.message);
  }
  return json;
}

int Replay(const Flags& flags) {
  if (flags.explain && flags.explain->empty()) {
    return Fail("--explain takes the id of an allocation that waits, such as snu/llm/main, not ''");
  }
  int exit_code = 0;
  const auto recording = Read(flags.file, exit_code);
  if (!recording) return exit_code;
  std::optional<int> asked;
  if (flags.explain) {
    asked = FindPending(recording->snapshot, AllocationId(*flags.explain));
    if (!asked) return Fail(*flags.explain + " did not wait in this pass");
  }
  const auto begin = std::chrono::steady_clock::now();
  const Plan plan = scheduler::Schedule(recording->snapshot, recording->policy);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;

  const uint64_t recorded = Hash(recording->snapshot, recording->plan);
  const uint64_t replayed = Hash(recording->snapshot, plan);
  const auto violations = CheckPlan(recording->snapshot, recording->policy, plan);
  const PlanSummary summary = Summarise(recording->snapshot, plan);
  if (flags.json) {
    Json line = {{"replay", flags.file},
                 {"revision", plan.revision},
                 {"recorded_hash", replay::FormatHash(recorded)},
                 {"replayed_hash", replay::FormatHash(replayed)},
                 {"equal", recorded == replayed},
                 {"violations", violations},
                 {"starts_now", summary.starts_now},
                 {"planned", summary.planned},
                 {"promised", summary.promised},
                 {"deferred", summary.deferred},
                 {"slips", summary.slips},
                 {"plan_ms", took.count()}};
    if (asked) {
      line["explanation"] = ToJson(AllocationId(*flags.explain),
                                   Explain(recording->snapshot, recording->policy, plan, *asked));
    }
    std::cout << line.dump() << '\n';
  } else {
    std::cout << "The pass of " << FormatRfc3339(plan.now) << " at revision " << plan.revision
              << ", under policy " << recording->policy.version << ":\n  "
              << recording->snapshot.nodes.size() << " nodes, " << recording->snapshot.claims.size()
              << " claims, " << recording->snapshot.pending.size() << " waiting\n  "
              << summary.starts_now << " start at once, " << summary.planned << " are planned ("
              << summary.promised << " promised), " << summary.deferred << " have no start\n"
              << (recorded == replayed ? "Decided again, the plan is the same: "
                                       : "Decided again, the plan is ANOTHER: recorded ")
              << replay::FormatHash(recorded)
              << (recorded == replayed ? "" : ", now " + replay::FormatHash(replayed)) << '\n';
    for (const std::string& violation : violations) {
      std::cout << "The checker refuses it: " << violation << '\n';
    }
    if (asked) TellWhy(*recording, plan, *asked);
  }
  return recorded == replayed && violations.empty() ? 0 : 1;
}

// ---- what-if
// ---------------------------------------------------------------------------------------

/// Reads the flags; empty with a problem told when one cannot be read.
std::optional<std::vector<scheduler::Change>> Changes(const Flags& flags, std::string& problem) {
  std::vector<scheduler::Change> changes;
  for (const std::string& text : flags.merits) {
    const auto halves = Halves(text);
    const auto merit = halves ? Number(halves->second) : std::nullopt;
    if (!merit) {
      problem = "--merit takes INSTITUTE/PROJECT=MERIT, not '" + text + "'";
      return std::nullopt;
    }
    changes.push_back(scheduler::SetMerit{ProjectId(halves->first), *merit});
  }
  for (const std::string& text : flags.quotas) {
    const auto halves = Halves(text);
    const std::size_t colon = halves ? halves->second.find(':') : std::string::npos;
    const auto model =
        colon == std::string::npos ? std::nullopt : ParseGpuModel(halves->second.substr(0, colon));
    const auto gpus = model ? Number(halves->second.substr(colon + 1)) : std::nullopt;
    if (!gpus) {
      problem =
          "--quota takes INSTITUTE/PROJECT=MODEL:GPUS such as snu/llm=H200:64, not '" + text + "'";
      return std::nullopt;
    }
    changes.push_back(scheduler::SetQuota{ProjectId(halves->first), *model, *gpus});
  }
  for (const std::string& place : flags.drains) changes.push_back(scheduler::Drain{place});
  for (const std::string& id : flags.withdrawals) {
    changes.push_back(scheduler::Withdraw{AllocationId(id)});
  }
  return changes;
}

Json ToJson(const PlanSummary& summary) {
  return {{"starts_now", summary.starts_now},
          {"planned", summary.planned},
          {"promised", summary.promised},
          {"deferred", summary.deferred},
          {"slips", summary.slips},
          {"gpus_now", summary.gpus_now},
          {"week_permille", summary.week_permille}};
}

Json ToJson(const ProjectShift& shift) {
  return {{"project", shift.project.str()},
          {"sooner", shift.sooner},
          {"later", shift.later},
          {"gained", shift.gained},
          {"lost", shift.lost},
          {"seconds_sooner", shift.seconds_sooner},
          {"seconds_later", shift.seconds_later}};
}

void TellDifference(const PlanSummary& before, const PlanSummary& after,
                    const std::vector<ProjectShift>& shifts) {
  const auto line = [](const char* title, const std::string& a, const std::string& b) {
    std::cout << std::left << std::setw(26) << title << std::right << std::setw(10) << a
              << std::setw(10) << b << '\n';
  };
  const auto count = [&](const char* title, int a, int b) {
    line(title, std::to_string(a), std::to_string(b));
  };
  line("", "now", "then");
  count("start at once", before.starts_now, after.starts_now);
  count("planned for later", before.planned, after.planned);
  count("  of them promised", before.promised, after.promised);
  count("without a start", before.deferred, after.deferred);
  count("promises lost", before.slips, after.slips);
  count("GPUs held", before.gpus_now, after.gpus_now);
  line("of the week's GPU time", InPercent(before.week_permille), InPercent(after.week_permille));
  if (shifts.empty()) {
    std::cout << "\nNobody would start at another time.\n";
    return;
  }
  std::cout << '\n'
            << std::left << std::setw(34) << "PROJECT" << std::right << std::setw(8) << "SOONER"
            << std::setw(12) << "BY" << std::setw(8) << "LATER" << std::setw(12) << "BY"
            << std::setw(8) << "GAINED" << std::setw(6) << "LOST" << '\n';
  for (const ProjectShift& shift : shifts) {
    std::cout << std::left << std::setw(34) << shift.project.str() << std::right << std::setw(8)
              << shift.sooner << std::setw(12) << InHours(shift.seconds_sooner) << std::setw(8)
              << shift.later << std::setw(12) << InHours(shift.seconds_later) << std::setw(8)
              << shift.gained << std::setw(6) << shift.lost << '\n';
  }
}

int WhatIf(const Flags& flags) {
  std::string problem;
  const auto changes = Changes(flags, problem);
  if (!changes) return Fail(problem);
  if (changes->empty() && flags.settings.empty()) {
    return Fail(
        "what-if needs something that is otherwise: --merit, --quota, --drain, --withdraw "
        "or --set");
  }
  int exit_code = 0;
  const auto recording = Read(flags.file, exit_code);
  if (!recording) return exit_code;
  Policy policy = recording->policy;
  if (const auto unknown = SetAll(flags.settings, policy)) return Fail(*unknown);
  Snapshot changed = recording->snapshot;
  // Another policy judges anew whether they start too long after what they were told.
  if (!flags.settings.empty()) {
    for (scheduler::SnapshotPending& row : changed.pending) row.overdue = false;
  }
  for (const auto& change : *changes) {
    if (const auto applied = Apply(change, changed); !applied.ok()) {
      return Fail(flags.file, applied.error());
    }
  }
  const Plan before = scheduler::Schedule(recording->snapshot, recording->policy);
  const Plan after = scheduler::Schedule(changed, policy);
  const PlanSummary was = Summarise(recording->snapshot, before);
  const PlanSummary is = Summarise(changed, after);
  const auto shifts = ComparePlans(recording->snapshot, before, changed, after);
  if (flags.json) {
    Json line = {{"what_if", flags.file}, {"now", ToJson(was)}, {"then", ToJson(is)}};
    line["projects"] = Json::array();
    for (const ProjectShift& shift : shifts) line["projects"].push_back(ToJson(shift));
    std::cout << line.dump() << '\n';
  } else {
    TellDifference(was, is, shifts);
  }
  return 0;
}

}  // namespace

void AddRecordingCommands(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* replay = app.add_subcommand(
      "replay",
      "Decides a recorded pass again: the same plan, or exit code 1. See 'allot record'.");
  replay->add_option("file", flags->file, "A recording")->required();
  replay->add_option("--explain", flags->explain, "Also say why this allocation waits");
  replay->add_flag("--json", flags->json, "One JSON line");
  replay->callback([flags, &exit_code] { exit_code = Replay(*flags); });

  CLI::App* what_if = app.add_subcommand(
      "what-if",
      "Plans a recorded pass as if something were otherwise: who starts sooner, who later.");
  what_if->add_option("file", flags->file, "A recording")->required();
  what_if->add_option("--merit", flags->merits, "INSTITUTE/PROJECT=MERIT");
  what_if->add_option("--quota", flags->quotas, "INSTITUTE/PROJECT=MODEL:GPUS");
  what_if->add_option("--drain", flags->drains, "CLUSTER or CLUSTER/NODE takes no new work");
  what_if->add_option("--withdraw", flags->withdrawals, "A waiting allocation is not there");
  what_if->add_option("--set", flags->settings, "A setting of the policy: promise_nodes=8");
  what_if->add_flag("--json", flags->json, "One JSON line");
  what_if->callback([flags, &exit_code] { exit_code = WhatIf(*flags); });
}

}  // namespace allot::apps
