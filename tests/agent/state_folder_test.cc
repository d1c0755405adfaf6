#include "allot/agent/state_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "agent/enactment_file.h"
#include "support/temp_dir.h"

namespace allot::agent {
namespace {

using ::testing::HasSubstr;

const ProviderId kProvider("naver");
const ClusterId kCluster("naver-a");

Enactment MakeEnactment(const std::string& allocation, int attempt) {
  return {.allocation = AllocationId(allocation),
          .attempt = attempt,
          .state = EnactmentState::kProvisioned,
          .epoch = 7,
          .order = OrderId("o1"),
          .nodes = {{NodeId("naver-a/n1"), 0xff}, {NodeId("naver-a/n2"), 0x81}},
          .window = *TimeWindow::Make(Instant::FromSeconds(1'000), Instant::FromSeconds(4'600)),
          .update_time = Instant{1'234'567},
          .message = "so \"it\" is\n"};
}

Result<std::unique_ptr<StateFolder>> Open(const testing::TempDir& temp) {
  return StateFolder::Open({temp / "state", {}}, kProvider, kCluster);
}

TEST(StateFolder, FindsWhatWasWrittenAfterARestart) {
  const testing::TempDir temp;
  const Enactment first = MakeEnactment("snu/llm/train", 1);
  const Enactment tenth = MakeEnactment("snu/llm/train", 10);
  {
    const auto state = Open(temp);
    ASSERT_TRUE(state.ok()) << Describe(state.error());
    ASSERT_TRUE((*state)->Write(tenth).ok());
    ASSERT_TRUE((*state)->Write(first).ok());
  }
  const auto state = Open(temp);
  ASSERT_TRUE(state.ok()) << Describe(state.error());
  EXPECT_EQ((*state)->Find(first.allocation, 1).value(), first);
  EXPECT_EQ((*state)->Find(first.allocation, 2).value(), std::nullopt);
  EXPECT_EQ((*state)->List()->enactments, (std::vector{first, tenth}));
}

TEST(StateFolder, RemovesWhatEndedBeforeATimeAndNothingElse) {
  const testing::TempDir temp;
  const auto state = Open(temp);
  ASSERT_TRUE(state.ok()) << Describe(state.error());
  const Instant then = MakeEnactment("a/b/c", 1).update_time;
  int attempt = 0;
  for (const auto ended :
       {EnactmentState::kProvisioning, EnactmentState::kProvisioned, EnactmentState::kFailed,
        EnactmentState::kReleasing, EnactmentState::kReleased}) {
    Enactment enactment = MakeEnactment("snu/llm/train", ++attempt);
    enactment.state = ended;
    ASSERT_TRUE((*state)->Write(enactment).ok());
  }
  EXPECT_EQ((*state)->RemoveEndedBefore(then).value(), 0);
  EXPECT_EQ((*state)->RemoveEndedBefore(then + Seconds{1}).value(), 2);
  const auto left = (*state)->List()->enactments;
  ASSERT_EQ(left.size(), 3U);
  EXPECT_EQ(left[0].state, EnactmentState::kProvisioning);
  EXPECT_EQ(left[1].state, EnactmentState::kProvisioned);
  EXPECT_EQ(left[2].state, EnactmentState::kReleasing) << "its GPUs may still be handed over";
}

TEST(StateFolder, KeepsAttemptsApartThatLookAlike) {
  // Names may end in digits and contain dashes, never dots or slashes.
  EXPECT_NE(EnactmentFileName(AllocationId("a/b/c1"), 1),
            EnactmentFileName(AllocationId("a/b/c"), 11));
  EXPECT_NE(EnactmentFileName(AllocationId("a/b-c/d"), 1),
            EnactmentFileName(AllocationId("a-b/c/d"), 1));
}

TEST(StateFolder, GivesAnotherListOfNodesTheNextGeneration) {
  const testing::TempDir temp;
  {
    const auto state = Open(temp);
    ASSERT_TRUE(state.ok());
    EXPECT_EQ((*state)->GenerationOf({"n1", "n2"}).value(), 1);
    EXPECT_EQ((*state)->GenerationOf({"n1", "n2"}).value(), 1);
    EXPECT_EQ((*state)->GenerationOf({"n1"}).value(), 2);
  }
  const auto state = Open(temp);
  ASSERT_TRUE(state.ok());
  EXPECT_EQ((*state)->GenerationOf({"n1"}).value(), 2) << "the same list, after a restart";
  EXPECT_EQ((*state)->GenerationOf({"n1", "n2"}).value(), 3) << "never an old number again";
  ASSERT_TRUE((*state)->RaiseGenerationAbove(9).ok());
  EXPECT_EQ((*state)->GenerationOf({"n1", "n2"}).value(), 10);
  ASSERT_TRUE((*state)->RaiseGenerationAbove(4).ok());
  EXPECT_EQ((*state)->GenerationOf({"n1", "n2"}).value(), 10);
}

TEST(StateFolder, KeepsTheIdOfARegistrationUntilItIsAnswered) {
  const testing::TempDir temp;
  {
    const auto state = Open(temp);
    ASSERT_TRUE(state.ok());
    EXPECT_EQ((*state)->PendingRegistration(), "");
    ASSERT_TRUE((*state)->KeepPendingRegistration("a0001").ok());
  }
  {
    const auto state = Open(temp);
    ASSERT_TRUE(state.ok());
    EXPECT_EQ((*state)->PendingRegistration(), "a0001");
    ASSERT_TRUE((*state)->KeepPendingRegistration("").ok());
    EXPECT_EQ((*state)->PendingRegistration(), "");
    EXPECT_TRUE((*state)->KeepPendingRegistration("").ok()) << "twice is once";
  }
  for (const std::string& damaged : {std::string(), std::string("a b"), std::string(65, 'a')}) {
    std::ofstream(temp / "state/registration") << damaged;
    const auto state = Open(temp);
    ASSERT_TRUE(state.ok());
    EXPECT_EQ((*state)->PendingRegistration(), "") << damaged;
  }
}

TEST(StateFolder, IsRefusedToASecondAgent) {
  const testing::TempDir temp;
  const auto first = Open(temp);
  ASSERT_TRUE(first.ok());
  const auto second = Open(temp);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().reason, Reason::kConfigInvalid);
  EXPECT_THAT(second.error().message, HasSubstr("in use by another agent"));
}

TEST(StateFolder, IsRefusedToAnotherCluster) {
  const testing::TempDir temp;
  ASSERT_TRUE(Open(temp).ok());
  const auto other = StateFolder::Open({temp / "state", {}}, kProvider, ClusterId("naver-b"));
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(other.error().message,
              HasSubstr("belongs to the cluster naver-a of the provider naver"));
}

TEST(StateFolder, IsNotListedForOthers) {
  const testing::TempDir temp;
  ASSERT_TRUE(Open(temp).ok());
  EXPECT_EQ(std::filesystem::status(temp / "state").permissions(), std::filesystem::perms(0700));
}

TEST(StateFolder, RemovesWhatACrashLeftHalfWritten) {
  const testing::TempDir temp;
  ASSERT_TRUE(Open(temp).ok());
  const std::string leftover = temp / "state/enactments/a.b.c.1.json.unfinished";
  std::ofstream(leftover) << "{\"alloc";
  const auto state = Open(temp);
  ASSERT_TRUE(state.ok()) << Describe(state.error());
  EXPECT_FALSE(std::filesystem::exists(leftover));
  EXPECT_TRUE((*state)->List()->enactments.empty());
}

TEST(StateFolder, ThatCannotBeWrittenIsRefused) {
  const testing::TempDir temp;
  std::ofstream(temp / "state") << "a file, not a folder";
  const auto state = Open(temp);
  ASSERT_FALSE(state.ok());
  EXPECT_THAT(state.error().message, HasSubstr("cannot be made"));
}

TEST(StateFolder, TellsAFailedWrite) {
  const testing::TempDir temp;
  const auto state = Open(temp);
  ASSERT_TRUE(state.ok());
  std::filesystem::remove_all(temp / "state/enactments");
  const Status written = (*state)->Write(MakeEnactment("a/b/c", 1));
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().reason, Reason::kStoreUnavailable);
  std::filesystem::remove_all(temp / "state");
  EXPECT_FALSE((*state)->GenerationOf({"n1"}).ok());
}

