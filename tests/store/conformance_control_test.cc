#include <gmock/gmock.h>

#include <chrono>
#include <future>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "store/conformance.h"

namespace allot::store {
namespace {

using ::testing::UnorderedElementsAre;

std::optional<Leadership> Acquire(Store& store, const std::string& holder, Instant now,
                                  int64_t epoch = 0) {
  return Write(store, [&](Tx& tx) { return tx.AcquireLeadership(holder, epoch, now, Seconds{10}); })
      .value();
}

TEST_P(StoreConformance, TheLeaseIsTakenRenewedAndLostOnlyByTime) {
  const auto first = Acquire(store(), "one", kNow);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->lease_until, kNow + Seconds{10});
  EXPECT_EQ(Acquire(store(), "two", kNow + Seconds{9}), std::nullopt);
  const auto renewed = Acquire(store(), "one", kNow + Seconds{9}, first->epoch);
  EXPECT_EQ(renewed->epoch, first->epoch);
  EXPECT_EQ(renewed->lease_until, kNow + Seconds{19});
  EXPECT_EQ(Acquire(store(), "two", kNow + Seconds{18}), std::nullopt);
  const auto taken = Acquire(store(), "two", kNow + Seconds{19});
  EXPECT_EQ(taken->epoch, first->epoch + 1);
  EXPECT_EQ(taken->holder, "two");
  const auto restarted = Acquire(store(), "two", kNow + Seconds{20});
  EXPECT_EQ(restarted->epoch, taken->epoch + 1) << "what it sent before it died is fenced off";
}

TEST_P(StoreConformance, WhoLeadsIsReadAsItWasWritten) {
  const auto find = [&] {
    return Read(store(), [](Tx& tx) { return tx.FindLeadership(); }).value();
  };
  EXPECT_EQ(find().holder, "");
  const auto first = Acquire(store(), "one", kNow);
  EXPECT_EQ(find(), first);
  const auto renewed = Acquire(store(), "one", kNow + Seconds{1}, first->epoch);
  EXPECT_EQ(find(), renewed);
  EXPECT_NE(find(), first) << "others could not tell that it lives";
}

TEST_P(StoreConformance, AnOlderEpochCannotWrite) {
  const int64_t old_epoch = Acquire(store(), "one", kNow)->epoch;
  const Allocation allocation = Submit("snu/llm/a");
  const auto plan = [&](int64_t epoch) {
    return Write(store(), [&](Tx& tx) -> Status {
      ALLOT_RETURN_IF_ERROR(tx.AssertLeader(epoch));
      Allocation next = tx.FindAllocation(allocation.id).value().value();
      return Reserve(tx, next, "naver-a/n1");
    });
  };
  const int64_t new_epoch = Acquire(store(), "two", kNow + Hours(1))->epoch;
  EXPECT_REASON(plan(old_epoch), Reason::kNotLeader);
  EXPECT_EQ(Get(allocation.id), allocation);
  EXPECT_OK(plan(new_epoch));
}

TEST_P(StoreConformance, ATakeoverWaitsForTheLeadersTransaction) {
  const int64_t epoch = Acquire(store(), "one", kNow)->epoch;
  const Allocation allocation = Submit("snu/llm/a");
  std::future<std::optional<AllocationState>> successor;
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.AssertLeader(epoch));
    if (!successor.valid()) {
      successor = std::async(std::launch::async, [&] {
        return Write(store(),
                     [&](Tx& other) -> Result<std::optional<AllocationState>> {
                       ALLOT_RETURN_IF_ERROR(
                           other.AcquireLeadership("two", 0, kNow + Hours(1), Seconds{10}));
                       return std::optional(other.FindAllocation(allocation.id).value()->state);
                     })
            .value();
      });
    }
    EXPECT_EQ(successor.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout)
        << "took over in the middle of the leader's transaction";
    Allocation next = tx.FindAllocation(allocation.id).value().value();
    return Reserve(tx, next, "naver-a/n1");
  }));
  EXPECT_EQ(successor.get(), AllocationState::kProvisioning);
}

TEST_P(StoreConformance, WhatOneHoldsLockedAnotherWaitsFor) {
  using Lock = Status (*)(Tx&);
  const Lock locks[] = {[](Tx& tx) { return tx.LockPool(ClusterId("naver-a")); },
                        [](Tx& tx) { return tx.LockPolicies(); }};
  for (const Lock lock : locks) {
    std::future<Status> other;
    EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
      ALLOT_RETURN_IF_ERROR(lock(tx));
      other = std::async(std::launch::async, [&] { return Write(store(), lock); });
      EXPECT_EQ(other.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
      return Ok{};
    }));
    EXPECT_OK(other.get());
  }
}

