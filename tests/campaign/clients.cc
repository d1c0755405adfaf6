#include "campaign/clients.h"

#include <algorithm>
#include <chrono>
#include <random>

namespace allot::campaign {
namespace {

constexpr int64_t kAttemptMs = 2'500;
constexpr int64_t kGiveUpMs = 90'000;
constexpr int64_t kRetryPauseMs = 100;
/// More than the pool has GPUs for, so that some always wait.
constexpr std::size_t kHeldByAClient = 12;

void SleepMs(int64_t ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

std::unique_ptr<grpc::ClientContext> Context(const std::string& key, int64_t ms) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->AddMetadata("authorization", "Bearer " + key);
  context->set_deadline(
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(ms, GPR_TIMESPAN)));
  return context;
}

/// Nobody can know from such an answer whether it was done.
bool IsOpen(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::INTERNAL:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string ProjectName(int number) {
  return std::string(kInstitute) + "/projects/p" + std::to_string(number);
}

std::shared_ptr<grpc::Channel> Dial(const Access& access, std::size_t first) {
  std::string target = "ipv4:";
  for (std::size_t i = 0; i < access.servers.size(); ++i) {
    if (i > 0) target += ",";
    target += access.servers[(first + i) % access.servers.size()];
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 300);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 12'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3'000);
  return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
}

struct Clients::Client {
  int number = 0;
  std::size_t dialled = 0;
  std::mt19937_64 random;
  int64_t created = 0;
  std::deque<std::string> held;
  std::unique_ptr<v1::AllocationService::Stub> stub;
  /// Of the last create that was answered.
  std::atomic<int64_t> begun_ms = -1;
  std::atomic<int64_t> served_ms = -1;
};

Clients::Clients(Access access, History& history, int count, uint64_t seed, int pause_ms)
    : access_(std::move(access)), history_(history), pause_ms_(pause_ms) {
  for (int number = 0; number < count; ++number) {
    auto client = std::make_unique<Client>();
    client->number = number;
    client->dialled = static_cast<std::size_t>(number);
    client->random.seed(seed * 1'000 + static_cast<uint64_t>(number));
    client->stub = v1::AllocationService::NewStub(Dial(access_, client->dialled));
    clients_.push_back(std::move(client));
  }
  for (const auto& client : clients_) {
    threads_.emplace_back(
        [this, &client = *client](const std::stop_token& stop) { Run(client, stop); });
  }
}

Clients::~Clients() {
  for (std::jthread& thread : threads_) thread.request_stop();
}

void Clients::Run(Client& client, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    Submit(client);
    if (client.held.size() > kHeldByAClient) GiveBack(client);
    SleepMs(pause_ms_ / 2 +
            static_cast<int64_t>(client.random() % static_cast<uint64_t>(pause_ms_)));
  }
}

template <class Send>
grpc::Status Clients::Repeat(Client& client, Call& call, const Send& send) {
  call.begun_ms = SteadyMs();
  grpc::Status status;
  for (;;) {
    ++call.attempts;
    ++calls_;
    status = send(*Context(access_.key, kAttemptMs));
    call.ended_ms = SteadyMs();
    if (!IsOpen(status) || call.ended_ms - call.begun_ms > kGiveUpMs) break;
    // A server that accepts calls and does not answer: another one may.
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
      client.stub = v1::AllocationService::NewStub(Dial(access_, ++client.dialled));
    }
    SleepMs(kRetryPauseMs);
  }
  call.answer = status.ok() ? "ok"
                : IsOpen(status)
                    ? "unknown"
                    : std::to_string(status.error_code()) + " " + status.error_message();
  return status;
}

void Clients::Submit(Client& client) {
  Call call{
      .operation = "create",
      .request_id = "c" + std::to_string(client.number) + "-" + std::to_string(++client.created),
      .name = "",
      .answer = ""};
  v1::CreateAllocationRequest request;
  request.set_parent(ProjectName(static_cast<int>(client.random() % kProjects)));
  request.set_request_id(call.request_id);
  // By this the checker finds what a request led to, were it done twice.
  request.mutable_allocation()->set_display_name(call.request_id);
  v1::AllocationRequest& ask = *request.mutable_allocation()->mutable_request();
  ask.set_gpus(static_cast<int32_t>(1 + client.random() % 8));
  ask.add_models(client.random() % 2 == 0 ? v1::GPU_MODEL_H200 : v1::GPU_MODEL_B200);
  ask.mutable_duration()->set_seconds(static_cast<int64_t>(3600 * (1 + client.random() % 48)));
  ask.set_preemptible(client.random() % 4 == 0);
  v1::Allocation created;
  const grpc::Status status = Repeat(client, call, [&](grpc::ClientContext& context) {
    return client.stub->CreateAllocation(&context, request, &created);
  });
  if (status.ok()) {
    call.name = created.name();
    client.held.push_back(created.name());
  }
  history_.Add(call);
  if (!status.ok()) return;
  client.begun_ms = call.begun_ms;
  client.served_ms = call.ended_ms;
}

