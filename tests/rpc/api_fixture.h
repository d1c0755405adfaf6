#pragma once

#include <google/protobuf/text_format.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "allot/control/identity.h"
#include "allot/control/scheduler_loop.h"
#include "allot/rpc/server.h"
#include "allot/v1/allocation_service.grpc.pb.h"
#include "allot/v1/error_reason.pb.h"
#include "allot/v1/member_service.grpc.pb.h"
#include "allot/v1/operator_service.grpc.pb.h"
#include "allot/v1/policy_service.grpc.pb.h"
#include "allot/v1/pool_service.grpc.pb.h"
#include "allot/v1/project_service.grpc.pb.h"
#include "allot/v1/proposal_service.grpc.pb.h"
#include "allot/v1/provider_service.grpc.pb.h"
#include "allot/v1/quota_service.grpc.pb.h"
#include "support/manual_clock.h"
#include "support/postgres_server.h"

namespace allot::rpc {

/// A message from protobuf's text form; a mistake in it fails the test.
template <class Message>
Message Text(const std::string& text) {
  Message message;
  if (!google::protobuf::TextFormat::ParseFromString(text, &message)) {
    throw std::runtime_error("not a " + Message::descriptor()->name() + ": " + text);
  }
  return message;
}

inline v1::ErrorInfo InfoOf(const grpc::Status& status) {
  google::rpc::Status details;
  v1::ErrorInfo info;
  if (!details.ParseFromString(status.error_details())) return info;
  for (const auto& any : details.details()) {
    if (any.type_url().ends_with("/google.rpc.ErrorInfo")) info.ParseFromString(any.value());
  }
  return info;
}

/// The reason's name, "OK", or gRPC's own words where there is no reason.
inline std::string ReasonOf(const grpc::Status& status) {
  if (status.ok()) return "OK";
  const std::string reason = InfoOf(status).reason();
  return reason.empty() ? "without a reason: " + status.error_message() : reason;
}

inline int64_t SteadyMicros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// A real server on loopback over a real database, with the ministry's key.
class Api : public ::testing::Test {
 protected:
  static constexpr std::chrono::seconds kPatience{30};

  void SetUp() override {
    policy_ = DefaultPolicy();
    // Ties by name, so that tests can say who comes first.
    policy_.tie_seed = 0;
    policy_.gathering_time = Seconds{0};
    policy_.programmes = {{ProgrammeId("call"), {64, 64}, Days(366)}};
    database_ = testing::FreshDatabase();
    store_ = testing::OpenTestStore(StoreUrl());
    context_.emplace(control::Context{*store_, clock_, ids_, policies_});
    planner_ = std::make_unique<control::Planner>(*context_);
    operator_key_ = control::CreateFirstKey(*context_).value().secret;
    store_->OnCommit([this](Revision) {
      if (server_) server_->NotifyCommit();
    });
    options_.address = "127.0.0.1:0";
    options_.steady_micros = SteadyMicros;
    options_.poll_ms = 20;
  }

  /// By which way the store reaches the database.
  virtual std::string StoreUrl() { return database_; }

  void TearDown() override {
    if (server_) server_->Drain(1'000);
  }

  void Serve() {
    auto started = Server::Start(*context_, *planner_, options_);
    if (!started.ok()) throw std::runtime_error(Describe(started.error()));
    server_ = std::move(started).value();
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
  }

  std::unique_ptr<grpc::ClientContext> As(const std::string& key) const {
    auto context = std::make_unique<grpc::ClientContext>();
    if (!key.empty()) context->AddMetadata("authorization", "Bearer " + key);
    context->set_deadline(std::chrono::system_clock::now() + kPatience);
    return context;
  }

  /// Calls `method` of `Service` with a message in text form.
  template <class Service, class Request, class Response>
  grpc::Status Call(const std::string& key,
                    grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&,
                                                          Response*),
                    const std::string& request, Response* response = nullptr) {
    typename Service::Stub stub(channel_);
    Response ignored;
    return (stub.*method)(As(key).get(), Text<Request>(request),
                          response != nullptr ? response : &ignored);
  }

  std::string KeyFor(const std::string& api_key) {
    v1::CreateApiKeyResponse created;
    const auto status = Call<v1::OperatorService>(operator_key_, &Operators::CreateApiKey,
                                                  "api_key { " + api_key + " }", &created);
    EXPECT_EQ(ReasonOf(status), "OK");
    return created.secret();
  }
  std::string MemberKey(const std::string& institute) {
    return KeyFor("role: ROLE_MEMBER institute: 'institutes/" + institute + "'");
  }

