#include "allot/sim/national_call.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "allot/model/name.h"
#include "allot/model/policy.h"
#include "support/manual_clock.h"

namespace allot::sim {
namespace {

constexpr uint64_t kSeeds[] = {kNationalCallSeed, 0, 1, 2, 3, 12345, 0xffff'ffff'ffff'ffffULL};

struct Sums {
  int institutes = 0;
  int projects = 0;
  int nodes = 0;
};

std::map<Sector, Sums> SumBySector(const NationalCall& call) {
  std::map<Sector, Sums> sums;
  for (const CallInstitute& entry : call.institutes) {
    Sums& sum = sums[entry.institute.sector];
    ++sum.institutes;
    for (const CallProject& project : entry.projects) {
      ++sum.projects;
      sum.nodes += NodesAsked(project.request);
    }
  }
  return sums;
}

template <class Check>
void ForEachProject(const NationalCall& call, Check check) {
  for (const CallInstitute& entry : call.institutes) {
    for (const CallProject& project : entry.projects) check(entry.institute, project);
  }
}

TEST(NationalCall, ThePublishedTotalsComeOutExactlyForEverySeed) {
  for (const uint64_t seed : kSeeds) {
    auto sums = SumBySector(MakeNationalCall(seed));
    Sums call;
    for (const SectorTotal& total : kCallTotals) {
      const Sums& sum = sums[total.sector];
      EXPECT_EQ(sum.institutes, total.institutes) << Name(total.sector);
      EXPECT_EQ(sum.projects, total.projects) << Name(total.sector);
      EXPECT_EQ(sum.nodes, total.nodes) << Name(total.sector);
      call.projects += sum.projects;
      call.nodes += sum.nodes;
    }
    EXPECT_EQ(call.projects, 514);
    EXPECT_EQ(call.nodes, 1'714);
    EXPECT_EQ(sums[Sector::kAcademia].nodes * kGpusPerNode, 8'600);
    EXPECT_EQ(sums[Sector::kNational].projects, 6);
  }
}

TEST(NationalCall, ANationalProjectAsksForAWholeClusterAndAllFitNhn) {
  EXPECT_EQ(*std::max_element(kNationalNodes.begin(), kNationalNodes.end()), 255);
  int nodes = 0;
  for (const int size : kNationalNodes) nodes += size;
  EXPECT_LE(nodes, 510 + 255);
}

/// What the service itself would say to each ask, on a pool with the published clusters.
TEST(NationalCall, EveryAskIsAdmittedAsItIs) {
  const Policy policy = DefaultPolicy();
  // Of B200 and H200, in nodes.
  const std::map<std::string, LargestClusterByModel> largest = {{"call-2026-1", {255, 255}},
                                                                {"national", {510, 0}}};
  for (const uint64_t seed : kSeeds) {
    ForEachProject(MakeNationalCall(seed), [&](const Institute&, const CallProject& entry) {
      const auto request = ParseRequest(entry.request, testing::ManualClock::kStart,
                                        DefaultPolicy(), entry.allocation.str());
      ASSERT_TRUE(request.ok()) << Describe(request.error());
      const auto admitted = Admit(entry.project, entry.quota, Usage{},
                                  largest.at(entry.project.programme.str()), policy, *request);
      ASSERT_TRUE(admitted.ok()) << entry.allocation.str() << " " << Describe(admitted.error());
      EXPECT_EQ(admitted->models, request->models) << "a model it can never get";
    });
  }
}

TEST(NationalCall, IdsAreValidUniqueAndBelongTogether) {
  for (const uint64_t seed : kSeeds) {
    const NationalCall call = MakeNationalCall(seed);
    std::set<InstituteId> institutes;
    std::set<ProjectId> projects;
    for (const CallInstitute& entry : call.institutes) {
      EXPECT_TRUE(ParseInstituteId(entry.institute.id.str())) << entry.institute.id.str();
      EXPECT_TRUE(institutes.insert(entry.institute.id).second) << entry.institute.id.str();
      EXPECT_TRUE(CheckDisplayName(entry.institute.display_name, "display_name").ok());
      EXPECT_FALSE(entry.projects.empty()) << entry.institute.id.str();
    }
    ForEachProject(call, [&](const Institute& institute, const CallProject& entry) {
      EXPECT_TRUE(ParseProjectId(entry.project.id.str())) << entry.project.id.str();
      EXPECT_TRUE(projects.insert(entry.project.id).second) << entry.project.id.str();
      EXPECT_EQ(InstituteOf(entry.project.id), institute.id);
      EXPECT_EQ(entry.project.institute, institute.id);
      EXPECT_EQ(entry.project.sector, institute.sector);
      EXPECT_EQ(entry.quota.project, entry.project.id);
      EXPECT_TRUE(ParseAllocationId(entry.allocation.str())) << entry.allocation.str();
      EXPECT_EQ(ProjectOf(entry.allocation), entry.project.id);
      EXPECT_TRUE(CheckDisplayName(entry.project.display_name, "display_name").ok());
      EXPECT_TRUE(entry.project.merit >= 0 && entry.project.merit <= kMeritMax);
    });
  }
}

TEST(NationalCall, HasTheVarietyOfTheRealOne) {
  int in_gpus = 0;
  int large = 0;
  int either_model = 0;
  std::set<Seconds> durations;
  std::set<int> merits;
  ForEachProject(MakeNationalCall(kNationalCallSeed), [&](const Institute&, const CallProject& e) {
    in_gpus += e.request.gpus ? 1 : 0;
    large += NodesAsked(e.request) >= 16 ? 1 : 0;
    either_model += e.request.models.size() == 2 ? 1 : 0;
    durations.insert(*e.request.duration);
    merits.insert(e.project.merit);
  });
  EXPECT_GT(in_gpus, 50);
  EXPECT_GT(large, 10);
  EXPECT_GT(either_model, 100);
  EXPECT_LE(*durations.begin(), Days(28));
  EXPECT_GE(*durations.rbegin(), Days(365));
  EXPECT_GT(merits.size(), 200U);
}

TEST(NationalCall, TheSameSeedGivesTheSameFileAndAnotherSeedAnother) {
  EXPECT_EQ(FormatNationalCall(MakeNationalCall(7)), FormatNationalCall(MakeNationalCall(7)));
  EXPECT_NE(FormatNationalCall(MakeNationalCall(7)), FormatNationalCall(MakeNationalCall(8)));
}

TEST(NationalCall, TheFileInDeployIsWhatTheGeneratorWrites) {
  std::ifstream file("deploy/national-call.yaml", std::ios::binary);
  ASSERT_TRUE(file) << "run the tests in the top folder";
  const std::string checked_in((std::istreambuf_iterator<char>(file)), {});
  // Not EXPECT_EQ: a difference would print the whole file twice.
  EXPECT_TRUE(checked_in == FormatNationalCall(MakeNationalCall(kNationalCallSeed)))
      << "run: build/bin/allot-sim national-call --out deploy/national-call.yaml";
}

}  // namespace
}  // namespace allot::sim
