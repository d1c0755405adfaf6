#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include "allot/base/result.h"
#include "rpc/call_record.h"

namespace allot::rpc {

/// The sending half of one watch. Thread safe. Keeps itself alive until gRPC is done with it; after
/// its end every call on it does nothing.
class WatchStream final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                          public std::enable_shared_from_this<WatchStream> {
 public:
  static std::shared_ptr<WatchStream> Make(CallJournal& journal, CallRecord record,
                                           grpc::CallbackServerContext* context);

  /// Set before the call is answered: what to do when the stream can take more or is over.
  void OnChange(std::function<void()> changed);
  /// What to do when gRPC is done with it, and keeps nothing of it any more; at once if it is.
  void WhenDone(std::function<void()> then);
  void Identify(const CallRecord& record);
  CallRecord record() const;

  void Send(const std::vector<std::string>& messages);
  /// Sends nothing more; the reason goes to the caller, behind what gRPC has of it already.
  void End(const Error& error);
  /// What gRPC still has of it is not sent any more, nor the reason for which it ended.
  void Cut();
  bool over() const;
  bool done() const;
  /// 0 when everything was taken; else since when a message waits to be taken, in steady
  /// microseconds.
  int64_t stalled_since_micros() const;

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  WatchStream(CallJournal& journal, CallRecord record, grpc::CallbackServerContext* context);
  /// Requires: the lock is held, nothing is being written and something waits.
  void WriteNext();
  void Close(const grpc::Status& status, const Error* error);
  void Changed();

  CallJournal& journal_;
  mutable std::mutex mutex_;
  CallRecord record_;
  /// gRPC's, as long as it is not done.
  grpc::CallbackServerContext* context_;
  std::function<void()> changed_;
  std::function<void()> when_done_;
  std::deque<grpc::ByteBuffer> backlog_;
  bool over_ = false;
  int64_t write_start_micros_ = 0;
  std::shared_ptr<WatchStream> self_;
};

}  // namespace allot::rpc
