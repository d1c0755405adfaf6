// The header in which the edge hands on the certificate that a caller showed to it: percent-encoded
// PEM. An input is such a header; or, if it is neither PEM nor has a '%', a certificate's DER,
// which is put into PEM first, so that changes reach what is inside.
#include <openssl/evp.h>

#include <string>

#include "allot/transport/certificate.h"
#include "fuzz/support/property.h"
#include "rpc/bytes.h"
#include "support/percent_encoded.h"

namespace allot::fuzz {
namespace {

constexpr std::string_view kBegin = "-----BEGIN CERTIFICATE-----\n";
constexpr std::string_view kEnd = "-----END CERTIFICATE-----\n";

std::string PemOf(std::string_view der) {
  std::string base64(4 * ((der.size() + 2) / 3) + 1, '\0');
  base64.resize(static_cast<std::size_t>(EVP_EncodeBlock(
      reinterpret_cast<unsigned char*>(base64.data()),
      reinterpret_cast<const unsigned char*>(der.data()), static_cast<int>(der.size()))));
  std::string pem(kBegin);
  for (std::size_t at = 0; at < base64.size(); at += 64) pem += base64.substr(at, 64) + '\n';
  return pem += kEnd;
}

void CheckHeader(std::string_view header) {
  const auto pem = rpc::PercentDecoded(header);
  if (!pem) {
    Require(header.find('%') != std::string_view::npos, "without a '%' all is as it stands");
    return;
  }
  Require(pem->size() <= header.size(), "decoding makes nothing longer");
  Require(rpc::PercentDecoded(testing::PercentEncoded(*pem)) == pem, "a header comes back");
  const auto name = transport::SpiffeIdOf(*pem);
  if (!name) return;
  Require(name->starts_with("spiffe://"), "a name is a SPIFFE ID", *name);
  Require(pem->find(kBegin.substr(0, 10)) != std::string::npos, "it stands in a certificate");
}

}  // namespace
}  // namespace allot::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  using namespace allot::fuzz;
  const std::string_view text = TextOf(data, size);
  CheckHeader(text);
  const bool encoded = text.find('%') != std::string_view::npos || text.starts_with("-----");
  if (!encoded) CheckHeader(allot::testing::PercentEncoded(PemOf(text)));
  return 0;
}
