#include "allot/rpc/server_tls.h"

#include <cstdlib>
#include <utility>

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>

#include "allot/base/check.h"

namespace allot::rpc {

void AllowOnlyTls13() {
  // A list may not be empty. This cipher needs a secret that both sides were given beforehand,
  // which no side ever is here.
  setenv("GRPC_SSL_CIPHER_SUITES", "PSK-AES256-GCM-SHA384", 1);  // NOLINT(concurrency-mt-unsafe)
}

/// gRPC's C++ API cannot exchange a server's certificate; its C API asks for it at each handshake.
class ServerTls::ReloadingCredentials final : public grpc::ServerCredentials {
 public:
  explicit ReloadingCredentials(ServerTls& tls) : tls_(tls) {}

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {
    ALLOT_CHECK(false);
  }

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    // A certificate is asked for and, when there is one, verified; who needs one is decided by
    // role.
    const auto request = tls_.files_.client_ca.path.empty()
                             ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                             : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
    grpc_server_credentials* credentials = grpc_ssl_server_credentials_create_with_options(
        grpc_ssl_server_credentials_create_options_using_config_fetcher(request, Fetch, &tls_));
    const int port = grpc_server_add_http2_port(server, address.c_str(), credentials);
    grpc_server_credentials_release(credentials);
    return port;
  }

  static grpc_ssl_certificate_config_reload_status Fetch(
      void* tls, grpc_ssl_server_certificate_config** config) {
    return static_cast<ServerTls*>(tls)->Fetch(config)
               ? GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW
               : GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  }

  ServerTls& tls_;
};

bool ServerTls::Fetch(grpc_ssl_server_certificate_config** config) {
  const std::lock_guard lock(mutex_);
  if (fetched_ == generation_) return false;
  fetched_ = generation_;
  const transport::Certificate& certificate = shown_.certificate;
  const grpc_ssl_pem_key_cert_pair pair{
      .private_key = certificate.key.c_str(),
      .cert_chain = certificate.chain.c_str(),
  };
  // gRPC insists on some, also where no client is asked for a certificate.
  const std::string& ca = shown_.client_ca.empty() ? certificate.chain : shown_.client_ca;
  *config = grpc_ssl_server_certificate_config_create(ca.c_str(), &pair, 1);
  return true;
}

Result<std::shared_ptr<ServerTls>> ServerTls::Load(Files files, Instant now) {
  std::shared_ptr<ServerTls> tls(new ServerTls(std::move(files)));
  ALLOT_ASSIGN_OR_RETURN(tls->shown_, tls->Read(now));
  return tls;
}

Result<ServerTls::Shown> ServerTls::Read(Instant now) const {
  Shown shown;
  ALLOT_ASSIGN_OR_RETURN(shown.certificate,
                         transport::ReadCertificate(files_.certificate, files_.key, now));
  if (!files_.client_ca.path.empty()) {
    ALLOT_ASSIGN_OR_RETURN(shown.client_ca, transport::ReadAuthorities(files_.client_ca));
  }
  return shown;
}

Status ServerTls::Reload(Instant now) {
  ALLOT_ASSIGN_OR_RETURN(Shown shown, Read(now));
  const std::lock_guard lock(mutex_);
  shown_ = std::move(shown);
  ++generation_;
  return Ok{};
}

std::string ServerTls::subject() const {
  const std::lock_guard lock(mutex_);
  return shown_.certificate.subject;
}

Instant ServerTls::expire_time() const {
  const std::lock_guard lock(mutex_);
  return shown_.certificate.expire_time;
}

std::optional<std::string> ServerTls::ProviderName(const std::string& provider) const {
  if (files_.client_ca.path.empty()) return std::nullopt;
  return "spiffe://" + files_.trust_domain + "/provider/" + provider;
}

bool ServerTls::IsEdge(const std::string& name) const {
  return !files_.client_ca.path.empty() && name == "spiffe://" + files_.trust_domain + "/edge";
}

std::shared_ptr<grpc::ServerCredentials> ServerTls::Credentials() {
  return std::make_shared<ReloadingCredentials>(*this);
}

}  // namespace allot::rpc
