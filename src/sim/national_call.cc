#include "allot/sim/national_call.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <string_view>
#include <utility>

#include "allot/base/check.h"
#include "allot/base/random.h"
#include "allot/model/name.h"
#include "allot/model/policy.h"
#include "sim/invented_names.h"

namespace allot::sim {
namespace {

/// How often a value occurs, in parts of the sum of all weights.
struct Weighted {
  int value;
  int weight;
};

// Sizes people ask for. The mean lies near the published 3.33 nodes; `FitSizes` makes the sum
// exact.
constexpr Weighted kNodes[] = {{1, 40}, {2, 24}, {3, 6},  {4, 14}, {6, 4},
                               {8, 7},  {12, 2}, {16, 2}, {24, 1}, {32, 1}};
constexpr Weighted kDays[] = {{14, 8},   {28, 14},  {42, 8},  {60, 12}, {90, 20},
                              {120, 10}, {180, 16}, {270, 6}, {365, 6}};
constexpr Weighted kGpusOnOneNode[] = {{1, 2}, {2, 4}, {4, 6}, {6, 1}};
constexpr Weighted kGpusOnTwoNodes[] = {{10, 2}, {12, 5}, {14, 1}};

/// The programme's small tier counts in GPUs, up to two nodes.
constexpr int kSmallTierNodesMax = 2;
constexpr int kSmallTierPercent = 40;
constexpr int kPreemptiblePercent = 15;
/// What a project may use beyond one undisturbed run, for work that must be repeated.
constexpr int64_t kBudgetReservePercent = 25;
constexpr int64_t kBudgetStepHours = 100;

constexpr std::string_view kCallProgramme = "call-2026-1";
constexpr std::string_view kNationalProgramme = "national";

int Draw(SeededRandom& random, std::span<const Weighted> choices) {
  int64_t total = 0;
  for (const Weighted& choice : choices) total += choice.weight;
  int64_t left = random.Between(1, total);
  for (const Weighted& choice : choices) {
    left -= choice.weight;
    if (left <= 0) return choice.value;
  }
  ALLOT_CHECK(false);
}

bool Chance(SeededRandom& random, int percent) { return random.Between(1, 100) <= percent; }

template <class T>
void Shuffle(SeededRandom& random, std::vector<T>& items) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.Below(i)]);
}

/// The next size people ask for, up or down, but no step beyond `room`; a single node when every
/// usual step is too large.
int Step(int size, int room) {
  const bool up = room > 0;
  int next = size + (up ? 1 : -1);
  for (const Weighted& usual : kNodes) {
    const int step = usual.value - size;
    if (up ? step > 0 : step < 0) {
      if (std::abs(step) <= std::abs(room)) next = usual.value;
      if (up) break;
    }
  }
  return next;
}

/// Changes sizes at random, one step at a time, until they sum up to `total`.
void FitSizes(SeededRandom& random, int total, int size_max, std::vector<int>& sizes) {
  int sum = 0;
  for (const int size : sizes) sum += size;
  while (sum != total) {
    int& size = sizes[random.Below(sizes.size())];
    const int room = total - sum;
    if (room > 0 ? size >= size_max : size <= 1) continue;
    const int next = Step(size, room);
    sum += next - size;
    size = next;
  }
}

std::string Bilingual(std::string_view korean, std::string_view english) {
  return std::string(korean) + " (" + std::string(english) + ")";
}

std::vector<Institute> InventInstitutes(SeededRandom& random, Sector sector, int count) {
  std::vector<Institute> institutes;
  for (const Wording& word : InstituteWords()) {
    for (const Wording& kind : InstituteKinds(sector)) {
      Institute institute;
      institute.id = InstituteId(std::string(word.slug) + "-" + std::string(kind.slug));
      institute.display_name =
          Bilingual(std::string(word.korean) + std::string(kind.korean),
                    std::string(word.english) + " " + std::string(kind.english));
      institute.sector = sector;
      institutes.push_back(std::move(institute));
    }
  }
  Shuffle(random, institutes);
  ALLOT_CHECK(institutes.size() >= static_cast<std::size_t>(count));
  institutes.resize(static_cast<std::size_t>(count));
  return institutes;
}

