#include <atomic>
#include <deque>
#include <memory>
#include <thread>

#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <pqxx/pqxx>

#include "rpc/api_fixture.h"

namespace allot::rpc {
namespace {

class WatchTest : public Api {
 protected:
  void SetUp() override {
    Api::SetUp();
    options_.watch_progress_ms = 50;
  }

  void Begin() {
    Serve();
    AddPool();
    AddTenant("snu");
    AddTenant("kist");
    member_ = MemberKey("snu");
  }

  /// An open watch and what came from it.
  struct Watch {
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientReader<v1::WatchAllocationsResponse>> reader;
    /// Came, but NextChange did not hand them out yet.
    std::deque<v1::AllocationChange> ahead;

    v1::WatchAllocationsResponse Next() {
      v1::WatchAllocationsResponse message;
      EXPECT_TRUE(reader->Read(&message)) << "the watch ended";
      return message;
    }
    v1::AllocationChange NextChange() {
      while (ahead.empty()) {
        const auto message = Next();
        ahead.insert(ahead.end(), message.changes().begin(), message.changes().end());
        if (::testing::Test::HasFailure()) return {};
      }
      auto change = ahead.front();
      ahead.pop_front();
      return change;
    }
    /// Reads to the end.
    grpc::Status End() {
      v1::WatchAllocationsResponse message;
      while (reader->Read(&message)) {
      }
      return reader->Finish();
    }
  };

  Watch Open(const std::string& key, const std::string& request,
             std::chrono::seconds patience = kPatience) {
    Watch watch;
    watch.context = As(key);
    watch.context->set_deadline(std::chrono::system_clock::now() + patience);
    watch.reader = v1::AllocationService::Stub(channel_).WatchAllocations(
        watch.context.get(), Text<v1::WatchAllocationsRequest>(request));
    return watch;
  }
  /// Whether the server ended a watch as one that takes more than it may.
  bool WatchWasRefused() const {
    const std::string metrics =
        prometheus::TextSerializer().Serialize(options_.registry->Collect());
    return metrics.find(
               "allot_rpc_calls_total{code=\"RESOURCE_EXHAUSTED\",method=\"allot.v1."
               "AllocationService/WatchAllocations\"}") != std::string::npos;
  }
  int OpenWatches() const {
    const std::string name = "\nallot_rpc_watches ";
    const std::string metrics =
        prometheus::TextSerializer().Serialize(options_.registry->Collect());
    const std::size_t at = metrics.find(name);
    return at == std::string::npos ? 0 : std::stoi(metrics.substr(at + name.size()));
  }
  /// As if so much had happened to nodes, in a revision each.
  void PassRevisions(int count) {
    pqxx::connection connection(database_);
    pqxx::work work(connection);
    const std::string revisions = std::to_string(count);
    work.exec(
        "INSERT INTO events (revision, kind, resource, event_time)"
        " SELECT value + i, 'node', 'n1', now() FROM revision, generate_series(1, " +
        revisions + ") i");
    work.exec("UPDATE revision SET value = value + " + revisions);
    work.commit();
  }
  void Submit(const std::string& institute, const std::string& id) {
    EXPECT_EQ(ReasonOf(Call<v1::AllocationService>(operator_key_, &Allocations::CreateAllocation,
                                                   CreateText(institute, id))),
              "OK");
  }

