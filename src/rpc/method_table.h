#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <google/protobuf/descriptor.h>

#include "allot/base/check.h"
#include "allot/base/result.h"
#include "rpc/bytes.h"
#include "rpc/call_record.h"
#include "rpc/caller.h"

namespace allot::rpc {

/// What a method that may wait does with one request.
struct Awaited {
  /// Whose turn to wait it takes: of two that wait in the same name the older is answered `none`.
  /// Never empty.
  std::string in_the_name_of;
  /// How long to wait for something when there is nothing yet.
  Seconds wait;
  /// Looks once, quickly; nothing when there is nothing yet.
  std::function<Result<std::optional<std::string>>()> look;
  /// The answer when the wait is over.
  std::string none;
};

/// What was committed since a revision, for all watches at once.
struct News {
  /// Everything up to and including it is counted in.
  Revision revision = 0;
  /// Whose resources changed; nothing when it may have been anybody's.
  std::optional<std::set<InstituteId>> institutes;
};

/// Where a watch takes its messages from. Used by one thread at a time.
class WatchSource {
 public:
  virtual ~WatchSource() = default;
  /// The first message.
  virtual std::string Begin() = 0;
  /// The same for every source of this kind, so that one may be asked for all.
  virtual Result<News> NewsSince(Revision seen) = 0;
  /// Whether the news may have something for it.
  virtual bool Concerns(const News& news) const = 0;
  /// There is nothing for it up to this revision. Requires: all before it was given.
  virtual void PassOver(Revision revision) = 0;
  /// Up to which revision everything was given.
  virtual Revision given() const = 0;
  /// One look, at so many events at most: messages about what comes next. None of them means that
  /// nothing up to given() concerned it, which may be short of the present.
  virtual Result<std::vector<std::string>> Next() = 0;
  /// A message without news.
  virtual std::string SignOfLife() = 0;
};

// Requests and answers as bytes: the transport knows no message, the handlers know no transport.
using UnaryMethod =
    std::function<Result<std::string>(const Caller&, CallRecord&, std::string_view)>;
/// Answers later, on any thread.
using Reply = std::function<void(const Result<std::string>&)>;
/// Runs what may block on a worker, in the caller's turn; or answers the call as overloaded.
using OnWorker = std::function<void(std::function<void()>)>;
/// Returns at once, and answers later: it must not block, but leave that to OnWorker.
using DeferredMethod =
    std::function<void(const Caller&, CallRecord&, std::string_view, const OnWorker&, Reply)>;
using AwaitedMethod = std::function<Result<Awaited>(const Caller&, CallRecord&, std::string_view)>;
using WatchMethod = std::function<Result<std::unique_ptr<WatchSource>>(const Caller&, CallRecord&,
                                                                       std::string_view)>;
using Method = std::variant<UnaryMethod, DeferredMethod, AwaitedMethod, WatchMethod>;

/// Reads a message; text_invalid and request_malformed name the field. Notes its request_id.
template <class Request>
Result<Request> Read(CallRecord& record, std::string_view bytes) {
  ALLOT_RETURN_IF_ERROR(CheckWire(*Request::descriptor(), bytes));
  Request request;
  if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return StateError(Reason::kRequestMalformed,
                      "the message is not a " + Request::descriptor()->name());
  }
  if constexpr (requires { request.request_id(); }) record.request_id = request.request_id();
  return request;
}

/// The methods of a service, by name. A method is found by the type of its request: no two share
/// one.
class MethodTable {
 public:
  explicit MethodTable(const google::protobuf::ServiceDescriptor* service) : service_(service) {
    ALLOT_CHECK(service_ != nullptr);
  }

  template <class Handlers, class Request, class Response>
  void Unary(Handlers* handlers,
             Result<Response> (Handlers::*handle)(const Caller&, const Request&)) {
    Add(Request::descriptor(),
        UnaryMethod([handlers, handle](const Caller& caller, CallRecord& record,
                                       std::string_view bytes) -> Result<std::string> {
          ALLOT_ASSIGN_OR_RETURN(const auto request, Read<Request>(record, bytes));
          ALLOT_ASSIGN_OR_RETURN(const auto response, (handlers->*handle)(caller, request));
          return response.SerializeAsString();
        }));
  }

  /// The same for what changes something and has no request_id, because repeating it changes
  /// nothing more.
  template <class Handlers, class Request, class Response>
  void Report(Handlers* handlers,
              Result<Response> (Handlers::*handle)(const Caller&, const Request&)) {
    Unary(handlers, handle);
    reports_.insert(Request::descriptor());
  }

  template <class Handlers, class Request, class Response>
  void Deferred(Handlers* handlers,
                void (Handlers::*handle)(const Caller&, const Request&, const OnWorker&,
                                         std::function<void(const Result<Response>&)>)) {
    Add(Request::descriptor(),
        DeferredMethod([handlers, handle](const Caller& caller, CallRecord& record,
                                          std::string_view bytes, const OnWorker& on_worker,
                                          Reply reply) {
          const auto request = Read<Request>(record, bytes);
          if (!request.ok()) return reply(request.error());
          (handlers->*handle)(caller, *request, on_worker,
                              [reply = std::move(reply)](const Result<Response>& response) {
                                if (!response.ok()) return reply(response.error());
                                reply(response->SerializeAsString());
                              });
        }));
  }

  template <class Handlers, class Request, class Started>
  void Waiting(Handlers* handlers,
               Result<Started> (Handlers::*handle)(const Caller&, const Request&)) {
    using Kind = std::conditional_t<std::is_same_v<Started, Awaited>, AwaitedMethod, WatchMethod>;
    Add(Request::descriptor(), Kind([handlers, handle](const Caller& caller, CallRecord& record,
                                                       std::string_view bytes) -> Result<Started> {
          ALLOT_ASSIGN_OR_RETURN(const auto request, Read<Request>(record, bytes));
          return (handlers->*handle)(caller, request);
        }));
  }

  const google::protobuf::ServiceDescriptor& service() const { return *service_; }
  /// Whether it may change something.
  bool Changes(const google::protobuf::MethodDescriptor& method) const {
    const auto* request = method.input_type();
    return request->FindFieldByName("request_id") != nullptr || reports_.contains(request);
  }
  const Method& At(const google::protobuf::MethodDescriptor* method) const {
    const auto found = methods_.find(method->input_type());
    ALLOT_CHECK(found != methods_.end());
    return found->second;
  }

 private:
  void Add(const google::protobuf::Descriptor* request, Method method) {
    ALLOT_CHECK(methods_.emplace(request, std::move(method)).second);
  }

  const google::protobuf::ServiceDescriptor* service_;
  std::map<const google::protobuf::Descriptor*, Method> methods_;
  std::set<const google::protobuf::Descriptor*> reports_;
};

}  // namespace allot::rpc
