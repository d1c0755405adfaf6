#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <grpc/grpc_security.h>
#include <grpcpp/security/server_credentials.h>

#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/transport/certificate.h"

namespace allot::rpc {

/// Leaves this process no cipher that TLS 1.2 could be spoken with, so that only 1.3 is. Requires:
/// called before the first use of gRPC, while there is one thread. (gRPC 1.51 has no setting for
/// the oldest version; what it does have is the list of ciphers for versions before 1.3.)
void AllowOnlyTls13();

/// What a server shows of itself on TLS and whom it believes, read from files and read again when
/// told. Thread safe.
class ServerTls {
 public:
  struct Files {
    transport::PemFile certificate;
    transport::PemFile key;
    /// Of those who sign providers' certificates. Empty: clients are asked for none.
    transport::PemFile client_ca;
    /// Whose names count in those: a provider is spiffe://TRUST_DOMAIN/provider/NAME, the edge
    /// spiffe://TRUST_DOMAIN/edge.
    std::string trust_domain;
  };

  /// config_invalid names the file that cannot be used.
  static Result<std::shared_ptr<ServerTls>> Load(Files files, Instant now);

  /// Connections made from now on meet what the files say now; those that stand go on. On an error
  /// nothing has changed.
  Status Reload(Instant now);

  /// Of the certificate that is shown now.
  std::string subject() const;
  Instant expire_time() const;

  /// The name a provider's certificate must have; nothing when none is needed.
  std::optional<std::string> ProviderName(const std::string& provider) const;
  /// Whether this is the name of the edge, which is believed whose certificate its callers have.
  bool IsEdge(const std::string& name) const;

  /// For one server, which does not outlive this.
  std::shared_ptr<grpc::ServerCredentials> Credentials();

 private:
  class ReloadingCredentials;

  /// What is read together is shown together.
  struct Shown {
    transport::Certificate certificate;
    std::string client_ca;
  };

  explicit ServerTls(Files files) : files_(std::move(files)) {}
  Result<Shown> Read(Instant now) const;
  /// Whether it has changed since the last time, and then what is shown now, which gRPC owns.
  bool Fetch(grpc_ssl_server_certificate_config** config);

  const Files files_;
  mutable std::mutex mutex_;
  Shown shown_;
  /// Of `shown_`; counts reloads.
  int64_t generation_ = 0;
  /// What gRPC has.
  int64_t fetched_ = -1;
};

}  // namespace allot::rpc