  /// An institute with the open project "p" and a quota of 64 GPUs of each model.
  void AddTenant(const std::string& institute) {
    EXPECT_EQ(ReasonOf(Call<v1::ProjectService>(
                  operator_key_, &Projects::CreateInstitute,
                  "institute_id: '" + institute + "' institute { sector: SECTOR_ACADEMIA }")),
              "OK");
    EXPECT_EQ(ReasonOf(Call<v1::ProjectService>(
                  operator_key_, &Projects::CreateProject,
                  "parent: 'institutes/" + institute +
                      "' project_id: 'p' project { programme: 'call' sector: SECTOR_ACADEMIA "
                      "merit: 500 }")),
              "OK");
    EXPECT_EQ(ReasonOf(Call<v1::QuotaService>(
                  operator_key_, &Quotas::UpdateQuota,
                  "quota { name: 'institutes/" + institute +
                      "/projects/p/quota' concurrent_gpus { b200: 64 h200: 64 } gpu_seconds: "
                      "3600000000 } update_mask { paths: '*' } reason: 'call'")),
              "OK");
  }

  /// Provider "prov" with the H200 cluster "c" of four nodes n1 to n4, brought by its agent.
  void AddPool() {
    EXPECT_EQ(ReasonOf(Call<v1::PoolService>(operator_key_, &Pool::CreateProvider,
                                             "provider_id: 'prov'")),
              "OK");
    EXPECT_EQ(ReasonOf(Call<v1::PoolService>(
                  operator_key_, &Pool::CreateCluster,
                  "parent: 'providers/prov' cluster_id: 'c' cluster { gpu_model: GPU_MODEL_H200 "
                  "programmes: 'call' }")),
              "OK");
    agent_key_ = KeyFor("role: ROLE_PROVIDER provider: 'providers/prov'");
    v1::RegisterAgentResponse registered;
    EXPECT_EQ(ReasonOf(Call<v1::ProviderService>(
                  agent_key_, &Agents::RegisterAgent,
                  "cluster: 'providers/prov/clusters/c' gpu_model: GPU_MODEL_H200", &registered)),
              "OK");
    session_ = registered.session();
    EXPECT_EQ(ReasonOf(Call<v1::ProviderService>(
                  agent_key_, &Agents::SyncInventory,
                  InSession("generation: 1 nodes { node_id: 'n1' } nodes { node_id: 'n2' } nodes { "
                            "node_id: 'n3' } nodes { node_id: 'n4' }"))),
              "OK");
  }
  std::string InSession(const std::string& rest) const {
    return "cluster: 'providers/prov/clusters/c' session: " + std::to_string(session_) + ' ' + rest;
  }

  static std::string CreateText(const std::string& institute, const std::string& id,
                                const std::string& size = "gpus: 8") {
    return "parent: 'institutes/" + institute + "/projects/p' allocation_id: '" + id +
           "' allocation { request { " + size + " duration { seconds: 3600 } } }";
  }

  /// One turn of the scheduler.
  void Schedule() {
    control::SchedulerLoop::Options options;
    options.holder = "server-1";
    options.steady_micros = SteadyMicros;
    if (!loop_) {
      loop_ = std::make_unique<control::SchedulerLoop>(*context_, *planner_, options);
    }
    const auto turned = loop_->Turn();
    if (!turned.ok()) throw std::runtime_error(Describe(turned.error()));
  }

  using Allocations = v1::AllocationService::Stub;
  using Projects = v1::ProjectService::Stub;
  using Quotas = v1::QuotaService::Stub;
  using Pool = v1::PoolService::Stub;
  using Agents = v1::ProviderService::Stub;
  using Policies = v1::PolicyService::Stub;
  using Operators = v1::OperatorService::Stub;
  using Proposals = v1::ProposalService::Stub;
  using Members = v1::MemberService::Stub;

  testing::ManualClock clock_;
  SystemIdSource ids_;
  Policy policy_;
  control::PolicyBook policies_{policy_};
  std::string database_;
  std::unique_ptr<store::Store> store_;
  std::optional<control::Context> context_;
  std::unique_ptr<control::Planner> planner_;
  std::unique_ptr<control::SchedulerLoop> loop_;
  Server::Options options_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::string operator_key_;
  std::string agent_key_;
  int64_t session_ = 0;
};

}  // namespace allot::rpc
