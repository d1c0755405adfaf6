#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

#include "allot/control/identity.h"
#include "allot/control/shared_commit.h"
#include "allot/control/watch.h"
#include "control/world.h"

namespace allot::control {
namespace {

class SubmitTogetherTest : public World {
 protected:
  static Call CallOf(const std::string& institute, const std::string& request_id,
                     const std::string& body = "body") {
    return {.principal = Member(institute),
            .request_id = request_id,
            .body_sha256 = Sha256Hex(body),
            .validate_only = false};
  }
  PreparedSubmissions Prepared(const Call& call, const Submission& submission) {
    return Must(Prepare(*context, call, {submission}));
  }
  Revision Present() { return Must(PresentRevision(*context, Operator())); }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    for (const auto& one : Must(ListAllocations(*context, Operator(), {}, {})).items) {
      names.push_back(one.id.str());
    }
    return names;
  }
};

TEST_F(SubmitTogetherTest, EachIsAnsweredAsIfItHadComeAloneAndAllShareACommit) {
  Must(Submit(*context, CallOf("snu", "done before"), Ask("snu", "old", 1, Hours(1))));
  const Revision before = Present();
  const std::vector<PreparedSubmissions> calls = {
      Prepared(CallOf("snu", "r1"), Ask("snu", "a", 1, Hours(1))),
      Prepared(CallOf("snu", "done before"), Ask("snu", "old", 1, Hours(1))),
      Prepared(CallOf("snu", "done before", "other"), Ask("snu", "b", 1, Hours(1))),
      Prepared(CallOf("kist", "r1"), Ask("kist", "a", 1, Hours(1))),
      Prepared(CallOf("snu", "r2"), Ask("snu", "a", 1, Hours(1))),
      Prepared(CallOf("snu", "r1"), Ask("snu", "a", 1, Hours(1))),
      Prepared(CallOf("snu", "r1", "other"), Ask("snu", "c", 1, Hours(1))),
      Prepared(CallOf("snu", "r3"), Ask("snu", "too large", 5, Hours(1)))};
  const auto answers = SubmitTogether(*context, calls);
  ASSERT_EQ(answers.size(), calls.size());
  EXPECT_EQ(answers[0].value().front().id.str(), "snu/p/a");
  EXPECT_EQ(answers[1].value().front().id.str(), "snu/p/old");
  EXPECT_EQ(ReasonOf(answers[2]), Reason::kRequestIdReused);
  EXPECT_EQ(answers[3].value().front().id.str(), "kist/p/a");
  EXPECT_EQ(ReasonOf(answers[4]), Reason::kAlreadyExists) << "the first of them took the name";
  EXPECT_EQ(answers[5].value(), answers[0].value()) << "the same call, twice in one commit";
  EXPECT_EQ(ReasonOf(answers[6]), Reason::kRequestIdReused);
  EXPECT_EQ(ReasonOf(answers[7]), Reason::kLargerThanPool);
  EXPECT_EQ(Present(), before + 1);
  EXPECT_THAT(Names(), ::testing::ElementsAre("kist/p/a", "snu/p/a", "snu/p/old"));
  EXPECT_EQ(SubmitTogether(*context, calls)[0].value(), answers[0].value());
  EXPECT_EQ(Present(), before + 1) << "all of it was done";
}

/// Two that ask for the same with one request id, both of which looked before either was done: the
/// first is being made durable when the second comes, by this server or another.
TEST_F(SubmitTogetherTest, WhatIsOnRecordDecidesWhoseTheRequestIdIs) {
  const auto first = Prepared(CallOf("snu", "r1"), Ask("snu", "a", 1, Hours(1)));
  EXPECT_TRUE(SubmitTogether(*context, std::span(&first, 1)).front().ok());
  Call other = CallOf("snu", "r1");
  other.body_sha256 = std::string(64, 'f');
  const std::vector<PreparedSubmissions> both = {Prepared(other, Ask("snu", "b", 1, Hours(1))),
                                                 first};
  const auto answers = SubmitTogether(*context, both);
  EXPECT_EQ(ReasonOf(answers[0]), Reason::kRequestIdReused);
  ASSERT_TRUE(answers[1].ok());
  EXPECT_EQ(answers[1]->front().id.str(), "snu/p/a");
}

TEST_F(SubmitTogetherTest, WhoIsRefusedLeavesItsRequestIdToOthers) {
  const auto too_large = Prepared(CallOf("snu", "r1", "large"), Ask("snu", "a", 5, Hours(1)));
  const auto small = Prepared(CallOf("snu", "r1", "small"), Ask("snu", "b", 1, Hours(1)));
  const std::vector<PreparedSubmissions> calls = {too_large, small, too_large, small};
  const auto answers = SubmitTogether(*context, calls);
  EXPECT_EQ(ReasonOf(answers[0]), Reason::kLargerThanPool);
  ASSERT_TRUE(answers[1].ok()) << "as if it had come alone, behind the first";
  EXPECT_EQ(answers[1]->front().id.str(), "snu/p/b");
  EXPECT_EQ(ReasonOf(answers[2]), Reason::kRequestIdReused);
  EXPECT_EQ(answers[3].value(), answers[1].value());
}

class RepeatedAtOnce : public SubmitTogetherTest {
 protected:
  void SetUp() override {
    if (std::getenv(kStoreVariable) != nullptr) {
      GTEST_SKIP() << "in memory transactions come one after the other";
    }
    SubmitTogetherTest::SetUp();
  }

