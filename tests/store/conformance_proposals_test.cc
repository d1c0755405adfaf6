// What a second person decides is decided once, by another, and the call goes through once.
#include "store/conformance.h"

namespace allot::store {
namespace {

Proposal Sample(const std::string& id, char digest = 'a') {
  return {.id = ProposalId(id),
          .method = "CreatePolicy",
          .digest = std::string(64, digest),
          .request = "{\n \"reason\": \"이차 공모\"\n}",
          .proposer = KeyId("first"),
          .create_time = kNow,
          .expire_time = kNow + Days(1)};
}

Status Insert(Store& store, const Proposal& proposal) {
  return Write(store, [&](Tx& tx) { return tx.InsertProposal(proposal); });
}
Status Update(Store& store, Proposal& proposal) {
  return Write(store, [&](Tx& tx) { return tx.UpdateProposal(proposal); });
}
ProposalDecision By(const std::string& key, bool approved) {
  return {.approved = approved, .key = KeyId(key), .time = kNow + Hours(1), .reason = "looked at"};
}
std::vector<std::string> Ids(const std::vector<Proposal>& proposals) {
  std::vector<std::string> ids;
  for (const Proposal& proposal : proposals) ids.push_back(proposal.id.str());
  return ids;
}

TEST_P(StoreConformance, ProposalsComeBackAsTheyWere) {
  Proposal proposal = Sample("p1");
  const auto find = [&] {
    return Read(store(), [&](Tx& tx) { return tx.FindProposal(proposal.id); }).value();
  };
  EXPECT_EQ(find(), std::nullopt);
  EXPECT_OK(Insert(store(), proposal));
  EXPECT_EQ(find(), proposal);
  EXPECT_REASON(Insert(store(), proposal), Reason::kAlreadyExists);
  proposal.decision = By("second", true);
  EXPECT_OK(Update(store(), proposal));
  EXPECT_EQ(find(), proposal);
  proposal.done_time = kNow + Hours(2);
  EXPECT_OK(Update(store(), proposal));
  EXPECT_EQ(find(), proposal);
}

TEST_P(StoreConformance, ProposalsAreListedWhilePendingAndLockedUntilDone) {
  Proposal approved = Sample("p2");
  Proposal done = Sample("p3");
  for (Proposal* each : {&approved, &done}) {
    EXPECT_OK(Insert(store(), *each));
    each->decision = By("second", true);
    EXPECT_OK(Update(store(), *each));
  }
  EXPECT_OK(Insert(store(), Sample("p1")));
  EXPECT_OK(Insert(store(), Sample("p4", 'b')));
  done.done_time = kNow + Hours(2);
  EXPECT_OK(Update(store(), done));

  const auto list = [&](std::optional<Instant> pending_at, PageRequest page = {}) {
    return Read(store(), [&](Tx& tx) { return tx.ListProposals(pending_at, page); }).value();
  };
  EXPECT_EQ(Ids(list(std::nullopt).items), (std::vector<std::string>{"p1", "p2", "p3", "p4"}));
  EXPECT_EQ(Ids(list(kNow + Hours(3)).items), (std::vector<std::string>{"p1", "p4"}));
  EXPECT_TRUE(list(kNow + Days(1)).items.empty());
  const auto page = list(std::nullopt, {.size = 2, .after = "p1"});
  EXPECT_EQ(Ids(page.items), (std::vector<std::string>{"p2", "p3"}));
  EXPECT_TRUE(page.more);

  const auto open =
      Write(store(), [](Tx& tx) { return tx.LockProposalsOf(std::string(64, 'a')); }).value();
  EXPECT_EQ(Ids(open), (std::vector<std::string>{"p1", "p2"}));
}

TEST_P(StoreConformance, ACallWaitsOnceAtAnyTime) {
  Proposal first = Sample("p1");
  EXPECT_OK(Insert(store(), first));
  Proposal second = Sample("p2");
  second.create_time = first.expire_time - Seconds{1};
  second.expire_time = second.create_time + Days(1);
  EXPECT_REASON(Insert(store(), second), Reason::kAlreadyExists);
  // One that has expired waits no more, nor does one that was decided.
  Proposal third = Sample("p3");
  third.create_time = first.expire_time;
  third.expire_time = third.create_time + Days(1);
  EXPECT_OK(Insert(store(), third));
  third.decision = By("second", false);
  EXPECT_OK(Update(store(), third));
  second.id = ProposalId("p4");
  second.create_time = third.create_time;
  EXPECT_OK(Insert(store(), second));
}

TEST_P(StoreConformance, ProposalsAreDecidedOnceByAnother) {
  Proposal proposal = Sample("p1");
  EXPECT_OK(Insert(store(), proposal));
  Proposal by_the_first = proposal;
  by_the_first.decision = By("first", true);
  EXPECT_FALSE(Update(store(), by_the_first).ok());
  Proposal undecided = proposal;
  undecided.done_time = kNow + Hours(1);
  EXPECT_FALSE(Update(store(), undecided).ok());

  Proposal stale = proposal;
  proposal.decision = By("second", false);
  EXPECT_OK(Update(store(), proposal));
  stale.decision = By("third", true);
  EXPECT_REASON(Update(store(), stale), Reason::kStoreConflict);
  Proposal again = proposal;
  again.decision = By("third", true);
  EXPECT_FALSE(Update(store(), again).ok());
  Proposal rejected_and_done = proposal;
  rejected_and_done.done_time = kNow + Hours(2);
  EXPECT_FALSE(Update(store(), rejected_and_done).ok());
  EXPECT_EQ(Read(store(), [&](Tx& tx) { return tx.FindProposal(proposal.id); }).value(), proposal);
}

}  // namespace
}  // namespace allot::store