/// One project each, and the others where chance puts them; the first ones get more. No institute
/// gets more than there are topics.
std::vector<int> SpreadProjects(SeededRandom& random, int institutes, int projects, int topics) {
  std::vector<int> counts(static_cast<std::size_t>(institutes), 1);
  for (int left = projects - institutes; left > 0;) {
    int& count = counts[std::min(random.Below(counts.size()), random.Below(counts.size()))];
    if (count == topics) continue;
    ++count;
    --left;
  }
  return counts;
}

/// Mostly between 400 and 900, as panels score; the ends are rare.
int DrawMerit(SeededRandom& random) {
  int64_t sum = 0;
  for (int i = 0; i < 3; ++i) sum += random.Between(250, 1'000);
  return static_cast<int>(sum / 3);
}

std::vector<std::string> DrawModels(SeededRandom& random, int nodes, const ProgrammeCaps& caps) {
  const int b200_max = caps.gpus_max[static_cast<std::size_t>(GpuModel::kB200)] / kGpusPerNode;
  if (nodes > b200_max) return {"H200"};
  const int64_t percent = random.Between(1, 100);
  if (percent <= 35) return {"H200"};
  if (percent <= 60) return {"B200"};
  if (percent <= 85) return {"H200", "B200"};
  return {"B200", "H200"};
}

RawRequest DrawRequest(SeededRandom& random, int nodes, const ProgrammeCaps& caps) {
  RawRequest request;
  if (nodes <= kSmallTierNodesMax && Chance(random, kSmallTierPercent)) {
    request.gpus = nodes == 1 ? Draw(random, kGpusOnOneNode) : Draw(random, kGpusOnTwoNodes);
  } else {
    request.nodes = nodes;
    request.gpus_per_node = kGpusPerNode;
  }
  request.models = DrawModels(random, nodes, caps);
  request.duration = Days(Draw(random, kDays));
  request.preemptible = nodes <= kSmallTierNodesMax && Chance(random, kPreemptiblePercent);
  return request;
}

/// Room for exactly the ask at one time, in whole nodes, of each model it accepts.
Quota QuotaFor(const ProjectId& project, const RawRequest& request) {
  Quota quota;
  quota.project = project;
  for (const std::string& name : request.models) {
    const auto model = ParseGpuModel(name);
    ALLOT_CHECK(model.has_value());
    quota.concurrent_gpus[static_cast<std::size_t>(*model)] = NodesAsked(request) * kGpusPerNode;
  }
  const int64_t gpus = request.gpus.value_or(request.nodes.value_or(0) * kGpusPerNode);
  const int64_t run_hours = gpus * (request.duration->count / Hours(1).count);
  const int64_t wanted_hours = run_hours * (100 + kBudgetReservePercent) / 100;
  const int64_t hours = (wanted_hours + kBudgetStepHours - 1) / kBudgetStepHours * kBudgetStepHours;
  quota.gpu_time = GpuSeconds::FromCount(hours * Hours(1).count);
  return quota;
}

std::string AllocationDisplayName(int nodes) {
  if (nodes <= kSmallTierNodesMax) return Bilingual("시범 학습", "Pilot run");
  if (nodes < 8) return Bilingual("학습", "Training run");
  return Bilingual("대규모 학습", "Large training run");
}

CallProject MakeProject(const Institute& institute, std::string_view programme,
                        const Wording& topic, int merit, RawRequest request) {
  CallProject made;
  made.project.id = MakeProjectId(institute.id, topic.slug);
  made.project.institute = institute.id;
  made.project.programme = ProgrammeId(programme);
  made.project.display_name = Bilingual(topic.korean, topic.english);
  made.project.sector = institute.sector;
  made.project.merit = merit;
  made.quota = QuotaFor(made.project.id, request);
  made.allocation = MakeAllocationId(made.project.id, "main");
  made.allocation_display_name = AllocationDisplayName(NodesAsked(request));
  made.request = std::move(request);
  return made;
}

void SortProjects(CallInstitute& entry) {
  std::sort(entry.projects.begin(), entry.projects.end(),
            [](const CallProject& a, const CallProject& b) { return a.project.id < b.project.id; });
}

std::vector<CallInstitute> MakeSector(SeededRandom& random, const SectorTotal& total,
                                      const ProgrammeCaps& caps) {
  const int size_max = *std::max_element(caps.gpus_max.begin(), caps.gpus_max.end()) / kGpusPerNode;
  std::vector<int> sizes(static_cast<std::size_t>(total.projects));
  for (int& size : sizes) size = Draw(random, kNodes);
  FitSizes(random, total.nodes, size_max, sizes);

  const auto all_topics = ProjectTopics(total.sector);
  const std::vector<int> counts =
      SpreadProjects(random, total.institutes, total.projects, static_cast<int>(all_topics.size()));
  std::vector<CallInstitute> entries;
  auto size = sizes.begin();
  for (Institute& institute : InventInstitutes(random, total.sector, total.institutes)) {
    CallInstitute entry{std::move(institute), {}};
    std::vector<Wording> topics(all_topics.begin(), all_topics.end());
    Shuffle(random, topics);
    topics.resize(static_cast<std::size_t>(counts[entries.size()]));
    for (const Wording& topic : topics) {
      const int merit = DrawMerit(random);
      entry.projects.push_back(MakeProject(entry.institute, kCallProgramme, topic, merit,
                                           DrawRequest(random, *size++, caps)));
    }
    SortProjects(entry);
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const CallInstitute& a, const CallInstitute& b) {
    return a.institute.id < b.institute.id;
  });
  return entries;
}

