#include "allot/control/members.h"

#include "allot/control/identity.h"
#include "control/world.h"

namespace allot::control {
namespace {

class MembersTest : public World {
 protected:
  static Person Someone(const std::string& subject) {
    return {.issuer = "https://id.example", .subject = subject};
  }
  NewMember Kim() const {
    return {.person = Someone("kim"),
            .role = Role::kMember,
            .institute = InstituteId("snu"),
            .display_name = "J. Kim"};
  }
  Result<Principal> WhoCalls(const Person& person) {
    const Proof proof{.key_sha256 = {}, .person = person};
    return AuthenticateAll(*context, std::span(&proof, 1)).front();
  }
};

TEST_F(MembersTest, APersonCallsWithItsRoleFromItsAdditionToItsRemoval) {
  EXPECT_EQ(ReasonOf(WhoCalls(Someone("kim"))), Reason::kMemberUnknown);
  const allot::Member kim = Must(CreateMember(*context, As(Operator()), Kim()));
  const Principal who = Must(WhoCalls(Someone("kim")));
  EXPECT_EQ(who.key.str(), kim.id.str());
  EXPECT_EQ(who.role, Role::kMember);
  EXPECT_EQ(who.institute, InstituteId("snu"));
  EXPECT_EQ(Must(WhoIs(*context, who)).member, kim);
  EXPECT_EQ(ReasonOf(WhoCalls(Someone("Kim"))), Reason::kMemberUnknown) << "to the letter";
  EXPECT_EQ(ReasonOf(WhoCalls({.issuer = "https://id.example/", .subject = "kim"})),
            Reason::kMemberUnknown);
  clock.Advance(Seconds{1});
  const allot::Member removed = Must(RemoveMember(*context, As(Operator()), kim.id, "left"));
  EXPECT_EQ(removed.remove_time, clock.Now());
  EXPECT_EQ(ReasonOf(WhoCalls(Someone("kim"))), Reason::kMemberUnknown);
  clock.Advance(Seconds{1});
  EXPECT_EQ(Must(RemoveMember(*context, As(Operator()), kim.id, "left")), removed);
}

TEST_F(MembersTest, KeysAndPersonsAreFoundOutTogether) {
  Must(CreateMember(*context, As(Operator()), Kim()));
  const auto key = Must(
      CreateApiKey(*context, As(Operator()),
                   {.role = Role::kViewer, .institute = InstituteId("kist"), .display_name = ""}));
  const std::vector<Proof> proofs = {{.key_sha256 = Sha256Hex(key.secret), .person = {}},
                                     {.key_sha256 = {}, .person = Someone("kim")},
                                     {.key_sha256 = {}, .person = {}},
                                     {.key_sha256 = {}, .person = Someone("lee")},
                                     {.key_sha256 = Sha256Hex("none"), .person = {}},
                                     {.key_sha256 = {}, .person = Someone("kim")}};
  const auto found = AuthenticateAll(*context, proofs);
  EXPECT_EQ(Must(found[0]).institute, InstituteId("kist"));
  EXPECT_EQ(Must(found[1]).institute, InstituteId("snu"));
  EXPECT_EQ(ReasonOf(found[2]), Reason::kCredentialMissing);
  EXPECT_EQ(ReasonOf(found[3]), Reason::kMemberUnknown);
  EXPECT_EQ(ReasonOf(found[4]), Reason::kCredentialInvalid);
  EXPECT_EQ(Must(found[5]), Must(found[1]));
}

TEST_F(MembersTest, AnAdditionIsDoneOnceAndOnRecord) {
  Call call = As(Operator());
  call.request_id = "m-1";
  call.body_sha256 = Sha256Hex("kim");
  const allot::Member first = Must(CreateMember(*context, call, Kim()));
  EXPECT_EQ(Must(CreateMember(*context, call, Kim())), first);
  EXPECT_EQ(ReasonOf(CreateMember(*context, As(Operator()), Kim())), Reason::kAlreadyExists);
  Must(RemoveMember(*context, As(Operator()), first.id, "left"));
  EXPECT_EQ(Must(CreateMember(*context, call, Kim())).id, first.id) << "the same answer";
  EXPECT_EQ(ReasonOf(WhoCalls(Someone("kim"))), Reason::kMemberUnknown) << "and nothing done";
  const auto audit =
      Must(ListAudit(*context, Operator(), {.id = first.id.str(), .kinds = {"member"}}, 0, 10));
  ASSERT_EQ(audit.items.size(), 2U);
  EXPECT_EQ(audit.items[0].action, "member.remove");
  EXPECT_EQ(audit.items[0].detail, "member of snu, known to https://id.example: left");
  EXPECT_EQ(audit.items[1].action, "member.create");
  EXPECT_EQ(audit.items[1].detail, "member of snu, known to https://id.example");
}

TEST_F(MembersTest, WhoLooksAtPeopleIsOnRecord) {
  const allot::Member kim = Must(CreateMember(*context, As(Operator()), Kim()));
  const int64_t before = Must(ReadAuditChain(*context, Operator(), 0, 1)).head.number;
  Must(ListMembers(*context, Operator(), {}));
  const auto chain = Must(ReadAuditChain(*context, Operator(), before, 10));
  ASSERT_EQ(chain.entries.size(), 1U);
  const AuditEntry& entry = chain.entries[0].entry;
  EXPECT_EQ(entry.action, "member.list");
  EXPECT_EQ(entry.key, Operator().key);
  EXPECT_EQ(entry.resource, kim.id.str());
  EXPECT_EQ(entry.detail, "1 members, to " + kim.id.str());
  Must(WhoIs(*context, Operator()));
  EXPECT_EQ(Must(ReadAuditChain(*context, Operator(), 0, 1)).head.number, before + 1)
      << "whoever looks at itself";
  Must(CreateFirstKey(*context));
  const int64_t made = Must(ReadAuditChain(*context, Operator(), 0, 1)).head.number;
  Must(ListApiKeys(*context, Operator(), {}));
  const auto after = Must(ReadAuditChain(*context, Operator(), made, 10));
  ASSERT_EQ(after.entries.size(), 1U);
  EXPECT_EQ(after.entries[0].entry.action, "key.list") << "keys bear the names of people";
}

TEST_F(MembersTest, WhatIsOnlyCheckedAddsNobody) {
  Call call = As(Operator());
  call.validate_only = true;
  Must(CreateMember(*context, call, Kim()));
  EXPECT_EQ(ReasonOf(WhoCalls(Someone("kim"))), Reason::kMemberUnknown);
  EXPECT_TRUE(Must(ListMembers(*context, Operator(), {})).items.empty());
}

TEST_F(MembersTest, InstitutesNeitherSeeNorChangeMembers) {
  const allot::Member kim = Must(CreateMember(*context, As(Operator()), Kim()));
  for (const Role role : {Role::kInstituteAdmin, Role::kMember, Role::kViewer, Role::kAuditor}) {
    Principal who = World::Member("snu");
    who.role = role;
    if (IsStaff(role)) who.institute = InstituteId();
    EXPECT_EQ(ReasonOf(CreateMember(*context, As(who), Kim())), Reason::kRoleInsufficient);
    EXPECT_EQ(ReasonOf(ListMembers(*context, who, {})), Reason::kRoleInsufficient);
    EXPECT_EQ(ReasonOf(RemoveMember(*context, As(who), kim.id, "left")), Reason::kRoleInsufficient);
  }
}

TEST_F(MembersTest, OnlyKeysCountAsThoseOfAMinistryAdmin) {
  // Nobody but who reaches an issuer could undo it else.
  NewMember minister{.person = Someone("minister"), .role = Role::kMinistryAdmin};
  Must(CreateMember(*context, As(Operator()), minister));
  NewMember other{.person = Someone("other"), .role = Role::kAuditor};
  Must(CreateMember(*context, As(Operator()), other));
  const auto first = Must(
      CreateApiKey(*context, As(Operator()), {.role = Role::kMinistryAdmin, .display_name = ""}));
  const Principal admin = Must(Authenticate(*context, first.secret));
  EXPECT_EQ(ReasonOf(RevokeApiKey(*context, As(admin), first.key.id, "lost")),
            Reason::kLastOperatorKey);
  NewMember third{.person = Someone("third"), .role = Role::kAuditor};
  EXPECT_EQ(ReasonOf(CreateMember(*context, As(Operator()), third)), Reason::kRoleInsufficient);
}

}  // namespace
}  // namespace allot::control
