#include "rpc/gateway.h"

#include <chrono>
#include <optional>
#include <utility>

#include <grpc/grpc_security_constants.h>

#include "allot/control/identity.h"
#include "rpc/bytes.h"
#include "rpc/status.h"

namespace allot::rpc {
namespace {

constexpr std::string_view kScheme = "Bearer ";
/// Longer than any key, far shorter than what metadata may carry.
constexpr std::size_t kCredentialLengthMax = 256;

std::string KeyOf(const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto [first, last] = metadata.equal_range("authorization");
  if (first == last) return {};
  const std::string_view value(first->second.data(), first->second.size());
  const bool sound = std::next(first) == last && value.starts_with(kScheme) &&
                     value.size() > kScheme.size() && value.size() <= kCredentialLengthMax;
  return sound ? std::string(value.substr(kScheme.size())) : "not a key";
}

/// Beyond kReceivedBytesMax gRPC refuses by itself, without a reason.
Result<std::string> BytesOf(const grpc::ByteBuffer& message) {
  if (message.Length() > kMessageBytesMax) {
    return FieldError(Reason::kRequestTooLarge, "message",
                      std::to_string(message.Length()) + " bytes",
                      "at most " + std::to_string(kMessageBytesMax) + " bytes");
  }
  auto bytes = FromByteBuffer(message);
  if (!bytes) return StateError(Reason::kRequestMalformed, "the message could not be read");
  return *std::move(bytes);
}

}  // namespace

/// One unary call from arrival to answer. The context and the messages are gRPC's and live until
/// Finish.
struct Gateway::UnaryCall {
  grpc::CallbackServerContext* context;
  grpc::ServerUnaryReactor* reactor;
  const grpc::ByteBuffer* request;
  grpc::ByteBuffer* response;
  const Method* method;
  bool changes = false;
  CallRecord record;
  Awaited awaited;
  int64_t expiry_micros = 0;
};

grpc::ServerUnaryReactor* Gateway::Answer(const std::string& name, const Method& method,
                                          bool changes, grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) {
  auto call = std::make_shared<UnaryCall>(UnaryCall{.context = context,
                                                    .reactor = context->DefaultReactor(),
                                                    .request = request,
                                                    .response = response,
                                                    .method = &method,
                                                    .changes = changes,
                                                    .record = NewRecord(name),
                                                    .awaited = {},
                                                    .expiry_micros = 0});
  grpc::ServerUnaryReactor* reactor = call->reactor;
  const Status admitted = Admit(KeyOf(*context), [this, call] { Serve(call); });
  if (!admitted.ok()) Finish(call, admitted.error());
  return reactor;
}

CallRecord Gateway::NewRecord(const std::string& name) {
  journal_.Began();
  return {.method = name,
          .call_id = context_.ids.Mint(kCallIdLength),
          .request_id = {},
          .principal = {},
          .start_micros = journal_.NowMicros()};
}

Status Gateway::Admit(const std::string& key, std::function<void()> job) {
  using enum WorkerPool::Admission;
  const Error ending = StateError(Reason::kShuttingDown, "the server is shutting down");
  if (refusing_.load()) return ending;
  switch (pool_.TryRun(known_callers_.PartyOf(key), std::move(job))) {
    case kTaken:
      return Ok{};
    case kLineFull:
      return StateError(Reason::kOverloaded,
                        "too many calls of yours are waiting: have fewer under way at a time");
    case kQueueFull:
      return StateError(Reason::kOverloaded, "too many calls are waiting for a worker");
    case kStopped:
      return ending;
  }
  return ending;
}

Credential Gateway::CredentialOf(const grpc::CallbackServerContext& context) const {
  Credential credential{.key = KeyOf(context), .certificate_name = {}};
  if (tls_ == nullptr) return credential;
  const auto names = context.auth_context()->FindPropertyValues(GRPC_PEER_SPIFFE_ID_PROPERTY_NAME);
  if (!names.empty()) credential.certificate_name.assign(names[0].data(), names[0].size());
  return credential;
}

/// A provider's key is good only on a connection of that provider: neither a stolen key nor a
/// stolen certificate is enough.
Result<Principal> Gateway::Identify(const Credential& credential) {
  auto authenticated = control::Authenticate(context_, credential.key);
  if (!authenticated.ok()) {
    if (authenticated.error().reason == Reason::kCredentialInvalid) {
      known_callers_.Forget(credential.key);
    }
    return authenticated.error();
  }
  Principal principal = *std::move(authenticated);
  known_callers_.Learn(credential.key, principal);
  if (tls_ == nullptr || principal.role != Role::kProvider) return principal;
  const auto needed = tls_->ProviderName(principal.provider.str());
  if (needed && credential.certificate_name != *needed) {
    return StateError(Reason::kCertificateRequired,
                      "the connection is not made with the certificate of " + *needed);
  }
  return principal;
}

Result<Caller> Gateway::Authenticate(const Credential& credential, CallRecord& record) {
  ALLOT_ASSIGN_OR_RETURN(record.principal, Identify(credential));
  return Caller{record.principal};
}

void Gateway::Serve(const UnaryCallPtr& call) {
  // The caller went away, or its deadline passed while the call was queued: nobody reads an answer.
  if (call->context->IsCancelled()) return Abandon(call);
  const auto caller = Authenticate(CredentialOf(*call->context), call->record);
  if (!caller.ok()) return Finish(call, caller.error());
  // Who waits for ever never asks again, and holds what it waits with.
  const bool waits_for_ever =
      call->context->deadline() == std::chrono::system_clock::time_point::max();
  if (call->changes && waits_for_ever) {
    return Finish(call,
                  FieldError(Reason::kFieldRequired, "deadline", "none",
                             "a deadline of the call, such as 30 s; after it, repeat with the "
                             "same request_id"));
  }
  if (const auto* awaited = std::get_if<AwaitedMethod>(call->method)) {
    return StartAwaited(call, *caller, *awaited);
  }
  const auto bytes = BytesOf(*call->request);
  if (!bytes.ok()) return Finish(call, bytes.error());
  Finish(call, std::get<UnaryMethod>(*call->method)(*caller, call->record, *bytes));
}

void Gateway::StartAwaited(const UnaryCallPtr& call, const Caller& caller,
                           const AwaitedMethod& method) {
  const auto bytes = BytesOf(*call->request);
  if (!bytes.ok()) return Finish(call, bytes.error());
  auto awaited = method(caller, call->record, *bytes);
  if (!awaited.ok()) return Finish(call, awaited.error());
  call->awaited = *std::move(awaited);
  call->expiry_micros = call->record.start_micros + call->awaited.wait.count * 1'000'000;
  LookAgain(call, call->awaited.wait <= Seconds{0});
}

void Gateway::LookAgain(const UnaryCallPtr& call, bool last) {
  if (call->context->IsCancelled()) return Abandon(call);
  const uint64_t generation = awaiting_.generation();
  const auto found = call->awaited.look();
  if (!found.ok()) return Finish(call, found.error());
  if (*found) return Finish(call, **found);
  if (last) return Finish(call, call->awaited.none);
  awaiting_.Park({.expiry_micros = call->expiry_micros,
                  .seen_generation = generation,
                  .look = [this, call](bool is_last) { LookAgain(call, is_last); }});
}

void Gateway::Finish(const UnaryCallPtr& call, const Result<std::string>& answer) {
  call->context->AddTrailingMetadata(kCallIdHeader, call->record.call_id);
  if (answer.ok()) {
    *call->response = ToByteBuffer(*answer);
    journal_.Ended(call->record, grpc::StatusCode::OK, nullptr);
    call->reactor->Finish(grpc::Status::OK);
    return;
  }
  const grpc::Status status = ToStatus(answer.error(), call->record.call_id);
  journal_.Ended(call->record, status.error_code(), &answer.error());
  call->reactor->Finish(status);
}

void Gateway::Abandon(const UnaryCallPtr& call) {
  journal_.Ended(call->record, grpc::StatusCode::CANCELLED, nullptr);
  call->reactor->Finish(grpc::Status::CANCELLED);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* Gateway::Watch(const std::string& name,
                                                           const WatchMethod& method,
                                                           grpc::CallbackServerContext* context,
                                                           const grpc::ByteBuffer* request) {
  auto record = NewRecord(name);
  context->AddTrailingMetadata(kCallIdHeader, record.call_id);
  auto stream = WatchStream::Make(journal_, record);
  // Read now: the request and the context are gRPC's, and the stream may end before a worker comes.
  const Status admitted =
      Admit(KeyOf(*context), [this, stream, record, &method, bytes = BytesOf(*request),
                              credential = CredentialOf(*context)]() mutable {
        if (stream->over()) return;
        const auto caller = Authenticate(credential, record);
        stream->Identify(record);
        if (!caller.ok()) return stream->End(caller.error());
        if (!bytes.ok()) return stream->End(bytes.error());
        auto source = method(*caller, record, *bytes);
        if (!source.ok()) return stream->End(source.error());
        const Status added = hub_.Add({.stream = stream,
                                       .source = *std::move(source),
                                       .key = caller->principal.key,
                                       .still_allowed = [this, credential]() -> Status {
                                         const auto principal = Identify(credential);
                                         if (!principal.ok()) return principal.error();
                                         return Ok{};
                                       },
                                       .last_sent_micros = 0,
                                       .last_allowed_micros = 0,
                                       .behind = true});
        if (!added.ok()) stream->End(added.error());
      });
  if (!admitted.ok()) stream->End(admitted.error());
  return stream.get();
}

}  // namespace allot::rpc
