// People who come with tokens: who they are taken for, and how they are refused.

#include <spdlog/sinks/ostream_sink.h>

#include <functional>
#include <future>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>

#include "rpc/call_record.h"
#include "rpc/matrix_world.h"
#include "support/test_issuer.h"

namespace allot::rpc {
namespace {

using nlohmann::json;
using testing::KeyPair;
using testing::TestIssuer;

class TokensTest : public MatrixWorld {
 protected:
  void SetUp() override {
    issuer_.Publish("k1", KeyPair::kRsa);
    oidc::Issuer believed;
    believed.url = issuer_.url();
    believed.audience = "allot";
    believed.jwks_uri = issuer_.jwks_uri();
    options_.tokens = std::make_shared<oidc::TokenVerifier>(
        clock_, oidc::TokenVerifier::Options{
                    .issuers = {believed},
                    .refetch_ms = 0,
                    .retry_ms = 600'000,
                    .steady_micros = [this] { return SteadyMicros() + later_micros_.load(); },
                    .on_fetch = {}});
    options_.registry = std::make_shared<prometheus::Registry>();
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log_);
    options_.log = std::make_shared<spdlog::logger>("test", sink);
    options_.log->set_pattern("%v");
    MatrixWorld::SetUp();
  }

  std::string Token(const std::string& subject, const json& changes = {}) const {
    json claims = issuer_.Claims(clock_.Now());
    claims["sub"] = subject;
    if (changes.is_object()) claims.update(changes);
    return TestIssuer::Token(TestIssuer::Header("k1"), claims);
  }
  std::string MemberText(const std::string& subject, const std::string& rest) const {
    return "member { issuer: '" + issuer_.url() + "' subject: '" + subject + "' " + rest + " }";
  }
  v1::Member Add(const std::string& subject, const std::string& rest) {
    v1::Member member;
    EXPECT_EQ(ReasonOf(Call<v1::MemberService>(operator_key_, &Members::CreateMember,
                                               MemberText(subject, rest), &member)),
              "OK");
    return member;
  }
  v1::Member AddKim() { return Add("kim", "role: ROLE_MEMBER institute: 'institutes/alder'"); }
  grpc::Status Remove(const std::string& key, const std::string& name) {
    return Call<v1::MemberService>(key, &Members::RemoveMember,
                                   "name: '" + name + "' reason: 'left'");
  }
  grpc::Status Who(const std::string& token, v1::WhoAmIResponse* answer = nullptr) {
    return Call<v1::MemberService>(token, &Members::WhoAmI, "", answer);
  }
  double Refused(const std::string& cause) {
    for (const auto& family : options_.registry->Collect()) {
      if (family.name != "allot_rpc_tokens_refused_total") continue;
      for (const auto& metric : family.metric) {
        if (metric.label.at(0).value == cause) return metric.counter.value;
      }
    }
    return 0;
  }

  TestIssuer issuer_;
  std::atomic<int64_t> later_micros_{0};
  std::ostringstream log_;
};

TEST_F(TokensTest, APersonIsWhomTheMinistryAdded) {
  const v1::Member kim = AddKim();
  const std::string token = Token("kim");
  v1::WhoAmIResponse who;
  ASSERT_EQ(ReasonOf(Who(token, &who)), "OK");
  EXPECT_EQ(who.role(), v1::ROLE_MEMBER);
  EXPECT_EQ(who.institute(), "institutes/alder");
  EXPECT_EQ(who.member().name(), kim.name());
  EXPECT_FALSE(who.has_api_key());

  v1::Allocation made;
  ASSERT_EQ(ReasonOf(Call<v1::AllocationService>(
                token, &Allocations::CreateAllocation,
                "parent: 'institutes/alder/projects/projx' allocation_id: 'mine' allocation { "
                "request { gpus: 8 duration { seconds: 3600 } } } request_id: 'once'",
                &made)),
            "OK");
  EXPECT_EQ(ReasonOf(Call<v1::AllocationService>(
                token, &Allocations::GetAllocation,
                "name: 'institutes/birch/projects/projx/allocations/runx1'")),
            "NOT_FOUND");
  EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(token, &Operators::ListApiKeys, "")),
            "ROLE_INSUFFICIENT");
  v1::ListAuditEntriesResponse audit;
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::ListAuditEntries,
                                               "resource: '" + made.name() + "'", &audit)),
            "OK");
  ASSERT_EQ(audit.audit_entries_size(), 1);
  EXPECT_EQ(audit.audit_entries(0).member(), kim.name());
  EXPECT_EQ(audit.audit_entries(0).api_key(), "");
  EXPECT_EQ(audit.audit_entries(0).actor(), "member");
}

