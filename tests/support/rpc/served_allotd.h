#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "allot/v1/allocation_service.grpc.pb.h"
#include "allot/v1/operator_service.grpc.pb.h"
#include "allot/v1/pool_service.grpc.pb.h"
#include "allot/v1/project_service.grpc.pb.h"
#include "allot/v1/provider_service.grpc.pb.h"
#include "allot/v1/quota_service.grpc.pb.h"
#include "support/authority.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace allot::testing {

/// Throws std::runtime_error, with what was called, unless the call succeeded.
void Must(const grpc::Status& status, const char* what);

/// With the key and a deadline half a minute away.
std::unique_ptr<grpc::ClientContext> ContextFor(const std::string& key);

/// The folder of the programs of this build: ALLOT_BIN_DIR, or else where `program` lies.
std::string BinDir(const char* program);

/// The smallest that at least `permille` of all do not exceed. Requires: not empty.
double Quantile(std::vector<double> values, std::size_t permille);

struct Stubs {
  explicit Stubs(const std::shared_ptr<grpc::Channel>& channel)
      : allocations(v1::AllocationService::NewStub(channel)),
        operators(v1::OperatorService::NewStub(channel)),
        pool(v1::PoolService::NewStub(channel)),
        projects(v1::ProjectService::NewStub(channel)),
        providers(v1::ProviderService::NewStub(channel)),
        quotas(v1::QuotaService::NewStub(channel)) {}

  std::unique_ptr<v1::AllocationService::Stub> allocations;
  std::unique_ptr<v1::OperatorService::Stub> operators;
  std::unique_ptr<v1::PoolService::Stub> pool;
  std::unique_ptr<v1::ProjectService::Stub> projects;
  std::unique_ptr<v1::ProviderService::Stub> providers;
  std::unique_ptr<v1::QuotaService::Stub> quotas;
};

/// A real allotd with a PostgreSQL of its own (fsync on), in a folder that goes with the object.
class ServedAllotd {
 public:
  /// Serves when it returns; throws std::runtime_error otherwise.
  explicit ServedAllotd(const std::string& bin_dir);
  /// With TLS, and providers' certificates, all made by `authority`, which outlives the object.
  ServedAllotd(const std::string& bin_dir, const Authority& authority);

  pid_t pid() const { return server_->pid(); }
  /// "127.0.0.1:PORT".
  const std::string& address() const { return address_; }
  const std::string& operator_key() const { return operator_key_; }
  std::string database_url() const;
  /// A connection of its own; to the server itself, or to what stands in front of it.
  std::shared_ptr<grpc::Channel> Connect() const { return Connect(address_); }
  std::shared_ptr<grpc::Channel> Connect(const std::string& address) const;
  Stubs& stubs() { return *stubs_; }

  /// The provider "bench"; its key.
  std::string CreateProvider();
  /// A cluster of it, of the programme "national", brought by an agent; the agent's session.
  int64_t BringOnline(const std::string& provider_key, const std::string& cluster, int nodes,
                      v1::GpuModel model);
  void CreateInstitute(const std::string& institute);
  /// Of the programme "national", with more quota than the nation has.
  void CreateProject(const std::string& institute, const std::string& project, int merit);
  std::string CreateMemberKey(const std::string& institute);

 private:
  ServedAllotd(const std::string& bin_dir, const Authority* authority);

  TempDir dir_;
  std::shared_ptr<grpc::ChannelCredentials> credentials_;
  std::optional<Process> server_;
  std::string operator_key_;
  std::string address_;
  std::unique_ptr<Stubs> stubs_;
};

}  // namespace allot::testing
