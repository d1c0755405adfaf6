#pragma once

#include <memory>
#include <string>

#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/transport/certificate.h"
#include "allot/transport/server_address.h"

namespace allot::transport {

/// Whom a client believes, and what it shows of itself. A path that is empty is not used.
struct ClientTls {
  /// The authorities that servers' certificates are signed by; without it the machine's own.
  PemFile ca;
  /// Both or neither.
  PemFile certificate;
  PemFile key;
};

/// What a channel to `address` is made with. The files are read now and not again. The server's
/// certificate must name the host that is dialled, or the address's `name`.
///
/// config_invalid when a file cannot be used, when one of certificate and key is missing, or when
/// any is named for an address in plain text.
Result<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(
    const ServerAddress& address, const ClientTls& tls, Instant now);

/// What every channel to `address` needs whatever else it is made with.
grpc::ChannelArguments ChannelArgumentsFor(const ServerAddress& address);

}  // namespace allot::transport