TEST_P(StoreConformance, OneRequestIdLeadsToOneAnswer) {
  const auto record = [](const std::string& response) {
    return RequestRecord{.key = KeyId("k1"),
                         .request_id = "6f1d-a",
                         .body_sha256 = std::string(64, 'a'),
                         .response = response,
                         .create_time = kNow};
  };
  // All bytes come back, zeros too: the answer is whatever the caller serialised.
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.InsertRequest(record(bytes)); }));
  Read(store(), [&](Tx& tx) -> Status {
    const auto found = tx.FindRequest(KeyId("k1"), "6f1d-a").value();
    EXPECT_EQ(found->response, bytes);
    EXPECT_EQ(found->body_sha256, std::string(64, 'a'));
    EXPECT_EQ(found->create_time, kNow);
    EXPECT_FALSE(tx.FindRequest(KeyId("k2"), "6f1d-a").value().has_value());
    return Ok{};
  }).value();
  EXPECT_REASON(Write(store(), [&](Tx& tx) { return tx.InsertRequest(record("other")); }),
                Reason::kStoreConflict);
}

TEST_P(StoreConformance, RequestIdsAreForgottenByAgeAFewAtATime) {
  for (const auto& [id, age] : {std::pair("old-1", 3), {"old-2", 2}, {"young", 0}}) {
    EXPECT_OK(Write(store(), [&, id = id, age = age](Tx& tx) {
      return tx.InsertRequest({.key = KeyId("k1"),
                               .request_id = id,
                               .body_sha256 = std::string(64, 'a'),
                               .response = {},
                               .create_time = kNow - Days(age)});
    }));
  }
  const auto remove = [](Tx& tx) { return tx.RemoveRequests(kNow - Days(1), 1); };
  EXPECT_EQ(Write(store(), remove).value(), 1);
  EXPECT_EQ(Write(store(), remove).value(), 1);
  EXPECT_EQ(Write(store(), remove).value(), 0);
  Read(store(), [&](Tx& tx) -> Status {
    EXPECT_FALSE(tx.FindRequest(KeyId("k1"), "old-1").value().has_value());
    EXPECT_FALSE(tx.FindRequest(KeyId("k1"), "old-2").value().has_value());
    EXPECT_TRUE(tx.FindRequest(KeyId("k1"), "young").value().has_value());
    return Ok{};
  }).value();
}

// As control does it: look the request id up, else do the work and keep the answer.
TEST_P(StoreConformance, OfManyWithOneRequestIdOneWinsAndTheOthersSeeItsAnswer) {
  constexpr int kThreads = 6;
  std::vector<std::string> answers(kThreads);
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const auto done = Write(store(), [&](Tx& tx) -> Result<std::string> {
        ALLOT_ASSIGN_OR_RETURN(const auto known, tx.FindRequest(KeyId("k1"), "r1"));
        if (known) return known->response;
        const std::string mine = "thread " + std::to_string(i);
        ALLOT_RETURN_IF_ERROR(tx.InsertAllocation(SampleAllocation("snu/llm/once")));
        ALLOT_RETURN_IF_ERROR(tx.InsertRequest({.key = KeyId("k1"),
                                                .request_id = "r1",
                                                .body_sha256 = std::string(64, 'b'),
                                                .response = mine,
                                                .create_time = kNow}));
        return mine;
      });
      answers[static_cast<std::size_t>(i)] = done.ok() ? *done : Describe(done.error());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answers, std::vector<std::string>(kThreads, answers[0]));
  EXPECT_TRUE(answers[0].starts_with("thread ")) << answers[0];
}

