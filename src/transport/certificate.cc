#include "allot/transport/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstddef>
#include <ctime>
#include <memory>
#include <string_view>
#include <utility>

#include "transport/pem.h"

namespace allot::transport {
namespace {

using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;

/// The first certificate in it; nothing when there is none, or any of them cannot be read.
X509Ptr FirstCertificate(const std::string& pem) {
  const BioPtr bio = Over(pem);
  X509Ptr first(PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr));
  X509Ptr next;
  while (first && (next = X509Ptr(PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr)))) {
  }
  const auto error = ERR_peek_last_error();
  const bool at_end = error == 0 || (ERR_GET_LIB(error) == ERR_LIB_PEM &&
                                     ERR_GET_REASON(error) == PEM_R_NO_START_LINE);
  ERR_clear_error();
  return at_end ? std::move(first) : nullptr;
}

/// Not of the field alone: a clock that is not set yet makes it so, too, and that passes.
Error NotValidNow(const PemFile& file, const std::string& why) {
  return StateError(Reason::kConfigInvalid,
                    Refuse(file, why, "a certificate that is valid now").message);
}

Instant TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return Instant::FromSeconds(timegm(&parts));
}

std::string SubjectOf(const X509& certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(&certificate), 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &text);
  return Printable({text, static_cast<std::size_t>(size)});
}

}  // namespace

Result<Certificate> ReadCertificate(const PemFile& chain, const PemFile& key, Instant now) {
  ALLOT_ASSIGN_OR_RETURN(Pem chain_pem, ReadPem(chain));
  ALLOT_ASSIGN_OR_RETURN(Pem key_pem, ReadPem(key));
  const X509Ptr certificate = FirstCertificate(chain_pem.text);
  if (!certificate) {
    return Refuse(chain, "holds no certificate that can be read",
                  "PEM: the certificate, then its chain");
  }
  const Instant expire_time = TimeOf(X509_get0_notAfter(certificate.get()));
  if (expire_time <= now) return NotValidNow(chain, "expired " + FormatRfc3339(expire_time));
  if (const Instant start = TimeOf(X509_get0_notBefore(certificate.get())); now < start) {
    return NotValidNow(chain, "is not valid before " + FormatRfc3339(start));
  }
  if (key_pem.open_to_all) return RefuseOpenKey(key);
  const KeyPtr private_key(
      PEM_read_bio_PrivateKey(Over(key_pem.text).get(), nullptr, NoPassphrase, nullptr));
  const bool fits =
      private_key && X509_check_private_key(certificate.get(), private_key.get()) == 1;
  ERR_clear_error();
  if (!private_key) {
    return Refuse(key, "holds no key that can be read", "PEM: a private key without a passphrase");
  }
  if (!fits) return Refuse(key, "is not the key of " + Printable(chain.path), "its key");
  return Certificate{.chain = std::move(chain_pem.text),
                     .key = std::move(key_pem.text),
                     .subject = SubjectOf(*certificate),
                     .expire_time = expire_time};
}

Result<std::string> ReadAuthorities(const PemFile& file) {
  ALLOT_ASSIGN_OR_RETURN(Pem pem, ReadPem(file));
  if (!FirstCertificate(pem.text)) {
    return Refuse(file, "holds no certificate that can be read",
                  "PEM: the certificates of the authorities to believe");
  }
  return std::move(pem.text);
}

std::optional<Instant> ExpireTimeOf(const std::string& certificate) {
  const X509Ptr read = FirstCertificate(certificate);
  if (!read) return std::nullopt;
  return TimeOf(X509_get0_notAfter(read.get()));
}

std::optional<std::string> SpiffeIdOf(const std::string& certificate) {
  const X509Ptr read = FirstCertificate(certificate);
  if (!read) return std::nullopt;
  const std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(read.get(), NID_subject_alt_name, nullptr, nullptr)));
  std::optional<std::string> id;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    if (id) return std::nullopt;
    const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
    id.emplace(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
               static_cast<std::size_t>(ASN1_STRING_length(uri)));
  }
  return id && id->starts_with("spiffe://") ? id : std::nullopt;
}

}  // namespace allot::transport
