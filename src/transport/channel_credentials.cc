#include "allot/transport/channel_credentials.h"

#include <utility>

namespace allot::transport {

Result<std::shared_ptr<grpc::ChannelCredentials>> MakeChannelCredentials(
    const ServerAddress& address, const ClientTls& tls, Instant now) {
  const bool shows_itself = !tls.certificate.path.empty();
  if (shows_itself != !tls.key.path.empty()) {
    const PemFile& missing = shows_itself ? tls.key : tls.certificate;
    const PemFile& given = shows_itself ? tls.certificate : tls.key;
    return FieldError(Reason::kConfigInvalid, missing.field, "",
                      "a file, as " + given.field + " is given: both or neither");
  }
  if (!address.encrypted) {
    if (shows_itself) {
      return FieldError(Reason::kConfigInvalid, tls.certificate.field, tls.certificate.path,
                        "none, or a server that speaks TLS: https://" + address.target);
    }
    return grpc::InsecureChannelCredentials();
  }
  grpc::SslCredentialsOptions options;
  if (!tls.ca.path.empty()) {
    ALLOT_ASSIGN_OR_RETURN(options.pem_root_certs, ReadAuthorities(tls.ca));
  }
  if (shows_itself) {
    ALLOT_ASSIGN_OR_RETURN(auto certificate, ReadCertificate(tls.certificate, tls.key, now));
    options.pem_cert_chain = std::move(certificate.chain);
    options.pem_private_key = std::move(certificate.key);
  }
  return grpc::SslCredentials(options);
}

grpc::ChannelArguments ChannelArgumentsFor(const ServerAddress& address) {
  grpc::ChannelArguments arguments;
  // A key is for the server only, never for a proxy that the environment happens to name.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!address.name.empty()) {
    arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, address.name);
    if (address.encrypted) arguments.SetSslTargetNameOverride(address.name);
  }
  return arguments;
}

}  // namespace allot::transport
