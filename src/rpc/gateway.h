#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include "allot/rpc/server_tls.h"
#include "rpc/awaiting_calls.h"
#include "rpc/call_record.h"
#include "rpc/credential.h"
#include "rpc/identification.h"
#include "rpc/method_table.h"
#include "rpc/watch_hub.h"
#include "rpc/worker_pool.h"

namespace allot::rpc {

/// What a message may have; refused with a reason.
inline constexpr std::size_t kMessageBytesMax = 4 * 1024 * 1024;
/// What gRPC takes in at all. Above the other, so that whoever is a little beyond learns why.
inline constexpr int kReceivedBytesMax = 8 * 1024 * 1024;
/// Trailing metadata of every answer, and the length of the id in it.
inline constexpr char kCallIdHeader[] = "allot-call-id";
inline constexpr int kCallIdLength = 16;

/// What every call goes through, whatever its method: the credential, a worker in the caller's
/// turn, the handler, the answer or the mapped error, the journal.
class Gateway {
 public:
  /// `tls` is null on a server without.
  Gateway(const control::Context& context, const ServerTls* tls, SeenCertificates& seen,
          CallJournal& journal, Identification& identification, WorkerPool& pool,
          AwaitingCalls& awaiting, WatchHub& hub)
      : context_(context),
        tls_(tls),
        seen_(seen),
        journal_(journal),
        identification_(identification),
        pool_(pool),
        awaiting_(awaiting),
        hub_(hub) {}

  /// `changes`: whether it may change anything; then it needs a deadline.
  grpc::ServerUnaryReactor* Answer(const std::string& name, const Method& method, bool changes,
                                   grpc::CallbackServerContext* context,
                                   const grpc::ByteBuffer* request, grpc::ByteBuffer* response);
  grpc::ServerWriteReactor<grpc::ByteBuffer>* Watch(const std::string& name,
                                                    const WatchMethod& method,
                                                    grpc::CallbackServerContext* context,
                                                    const grpc::ByteBuffer* request);
  /// From now on every new call is shutting_down.
  void RefuseNew() { refusing_.store(true); }

 private:
  struct UnaryCall;
  using UnaryCallPtr = std::shared_ptr<UnaryCall>;

  CallRecord NewRecord(const std::string& name);
  /// As Identification::Find, unless no new calls are taken.
  void Admit(const Credential& credential, Identification::Serve serve,
             Identification::Refuse refuse);
  /// Hands a job to the pool, in the caller's line, or `refuse` is told why not.
  void RunOnWorker(const Principal& principal, std::function<void()> job,
                   const std::function<void(const Error&)>& refuse);
  /// Serves it here if that takes no time worth mentioning, and else on a worker.
  void Dispatch(const UnaryCallPtr& call);
  void Serve(const UnaryCallPtr& call);
  void StartAwaited(const UnaryCallPtr& call, const Caller& caller, const AwaitedMethod& method);
  void Look(const UnaryCallPtr& call, bool last, bool waited);
  void Finish(const UnaryCallPtr& call, const Result<std::string>& answer);
  void Abandon(const UnaryCallPtr& call);

  const control::Context& context_;
  const ServerTls* const tls_;
  SeenCertificates& seen_;
  CallJournal& journal_;
  Identification& identification_;
  WorkerPool& pool_;
  AwaitingCalls& awaiting_;
  WatchHub& hub_;
  std::atomic<bool> refusing_{false};
};

}  // namespace allot::rpc