TEST_P(StoreConformance, KeysAreFoundByHashListedAndRevokedOnce) {
  const ApiKey member{.id = KeyId("k1"),
                      .role = Role::kMember,
                      .institute = InstituteId("snu"),
                      .display_name = "ci",
                      .secret_sha256 = std::string(64, '1'),
                      .create_time = kNow};
  const ApiKey provider{.id = KeyId("k2"),
                        .role = Role::kProvider,
                        .provider = ProviderId("naver"),
                        .secret_sha256 = std::string(64, '2'),
                        .create_time = kNow};
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.InsertApiKey(member));
    return tx.InsertApiKey(provider);
  }));
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.RevokeApiKey(provider.id, kNow); }));
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.RevokeApiKey(provider.id, kNow + Days(1)); }));
  Read(store(), [&](Tx& tx) -> Status {
    const std::vector<std::string> presented = {provider.secret_sha256, std::string(64, '3'),
                                                member.secret_sha256, member.secret_sha256};
    ApiKey revoked = provider;
    revoked.revoke_time = kNow;
    EXPECT_THAT(tx.FindApiKeysByHash(presented).value(), UnorderedElementsAre(member, revoked));
    EXPECT_EQ(tx.FindApiKey(member.id).value(), member);
    EXPECT_EQ(tx.ListApiKeys({}).value().items.size(), 2u);
    return Ok{};
  }).value();
  EXPECT_REASON(Write(store(), [](Tx& tx) { return tx.RevokeApiKey(KeyId("none"), kNow); }),
                Reason::kNotFound);
  // A member without an institute would be a member of none, and so of all.
  EXPECT_FALSE(Write(store(), [](Tx& tx) {
                 return tx.InsertApiKey({.id = KeyId("k3"), .secret_sha256 = std::string(64, '4')});
               }).ok());
}

TEST_P(StoreConformance, AKeyOfEveryRoleIsKeptWithItsTenant) {
  for (std::size_t i = 0; i < kRoleCount; ++i) {
    const auto role = static_cast<Role>(i);
    const ApiKey key{.id = KeyId("k" + std::to_string(i)),
                     .role = role,
                     .institute = InstituteId(IsOfInstitute(role) ? "snu" : ""),
                     .provider = ProviderId(role == Role::kProvider ? "naver" : ""),
                     .secret_sha256 = std::string(64, static_cast<char>('0' + i)),
                     .create_time = kNow};
    EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.InsertApiKey(key); }));
    EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
      EXPECT_EQ(tx.FindApiKey(key.id).value(), key) << Name(role);
      return Ok{};
    }));
  }
}

TEST_P(StoreConformance, MembersAreFoundByPersonListedAndRemovedOnce) {
  const auto person = [](const std::string& subject) {
    return Person{.issuer = "https://id.example", .subject = subject};
  };
  const Member kim{.id = MemberId("m-kim"),
                   .person = person("kim"),
                   .role = Role::kMember,
                   .institute = InstituteId("snu"),
                   .display_name = "J. Kim",
                   .create_time = kNow};
  const Member lee{.id = MemberId("m-lee"),
                   .person = person("lee"),
                   .role = Role::kAuditor,
                   .create_time = kNow};
  const auto insert = [&](const Member& member) {
    return Write(store(), [&](Tx& tx) { return tx.InsertMember(member); });
  };
  EXPECT_OK(insert(kim));
  EXPECT_OK(insert(lee));
  Member again = lee;
  again.id = MemberId("m-lee2");
  EXPECT_REASON(insert(again), Reason::kAlreadyExists);
  const auto remove = [&](const MemberId& id, Instant at) {
    return Write(store(), [&](Tx& tx) { return tx.RemoveMember(id, at); });
  };
  EXPECT_OK(remove(lee.id, kNow));
  EXPECT_OK(remove(lee.id, kNow + Days(1)));
  EXPECT_REASON(remove(MemberId("m-none"), kNow), Reason::kNotFound);
  Member removed = lee;
  removed.remove_time = kNow;
  Read(store(), [&](Tx& tx) -> Status {
    const std::vector<Person> asked = {person("lee"),
                                       person("kim"),
                                       person("nobody"),
                                       {.issuer = "https://other.example", .subject = "kim"}};
    EXPECT_THAT(tx.FindMembersByPerson(asked).value(), UnorderedElementsAre(kim));
    EXPECT_TRUE(tx.FindMembersByPerson({}).value().empty());
    EXPECT_EQ(tx.FindMember(lee.id).value(), removed);
    EXPECT_EQ(tx.FindMember(again.id).value(), std::nullopt);
    EXPECT_EQ(tx.ListMembers({}).value().items, (std::vector<Member>{kim, removed}));
    EXPECT_EQ(tx.ListMembers({.size = 1, .after = "m-kim"}).value().items,
              (std::vector<Member>{removed}));
    return Ok{};
  }).value();
  // Who was removed may come back.
  EXPECT_OK(insert(again));
  Read(store(), [&](Tx& tx) -> Status {
    EXPECT_THAT(tx.FindMembersByPerson(std::vector{person("lee")}).value(),
                UnorderedElementsAre(again));
    return Ok{};
  }).value();
}

