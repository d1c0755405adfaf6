#include "allot/rpc/server.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <prometheus/text_serializer.h>
#include <spdlog/sinks/ostream_sink.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "rpc/any_call.h"
#include "rpc/api_fixture.h"
#include "rpc/bytes.h"

namespace allot::rpc {
namespace {

using ServerTest = Api;

TEST_F(ServerTest, NoMethodAnswersWithoutAKey) {
  Serve();
  const auto methods = AllMethods();
  EXPECT_GE(methods.size(), 58U);
  for (const auto& [name, method] : methods) {
    const std::string path = PathOf(*method);
    const auto anonymous = CallBytes(channel_, path, "", As("").get());
    EXPECT_EQ(ReasonOf(anonymous), "CREDENTIAL_MISSING") << path;
    EXPECT_EQ(anonymous.error_code(), grpc::StatusCode::UNAUTHENTICATED) << path;
    EXPECT_EQ(ReasonOf(CallBytes(channel_, path, "", As("allot_nobody_knows").get())),
              "CREDENTIAL_INVALID")
        << path;
  }
}

TEST_F(ServerTest, TakesAKeyInOneFormOnlyAndNeverShowsItAgain) {
  Serve();
  for (const std::string& value :
       {operator_key_, "Basic " + operator_key_, std::string("Bearer "), "Bearer  " + operator_key_,
        "Bearer " + std::string(5'000, 'x')}) {
    auto context = As("");
    context->AddMetadata("authorization", value);
    const auto status =
        CallBytes(channel_, "/allot.v1.ProjectService/ListInstitutes", "", context.get());
    EXPECT_EQ(ReasonOf(status), "CREDENTIAL_INVALID");
    EXPECT_EQ(status.error_message().find(operator_key_), std::string::npos);
    EXPECT_EQ(status.error_details().find(operator_key_), std::string::npos);
  }
  // But for the scheme's letters.
  for (const std::string scheme : {"bearer ", "BEARER "}) {
    auto context = As("");
    context->AddMetadata("authorization", scheme + operator_key_);
    EXPECT_TRUE(
        CallBytes(channel_, "/allot.v1.ProjectService/ListInstitutes", "", context.get()).ok())
        << scheme;
  }
  auto twice = As(operator_key_);
  twice->AddMetadata("authorization", "Bearer " + operator_key_);
  EXPECT_EQ(
      ReasonOf(CallBytes(channel_, "/allot.v1.ProjectService/ListInstitutes", "", twice.get())),
      "CREDENTIAL_INVALID");
}

TEST_F(ServerTest, ARevokedKeyStopsAtOnce) {
  Serve();
  v1::CreateApiKeyResponse created;
  Call<v1::OperatorService>(operator_key_, &Operators::CreateApiKey,
                            "api_key { role: ROLE_AUDITOR }", &created);
  EXPECT_EQ(ReasonOf(Call<v1::ProjectService>(created.secret(), &Projects::ListInstitutes, "")),
            "OK");
  EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(
                operator_key_, &Operators::RevokeApiKey,
                "name: '" + created.api_key().name() + "' reason: 'lost'")),
            "OK");
  EXPECT_EQ(ReasonOf(Call<v1::ProjectService>(created.secret(), &Projects::ListInstitutes, "")),
            "CREDENTIAL_INVALID");
}

/// What health says: HealthCheckResponse.status is field 1; Debian has no stubs of grpc.health.v1.
std::string HealthOf(const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext* context) {
  std::string answer;
  EXPECT_TRUE(CallBytes(channel, "/grpc.health.v1.Health/Check", "", context, &answer).ok());
  return answer;
}

TEST_F(ServerTest, HealthAnswersEverybodyAndSaysWhatItIsTold) {
  Serve();
  EXPECT_EQ(HealthOf(channel_, As("").get()), "\x08\x01");
  server_->SetServing(false);
  EXPECT_EQ(HealthOf(channel_, As("").get()), "\x08\x02");
}

TEST_F(ServerTest, ReflectionIsThereOnlyWhenSwitchedOn) {
  constexpr char kPath[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  // ServerReflectionRequest.list_services is field 7.
  const std::string list_services = "\x3a\x01*";
  Serve();
  EXPECT_EQ(CallBytes(channel_, kPath, list_services, As("").get()).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  options_.reflection = true;
  Serve();
  std::string services;
  ASSERT_TRUE(CallBytes(channel_, kPath, list_services, As("").get(), &services).ok());
  EXPECT_NE(services.find("allot.v1.AllocationService"), std::string::npos);
}

TEST_F(ServerTest, PlainTextIsRefusedOnAnAddressThatOthersReach) {
  options_.address = "0.0.0.0:0";
  const auto started = Server::Start(*context_, *planner_, options_);
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().reason, Reason::kConfigInvalid);
  EXPECT_EQ(started.error().field, "address");
}

TEST_F(ServerTest, ASecondServerOnThePortIsRefused) {
  Serve();
  options_.address = server_->address();
  const auto second = Server::Start(*context_, *planner_, options_);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().reason, Reason::kConfigInvalid);
}

TEST_F(ServerTest, WhatChangesSomethingNeedsADeadline) {
  Serve();
  const auto without_deadline = [&] {
    auto context = std::make_unique<grpc::ClientContext>();
    context->AddMetadata("authorization", "Bearer " + operator_key_);
    return context;
  };
  v1::ProjectService::Stub projects(channel_);
  v1::Institute institute;
  const auto create =
      Text<v1::CreateInstituteRequest>("institute_id: 'x' institute { sector: SECTOR_ACADEMIA }");
  const grpc::Status refused =
      projects.CreateInstitute(without_deadline().get(), create, &institute);
  EXPECT_EQ(ReasonOf(refused), "FIELD_REQUIRED");
  EXPECT_EQ(InfoOf(refused).metadata().at("field"), "deadline");
  EXPECT_EQ(ReasonOf(Call<v1::ProjectService>(operator_key_, &Projects::GetInstitute,
                                              "name: 'institutes/x'", &institute)),
            "NOT_FOUND")
      << "nothing was changed";
  v1::ListInstitutesResponse list;
  EXPECT_EQ(ReasonOf(projects.ListInstitutes(without_deadline().get(), {}, &list)), "OK")
      << "reading may take its time";
}

TEST_F(ServerTest, WhatAnAgentReportsNeedsADeadlineToo) {
  Serve();
  AddPool();
  const auto refused = [&](auto method, auto request, auto response) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + agent_key_);
    v1::ProviderService::Stub agents(channel_);
    const grpc::Status status = (agents.*method)(&context, request, &response);
    return ReasonOf(status) + " " + InfoOf(status).metadata().at("field");
  };
  EXPECT_EQ(refused(&Agents::Heartbeat, Text<v1::HeartbeatRequest>(InSession("generation: 1")),
                    v1::HeartbeatResponse()),
            "FIELD_REQUIRED deadline");
  EXPECT_EQ(
      refused(&Agents::SyncInventory, Text<v1::SyncInventoryRequest>(InSession("generation: 2")),
              v1::SyncInventoryResponse()),
      "FIELD_REQUIRED deadline");
  EXPECT_EQ(refused(&Agents::AcknowledgeOrder, v1::AcknowledgeOrderRequest(), v1::Order()),
            "FIELD_REQUIRED deadline");
}