  /// Runs it twice while the project is locked, until both wait for it.
  template <class Ask>
  auto Twice(Ask ask) {
    std::vector<std::future<decltype(ask())>> answers;
    Must(store->Transact<bool>(
        store::Access::kWrite, store::Scope::Everything(), [&](store::Tx& tx) -> Result<bool> {
          ALLOT_ASSIGN_OR_RETURN(const auto locked, tx.LockProject(ProjectId("snu/p")));
          EXPECT_TRUE(locked.has_value());
          for (int i = 0; i < 2; ++i) answers.push_back(std::async(std::launch::async, ask));
          while (testing::WaitingForLocks(database_url) < 2) {
          }
          return true;
        }));
    std::vector<decltype(ask())> both;
    for (auto& answer : answers) both.push_back(answer.get());
    return both;
  }
};

TEST_F(RepeatedAtOnce, ASubmissionIsAnsweredAsTheFirstWas) {
  SetQuota("snu/p", 8, 8);
  const auto call = Prepared(CallOf("snu", "r1"), Ask("snu", "a", 1, Hours(1)));
  const auto both = Twice([&] { return SubmitTogether(*context, std::span(&call, 1)).front(); });
  EXPECT_EQ(both[0].value(), both[1].value());
  EXPECT_THAT(Names(), ::testing::ElementsAre("snu/p/a"));
}

TEST_F(RepeatedAtOnce, AChangeOfWhatWasLookedAtIsAnsweredAsTheFirstWas) {
  const Project project = Must(GetProject(*context, Operator(), ProjectId("snu/p")));
  Call call = CallOf("snu", "r1");
  call.principal = Operator();
  const auto both = Twice([&] {
    return UpdateProject(*context, call,
                         {.id = project.id,
                          .version = project.version,
                          .display_name = std::nullopt,
                          .open = std::nullopt,
                          .merit = 900,
                          .reason = "panel"});
  });
  EXPECT_EQ(Must(both[0]), Must(both[1]));
}

TEST_F(SubmitTogetherTest, WhatOneLeavesOfABudgetIsWhatTheNextFinds) {
  QuotaUpdate update{.reason = "call"};
  update.project = ProjectId("snu/p");
  update.gpu_time = *GpuSeconds::Of(8, Hours(3));
  Must(UpdateQuota(*context, As(Operator()), update));
  std::vector<PreparedSubmissions> calls;
  for (const char* name : {"a", "b", "c", "d"}) {
    calls.push_back(Prepared(CallOf("snu", name), Ask("snu", name, 1, Hours(1))));
  }
  calls.push_back(Prepared(CallOf("snu", "e"), Ask("snu", "e", 1, Minutes(30))));
  const auto answers = SubmitTogether(*context, calls);
  EXPECT_TRUE(answers[2].ok());
  EXPECT_EQ(ReasonOf(answers[3]), Reason::kGpuHoursExhausted);
  EXPECT_EQ(ReasonOf(answers[4]), Reason::kGpuHoursExhausted);
}

TEST_F(SubmitTogetherTest, OneThatIsRefusedTakesNothingFromTheBudget) {
  QuotaUpdate update{.reason = "call"};
  update.project = ProjectId("snu/p");
  update.gpu_time = *GpuSeconds::Of(8, Hours(3));
  Must(UpdateQuota(*context, As(Operator()), update));
  const std::vector<PreparedSubmissions> calls = {
      Must(Prepare(*context, CallOf("snu", "r1"),
                   {Ask("snu", "a", 1, Hours(2)), Ask("snu", "b", 1, Hours(2))})),
      Prepared(CallOf("snu", "r2"), Ask("snu", "a", 1, Hours(3)))};
  const auto answers = SubmitTogether(*context, calls);
  EXPECT_EQ(ReasonOf(answers[0]), Reason::kGpuHoursExhausted);
  EXPECT_EQ(answers[1].value().front().id.str(), "snu/p/a");
}

TEST_F(SubmitTogetherTest, WhatTheStoreCannotTakeOfOneCostsTheOthersNothing) {
  Submission unstorable = Ask("snu", "bad", 1, Hours(1));
  unstorable.display_name = std::string("a\0b", 3);
  const std::vector<PreparedSubmissions> calls = {
      Prepared(CallOf("snu", "r1"), Ask("snu", "a", 1, Hours(1))),
      Prepared(CallOf("snu", "r2"), unstorable),
      Prepared(CallOf("kist", "r3"), Ask("kist", "b", 1, Hours(1)))};
  const auto answers = SubmitTogether(*context, calls);
  EXPECT_TRUE(answers[0].ok());
  EXPECT_FALSE(answers[1].ok());
  EXPECT_TRUE(answers[2].ok());
  EXPECT_THAT(Names(), ::testing::ElementsAre("kist/p/b", "snu/p/a"));
}

TEST_F(SubmitTogetherTest, WhoComesTogetherSharesCommitsAndEverybodyIsAnswered) {
  constexpr int kCalls = 200;
  const Revision before = Present();
  std::mutex mutex;
  std::condition_variable answered;
  int made = 0;
  {
    SharedCommit shared(*context, {.calls_max = 1024, .calls_a_party_max = 1024});
    for (int i = 0; i < kCalls; ++i) {
      const std::string id = "a" + std::to_string(i);
      const auto taken =
          shared.Submit("snu", Prepared(CallOf("snu", id), Ask("snu", id, 1, Minutes(1))),
                        [&](const Submitted& answer) {
                          const std::lock_guard lock(mutex);
                          made += answer.ok() ? 1 : 0;
                          answered.notify_one();
                        });
      ASSERT_EQ(taken, QueueVerdict::kTaken);
    }
  }
  EXPECT_EQ(made, kCalls) << "Stop answers all that wait";
  EXPECT_EQ(Names().size(), 100U) << "the first page";
  EXPECT_LT(Present() - before, kCalls / 2);
}

/// A store that hangs until it is let go, and then is not there.
class HangingStore final : public store::Store {
 public:
  void OnCommit(std::function<void(Revision)>) override {}
  std::atomic<int> runs = 0;
  std::promise<void> begun;
  std::promise<void> let_go;