struct DamageCase {
  std::string name;
  std::string file;
  std::string content;
};

class DamagedRecord : public ::testing::TestWithParam<DamageCase> {};

TEST_P(DamagedRecord, IsToldApartFromTheOthersNamingTheFile) {
  const testing::TempDir temp;
  const Enactment other = MakeEnactment("a/b/c", 2);
  {
    const auto state = Open(temp);
    ASSERT_TRUE(state.ok());
    ASSERT_TRUE((*state)->Write(MakeEnactment("a/b/c", 1)).ok());
    ASSERT_TRUE((*state)->Write(other).ok());
  }
  std::ofstream(temp / ("state/" + GetParam().file)) << GetParam().content;
  const auto state = Open(temp);
  ASSERT_TRUE(state.ok()) << Describe(state.error());
  const auto records = (*state)->List();
  ASSERT_TRUE(records.ok());
  EXPECT_EQ(records->enactments, std::vector{other});
  ASSERT_EQ(records->unreadable.size(), 1U);
  EXPECT_THAT(records->unreadable[0], HasSubstr(GetParam().file + " is damaged: "));
  EXPECT_FALSE((*state)->Find(AllocationId("a/b/c"), 1).ok()) << "it is not as if there were none";
  EXPECT_EQ((*state)->RemoveEndedBefore(Instant::FromSeconds(1'000'000)).value(), 0);
  EXPECT_TRUE(std::filesystem::exists(temp / ("state/" + GetParam().file)));
}

