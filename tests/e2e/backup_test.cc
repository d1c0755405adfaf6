// Real programs: a backup is made while the service is used, everything is killed, and it is
// restored to a moment. What was acknowledged by then is there and nothing of after it counts;
// agents come back by themselves, and the service goes on.

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/backup_nation.h"

namespace allot::testing {
namespace {

using ::testing::HasSubstr;

TEST_F(BackupTest, RestoredToAMomentTheServiceGoesOnFromThere) {
  nation_.RegisterSmallNation();
  const auto agent = nation_.StartAgent("naver-a");
  Submit("early", "8");

  // Under load, elsewhere.
  const auto other = nation_.StartAgent("kakao-a");
  const std::string file = backups_ / "many.yaml";
  for (int i = 0; i < 100; ++i) {
    std::ofstream(file, std::ios::app) << "--- {kind: Allocation, id: kaist/vision/a" << i
                                       << ", gpus: 1, models: [B200], duration: 1d}\n";
  }
  const auto load = nation_.StartAllot({"apply", "-f", file});
  const Ended backup = Backup();
  ASSERT_EQ(backup.exit_code, 0) << backup.err;
  EXPECT_EQ(load->Wait().exit_code, 0);

  Submit("first", "8");
  const std::string moment = NowText();
  Submit("second", "8");
  ASSERT_EQ(nation_.Allot({"release", "snu/llm/early", "--reason", "done", "--wait"}).exit_code, 0);
  const std::string lost_revision = NewestRevision();
  AwaitArchived();
  KillAll();

  const std::string data_dir = restored_ / "data";
  const Ended restore = Restore(data_dir, {"--to-time", moment});
  ASSERT_EQ(restore.exit_code, 0) << restore.err;
  EXPECT_THAT(restore.out, HasSubstr("restored " + fs::path(BackupPath()).filename().string()));
  nation_.MoveTo(data_dir);
  nation_.StartServer();

  EXPECT_TRUE(IsThere("first"));
  EXPECT_FALSE(IsThere("second"));
  EXPECT_EQ(nation_.AllotJson({"list", "kaist/vision"})["allocations"].size(), 100U);
  EXPECT_EQ(nation_.StateOf("snu/llm/early"), "active") << "its release is lost";

  // The agent, which nobody touched, registers anew and hands over again what it had taken back.
  ASSERT_TRUE(agent->AwaitErr(R"("message":"registered")")) << agent->err();
  ASSERT_TRUE(agent->AwaitErr(R"("allocation":"snu/llm/early")")) << agent->err();
  EXPECT_TRUE(AwaitFile(nation_.AgentState("naver-a") + "/enactments", "\"provisioned\""));

  // What is needed of the GPUs that the second has, which the pool knows nothing of.
  Submit("third", "16");
  EXPECT_THAT(agent->err(), HasSubstr("taken back what was handed over before"));
  EXPECT_THAT(agent->err(), HasSubstr(R"("allocation":"snu/llm/second")"));

  // Who follows from a revision of before is told to list again.
  const Ended watch =
      nation_.Allot({"watch", "snu/llm", "--from-revision", lost_revision, "--count", "1"});
  EXPECT_NE(watch.exit_code, 0);
  EXPECT_THAT(watch.err, HasSubstr("revision_out_of_range"));

  const Ended verify = Allotd({"verify", "--data-dir", nation_.data_dir(), "--json"});
  EXPECT_EQ(verify.exit_code, 0) << verify.out;
  EXPECT_EQ(Json(verify.out)["clean"], true);
  EXPECT_EQ(nation_.Allot({"audit", "verify"}).exit_code, 0);
}

TEST_F(BackupTest, ARevisionIsAMomentToo) {
  nation_.RegisterSmallNation();
  const auto agent = nation_.StartAgent("naver-a");
  ASSERT_EQ(Backup().exit_code, 0);
  const auto submit = [&](const std::string& name) {
    ASSERT_EQ(nation_.Allot({"submit", "snu/llm", "--name", name, "--gpus", "8", "--for", "1d"})
                  .exit_code,
              0);
  };
  submit("first");
  const std::string revision =
      Ask("SELECT min(revision) FROM events WHERE resource = 'snu/llm/first'");
  submit("second");
  AwaitArchived();
  ASSERT_EQ(nation_.server().Terminate().exit_code, 0);

  const Ended late = Restore(restored_ / "late", {"--to-revision", "999999999"});
  EXPECT_EQ(late.exit_code, 2);
  EXPECT_THAT(late.err, HasSubstr("expected 1 to "));
  for (const std::string none : {"-1", "0", "00", "soon"}) {
    const Ended refused = Restore(restored_ / "late", {"--to-revision", none});
    EXPECT_EQ(refused.exit_code, 2) << none;
    EXPECT_THAT(refused.err, HasSubstr("'" + none + "': expected a revision, 1 or more"));
  }

  const Ended restore = Restore(restored_ / "data", {"--to-revision", revision});
  ASSERT_EQ(restore.exit_code, 0) << restore.err;
  EXPECT_THAT(restore.out, HasSubstr("to revision " + revision));
  nation_.MoveTo(restored_ / "data");
  nation_.StartServer();
  EXPECT_TRUE(IsThere("first"));
  EXPECT_FALSE(IsThere("second"));

  // Its log is archived beside that of before, and a second restore goes on from it.
  submit("third");
  AwaitArchived();
  ASSERT_EQ(nation_.server().Terminate().exit_code, 0);
  const Ended again = Restore(restored_ / "again");
  ASSERT_EQ(again.exit_code, 0) << again.err;
  nation_.MoveTo(restored_ / "again");
  nation_.StartServer();
  EXPECT_TRUE(IsThere("third"));
  EXPECT_FALSE(IsThere("second"));
}

TEST_F(BackupTest, WhatCannotBeRestoredIsRefusedAndSaysWhatThereIs) {
  nation_.RegisterSmallNation();
  const auto agent = nation_.StartAgent("naver-a");
  const std::string before = NowText();
  ASSERT_EQ(Backup().exit_code, 0);
  const std::string moment = NowText();
  for (int segment = 0; segment < 3; ++segment) {
    ASSERT_EQ(nation_.Allot({"submit", "snu/llm", "--gpus", "8", "--for", "1d"}).exit_code, 0);
    AwaitArchived();
  }
  ASSERT_EQ(nation_.server().Terminate().exit_code, 0);
  ASSERT_EQ(Allotd({"verify", "--backup", folder()}).exit_code, 0);

  const std::string data_dir = restored_ / "data";
  const auto refused = [&](std::vector<std::string> more, const std::string& says) {
    SCOPED_TRACE(says);
    const Ended ended = Restore(data_dir, std::move(more));
    EXPECT_EQ(ended.exit_code, 1) << ended.out;
    EXPECT_THAT(ended.err, HasSubstr(says));
    EXPECT_FALSE(fs::exists(data_dir)) << "nothing is left of it";
  };
  refused({"--to-time", before}, "is too early: the first backup can be restored to 20");
  refused({"--to-time", "2199-01-01T00:00:00Z"}, "What there is goes from 20");
  refused({"--to-revision", "1"}, "is too early");
  EXPECT_EQ(Restore(data_dir, {"--to-time", "yesterday"}).exit_code, 2);

  // A folder that somebody uses.
  const std::string used = restored_ / "used";
  fs::create_directory(used);
  std::ofstream(used + "/notes") << "mine";
  const Ended in_use = Restore(used);
  EXPECT_EQ(in_use.exit_code, 1);
  EXPECT_THAT(in_use.err, HasSubstr("is not empty"));

  // The backup of a release to come.
  const std::string metadata = BackupPath() + "/backup.json";
  std::string text;
  {
    std::ifstream stream(metadata);
    text = {std::istreambuf_iterator<char>(stream), {}};
  }
  auto newer = nlohmann::ordered_json::parse(text);
  newer["schema"] = 9999;
  std::ofstream(metadata) << newer;
  refused({}, "database_newer");
  std::ofstream(metadata) << text.substr(0, text.size() / 2);
  refused({}, "is damaged");
  std::ofstream(metadata) << text;

  // A segment of the log that is not there, and one that is damaged.
  std::vector<fs::path> segments;
  for (const auto& entry : fs::directory_iterator(folder() + "/wal")) {
    if (entry.path().filename().string().size() == 27) segments.push_back(entry.path());
  }
  std::sort(segments.begin(), segments.end());
  ASSERT_GE(segments.size(), 3U);
  const fs::path middle = segments[segments.size() - 2];
  const fs::path kept = restored_ / "kept";
  fs::copy_file(middle, kept);
  fs::remove(middle);
  refused({}, middle.filename().string() + " is missing");
  refused({"--to-time", "2199-01-01T00:00:00Z"}, middle.filename().string() + " is missing");
  const Ended gap = Allotd({"verify", "--backup", folder(), "--json"});
  EXPECT_EQ(gap.exit_code, 1);
  EXPECT_THAT(gap.out, HasSubstr(middle.filename().string() + " is missing"));
  std::ofstream(middle) << "not compressed";
  chmod(middle.c_str(), 0644);
  refused({}, middle.filename().string() + " cannot be unpacked (not in gzip format)");
  fs::copy_file(kept, middle, fs::copy_options::overwrite_existing);
  chmod(middle.c_str(), 0644);

  // One byte of one file of the copy.
  const std::string control = BackupPath() + "/data/global/pg_control";
  std::fstream file(control, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(200);
  const char byte = static_cast<char>(file.get());
  const auto flip = [&](char value) {
    file.seekp(200);
    file.put(value);
    file.flush();
  };
  flip(static_cast<char>(byte ^ 1));
  refused({"--to-time", moment}, "pg_control");
  EXPECT_EQ(Allotd({"verify", "--backup", folder()}).exit_code, 1);
  flip(byte);

  // All is as it was: nothing above has changed the backup.
  const Ended restore = Restore(data_dir);
  EXPECT_EQ(restore.exit_code, 0) << restore.err;
}

TEST_F(BackupTest, OldOnesGoWhenANewOneIsWholeAndWithThemTheLogThatNobodyNeeds) {
  nation_.RegisterSmallNation();
  const auto agent = nation_.StartAgent("naver-a");
  ASSERT_EQ(Backup().exit_code, 0);
  AwaitArchived();
  const std::string first = BackupPath();
  const std::string needed_by_the_first = folder() + "/wal/" + FirstSegment();
  // A backup that does not come about takes nothing away.
  const Ended failed = Allotd({"backup", "--database", "postgresql:///none?host=%2Fnowhere", "--to",
                               folder(), "--keep", "1"});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_TRUE(fs::exists(first));
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(nation_.Allot({"submit", "snu/llm", "--gpus", "1", "--for", "1d"}).exit_code, 0);
    AwaitArchived();
  }
  EXPECT_TRUE(fs::exists(needed_by_the_first));
  const Ended kept = Backup({"--keep", "1"});
  ASSERT_EQ(kept.exit_code, 0) << kept.err;
  EXPECT_FALSE(fs::exists(first));
  EXPECT_EQ(kept.out, BackupPath() + "\n");
  EXPECT_FALSE(fs::exists(needed_by_the_first));
}

}  // namespace
}  // namespace allot::testing
