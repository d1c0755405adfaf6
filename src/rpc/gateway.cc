#include "rpc/gateway.h"

#include <chrono>
#include <optional>
#include <utility>

#include "allot/control/identity.h"
#include "rpc/bytes.h"
#include "rpc/status.h"

namespace allot::rpc {
namespace {

/// A message that is read in some microseconds; a larger one would hold up those behind it.
constexpr std::size_t kReadAtOnceBytesMax = 16 * 1024;

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
  Credential credential;
  Awaited awaited;
  int64_t expiry_micros = 0;
};

grpc::ServerUnaryReactor* Gateway::Answer(const std::string& name, const Method& method,
                                          bool changes, grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) {
  auto call =
      std::make_shared<UnaryCall>(UnaryCall{.context = context,
                                            .reactor = context->DefaultReactor(),
                                            .request = request,
                                            .response = response,
                                            .method = &method,
                                            .changes = changes,
                                            .record = NewRecord(name),
                                            .credential = CredentialOf(*context, tls_, seen_),
                                            .awaited = {},
                                            .expiry_micros = 0});
  grpc::ServerUnaryReactor* reactor = call->reactor;
  Admit(
      call->credential,
      [this, call](const Principal& principal) {
        call->record.principal = principal;
        Dispatch(call);
      },
      [this, call](const Denial& denial) {
        call->record.token_fault = denial.token_fault;
        Finish(call, denial.error);
      });
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

void Gateway::Admit(const Credential& credential, Identification::Serve serve,
                    Identification::Refuse refuse) {
  if (refusing_.load()) return refuse({.error = RefusalOf(QueueVerdict::kStopped)});
  identification_.Find(credential, std::move(serve), std::move(refuse));
}

void Gateway::RunOnWorker(const Principal& principal, std::function<void()> job,
                          const std::function<void(const Error&)>& refuse) {
  const auto taken = pool_.TryRun(PartyOf(principal), std::move(job));
  if (taken != QueueVerdict::kTaken) refuse(RefusalOf(taken));
}

void Gateway::Dispatch(const UnaryCallPtr& call) {
  const bool returns_at_once = std::holds_alternative<DeferredMethod>(*call->method) &&
                               call->request->Length() <= kReadAtOnceBytesMax;
  if (returns_at_once) return Serve(call);
  RunOnWorker(
      call->record.principal, [this, call] { Serve(call); },
      [this, call](const Error& error) { Finish(call, error); });
}

void Gateway::Serve(const UnaryCallPtr& call) {
  // The caller went away, or its deadline passed while the call was queued: nobody reads an answer.
  if (call->context->IsCancelled()) return Abandon(call);
  const Caller caller{call->record.principal};
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
    return StartAwaited(call, caller, *awaited);
  }
  const auto bytes = BytesOf(*call->request);
  if (!bytes.ok()) return Finish(call, bytes.error());
  if (const auto* deferred = std::get_if<DeferredMethod>(call->method)) {
    const OnWorker on_worker = [this, call](std::function<void()> job) {
      const auto unless_given_up = [this, call, job = std::move(job)] {
        if (call->context->IsCancelled()) return Abandon(call);
        job();
      };
      RunOnWorker(call->record.principal, unless_given_up,
                  [this, call](const Error& error) { Finish(call, error); });
    };
    const Reply reply = [this, call](const Result<std::string>& answer) { Finish(call, answer); };
    return (*deferred)(caller, call->record, *bytes, on_worker, reply);
  }
  Finish(call, std::get<UnaryMethod>(*call->method)(caller, call->record, *bytes));
}

void Gateway::StartAwaited(const UnaryCallPtr& call, const Caller& caller,
                           const AwaitedMethod& method) {
  const auto bytes = BytesOf(*call->request);
  if (!bytes.ok()) return Finish(call, bytes.error());
  auto awaited = method(caller, call->record, *bytes);
  if (!awaited.ok()) return Finish(call, awaited.error());
  call->awaited = *std::move(awaited);
  call->expiry_micros = call->record.start_micros + call->awaited.wait.count * 1'000'000;
  Look(call, call->awaited.wait <= Seconds{0}, /*waited=*/false);
}

void Gateway::Look(const UnaryCallPtr& call, bool last, bool waited) {
  if (call->context->IsCancelled()) return Abandon(call);
  const uint64_t generation = awaiting_.generation();
  const auto found = call->awaited.look();
  if (!found.ok()) return Finish(call, found.error());
  if (*found && waited) {
    // A key may have been revoked while its call waited.
    const Status allowed = identification_.StillAllowed(call->credential, call->record.principal);
    if (!allowed.ok()) return Finish(call, allowed.error());
  }
  if (*found) return Finish(call, **found);
  if (last) return Finish(call, call->awaited.none);
  const auto parked =
      awaiting_.Park({.party = PartyOf(call->record.principal),
                      .in_the_name_of = call->awaited.in_the_name_of,
                      .start_micros = call->record.start_micros,
                      .expiry_micros = call->expiry_micros,
                      .seen_generation = generation,
                      .look = [this, call](bool is_last) { Look(call, is_last, /*waited=*/true); },
                      .end = [this, call] { Finish(call, call->awaited.none); }});
  if (parked != QueueVerdict::kTaken) Finish(call, RefusalOf(parked));
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
  auto stream = WatchStream::Make(journal_, record, context);
  // Read now: the request and the context are gRPC's, and the stream may end before a worker comes.
  const Credential credential = CredentialOf(*context, tls_, seen_);
  const auto refuse = [stream, record](const Denial& denial) {
    CallRecord refused = record;
    refused.token_fault = denial.token_fault;
    stream->Identify(refused);
    stream->End(denial.error);
  };
  const auto begin = [this, stream, record, &method, bytes = BytesOf(*request),
                      credential](const Principal& principal) {
    if (stream->over()) return;
    CallRecord known = record;
    known.principal = principal;
    stream->Identify(known);
    if (!bytes.ok()) return stream->End(bytes.error());
    auto source = method(Caller{principal}, known, *bytes);
    if (!source.ok()) return stream->End(source.error());
    const Status added = hub_.Add({.stream = stream,
                                   .source = *std::move(source),
                                   .key = principal.key,
                                   .party = PartyOf(principal),
                                   .still_allowed = [this, credential, principal] {
                                     return identification_.StillAllowed(credential, principal);
                                   }});
    if (!added.ok()) stream->End(added.error());
  };
  Admit(
      credential,
      [this, begin, stream](const Principal& principal) {
        RunOnWorker(
            principal, [begin, principal] { begin(principal); },
            [stream](const Error& error) { stream->End(error); });
      },
      refuse);
  return stream.get();
}

}  // namespace allot::rpc