TEST_P(StoreConformance, AMemberHasTheTenantOfItsRoleAndAnIdThatIsNoKeys) {
  const auto refused = [&](const std::string& id, Role role, const std::string& institute) {
    return !Write(store(), [&](Tx& tx) {
              return tx.InsertMember({.id = MemberId(id),
                                      .person = {.issuer = "https://id.example", .subject = id},
                                      .role = role,
                                      .institute = InstituteId(institute),
                                      .create_time = kNow});
            }).ok();
  };
  EXPECT_TRUE(refused("m-1", Role::kMember, ""));
  EXPECT_TRUE(refused("m-2", Role::kOperator, "snu"));
  EXPECT_TRUE(refused("m-3", Role::kProvider, ""));
  EXPECT_TRUE(refused("k4", Role::kMember, "snu"));
  EXPECT_FALSE(refused("m-5", Role::kViewer, "snu"));
}

TEST_P(StoreConformance, KeysExpireAndNeverLater) {
  const auto operator_key = [](const std::string& id, char digit,
                               const std::optional<Instant>& expire_time) {
    return ApiKey{.id = KeyId(id),
                  .role = Role::kOperator,
                  .secret_sha256 = std::string(64, digit),
                  .create_time = kNow,
                  .expire_time = expire_time};
  };
  const ApiKey lasting = operator_key("k1", '1', std::nullopt);
  const ApiKey ending = operator_key("k2", '2', kNow + Days(1));
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.InsertApiKey(lasting));
    ALLOT_RETURN_IF_ERROR(tx.InsertApiKey(ending));
    EXPECT_EQ(tx.LockStaffKeys(kNow).value(), (StaffKeys{.operators = 2}));
    EXPECT_EQ(tx.LockStaffKeys(kNow + Days(1)).value(), (StaffKeys{.operators = 1}));
    ALLOT_RETURN_IF_ERROR(tx.InsertApiKey({.id = KeyId("k9"),
                                           .role = Role::kMinistryAdmin,
                                           .secret_sha256 = std::string(64, '9'),
                                           .create_time = kNow}));
    EXPECT_EQ(tx.LockStaffKeys(kNow).value(), (StaffKeys{true, 1, 2}));
    ALLOT_RETURN_IF_ERROR(tx.RevokeApiKey(KeyId("k9"), kNow));
    EXPECT_EQ(tx.LockStaffKeys(kNow).value(), (StaffKeys{true, 0, 2})) << "revoked, it was there";
    return Ok{};
  }));
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.ExpireApiKey(lasting.id, kNow + Days(2)));
    return tx.ExpireApiKey(ending.id, kNow + Days(2));
  }));
  Read(store(), [&](Tx& tx) -> Status {
    EXPECT_EQ(tx.FindApiKey(lasting.id).value()->expire_time, kNow + Days(2));
    EXPECT_EQ(tx.FindApiKey(ending.id).value(), ending);
    return Ok{};
  }).value();
  EXPECT_REASON(Write(store(), [](Tx& tx) { return tx.ExpireApiKey(KeyId("none"), kNow); }),
                Reason::kNotFound);
}

TEST_P(StoreConformance, TheAuditTellsTheNewestFirst) {
  AuditEntry first{.time = kNow,
                   .key = KeyId("k1"),
                   .actor = "operator",
                   .action = "project.set_merit",
                   .resource = "snu/llm",
                   .institute = InstituteId("snu"),
                   .detail = "from 700 to 900: panel \"B\"",
                   .request_id = "r1"};
  AuditEntry second{
      .time = kNow, .actor = "system", .action = "quota.update", .resource = "snu/llm"};
  // Not the project's: a node's, of a cluster and a name that are spelt like it.
  const AuditEntry other{
      .time = kNow, .actor = "system", .action = "node.drain", .resource = "snu/llm"};
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.Audit(first));
    ALLOT_RETURN_IF_ERROR(tx.Audit(second));
    return tx.Audit(other);
  }));
  const AuditedResource project{.id = "snu/llm", .kinds = {"project", "quota"}};
  Read(store(), [&](Tx& tx) -> Status {
    const Page<AuditEntry> all = tx.AuditOf(project, 0, 2).value();
    EXPECT_EQ(all.items.size(), 2u);
    first.number = all.items.back().number;
    second.number = all.items.front().number;
    EXPECT_LT(first.number, second.number);
    EXPECT_EQ(all.items, (std::vector<AuditEntry>{second, first}));
    EXPECT_FALSE(all.more);
    const Page<AuditEntry> newest = tx.AuditOf(project, 0, 1).value();
    EXPECT_EQ(newest.items, std::vector<AuditEntry>{second});
    EXPECT_TRUE(newest.more);
    const Page<AuditEntry> oldest = tx.AuditOf(project, second.number, 1).value();
    EXPECT_EQ(oldest.items, std::vector<AuditEntry>{first});
    EXPECT_FALSE(oldest.more);
    EXPECT_TRUE(tx.AuditOf({.id = "snu", .kinds = {"project"}}, 0, 10).value().items.empty());
    return Ok{};
  }).value();
}