  std::string member_;
};

TEST_F(WatchTest, SaysWhereItBeginsThenEveryChangeOfTheOwnInstitute) {
  Begin();
  auto watch = Open(member_, "parent: 'institutes/-/projects/-'");
  const auto first = watch.Next();
  EXPECT_EQ(first.changes_size(), 0);
  EXPECT_GT(first.resume_revision(), 0);

  Submit("kist", "hidden");
  Submit("snu", "a1");
  const auto change = watch.NextChange();
  EXPECT_EQ(change.allocation().name(), "institutes/snu/projects/p/allocations/a1");
  EXPECT_EQ(change.state(), v1::Allocation::STATE_PENDING);
  EXPECT_GT(change.revision(), first.resume_revision());

  Schedule();
  EXPECT_EQ(watch.NextChange().state(), v1::Allocation::STATE_PROVISIONING);
}

TEST_F(WatchTest, EveryChangeKeepsTheWordsOfItsTime) {
  Begin();
  Submit("snu", "a1");
  Schedule();
  // Both happened before anybody watched: the allocation itself says only the last.
  auto watch = Open(member_, "parent: 'institutes/-/projects/-' after_revision: 0");
  const auto first = watch.NextChange();
  EXPECT_EQ(first.message(), "waits for the next scheduling pass");
  EXPECT_EQ(first.allocation().state(), v1::Allocation::STATE_PROVISIONING);
  const auto second = watch.NextChange();
  EXPECT_EQ(second.state(), v1::Allocation::STATE_PROVISIONING);
  EXPECT_EQ(second.message(), second.allocation().message());
}

TEST_F(WatchTest, ResumesAfterARevisionWithoutALoss) {
  Begin();
  Submit("snu", "a1");
  auto first = Open(member_, "parent: 'institutes/snu/projects/p' after_revision: 0");
  int64_t resume = 0;
  for (;;) {
    const auto message = first.Next();
    resume = message.resume_revision();
    if (message.changes_size() > 0) break;
  }
  first.context->TryCancel();
  first.End();
  Submit("snu", "a2");
  auto second = Open(
      member_, "parent: 'institutes/snu/projects/p' after_revision: " + std::to_string(resume));
  EXPECT_EQ(second.NextChange().allocation().name(), "institutes/snu/projects/p/allocations/a2");
}

TEST_F(WatchTest, FindsAChangeBehindThousandsOfOthers) {
  Begin();
  // Each inventory renames every node: two events a node and nothing about allocations.
  for (int generation = 2; generation <= 4; ++generation) {
    std::string nodes = "generation: " + std::to_string(generation);
    for (int i = 0; i < 600; ++i) {
      nodes +=
          " nodes { node_id: 'g" + std::to_string(generation) + "-" + std::to_string(i) + "' }";
    }
    ASSERT_EQ(
        ReasonOf(Call<v1::ProviderService>(agent_key_, &Agents::SyncInventory, InSession(nodes))),
        "OK");
  }
  Submit("snu", "a1");
  auto watch = Open(operator_key_, "parent: 'institutes/-/projects/-' after_revision: 0");
  EXPECT_EQ(watch.NextChange().allocation().name(), "institutes/snu/projects/p/allocations/a1");
}

TEST_F(WatchTest, WhoIsFarBehindWaitsForTheOthers) {
  options_.watch_threads = 1;
  Begin();
  PassRevisions(200'000);
  auto far_behind = Open(operator_key_, "parent: 'institutes/-/projects/-' after_revision: 0");
  auto present = Open(member_, "parent: 'institutes/snu/projects/p'");
  present.Next();
  std::atomic<bool> arrived = false;
  std::thread reader([&] {
    EXPECT_EQ(far_behind.NextChange().allocation().name(),
              "institutes/snu/projects/p/allocations/a1");
    arrived = true;
  });
  Submit("snu", "a1");
  present.NextChange();
  EXPECT_FALSE(arrived) << "it was told first, after all that there was before";
  reader.join();
}

TEST_F(WatchTest, GivesSignsOfLifeWithoutNews) {
  Begin();
  auto watch = Open(member_, "parent: 'institutes/snu/projects/-'");
  const auto revision = watch.Next().resume_revision();
  for (int i = 0; i < 2; ++i) {
    const auto sign = watch.Next();
    EXPECT_EQ(sign.changes_size(), 0);
    EXPECT_GE(sign.resume_revision(), revision);
  }
}

TEST_F(WatchTest, ARevisionOfTheFutureIsRefused) {
  Begin();
  for (const char* revision : {"-1", "9223372036854775807"}) {
    auto watch = Open(
        member_, std::string("parent: 'institutes/snu/projects/-' after_revision: ") + revision);
    EXPECT_EQ(ReasonOf(watch.End()), "REVISION_OUT_OF_RANGE");
  }
}

TEST_F(WatchTest, EndsWhenItsKeyIsRevoked) {
  Begin();
  v1::CreateApiKeyResponse created;
  Call<v1::OperatorService>(operator_key_, &Operators::CreateApiKey,
                            "api_key { role: ROLE_AUDITOR }", &created);
  auto watch = Open(created.secret(), "parent: 'institutes/-/projects/-'");
  watch.Next();
  Call<v1::OperatorService>(operator_key_, &Operators::RevokeApiKey,
                            "name: '" + created.api_key().name() + "' reason: 'lost'");
  EXPECT_EQ(ReasonOf(watch.End()), "CREDENTIAL_INVALID");
}

TEST_F(WatchTest, EndsWhenItsKeyIsRevokedHoweverMuchThereIsToTell) {
  Begin();
  auto watch = Open(member_, "parent: 'institutes/snu/projects/-'");
  watch.Next();
  v1::ListApiKeysResponse keys;
  Call<v1::OperatorService>(operator_key_, &Operators::ListApiKeys, "", &keys);
  for (const auto& key : keys.api_keys()) {
    if (key.role() != v1::ROLE_MEMBER) continue;
    Call<v1::OperatorService>(operator_key_, &Operators::RevokeApiKey,
                              "name: '" + key.name() + "' reason: 'lost'");
  }
  std::atomic<bool> ended{false};
  int told = 0;
  std::thread teller([&] {
    for (; !ended && told < 300; ++told) Submit("snu", "a" + std::to_string(told));
  });
  EXPECT_EQ(ReasonOf(watch.End()), "CREDENTIAL_INVALID");
  ended = true;
  teller.join();
  EXPECT_LT(told, 300) << "it ended only when there was nothing more to tell";
}

TEST_F(WatchTest, EndsWithShuttingDownWhenTheServerDrains) {
  Begin();
  auto watch = Open(member_, "parent: 'institutes/snu/projects/-'");
  watch.Next();
  std::thread drain([this] { server_->Drain(10'000); });
  const auto status = watch.End();
  drain.join();
  EXPECT_EQ(ReasonOf(status), "SHUTTING_DOWN");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(WatchTest, AReaderThatStopsReadingIsDroppedAndCanResume) {
  options_.watch_stall_ms = 50;
  options_.watch_progress_ms = 1;
  options_.poll_ms = 1;
  options_.registry = std::make_shared<prometheus::Registry>();
  Begin();
  // Changes and signs of life fill the flow-control window of a reader that takes none.
  grpc::ChannelArguments narrow;
  narrow.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 1);
  narrow.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  channel_ =
      grpc::CreateCustomChannel(server_->address(), grpc::InsecureChannelCredentials(), narrow);
  auto watch =
      Open(member_, "parent: 'institutes/snu/projects/-' after_revision: 0", std::chrono::hours(1));
  const auto first = watch.Next();
  // Not read before the server has given it up: how much the window holds is the machine's affair.
  for (int i = 0; i < 2'000 && !WatchWasRefused(); ++i) {
    const std::string id = "a" + std::to_string(i);
    Submit("snu", id);
    Call<v1::AllocationService>(
        operator_key_, &Allocations::CancelAllocation,
        "name: 'institutes/snu/projects/p/allocations/" + id + "' reason: 'x'");
  }
  // Nobody reads what it was sent last, nor why it ended: gRPC does not keep it for ever.
  const int64_t start = SteadyMicros();
  while (OpenWatches() > 0 && SteadyMicros() - start < kPatience / std::chrono::microseconds(1)) {
    std::this_thread::yield();
  }
  EXPECT_EQ(OpenWatches(), 0);
  watch.context->TryCancel();
  watch.End();
  auto again = Open(member_, "parent: 'institutes/snu/projects/-' after_revision: " +
                                 std::to_string(first.resume_revision()));
  EXPECT_EQ(again.NextChange().allocation().name(), "institutes/snu/projects/p/allocations/a0");
  again.context->TryCancel();
  again.End();
}

TEST_F(WatchTest, OneKeyLeavesRoomForTheOthers) {
  options_.watches_per_key_max = 1;
  Begin();
  auto first = Open(member_, "parent: 'institutes/snu/projects/-'");
  first.Next();
  EXPECT_EQ(ReasonOf(Open(member_, "parent: 'institutes/snu/projects/-'").End()), "OVERLOADED");
  auto other = Open(MemberKey("kist"), "parent: 'institutes/kist/projects/-'");
  other.Next();
  first.context->TryCancel();
  first.End();
  // Its place is free again once the server has noticed.
  std::string reason = "OVERLOADED";
  while (reason == "OVERLOADED") {
    auto again = Open(member_, "parent: 'institutes/snu/projects/-'");
    v1::WatchAllocationsResponse message;
    if (again.reader->Read(&message)) break;
    reason = ReasonOf(again.reader->Finish());
  }
  EXPECT_EQ(reason, "OVERLOADED") << "got in";
}

TEST_F(WatchTest, OneInstituteLeavesRoomForTheOthersWithHoweverManyKeys) {
  options_.watches_a_party_max = 2;
  Begin();
  std::vector<Watch> open;
  for (int i = 0; i < 2; ++i) {
    open.push_back(Open(MemberKey("snu"), "parent: 'institutes/snu/projects/-'"));
    open.back().Next();
  }
  EXPECT_EQ(ReasonOf(Open(member_, "parent: 'institutes/snu/projects/-'").End()), "OVERLOADED");
  Open(MemberKey("kist"), "parent: 'institutes/kist/projects/-'").Next();
}

TEST_F(WatchTest, NoMoreThanTheServerIsMadeFor) {
  options_.watches_max = 1;
  Begin();
  auto first = Open(member_, "parent: 'institutes/snu/projects/-'");
  first.Next();
  EXPECT_EQ(ReasonOf(Open(member_, "parent: 'institutes/snu/projects/-'").End()), "OVERLOADED");
}

}  // namespace
}  // namespace allot::rpc