 protected:
  Status Run(store::Access, const store::Scope&,
             const std::function<Status(store::Tx&)>&) override {
    if (++runs == 1) {
      begun.set_value();
      let_go.get_future().wait();
    }
    return StateError(Reason::kStoreUnavailable, "");
  }
};

TEST_F(SubmitTogetherTest, WhoStopsWithoutAStoreAnswersAllThatWaitAtOnce) {
  HangingStore hanging;
  const Context without{hanging, clock, ids, policies};
  SharedCommit shared(without, {.allocations_max = 1});
  int refused = 0;
  for (int i = 0; i < 10; ++i) {
    const std::string id = "a" + std::to_string(i);
    shared.Submit("snu", Prepared(CallOf("snu", id), Ask("snu", id, 1, Minutes(1))),
                  [&](const Submitted& answer) {
                    if (ReasonOf(answer) == Reason::kStoreUnavailable) ++refused;
                  });
  }
  hanging.begun.get_future().wait();
  std::thread stopping([&] { shared.Stop(); });
  // Whoever comes now is told that it stops: so it knows.
  const auto late = Prepared(CallOf("snu", "z"), Ask("snu", "z", 1, Minutes(1)));
  while (shared.Submit("z", late, [](const Submitted&) {}) != QueueVerdict::kStopped) {
  }
  hanging.let_go.set_value();
  stopping.join();
  EXPECT_EQ(refused, 10);
  EXPECT_EQ(hanging.runs, 1);
}

TEST_F(SubmitTogetherTest, AFullLineIsRefusedAndAnothersIsNot) {
  SharedCommit shared(*context, {.calls_max = 1024, .calls_a_party_max = 1});
  const auto nothing = [](const Submitted&) {};
  int refused = 0;
  for (int i = 0; i < 50; ++i) {
    const std::string id = "a" + std::to_string(i);
    const auto verdict =
        shared.Submit("snu", Prepared(CallOf("snu", id), Ask("snu", id, 1, Minutes(1))), nothing);
    if (verdict == QueueVerdict::kLineFull) ++refused;
  }
  EXPECT_GT(refused, 0);
  shared.Stop();
  EXPECT_EQ(
      shared.Submit("snu", Prepared(CallOf("snu", "z"), Ask("snu", "z", 1, Minutes(1))), nothing),
      QueueVerdict::kStopped);
}

}  // namespace
}  // namespace allot::control
