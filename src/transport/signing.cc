#include "allot/transport/signing.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include <array>
#include <utility>

#include "allot/base/check.h"
#include "allot/base/text.h"
#include "transport/pem.h"

namespace allot::transport {
namespace {

using ContextPtr = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;

constexpr std::size_t kIdLength = 16;
constexpr std::size_t kSignatureBytes = 64;

const unsigned char* BytesOf(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string IdOf(EVP_PKEY* key) {
  unsigned char* bytes = nullptr;
  const int size = i2d_PUBKEY(key, &bytes);
  ALLOT_CHECK(size > 0);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(bytes, static_cast<std::size_t>(size), digest.data());
  OPENSSL_free(bytes);
  return Hex({reinterpret_cast<const char*>(digest.data()), digest.size()}).substr(0, kIdLength);
}

bool IsEd25519(const KeyPtr& key) { return key && EVP_PKEY_id(key.get()) == EVP_PKEY_ED25519; }

}  // namespace

struct SigningKey::Key {
  KeyPtr key;
  std::string id;
};
struct VerifyingKey::Key {
  KeyPtr key;
  std::string id;
};

SigningKey::SigningKey(std::unique_ptr<Key> key) : key_(std::move(key)) {}
SigningKey::~SigningKey() = default;
const std::string& SigningKey::id() const { return key_->id; }

Result<std::shared_ptr<const SigningKey>> SigningKey::Read(const PemFile& file) {
  ALLOT_ASSIGN_OR_RETURN(const Pem pem, ReadPem(file));
  if (pem.open_to_all) return RefuseOpenKey(file);
  KeyPtr key(PEM_read_bio_PrivateKey(Over(pem.text).get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  if (!IsEd25519(key)) {
    return Refuse(file, "holds no key that can sign",
                  "PEM: a private key of Ed25519 without a passphrase ('openssl genpkey -algorithm "
                  "ed25519')");
  }
  auto held = std::make_unique<Key>();
  held->id = IdOf(key.get());
  held->key = std::move(key);
  return std::shared_ptr<const SigningKey>(new SigningKey(std::move(held)));
}

std::string SigningKey::Sign(std::string_view text) const {
  const ContextPtr context(EVP_MD_CTX_new());
  std::string signature(kSignatureBytes, '\0');
  std::size_t size = signature.size();
  ALLOT_CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_->key.get()) == 1);
  ALLOT_CHECK(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()),
                             &size, BytesOf(text), text.size()) == 1);
  return Hex(signature);
}

VerifyingKey::VerifyingKey(std::unique_ptr<Key> key) : key_(std::move(key)) {}
VerifyingKey::~VerifyingKey() = default;
const std::string& VerifyingKey::id() const { return key_->id; }

Result<std::shared_ptr<const VerifyingKey>> VerifyingKey::Read(const PemFile& file) {
  ALLOT_ASSIGN_OR_RETURN(const Pem pem, ReadPem(file));
  KeyPtr key(PEM_read_bio_PUBKEY(Over(pem.text).get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  if (!IsEd25519(key)) {
    return Refuse(file, "holds no public key of Ed25519",
                  "PEM: the public half of the key that signs ('openssl pkey -in KEY -pubout')");
  }
  auto held = std::make_unique<Key>();
  held->id = IdOf(key.get());
  held->key = std::move(key);
  return std::shared_ptr<const VerifyingKey>(new VerifyingKey(std::move(held)));
}

bool VerifyingKey::Signed(std::string_view text, std::string_view signature) const {
  const auto bytes = BytesOfHex(std::string(signature));
  if (!bytes || bytes->size() != kSignatureBytes) return false;
  const ContextPtr context(EVP_MD_CTX_new());
  if (EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_->key.get()) != 1) {
    return false;
  }
  const bool good = EVP_DigestVerify(context.get(), BytesOf(*bytes), bytes->size(), BytesOf(text),
                                     text.size()) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace allot::transport
