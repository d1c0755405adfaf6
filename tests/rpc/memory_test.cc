// What callers can make the server hold before it knows who they are.

#include <unistd.h>

#include <fstream>

#include "rpc/api_fixture.h"
#include "support/held_calls.h"

namespace allot::rpc {
namespace {

constexpr std::size_t kMiB = std::size_t{1024} * 1024;

std::size_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

class MemoryTest : public Api {
 protected:
  int Port() const {
    const std::string address = server_->address();
    return std::stoi(address.substr(address.rfind(':') + 1));
  }
};

TEST_F(MemoryTest, CallsThatNeverSendAllOfTheirMessageTakeSoMuchAndNoMore) {
  options_.call_memory_bytes = 64 * kMiB;
  Serve();
  const auto list = [this] {
    // Any call may be among those that make room; who repeats comes through.
    grpc::Status status;
    for (int i = 0; i < 20; ++i) {
      status = Call<v1::ProjectService>(operator_key_, &Projects::ListInstitutes, "");
      if (status.error_code() != grpc::StatusCode::RESOURCE_EXHAUSTED) break;
    }
    return ReasonOf(status);
  };
  EXPECT_EQ(list(), "OK");
  const std::size_t before = ResidentBytes();
  {
    // 800 MiB in all.
    testing::HeldCalls held({.port = Port(),
                             .path = "/allot.v1.ProviderService/SyncInventory",
                             .calls = 200,
                             .message_bytes = 4 * kMiB});
    const int64_t start = SteadyMicros();
    while (held.held_bytes() > 80 * kMiB &&
           SteadyMicros() - start < kPatience / std::chrono::microseconds(1)) {
      held.Listen();
    }
    EXPECT_LT(held.held_bytes(), 80 * kMiB);
    // With what the allocator has not given back yet.
    EXPECT_LT(ResidentBytes() - before, 400 * kMiB);
    EXPECT_EQ(list(), "OK");
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
    EXPECT_EQ(list(), "OK") << "over a new connection";
  }
  EXPECT_EQ(list(), "OK");
}

}  // namespace
}  // namespace allot::rpc