class DamagedStateFolder : public ::testing::TestWithParam<DamageCase> {};

TEST_P(DamagedStateFolder, IsRefusedAtTheStartSayingWhatToDo) {
  const testing::TempDir temp;
  {
    const auto state = Open(temp);
    ASSERT_TRUE(state.ok());
    ASSERT_TRUE((*state)->GenerationOf({"n1"}).ok());
  }
  const std::string path = temp / ("state/" + GetParam().file);
  std::ofstream(path) << GetParam().content;
  const auto state = Open(temp);
  ASSERT_FALSE(state.ok());
  EXPECT_EQ(state.error().reason, Reason::kConfigInvalid);
  EXPECT_THAT(state.error().message, HasSubstr("damaged"));
  EXPECT_THAT(state.error().message, HasSubstr(GetParam().file));
  EXPECT_THAT(state.error().message, HasSubstr("out of"));
  std::filesystem::remove(path);
  EXPECT_TRUE(Open(temp).ok());
}

std::string RecordWith(const std::string& from, const std::string& to) {
  std::string text = RenderEnactment(MakeEnactment("a/b/c", 1));
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::vector<DamageCase> DamagedRecords() {
  const std::string record = "enactments/a.b.c.1.json";
  return {
      {"EmptyRecord", record, ""},
      {"RecordCutShort", record, RenderEnactment(MakeEnactment("a/b/c", 1)).substr(0, 60)},
      {"RecordAList", record, "[]"},
      {"UnknownState", record, RecordWith("provisioned", "provided")},
      {"ForeignAllocation", record, RecordWith("a/b/c", "../../etc")},
      {"AttemptZero", record, RecordWith("\"attempt\": 1", "\"attempt\": 0")},
      {"EpochText", record, RecordWith("\"epoch\": 7", "\"epoch\": \"7\"")},
      {"NoOrder", record, RecordWith("\"order\"", "\"ordr\"")},
      {"NoTime", record, RecordWith("1970-01-01T00:16:40Z", "yesterday")},
      {"WindowBackwards", record, RecordWith("1970-01-01T01:16:40Z", "1970-01-01T00:00:00Z")},
      {"GpuNine", record, RecordWith("gpus\": [", "gpus\": [9,")},
      {"RecordOfAnother", record, RecordWith("a/b/c", "a/b/d")},
  };
}

std::vector<DamageCase> DamagedFolders() {
  return {
      {"Inventory", "inventory.json", "{\"generation\": \"1\"}"},
      {"InventoryOfNumbers", "inventory.json", "{\"generation\": 1, \"nodes\": [1]}"},
      {"InventoryBelowZero", "inventory.json", "{\"generation\": -1, \"nodes\": []}"},
      {"InventoryBeyondCounting", "inventory.json",
       "{\"generation\": 18446744073709551615, \"nodes\": []}"},
      {"Cluster", "cluster.json", "naver"},
  };
}

INSTANTIATE_TEST_SUITE_P(Cases, DamagedRecord, ::testing::ValuesIn(DamagedRecords()),
                         [](const auto& tested) { return tested.param.name; });
INSTANTIATE_TEST_SUITE_P(Cases, DamagedStateFolder, ::testing::ValuesIn(DamagedFolders()),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace allot::agent