/// The ministry enters them under an institute of its own.
CallInstitute MakeNational(SeededRandom& random) {
  const Wording& ministry = InstituteKinds(Sector::kNational).front();
  CallInstitute entry;
  entry.institute.id = InstituteId(ministry.slug);
  entry.institute.display_name = Bilingual(ministry.korean, ministry.english);
  entry.institute.sector = Sector::kNational;
  const auto topics = ProjectTopics(Sector::kNational);
  for (std::size_t i = 0; i < kNationalNodes.size(); ++i) {
    RawRequest request;
    request.nodes = kNationalNodes[i];
    request.gpus_per_node = kGpusPerNode;
    request.models = {"B200"};
    request.duration = Days(random.Between(4, 12) * 30);
    const int merit = static_cast<int>(random.Between(800, kMeritMax));
    entry.projects.push_back(
        MakeProject(entry.institute, kNationalProgramme, topics[i], merit, std::move(request)));
  }
  SortProjects(entry);
  return entry;
}

}  // namespace

int NodesAsked(const RawRequest& request) {
  if (request.nodes) return static_cast<int>(*request.nodes);
  return ShapeForGpus(static_cast<int>(request.gpus.value_or(1))).node_count();
}

NationalCall MakeNationalCall(uint64_t seed) {
  const Policy policy = DefaultPolicy();
  const ProgrammeCaps* caps = FindCaps(policy, ProgrammeId(kCallProgramme));
  ALLOT_CHECK(caps != nullptr);

  SeededRandom random(seed);
  NationalCall call;
  call.seed = seed;
  for (const SectorTotal& total : kCallTotals) {
    for (CallInstitute& entry : MakeSector(random, total, *caps)) {
      call.institutes.push_back(std::move(entry));
    }
  }
  call.institutes.push_back(MakeNational(random));
  return call;
}

}  // namespace allot::sim
