#include "support/signing.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sys/stat.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <vector>

namespace allot::testing {
namespace {

constexpr unsigned kRsaBits = 2'048;
constexpr int kEcBytes = 32;

void Check(bool good) {
  if (!good) throw std::runtime_error("OpenSSL does not do as it is told");
}

EVP_PKEY* KeyOf(KeyPair pair) {
  static const std::array<EVP_PKEY*, 3> kKeys = {EVP_RSA_gen(kRsaBits), EVP_RSA_gen(kRsaBits),
                                                 EVP_EC_gen("P-256")};
  EVP_PKEY* const key = kKeys.at(static_cast<std::size_t>(pair));
  Check(key != nullptr);
  return key;
}

std::string BytesOf(EVP_PKEY* key, const char* parameter, int least = 0) {
  BIGNUM* number = nullptr;
  Check(EVP_PKEY_get_bn_param(key, parameter, &number) == 1);
  const int size = std::max(least, BN_num_bytes(number));
  std::string bytes(static_cast<std::size_t>(size), '\0');
  BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), size);
  BN_free(number);
  return bytes;
}

/// From DER to the two numbers side by side that a JWS has.
std::string PlainEcSignature(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(
      d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())), ECDSA_SIG_free);
  Check(signature != nullptr);
  std::array<unsigned char, 2 * kEcBytes> plain{};
  BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), plain.data(), kEcBytes);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), plain.data() + kEcBytes, kEcBytes);
  return {reinterpret_cast<const char*>(plain.data()), plain.size()};
}

std::string PublicPem(EVP_PKEY* key) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
  Check(PEM_write_bio_PUBKEY(out.get(), key) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string HmacOf(std::string_view text, const std::string& secret) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

}  // namespace

std::string Base64Url(std::string_view bytes) {
  std::vector<unsigned char> text(4 * (bytes.size() / 3 + 1) + 1);
  const int size =
      EVP_EncodeBlock(text.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
                      static_cast<int>(bytes.size()));
  std::string encoded(reinterpret_cast<const char*>(text.data()), static_cast<std::size_t>(size));
  for (char& c : encoded) c = c == '+' ? '-' : c == '/' ? '_' : c;
  encoded.erase(encoded.find_last_not_of('=') + 1);
  return encoded;
}

std::string SignatureOf(std::string_view text, KeyPair pair, const std::string& algorithm) {
  EVP_PKEY* const key = KeyOf(pair);
  if (algorithm == "none") return {};
  if (algorithm == "HS256") return HmacOf(text, PublicPem(key));
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  EVP_PKEY_CTX* details = nullptr;
  Check(EVP_DigestSignInit(context.get(), &details, EVP_sha256(), nullptr, key) == 1);
  if (algorithm == "PS256") {
    Check(EVP_PKEY_CTX_set_rsa_padding(details, RSA_PKCS1_PSS_PADDING) == 1);
    Check(EVP_PKEY_CTX_set_rsa_pss_saltlen(details, RSA_PSS_SALTLEN_DIGEST) == 1);
  }
  const auto* const bytes = reinterpret_cast<const unsigned char*>(text.data());
  std::size_t size = 0;
  Check(EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) == 1);
  std::string signature(size, '\0');
  Check(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                       bytes, text.size()) == 1);
  signature.resize(size);
  return pair == KeyPair::kEc ? PlainEcSignature(signature) : signature;
}

nlohmann::json JwkOf(KeyPair pair) {
  EVP_PKEY* const key = KeyOf(pair);
  if (pair == KeyPair::kEc) {
    return {{"kty", "EC"},
            {"crv", "P-256"},
            {"x", Base64Url(BytesOf(key, OSSL_PKEY_PARAM_EC_PUB_X, kEcBytes))},
            {"y", Base64Url(BytesOf(key, OSSL_PKEY_PARAM_EC_PUB_Y, kEcBytes))}};
  }
  return {{"kty", "RSA"},
          {"n", Base64Url(BytesOf(key, OSSL_PKEY_PARAM_RSA_N))},
          {"e", Base64Url(BytesOf(key, OSSL_PKEY_PARAM_RSA_E))}};
}

SigningKeyFiles::SigningKeyFiles(const std::string& folder, const std::string& name)
    : key(folder + "/" + name + ".key"), public_half(folder + "/" + name + ".pub") {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> made(
      EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free);
  Check(made != nullptr);
  const auto write = [&](const std::string& path, mode_t mode, auto put) {
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> file(BIO_new_file(path.c_str(), "w"),
                                                             BIO_free_all);
    Check(file != nullptr && ::chmod(path.c_str(), mode) == 0 && put(file.get()) == 1);
  };
  write(key, 0600, [&](BIO* file) {
    return PEM_write_bio_PrivateKey(file, made.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  write(public_half, 0644, [&](BIO* file) { return PEM_write_bio_PUBKEY(file, made.get()); });
}

}  // namespace allot::testing
