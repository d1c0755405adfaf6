#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/support/sync_stream.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

#include "allot/base/random.h"
#include "allot/v1/allocation_service.grpc.pb.h"
#include "allot/v1/member_service.grpc.pb.h"
#include "allot/v1/operator_service.grpc.pb.h"
#include "allot/v1/policy_service.grpc.pb.h"
#include "allot/v1/pool_service.grpc.pb.h"
#include "allot/v1/project_service.grpc.pb.h"
#include "allot/v1/proposal_service.grpc.pb.h"
#include "allot/v1/provider_service.grpc.pb.h"
#include "allot/v1/quota_service.grpc.pb.h"
#include "cli/answer.h"
#include "cli/call_loop.h"
#include "cli/connection.h"
#include "cli/failure.h"

namespace allot::cli {

// The methods of the services, as in `client.Call(&Allocations::GetAllocation, request)`.
using Allocations = v1::AllocationService::StubInterface::async_interface;
using Projects = v1::ProjectService::StubInterface::async_interface;
using Quotas = v1::QuotaService::StubInterface::async_interface;
using Pool = v1::PoolService::StubInterface::async_interface;
using Providers = v1::ProviderService::StubInterface::async_interface;
using Policies = v1::PolicyService::StubInterface::async_interface;
using Operators = v1::OperatorService::StubInterface::async_interface;
using Proposals = v1::ProposalService::StubInterface::async_interface;
using Members = v1::MemberService::StubInterface::async_interface;

template <class Service, class Request, class Response>
using Method = void (Service::*)(grpc::ClientContext*, const Request*, Response*,
                                 std::function<void(grpc::Status)>);

/// A request that can be repeated without harm once it carries a request_id.
template <class Request>
concept Mutation = requires(Request request) {
  request.set_request_id(std::string());
};

/// A server, as a command sees it. Every call carries the key and a deadline, every change a
/// request_id of its own; passing failures are met by repeats (see CallLoop).
class Client {
 public:
  /// `random`: of the pauses between repeats; it outlives the client.
  Client(const Connection& connection, CallPolicy policy, IdSource& ids, SeededRandom& random);

  /// Used for the next change instead of a fresh id, to repeat one whose outcome is unknown.
  void set_request_id(std::string request_id) { request_id_ = std::move(request_id); }
  const std::string& server() const { return settings_.server; }
  /// See CallSettings.
  void set_renew_key(std::function<bool()> renew) { settings_.renew_key = std::move(renew); }
  void set_on_trouble(std::function<void(const Failure&)> on_trouble) {
    settings_.on_trouble = std::move(on_trouble);
  }
  /// For attempts that begin after. Whether it is another.
  bool UseKey(const std::string& key) { return std::exchange(settings_.key, key) != key; }

  template <class Service, class Request, class Response>
  Outcome<Response> Call(Method<Service, Request, Response> method,
                         const std::type_identity_t<Request>& request) {
    std::optional<Outcome<Response>> result;
    CallLoop loop = Loop(1);
    Add(loop, method, request,
        [&result](Outcome<Response> outcome) { result.emplace(std::move(outcome)); });
    loop.Run();
    return std::move(*result);
  }

  /// For many calls at the same time; the loop must not outlive the client.
  CallLoop Loop(int limit) { return CallLoop(settings_, limit); }

  template <class Service, class Request, class Response>
  void Add(CallLoop& loop, Method<Service, Request, Response> method,
           std::type_identity_t<Request> request,
           std::type_identity_t<std::function<void(Outcome<Response>)>> done) {
    struct Messages {
      Request request;
      Response response;
    };
    auto messages = std::make_shared<Messages>();
    messages->request = std::move(request);
    std::string request_id;
    if constexpr (Mutation<Request>) {
      if (messages->request.request_id().empty()) {
        messages->request.set_request_id(NextRequestId());
      }
      request_id = messages->request.request_id();
    }
    Service* const service = std::get<Service*>(services_);
    loop.Add(
        [service, method, messages](grpc::ClientContext& context, CallLoop::Answered answered) {
          messages->response.Clear();
          (service->*method)(&context, &messages->request, &messages->response,
                             std::move(answered));
        },
        [messages, request_id, done = std::move(done)](const Failure* failure) {
          if (failure == nullptr) {
            done(Judged(std::move(messages->response)));
            return;
          }
          done(request_id.empty() ? *failure : OfMutation(*failure, request_id));
        });
  }

  /// One watch, to its end; no repeats. `context` cancels it.
  std::unique_ptr<grpc::ClientReaderInterface<v1::WatchAllocationsResponse>> Watch(
      grpc::ClientContext& context, const v1::WatchAllocationsRequest& request);
  Failure WatchFailure(const grpc::Status& status) const;

 private:
  std::string NextRequestId();

  CallSettings settings_;
  IdSource& ids_;
  std::string request_id_;
  std::shared_ptr<grpc::Channel> channel_;
  std::tuple<std::unique_ptr<v1::AllocationService::StubInterface>,
             std::unique_ptr<v1::ProjectService::StubInterface>,
             std::unique_ptr<v1::QuotaService::StubInterface>,
             std::unique_ptr<v1::PoolService::StubInterface>,
             std::unique_ptr<v1::ProviderService::StubInterface>,
             std::unique_ptr<v1::PolicyService::StubInterface>,
             std::unique_ptr<v1::OperatorService::StubInterface>,
             std::unique_ptr<v1::ProposalService::StubInterface>,
             std::unique_ptr<v1::MemberService::StubInterface>>
      stubs_;
  std::tuple<Allocations*, Projects*, Quotas*, Pool*, Providers*, Policies*, Operators*, Proposals*,
             Members*>
      services_;
};

}  // namespace allot::cli