TEST_F(ServerTest, TextThatIsNotUtf8IsNamedByItsField) {
  Serve();
  v1::CreateInstituteRequest request;
  request.set_institute_id("snu");
  request.mutable_institute()->set_sector(v1::SECTOR_ACADEMIA);
  request.mutable_institute()->set_display_name("QQ");
  std::string bytes = request.SerializeAsString();
  bytes.replace(bytes.find("QQ"), 2, "\xc3\x28");
  const auto status = CallBytes(channel_, "/allot.v1.ProjectService/CreateInstitute", bytes,
                                As(operator_key_).get());
  EXPECT_EQ(ReasonOf(status), "TEXT_INVALID");
  EXPECT_EQ(InfoOf(status).metadata().at("field"), "institute.display_name");
  EXPECT_EQ(InfoOf(status).metadata().at("value"), "\\xc3(");
  EXPECT_EQ(ReasonOf(Call<v1::ProjectService>(operator_key_, &Projects::GetInstitute,
                                              "name: 'institutes/snu'")),
            "NOT_FOUND");
}

TEST_F(ServerTest, BytesThatAreNoMessageAndTooManyBytesAreRefused) {
  Serve();
  EXPECT_EQ(ReasonOf(CallBytes(channel_, "/allot.v1.ProjectService/CreateInstitute", "\x0a\xff",
                               As(operator_key_).get())),
            "REQUEST_MALFORMED");
  const auto too_large = CallBytes(channel_, "/allot.v1.ProjectService/CreateInstitute",
                                   std::string((4 << 20) + 1, 'x'), As(operator_key_).get());
  EXPECT_EQ(ReasonOf(too_large), "REQUEST_TOO_LARGE");
  EXPECT_EQ(InfoOf(too_large).metadata().at("limit"), "at most 4194304 bytes");
  EXPECT_EQ(CallBytes(channel_, "/allot.v1.ProjectService/CreateInstitute",
                      std::string(9 << 20, 'x'), As(operator_key_).get())
                .error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
}

/// `depth` groups in each other, or messages: of a field that no request has, number 15.
std::string Nested(int depth, bool groups) {
  if (groups) return std::string(static_cast<std::size_t>(depth), '\x7b');
  std::string bytes;
  for (int i = 0; i < depth; ++i) {
    std::string length;
    for (std::size_t rest = bytes.size(); rest > 0 || length.empty(); rest >>= 7) {
      length += static_cast<char>((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    }
    bytes.insert(0, "\x7a" + length);
  }
  return bytes;
}

TEST_F(ServerTest, WhatIsNestedDeeplyIsRefusedOrPassedOver) {
  Serve();
  const auto list = [&](const std::string& bytes) {
    return ReasonOf(CallBytes(channel_, "/allot.v1.ProjectService/ListInstitutes", bytes,
                              As(operator_key_).get()));
  };
  EXPECT_EQ(list(Nested(4 << 20, true)), "REQUEST_MALFORMED") << "as many as fit";
  EXPECT_EQ(list(Nested(1'000, true)), "REQUEST_MALFORMED");
  EXPECT_EQ(list(Nested(2'000, false)), "OK") << "a field that is not known is bytes";
  // Where the field is known: what a message of its type never holds.
  const std::string inside = Nested(1'000, true);
  EXPECT_EQ(ReasonOf(CallBytes(channel_, "/allot.v1.ProjectService/CreateInstitute",
                               "\x12" + std::string("\xe8\x07") + inside, As(operator_key_).get())),
            "REQUEST_MALFORMED");
  EXPECT_EQ(list(""), "OK");
}

TEST_F(ServerTest, CallsWhoseMessageNeverComesHoldNoWorker) {
  options_.workers = 1;
  options_.workers_a_party = 1;
  Serve();
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel_);
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::GenericClientAsyncReaderWriter>> calls;
  for (int i = 0; i < 50; ++i) {
    contexts.push_back(As(operator_key_));
    calls.push_back(
        stub.PrepareCall(contexts.back().get(), "/allot.v1.ProjectService/ListInstitutes", &queue));
    calls.back()->StartCall(&queue);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  }
  EXPECT_EQ(ReasonOf(Call<v1::ProjectService>(operator_key_, &Projects::ListInstitutes, "")), "OK");
  for (const auto& context : contexts) context->TryCancel();
  calls.clear();
  queue.Shutdown();
  void* tag = nullptr;
  for (bool ok = false; queue.Next(&tag, &ok);) {
  }
}

TEST_F(ServerTest, AMethodThatDoesNotExistIsNamed) {
  Serve();
  for (const std::string& path :
       {std::string("/allot.v1.AllocationService/CreateAllocatoin"), std::string("/allot.v2.X/Y"),
        "/allot.v1.ProjectService/" + std::string(3'000, 'x')}) {
    const auto status = CallBytes(channel_, path, "", As(operator_key_).get());
    EXPECT_EQ(ReasonOf(status), "METHOD_UNKNOWN");
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
    EXPECT_EQ(InfoOf(status).metadata().at("value"), Printable(path));
  }
}

TEST_F(ServerTest, AFullQueueIsOverloadedWithATimeToComeBack) {
  options_.queued_calls_max = 0;
  Serve();
  const auto status = Call<v1::ProjectService>(operator_key_, &Projects::ListInstitutes, "");
  EXPECT_EQ(ReasonOf(status), "OVERLOADED");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_NE(status.error_details().find("google.rpc.RetryInfo"), std::string::npos);
}

TEST_F(ServerTest, AFloodOfRefusedCallsIsNoFloodOfLines) {
  std::ostringstream lines;
  options_.log = std::make_shared<spdlog::logger>(
      "rpc", std::make_shared<spdlog::sinks::ostream_sink_mt>(lines));
  options_.log->set_pattern("%v");
  options_.queued_calls_max = 0;
  int64_t now_micros = 5'000'000;
  options_.steady_micros = [&now_micros] { return now_micros; };
  Serve();
  const auto flood = [this](int calls) {
    for (int i = 0; i < calls; ++i) {
      Call<v1::ProjectService>(operator_key_, &Projects::ListInstitutes, "");
    }
  };
  flood(30);
  const std::string first = lines.str();
  EXPECT_EQ(std::count(first.begin(), first.end(), '\n'), 10);
  now_micros += 1'000'000;
  flood(1);
  server_->Drain(1'000);
  const auto last = nlohmann::json::parse(lines.str().substr(first.size()));
  EXPECT_EQ(last["reason"], "overloaded");
  EXPECT_EQ(last["refused_without_a_line"], 20);
}

TEST_F(ServerTest, AFloodOfCallsByNobodyKnownIsNoFloodOfLines) {
  std::ostringstream lines;
  options_.log = std::make_shared<spdlog::logger>(
      "rpc", std::make_shared<spdlog::sinks::ostream_sink_mt>(lines));
  options_.log->set_pattern("%v");
  options_.registry = std::make_shared<prometheus::Registry>();
  options_.steady_micros = [] { return int64_t{5'000'000}; };
  Serve();
  for (int i = 0; i < 10; ++i) {
    for (const char* key : {"", "allot_nobody_knows"}) {
      Call<v1::ProjectService>(key, &Projects::ListInstitutes, "");
    }
    CallBytes(channel_, "/allot.v1.Made/Up" + std::to_string(i), "", As(operator_key_).get());
  }
  server_->Drain(1'000);
  const std::string text = lines.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10);
  EXPECT_NE(text.find(R"("reason":"method_unknown")"), std::string::npos);
  const std::string metrics = prometheus::TextSerializer().Serialize(options_.registry->Collect());
  EXPECT_NE(metrics.find("allot_rpc_calls_total{code=\"UNIMPLEMENTED\",method=\"unknown\"} 10"),
            std::string::npos)
      << "one name for all there is no method of";
  EXPECT_NE(metrics.find("allot_rpc_calls_in_flight 0"), std::string::npos);
}

TEST_F(ServerTest, EveryCallIsInTheLogAndInTheMetrics) {
  std::ostringstream lines;
  options_.log = std::make_shared<spdlog::logger>(
      "rpc", std::make_shared<spdlog::sinks::ostream_sink_mt>(lines));
  options_.log->set_pattern("%v");
  options_.registry = std::make_shared<prometheus::Registry>();
  Serve();
  Call<v1::ProjectService>(operator_key_, &Projects::CreateInstitute,
                           "institute_id: 'Bad' request_id: 'r-1'");
  server_->Drain(1'000);

  const auto line = nlohmann::json::parse(lines.str());
  EXPECT_EQ(line["method"], "allot.v1.ProjectService/CreateInstitute");
  EXPECT_EQ(line["code"], "INVALID_ARGUMENT");
  EXPECT_EQ(line["reason"], "name_invalid");
  EXPECT_EQ(line["request_id"], "r-1");
  EXPECT_EQ(line["role"], "ministry_admin");
  EXPECT_FALSE(line["key"].get<std::string>().empty());
  EXPECT_EQ(lines.str().find(operator_key_), std::string::npos) << "the secret is in the log";

  const std::string metrics = prometheus::TextSerializer().Serialize(options_.registry->Collect());
  EXPECT_NE(metrics.find("allot_rpc_calls_total{code=\"INVALID_ARGUMENT\",method=\"allot.v1."
                         "ProjectService/CreateInstitute\"} 1"),
            std::string::npos)
      << metrics;
  EXPECT_NE(metrics.find("allot_rpc_call_seconds_count"), std::string::npos);
  EXPECT_NE(metrics.find("allot_rpc_calls_in_flight 0"), std::string::npos);
}

/// A call of gRPC's own that has no end: it was answered once.
class OpenHealthWatch {
 public:
  explicit OpenHealthWatch(const std::shared_ptr<grpc::Channel>& channel) : stub_(channel) {
    call_ = stub_.PrepareCall(&context_, "/grpc.health.v1.Health/Watch", &queue_);
    call_->StartCall(&queue_);
    Await();
    call_->WriteLast(ToByteBuffer(""), grpc::WriteOptions(), &queue_);
    Await();
    call_->Read(&answer_, &queue_);
    Await();
  }
  ~OpenHealthWatch() {
    context_.TryCancel();
    grpc::Status status;
    call_->Finish(&status, &queue_);
    Await();
    queue_.Shutdown();
  }

 private:
  void Await() {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue_.Next(&tag, &ok));
  }

  grpc::CompletionQueue queue_;
  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  grpc::ByteBuffer answer_;
};

TEST_F(ServerTest, WhoWatchesItsHealthDoesNotHoldUpItsEnd) {
  Serve();
  const OpenHealthWatch watch(channel_);
  const int64_t start = SteadyMicros();
  constexpr int64_t kGraceMs = 600'000;
  server_->Drain(kGraceMs);
  EXPECT_LT(SteadyMicros() - start, kGraceMs * 1'000 / 10);
}

TEST_F(ServerTest, ADrainedServerTakesNoCallsAndCanBeDrainedAgain) {
  Serve();
  server_->Drain(100);
  server_->Drain(100);
  EXPECT_EQ(Call<v1::ProjectService>(operator_key_, &Projects::ListInstitutes, "").error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace allot::rpc
