// What tenants may learn of each other, and whose a request id is: each rule is seen to be broken
// once.
#include "chaos/auditor_tenants.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>

namespace allot::chaos {
namespace {

class TenantAuditorTest : public ::testing::Test {
 protected:
  using Reply = TenantAuditor::Reply;

  TenantAuditorTest() { auditor_.Begin({InstituteId("kaist"), InstituteId("snu")}); }

  std::string Rule() const { return world_.violated() ? world_.report.violation->rule : ""; }

  static Principal Member(const std::string& key = "k") {
    return {.key = KeyId(key),
            .role = Role::kMember,
            .institute = InstituteId("snu"),
            .provider = {},
            .display_name = ""};
  }
  static Allocation Own() {
    Allocation own;
    own.id = AllocationId("snu/p/a");
    own.project = ProjectId("snu/p");
    return own;
  }
  static Error NotThere(const std::string& name) {
    return FieldError(Reason::kNotFound, "name", name, "what is there");
  }
  static Reply Refused(const std::string& name, const Error& error) {
    return {.name = name, .words = InWords(error), .error = error};
  }
  static Reply Empty(const std::string& name) {
    return {.name = name, .words = "0 in all", .error = {}};
  }
  void Pry(bool is_named, const Reply& anothers) {
    auditor_.Pried(Member(), "looks at", is_named, anothers, anothers);
  }
  TenantAuditor::OnceCall Came(const std::string& body, const std::string& key = "k") {
    return auditor_.Came({.principal = Member(key),
                          .request_id = "r1",
                          .body_sha256 = body,
                          .validate_only = false});
  }
  void Done(const TenantAuditor::OnceCall& call) { auditor_.Answered(call, std::nullopt); }
  void Refused(const TenantAuditor::OnceCall& call, Reason reason) {
    auditor_.Answered(call, StateError(reason, ""));
  }

  const std::function<void(std::string_view)> silent_;
  World world_{1, silent_};
  TenantAuditor auditor_{world_};
};

TEST_F(TenantAuditorTest, NobodyIsShownAnothers) {
  auditor_.Shown(Member(), Own());
  EXPECT_EQ(Rule(), "");
  Allocation foreign = Own();
  foreign.id = AllocationId("kaist/p/a");
  auditor_.Shown(Member(), foreign);
  EXPECT_EQ(Rule(), "tenant_apart");
}

TEST_F(TenantAuditorTest, NoTextNamesAnother) {
  for (std::string Allocation::*text :
       {&Allocation::message, &Allocation::setback, &Allocation::reason, &Allocation::urgent_reason,
        &Allocation::consolidate_reason, &Allocation::overdue_under}) {
    world_.report.violation.reset();
    Allocation told = Own();
    told.*text = "is stopped for kaist/p/a";
    auditor_.Shown(Member(), told);
    EXPECT_EQ(Rule(), "tenant_apart");
  }
}

TEST_F(TenantAuditorTest, WhatNamesAnotherIsAllRightWhereItWasAskedFor) {
  auditor_.Told(Member(), "kaist/p/a is not there: kaist/p/a", "kaist/p/a");
  EXPECT_EQ(Rule(), "");
  auditor_.Told(Member(), "kaist/p/a is not there, kaist/p/b is", "kaist/p/a");
  EXPECT_EQ(Rule(), "tenant_apart");
}

TEST_F(TenantAuditorTest, StaffMayReadOfEverybody) {
  Principal staff = Member();
  staff.role = Role::kOperator;
  staff.institute = InstituteId();
  auditor_.Told(staff, "kaist/p/a and snu/p/a", {});
  auditor_.Shown(staff, Own());
  EXPECT_EQ(Rule(), "");
}

TEST_F(TenantAuditorTest, AnothersIsNotThereRatherThanForbidden) {
  Pry(true, Refused("kaist/p/a", NotThere("kaist/p/a")));
  Pry(true, Refused("kaist/p/a", StateError(Reason::kStoreUnavailable, "")));
  Pry(false, Empty("kaist"));
  EXPECT_EQ(Rule(), "");
  Pry(true, Refused("kaist/p/a", StateError(Reason::kTransitionNotAllowed, "")));
  EXPECT_EQ(Rule(), "tenant_apart");
}

TEST_F(TenantAuditorTest, NothingIsDoneToAnothers) {
  Pry(true, Empty("kaist/p/a"));
  EXPECT_EQ(Rule(), "tenant_apart");
}

TEST_F(TenantAuditorTest, AnothersAndNowhereAreToldApartByNoWord) {
  const auto compare = [&](const Reply& anothers, const Reply& nowhere) {
    auditor_.Compare("looks at", anothers, nowhere);
  };
  const Reply nowhere = Refused("snu/p/x", NotThere("snu/p/x"));
  compare(Refused("kaist/p/a", NotThere("kaist/p/a")), nowhere);
  compare(Refused("kaist/p/a", StateError(Reason::kStoreUnavailable, "")), nowhere);
  EXPECT_EQ(Rule(), "");
  Error hint = NotThere("kaist/p/a");
  hint.limit = "what is yours";
  compare(Refused("kaist/p/a", hint), nowhere);
  EXPECT_EQ(Rule(), "tenant_apart");
}

TEST_F(TenantAuditorTest, ARequestIdIsOfOneKeyAndOneBody) {
  Done(Came("a"));
  Done(Came("a"));
  Done(Came("b", "another key"));
  Refused(Came("b"), Reason::kRequestIdReused);
  Refused(Came("b"), Reason::kStoreUnavailable);
  EXPECT_EQ(Rule(), "");
  Refused(Came("b"), Reason::kQuotaExceeded);
  EXPECT_EQ(Rule(), "request_id_reused");
}

TEST_F(TenantAuditorTest, AnotherBodyIsNotDone) {
  Done(Came("a"));
  Done(Came("b"));
  EXPECT_EQ(Rule(), "request_id_reused");
}

TEST_F(TenantAuditorTest, OfTwoBodiesThatCameBeforeEitherWasDoneOneIs) {
  const auto first = Came("a");
  const auto second = Came("b");
  Done(second);
  EXPECT_EQ(Rule(), "");
  Done(first);
  EXPECT_EQ(Rule(), "request_id_reused");
}

TEST_F(TenantAuditorTest, OneBodyIsNotRefusedForAnother) {
  Refused(Came("a", "another key"), Reason::kQuotaExceeded);
  Refused(Came("b"), Reason::kRequestIdReused);
  EXPECT_EQ(Rule(), "request_id_reused");
}

TEST_F(TenantAuditorTest, OneBodyIsNotRefusedForAnotherThatWasRefused) {
  Refused(Came("a"), Reason::kQuotaExceeded);
  Refused(Came("b"), Reason::kRequestIdReused);
  EXPECT_EQ(Rule(), "request_id_reused");
}

TEST_F(TenantAuditorTest, OneBodyMayBeRefusedForAnotherThatMayHaveBeenDone) {
  Refused(Came("a"), Reason::kCommitOutcomeUnknown);
  Refused(Came("b"), Reason::kRequestIdReused);
  EXPECT_EQ(Rule(), "");
}

TEST_F(TenantAuditorTest, ARepeatIsAnsweredAsWhatWasDone) {
  Done(Came("a"));
  Refused(Came("a"), Reason::kCommitOutcomeUnknown);
  EXPECT_EQ(Rule(), "");
  Refused(Came("a"), Reason::kFieldNotAllowed);
  EXPECT_EQ(Rule(), "request_once");
}

}  // namespace
}  // namespace allot::chaos