TEST_P(StoreConformance, TheOldEndOfTheAuditGoesAsACheckpointSays) {
  const Instant old = kNow - Days(10);
  for (int i = 0; i < 3; ++i) {
    EXPECT_OK(Write(store(), [&](Tx& tx) {
      return tx.Audit({.time = i < 2 ? old : kNow, .action = "x.y", .resource = "r"});
    }));
  }
  const auto chain = [&] {
    return Read(store(), [](Tx& tx) { return tx.AuditAfter(0, 1'000); }).value();
  };
  const AuditChain whole = chain();
  const auto& entries = whole.entries;
  ASSERT_EQ(entries.size(), static_cast<std::size_t>(whole.head.number));
  ASSERT_GE(entries.size(), 3U);
  const std::size_t olds = entries.size() - 1;
  const auto mark = [&](std::size_t count) {
    return AuditMark{.number = static_cast<int64_t>(count), .hash = entries[count - 1].hash};
  };
  const auto to_remove = [&](Instant t, int limit) {
    return Read(store(), [&](Tx& tx) { return tx.AuditToRemove(t, limit); }).value();
  };
  EXPECT_EQ(Read(store(), [](Tx& tx) { return tx.AuditHead(); }).value(), whole.head);
  EXPECT_EQ(to_remove(kNow, 100), mark(olds));
  EXPECT_EQ(to_remove(kNow, 1), mark(1));
  EXPECT_EQ(to_remove(old, 100), std::nullopt);
  EXPECT_EQ(to_remove(kNow + Days(1), 100), mark(olds)) << "never the newest";

  const auto said = [&](AuditCheckpoint::Kind kind, const AuditMark& of) {
    return AuditCheckpoint{.kind = kind,
                           .mark = of,
                           .sign_time = kNow,
                           .signer = std::string(16, 'a'),
                           .signature = std::string(128, 'b')};
  };
  const auto insert = [&](const AuditCheckpoint& one) {
    return Write(store(), [&](Tx& tx) { return tx.InsertAuditCheckpoint(one); });
  };
  const auto remove = [&](const AuditMark& through) {
    return Write(store(), [&](Tx& tx) { return tx.RemoveAudit(through); });
  };
  using enum AuditCheckpoint::Kind;
  EXPECT_FALSE(insert(said(kReached, {.number = 1, .hash = entries[1].hash})).ok());
  EXPECT_FALSE(insert(said(kReached, {.number = 1'000, .hash = entries[1].hash})).ok());
  AuditCheckpoint cut = said(kReached, mark(1));
  cut.signature = "bb";
  EXPECT_FALSE(insert(cut).ok());
  EXPECT_OK(insert(said(kReached, mark(1))));
  EXPECT_OK(insert(said(kReached, whole.head)));
  EXPECT_EQ(Read(store(), [](Tx& tx) { return tx.NewestAuditCheckpoint(); }).value(),
            said(kReached, whole.head));
  EXPECT_FALSE(remove(mark(1)).ok()) << "nothing says so";
  EXPECT_OK(insert(said(kRemoved, mark(1))));
  EXPECT_FALSE(remove(mark(2)).ok());
  EXPECT_OK(remove(mark(1)));
  const AuditChain rest = chain();
  EXPECT_EQ(rest.base, mark(1));
  EXPECT_EQ(rest.head, whole.head);
  EXPECT_EQ(rest.entries.front().entry.number, 2);
  EXPECT_EQ(rest.checkpoints, (std::vector{said(kReached, mark(1)), said(kRemoved, mark(1)),
                                           said(kReached, whole.head)}));
  EXPECT_TRUE(
      Read(store(), [&](Tx& tx) { return tx.AuditAfter(1, 1); }).value().checkpoints.size() == 2U)
      << "those of the base come with the first entry";
  EXPECT_TRUE(Read(store(), [&](Tx& tx) { return tx.AuditAfter(whole.head.number, 10); })
                  .value()
                  .checkpoints.empty());
  const AuditChain none = Read(store(), [](Tx& tx) {
                            return tx.AuditAfter(std::numeric_limits<int64_t>::max(), 10);
                          }).value();
  EXPECT_EQ(none.head, whole.head);
  EXPECT_TRUE(none.entries.empty() && none.checkpoints.empty()) << "nothing is behind all numbers";
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.Audit({.action = "x.y", .resource = "r"}); }));
}

TEST_P(StoreConformance, TheAuditHasNoGapsWhoeverWritesAtOnce) {
  const auto entries = [&] {
    return Read(store(), [](Tx& tx) { return tx.AuditAfter(0, 1'000); }).value();
  };
  const int64_t before = entries().head.number;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; i < 10; ++i) {
        // What does not come about leaves no gap.
        const bool fails = i % 5 == 4;
        const Status written = Write(store(), [&](Tx& tx) -> Status {
          const std::string who = std::to_string(writer) + "/" + std::to_string(i);
          ALLOT_RETURN_IF_ERROR(tx.Audit({.action = "x.one", .resource = who}));
          ALLOT_RETURN_IF_ERROR(tx.Audit({.action = "x.two", .resource = who}));
          if (fails) return StateError(Reason::kQuotaExceeded, "No more.");
          return Ok{};
        });
        EXPECT_EQ(written.ok(), !fails);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const AuditChain chain = entries();
  ASSERT_EQ(chain.head.number, before + 4 * 8 * 2);
  std::set<std::string> hashes;
  for (std::size_t i = 0; i < chain.entries.size(); ++i) {
    EXPECT_EQ(chain.entries[i].entry.number, static_cast<int64_t>(i) + 1);
    EXPECT_EQ(chain.entries[i].hash.size(), 64U);
    hashes.insert(chain.entries[i].hash);
    if (chain.entries[i].entry.action != "x.two") continue;
    EXPECT_EQ(chain.entries[i - 1].entry.resource, chain.entries[i].entry.resource)
        << "those of a transaction stand together, in their order";
  }
  EXPECT_EQ(hashes.size(), chain.entries.size());
  EXPECT_EQ(chain.entries.back().hash, chain.head.hash);
  const AuditChain rest =
      Read(store(), [&](Tx& tx) { return tx.AuditAfter(before + 60, 2); }).value();
  ASSERT_EQ(rest.entries.size(), 2U);
  EXPECT_EQ(rest.entries[0].entry.number, before + 61);
}

TEST_P(StoreConformance, WhatFailsLeavesNothingBehind) {
  const Revision before = CurrentRevision();
  EXPECT_REASON(Write(store(),
                      [](Tx& tx) -> Status {
                        ALLOT_RETURN_IF_ERROR(tx.InsertAllocation(SampleAllocation("snu/llm/a")));
                        ALLOT_RETURN_IF_ERROR(tx.Audit({.action = "x", .resource = "snu/llm/a"}));
                        return StateError(Reason::kQuotaExceeded, "No more.");
                      }),
                Reason::kQuotaExceeded);
  Read(store(), [&](Tx& tx) -> Status {
    EXPECT_EQ(tx.FindAllocation(AllocationId("snu/llm/a")).value(), std::nullopt);
    EXPECT_TRUE(tx.AuditOf({.id = "snu/llm/a", .kinds = {"x"}}, 0, 10).value().items.empty());
    EXPECT_EQ(tx.CurrentRevision().value(), before);
    return Ok{};
  }).value();
}

TEST_P(StoreConformance, AReaderCannotWrite) {
  EXPECT_FALSE(
      Read(store(), [](Tx& tx) { return tx.InsertInstitute(SampleInstitute("yonsei")); }).ok());
}

TEST_P(StoreConformance, AReaderSeesOneMomentThroughout) {
  Read(store(), [&](Tx& tx) -> Status {
    const Revision before = tx.CurrentRevision().value();
    EXPECT_OK(
        Write(store(), [](Tx& other) { return other.InsertInstitute(SampleInstitute("yonsei")); }));
    EXPECT_EQ(tx.CurrentRevision().value(), before);
    EXPECT_EQ(tx.FindInstitute(InstituteId("yonsei")).value(), std::nullopt);
    return Ok{};
  }).value();
}

}  // namespace
}  // namespace allot::store