TEST_F(TokensTest, ATokenOfNobodyKnownIsToldWhatToDo) {
  const auto status = Who(Token("stranger"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(ReasonOf(status), "MEMBER_UNKNOWN");
  EXPECT_EQ(InfoOf(status).metadata().at("advice"), Advice(Reason::kMemberUnknown));
}

TEST_F(TokensTest, WhoIsRemovedIsRefusedAtOnceWhateverItsTokenSays) {
  const v1::Member kim = AddKim();
  const std::string token = Token("kim");
  ASSERT_EQ(ReasonOf(Who(token)), "OK");
  ASSERT_EQ(ReasonOf(Remove(operator_key_, kim.name())), "OK");
  const auto methods = AllMethods();
  for (const MethodRow& row : MethodRows()) {
    const auto& method = *methods.at(std::string(row.method));
    const Answer answer = Ask(token, method, BytesFor(row, method, Place::kOwn));
    EXPECT_EQ(ReasonOf(answer.status), "MEMBER_UNKNOWN") << row.method;
  }
  EXPECT_EQ(ReasonOf(Remove(operator_key_, kim.name())), "OK") << "again changes nothing";
  const v1::Member again = AddKim();
  EXPECT_NE(again.name(), kim.name());
  EXPECT_EQ(ReasonOf(Who(token)), "OK");
}

TEST_F(TokensTest, APersonIsAddedOnceForARequestIdAndOnceAtAll) {
  const std::string text =
      MemberText("kim", "role: ROLE_VIEWER institute: 'institutes/alder'") + " request_id: 'm-1'";
  v1::Member first;
  v1::Member again;
  ASSERT_EQ(ReasonOf(Call<v1::MemberService>(operator_key_, &Members::CreateMember, text, &first)),
            "OK");
  ASSERT_EQ(ReasonOf(Call<v1::MemberService>(operator_key_, &Members::CreateMember, text, &again)),
            "OK");
  EXPECT_EQ(again.name(), first.name());
  const auto create = [&](const std::string& rest) {
    return ReasonOf(Call<v1::MemberService>(operator_key_, &Members::CreateMember, rest));
  };
  EXPECT_EQ(create(MemberText("kim", "role: ROLE_AUDITOR")), "ALREADY_EXISTS");
  EXPECT_EQ(create(MemberText("lee", "role: ROLE_PROVIDER")), "FIELD_NOT_ALLOWED");
  EXPECT_EQ(create(MemberText("lee", "role: ROLE_MEMBER")), "FIELD_REQUIRED");
  EXPECT_EQ(create(MemberText("lee", "role: ROLE_OPERATOR institute: 'institutes/alder'")),
            "FIELD_NOT_ALLOWED");
  EXPECT_EQ(create(MemberText("lee", "role: ROLE_MEMBER institute: 'institutes/cedar'")),
            "NOT_FOUND");
  EXPECT_EQ(create(MemberText("", "role: ROLE_AUDITOR")), "FIELD_REQUIRED");
  EXPECT_EQ(create("member { subject: 'lee' role: ROLE_AUDITOR }"), "FIELD_REQUIRED");
}

TEST_F(TokensTest, MembersWhoAreStaffAreTheMinistryAdmins) {
  const std::string& night_shift = keys_.at(Role::kOperator);
  const v1::Member auditor = Add("auditor", "role: ROLE_AUDITOR");
  for (const char* role : {"ROLE_MINISTRY_ADMIN", "ROLE_OPERATOR", "ROLE_AUDITOR"}) {
    EXPECT_EQ(ReasonOf(Call<v1::MemberService>(night_shift, &Members::CreateMember,
                                               MemberText("lee", "role: " + std::string(role)))),
              "ROLE_INSUFFICIENT");
  }
  EXPECT_EQ(ReasonOf(Remove(night_shift, auditor.name())), "ROLE_INSUFFICIENT");
  v1::Member viewer;
  EXPECT_EQ(ReasonOf(Call<v1::MemberService>(
                night_shift, &Members::CreateMember,
                MemberText("lee", "role: ROLE_VIEWER institute: 'institutes/alder'"), &viewer)),
            "OK");
  EXPECT_EQ(ReasonOf(Remove(night_shift, viewer.name())), "OK");
  // A person may be the ministry admin, and does what one may.
  Add("minister", "role: ROLE_MINISTRY_ADMIN");
  EXPECT_EQ(ReasonOf(Remove(Token("minister"), auditor.name())), "OK");
}

/// Every way to be wrong, told in the same words; nothing changes, and the log alone knows why.
TEST_F(TokensTest, BadTokensAreRefusedInTheSameWords) {
  AddKim();
  const std::string good = Token("kim");
  const int64_t now = clock_.Now().seconds();
  json unsigned_header = TestIssuer::Header("k1", "none");
  const json claims = issuer_.Claims(clock_.Now());
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"algorithm", TestIssuer::Token(unsigned_header, claims)},
      {"algorithm", TestIssuer::Token(TestIssuer::Header("k1", "HS256"), claims)},
      {"algorithm", TestIssuer::Token(TestIssuer::Header("k1", "PS256"), claims)},
      {"type", TestIssuer::Token({{"alg", "RS256"}, {"typ", "JWT"}, {"kid", "k1"}}, claims)},
      {"signature", TestIssuer::Token(TestIssuer::Header("k1"), claims, KeyPair::kOtherRsa)},
      {"key_unknown", TestIssuer::Token(TestIssuer::Header("k9"), claims)},
      {"issuer", Token("kim", {{"iss", "https://id.example"}})},
      {"audience", Token("kim", {{"aud", "billing"}})},
      {"expired", Token("kim", {{"iat", now - 900}, {"exp", now - 31}})},
      {"not_yet_valid", Token("kim", {{"nbf", now + 60}})},
      {"issued_in_future", Token("kim", {{"iat", now + 60}})},
      {"too_large", Token("kim", {{"x", std::string(3'000, 'x')}})},
      {"malformed", good.substr(0, good.rfind('.'))},
      {"malformed", "a.b.c"},
      {"malformed", "..."},
  };
  const auto methods = AllMethods();
  const auto before = Digests();
  std::set<std::string> words;
  log_.str("");
  std::map<std::string, double> expected;
  for (const auto& [cause, token] : bad) {
    for (const char* name : {"AllocationService/CreateAllocation", "MemberService/WhoAmI",
                             "AllocationService/WatchAllocations"}) {
      const auto row = std::find_if(MethodRows().begin(), MethodRows().end(),
                                    [&](const MethodRow& one) { return one.method == name; });
      const auto& method = *methods.at(name);
      const Answer answer = Ask(token, method, BytesFor(*row, method, Place::kOwn));
      EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << cause;
      words.insert(answer.status.error_message() + "\n" + InfoOf(answer.status).DebugString());
      expected[cause] += 1;
    }
  }
  EXPECT_EQ(words.size(), 1U) << *words.begin() << *words.rbegin();
  EXPECT_EQ(Digests(), before);
  for (const auto& [cause, count] : expected) EXPECT_EQ(Refused(cause), count) << cause;
  const std::string log = log_.str();
  EXPECT_NE(log.find("\"token_fault\":\"algorithm\""), std::string::npos) << log;
  for (const auto& [cause, token] : bad) {
    if (token.size() <= 20) continue;
    EXPECT_EQ(log.find(token.substr(0, token.find('.'))), std::string::npos);
  }
  EXPECT_EQ(ReasonOf(Who(good)), "OK");
}

TEST_F(TokensTest, ANewKeyOfTheIssuerIsGoodFromItsFirstToken) {
  AddKim();
  ASSERT_EQ(ReasonOf(Who(Token("kim"))), "OK");
  issuer_.Publish("k2", KeyPair::kOtherRsa);
  json claims = issuer_.Claims(clock_.Now());
  const std::string token = TestIssuer::Token(TestIssuer::Header("k2"), claims, KeyPair::kOtherRsa);
  EXPECT_EQ(ReasonOf(Who(token)), "OK") << "the call waited for the key";
}

TEST_F(TokensTest, ManyTokensOfANewKeyAreGoodFromTheFirst) {
  AddKim();
  ASSERT_EQ(ReasonOf(Who(Token("kim"))), "OK");
  issuer_.Publish("k2", KeyPair::kOtherRsa);
  std::vector<std::future<std::string>> answers;
  for (int i = 0; i < 16; ++i) {
    json claims = issuer_.Claims(clock_.Now());
    claims["jti"] = i;
    answers.push_back(std::async(std::launch::async, [this, claims] {
      return ReasonOf(Who(TestIssuer::Token(TestIssuer::Header("k2"), claims, KeyPair::kOtherRsa)));
    }));
  }
  for (auto& answer : answers) EXPECT_EQ(answer.get(), "OK");
}

TEST_F(TokensTest, WhileTheIssuerIsSilentCallsGoOnAndNewKeysDoNot) {
  AddKim();
  const std::string token = Token("kim");
  ASSERT_EQ(ReasonOf(Who(token)), "OK");
  issuer_.Silence(true);
  EXPECT_EQ(ReasonOf(Who(token)), "OK");
  EXPECT_EQ(ReasonOf(Who(Token("kim", {{"jti", "another"}}))), "OK");
  later_micros_ = int64_t{25} * 3'600 * 1'000'000;
  const auto status = Who(token);
  EXPECT_EQ(ReasonOf(status), "ISSUER_UNAVAILABLE") << "a day is too long";
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(Who(operator_key_)), "OK") << "keys need no issuer";
}

TEST_F(TokensTest, AWatchEndsWithItsToken) {
  AddKim();
  const std::string token = Token("kim");
  v1::AllocationService::Stub stub(channel_);
  const auto context = As(token);
  const auto reader = stub.WatchAllocations(
      context.get(),
      Text<v1::WatchAllocationsRequest>("parent: 'institutes/alder/projects/projx'"));
  v1::WatchAllocationsResponse message;
  ASSERT_TRUE(reader->Read(&message));
  clock_.Advance(Seconds{700});
  while (reader->Read(&message)) {
  }
  EXPECT_EQ(ReasonOf(reader->Finish()), "TOKEN_INVALID");
}

TEST_F(TokensTest, AWatchEndsWhenWhoWatchesIsSomebodyElseHere) {
  const v1::Member kim = AddKim();
  v1::AllocationService::Stub stub(channel_);
  const auto context = As(Token("kim"));
  const auto reader = stub.WatchAllocations(
      context.get(),
      Text<v1::WatchAllocationsRequest>("parent: 'institutes/alder/projects/projx'"));
  v1::WatchAllocationsResponse message;
  ASSERT_TRUE(reader->Read(&message));
  ASSERT_EQ(ReasonOf(Remove(operator_key_, kim.name())), "OK");
  AddKim();
  while (reader->Read(&message)) {
  }
  EXPECT_EQ(ReasonOf(reader->Finish()), "MEMBER_UNKNOWN");
}

TEST_F(TokensTest, WithoutAnIssuerNoTokenIsGood) {
  AddKim();
  server_->Drain(1'000);
  options_.tokens = nullptr;
  Serve();
  EXPECT_EQ(ReasonOf(Who(Token("kim"))), "TOKEN_INVALID");
  EXPECT_EQ(ReasonOf(Who(operator_key_)), "OK");
}

TEST_F(TokensTest, AFloodOfBadTokensLeavesMembersTheirTurn) {
  AddKim();
  const std::string token = Token("kim");
  ASSERT_EQ(ReasonOf(Who(token)), "OK");
  std::atomic<bool> over{false};
  std::vector<std::future<int>> floods;
  const std::string bad =
      TestIssuer::Token(TestIssuer::Header("k1"), issuer_.Claims(clock_.Now()), KeyPair::kOtherRsa);
  for (int i = 0; i < 4; ++i) {
    floods.push_back(std::async(std::launch::async, [&] {
      int refused = 0;
      while (!over.load()) {
        const std::string reason = ReasonOf(Who(bad));
        EXPECT_TRUE(reason == "TOKEN_INVALID" || reason == "OVERLOADED") << reason;
        ++refused;
      }
      return refused;
    }));
  }
  for (int i = 0; i < 50; ++i) EXPECT_EQ(ReasonOf(Who(token)), "OK");
  over.store(true);
  for (auto& flood : floods) EXPECT_GT(flood.get(), 0);
}

TEST(CallJournalTest, AFloodOfBadTokensIsNoneOfLines) {
  std::ostringstream out;
  auto log = std::make_shared<spdlog::logger>(
      "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(out));
  log->set_pattern("%v");
  int64_t now_micros = 1'000'000;
  CallJournal journal(log, nullptr, [&] { return now_micros; });
  const Error error = StateError(Reason::kTokenInvalid, "the token is not good");
  const auto refuse = [&](int times) {
    out.str("");
    for (int i = 0; i < times; ++i) {
      journal.Ended({.method = "m", .call_id = "c", .token_fault = "audience"},
                    grpc::StatusCode::UNAUTHENTICATED, &error);
    }
    const std::string lines = out.str();
    return std::make_pair(std::count(lines.begin(), lines.end(), '\n'), lines);
  };
  EXPECT_EQ(refuse(100).first, 10);
  now_micros += 1'000'000;
  const auto [count, line] = refuse(1);
  EXPECT_EQ(count, 1);
  EXPECT_EQ(json::parse(line).at("refused_without_a_line"), 90);
  EXPECT_EQ(json::parse(line).at("token_fault"), "audience");
}

}  // namespace
}  // namespace allot::rpc
