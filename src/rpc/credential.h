#pragma once

#include <string>

#include <grpcpp/server_context.h>

#include "allot/rpc/server_tls.h"
#include "rpc/seen_certificates.h"

namespace allot::rpc {

/// What a caller proves who it is with.
struct Credential {
  /// Of the key in "authorization: Bearer KEY", hexadecimal; empty when there is none, and of a
  /// text that is no key for every other form.
  std::string key_sha256;
  /// What stands in its place and has a dot, which no key has; empty for a key. Never logged.
  std::string token;
  /// The certificate that the caller's connection was made with, in PEM, and the SPIFFE ID in it;
  /// empty without.
  std::string certificate;
  std::string certificate_name;
};

/// `tls` is null on a server without. The caller's connection is the one that the call came by,
/// or, if that is the edge's, the one that the edge says it came to the edge by; the edge's own
/// certificate is noted in `seen`.
Credential CredentialOf(const grpc::CallbackServerContext& context, const ServerTls* tls,
                        SeenCertificates& seen);

}  // namespace allot::rpc