void Clients::GiveBack(Client& client) {
  const std::string name = client.held.front();
  client.held.pop_front();
  const std::string id = "g" + std::to_string(client.number) + "-" + std::to_string(client.created);
  Call call{.operation = "release", .request_id = id, .name = name, .answer = ""};
  v1::Allocation after;
  const grpc::Status released = Repeat(client, call, [&](grpc::ClientContext& context) {
    v1::ReleaseAllocationRequest request;
    request.set_name(name);
    request.set_reason("done");
    request.set_request_id(id);
    return client.stub->ReleaseAllocation(&context, request, &after);
  });
  history_.Add(call);
  if (released.ok()) return;
  // It waits still.
  call = {.operation = "cancel", .request_id = id + "-c", .name = name, .answer = ""};
  const grpc::Status cancelled = Repeat(client, call, [&](grpc::ClientContext& context) {
    v1::CancelAllocationRequest request;
    request.set_name(name);
    request.set_reason("done");
    request.set_request_id(call.request_id);
    return client.stub->CancelAllocation(&context, request, &after);
  });
  history_.Add(call);
  // It began to run in between.
  if (!cancelled.ok() && !IsOpen(cancelled)) client.held.push_back(name);
}

int64_t Clients::AwaitAllServed(int64_t since_ms, int64_t patience_ms) const {
  const int64_t end_ms = SteadyMs() + patience_ms;
  while (SteadyMs() < end_ms) {
    int64_t last_ms = 0;
    const bool all = std::ranges::all_of(clients_, [&](const auto& client) {
      last_ms = std::max(last_ms, client->served_ms.load());
      return client->begun_ms >= since_ms;
    });
    if (all) return last_ms;
    SleepMs(5);
  }
  return -1;
}

Watcher::Watcher(Access access, std::size_t first)
    : access_(std::move(access)),
      first_(first),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

Watcher::~Watcher() = default;

void Watcher::Run(const std::stop_token& stop) {
  for (std::size_t turn = first_; !stop.stop_requested(); ++turn) {
    WatchOnce(stop, turn);
    SleepMs(kRetryPauseMs);
  }
}

void Watcher::WatchOnce(const std::stop_token& stop, std::size_t first) {
  const auto stub = v1::AllocationService::NewStub(Dial(access_, first));
  // A sign of life comes every 15 seconds: nothing for longer is a server that hangs. The keepalive
  // ends such a watch.
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer " + access_.key);
  const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
  v1::WatchAllocationsRequest request;
  request.set_parent("institutes/-/projects/-");
  int64_t newest = 0;
  {
    const std::scoped_lock lock(mutex_);
    request.set_after_revision(resume_);
    newest = resume_;
    // The changes behind it come again.
    std::erase_if(seen_, [this](const Change& change) { return change.first > resume_; });
  }
  const auto reader = stub->WatchAllocations(&context, request);
  for (v1::WatchAllocationsResponse message; reader->Read(&message);) Take(message, newest);
  reader->Finish();
  if (!stop.stop_requested()) ++resumed_;
}

void Watcher::Take(const v1::WatchAllocationsResponse& message, int64_t& newest) {
  const std::scoped_lock lock(mutex_);
  for (const v1::AllocationChange& change : message.changes()) {
    const bool is_new = seen_.emplace(change.revision(), change.allocation().name()).second;
    if (!is_new || change.revision() < newest || change.revision() <= resume_) ++repeated_;
    newest = std::max(newest, change.revision());
  }
  resume_ = std::max(resume_, message.resume_revision());
}

bool Watcher::AwaitRevision(int64_t revision, int64_t patience_ms) const {
  const int64_t end_ms = SteadyMs() + patience_ms;
  while (SteadyMs() < end_ms) {
    {
      const std::scoped_lock lock(mutex_);
      if (resume_ >= revision) return true;
    }
    SleepMs(50);
  }
  return false;
}

std::set<Watcher::Change> Watcher::seen() const {
  const std::scoped_lock lock(mutex_);
  return seen_;
}

}  // namespace allot::campaign
