#include "rpc/credential.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>

#include <grpc/grpc_security_constants.h>

#include "allot/control/identity.h"
#include "allot/transport/certificate.h"
#include "rpc/bytes.h"

namespace allot::rpc {
namespace {

constexpr std::string_view kScheme = "bearer ";
/// Longer than any key, far shorter than what metadata may carry.
constexpr std::size_t kKeyLengthMax = 256;
/// The PEM of the certificate that a caller showed to the edge, percent-encoded.
constexpr const char* kForwardedCertificateHeader = "allot-client-certificate";

/// Of metadata that stands there once; nothing otherwise.
std::optional<std::string_view> OnlyValue(const grpc::CallbackServerContext& context,
                                          const char* header) {
  const auto [first, last] = context.client_metadata().equal_range(header);
  if (first == last || std::next(first) != last) return std::nullopt;
  return std::string_view(first->second.data(), first->second.size());
}

/// Of the certificate that the connection was made with; empty without one.
std::string PropertyOfConnection(const grpc::CallbackServerContext& context,
                                 const std::string& property) {
  const auto values = context.auth_context()->FindPropertyValues(property);
  return values.empty() ? std::string() : std::string(values[0].data(), values[0].size());
}

std::string CertificateThatTheEdgeForwards(const grpc::CallbackServerContext& context) {
  const auto value = OnlyValue(context, kForwardedCertificateHeader);
  return value ? PercentDecoded(*value).value_or("") : "";
}

/// The key or the token; neither where there is none.
Credential CredentialIn(const grpc::CallbackServerContext& context) {
  const auto& metadata = context.client_metadata();
  if (metadata.find("authorization") == metadata.end()) return {};
  const std::string_view value = OnlyValue(context, "authorization").value_or("");
  // Its letters may be of either kind (RFC 9110, 11.1).
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  const bool has_scheme = std::ranges::equal(value.substr(0, kScheme.size()), kScheme, {}, lower);
  const std::string_view text = has_scheme ? value.substr(kScheme.size()) : "";
  if (text.find('.') != std::string_view::npos) {
    return {
        .key_sha256 = {}, .token = std::string(text), .certificate = {}, .certificate_name = {}};
  }
  const bool sound = !text.empty() && text.size() <= kKeyLengthMax;
  return {.key_sha256 = control::Sha256Hex(sound ? text : "not a key"),
          .token = {},
          .certificate = {},
          .certificate_name = {}};
}

}  // namespace

Credential CredentialOf(const grpc::CallbackServerContext& context, const ServerTls* tls,
                        SeenCertificates& seen) {
  Credential credential = CredentialIn(context);
  if (tls == nullptr) return credential;
  credential.certificate_name = PropertyOfConnection(context, GRPC_PEER_SPIFFE_ID_PROPERTY_NAME);
  if (credential.certificate_name.empty()) return credential;
  credential.certificate = PropertyOfConnection(context, GRPC_X509_PEM_CERT_PROPERTY_NAME);
  if (!tls->IsEdge(credential.certificate_name)) return credential;
  seen.Note("edge", credential.certificate);
  // Anybody may send the header; it says something only where the edge itself is the sender, which
  // sets it anew on every call.
  credential.certificate = CertificateThatTheEdgeForwards(context);
  credential.certificate_name = transport::SpiffeIdOf(credential.certificate).value_or("");
  return credential;
}

}  // namespace allot::rpc
