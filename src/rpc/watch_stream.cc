#include "rpc/watch_stream.h"

#include <utility>

#include "rpc/bytes.h"
#include "rpc/status.h"

namespace allot::rpc {

std::shared_ptr<WatchStream> WatchStream::Make(CallJournal& journal, CallRecord record,
                                               grpc::CallbackServerContext* context) {
  std::shared_ptr<WatchStream> stream(new WatchStream(journal, std::move(record), context));
  stream->self_ = stream;
  return stream;
}

WatchStream::WatchStream(CallJournal& journal, CallRecord record,
                         grpc::CallbackServerContext* context)
    : journal_(journal), record_(std::move(record)), context_(context) {
  journal_.WatchBegan();
}

void WatchStream::OnChange(std::function<void()> changed) {
  const std::lock_guard lock(mutex_);
  changed_ = std::move(changed);
}

void WatchStream::WhenDone(std::function<void()> then) {
  {
    const std::lock_guard lock(mutex_);
    if (context_ != nullptr) {
      when_done_ = std::move(then);
      return;
    }
  }
  then();
}

void WatchStream::Identify(const CallRecord& record) {
  const std::lock_guard lock(mutex_);
  record_ = record;
}

CallRecord WatchStream::record() const {
  const std::lock_guard lock(mutex_);
  return record_;
}

void WatchStream::Send(const std::vector<std::string>& messages) {
  const std::lock_guard lock(mutex_);
  if (over_ || messages.empty()) return;
  const bool idle = backlog_.empty();
  for (const std::string& message : messages) backlog_.push_back(ToByteBuffer(message));
  if (idle) WriteNext();
}

void WatchStream::End(const Error& error) { Close(ToStatus(error, record().call_id), &error); }

void WatchStream::Cut() {
  const std::lock_guard lock(mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

bool WatchStream::done() const {
  const std::lock_guard lock(mutex_);
  return context_ == nullptr;
}

bool WatchStream::over() const {
  const std::lock_guard lock(mutex_);
  return over_;
}

int64_t WatchStream::stalled_since_micros() const {
  const std::lock_guard lock(mutex_);
  return backlog_.empty() ? 0 : write_start_micros_;
}

void WatchStream::OnWriteDone(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    if (!backlog_.empty()) backlog_.pop_front();
    if (ok && !over_ && !backlog_.empty()) {
      WriteNext();
      return;
    }
  }
  if (!ok) Close(grpc::Status::CANCELLED, nullptr);
  Changed();
}

void WatchStream::OnCancel() {
  Close(grpc::Status::CANCELLED, nullptr);
  Changed();
}

void WatchStream::OnDone() {
  journal_.WatchEnded();
  std::function<void()> then;
  {
    const std::lock_guard lock(mutex_);
    context_ = nullptr;
    then = std::exchange(when_done_, nullptr);
  }
  if (then) then();
  Changed();
  // The last call of gRPC on this object; what still holds it finds it over.
  const auto self = std::exchange(self_, nullptr);
}

void WatchStream::WriteNext() {
  write_start_micros_ = journal_.NowMicros();
  StartWrite(&backlog_.front());
}

void WatchStream::Close(const grpc::Status& status, const Error* error) {
  const std::lock_guard lock(mutex_);
  if (over_) return;
  over_ = true;
  // gRPC reads the first one still.
  if (backlog_.size() > 1) backlog_.resize(1);
  journal_.Ended(record_, status.error_code(), error);
  Finish(status);
}

void WatchStream::Changed() {
  std::function<void()> changed;
  {
    const std::lock_guard lock(mutex_);
    changed = changed_;
  }
  if (changed) changed();
}

}  // namespace allot::rpc
