#pragma once

#include <memory>
#include <string>

#include <openssl/bio.h>
#include <openssl/evp.h>

#include "allot/base/result.h"
#include "allot/transport/certificate.h"

namespace allot::transport {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

/// config_invalid. Never with what is in the file: a log is no place for a key.
Error Refuse(const PemFile& file, const std::string& why, const std::string& expected);
Error RefuseOpenKey(const PemFile& file);

struct Pem {
  std::string text;
  /// Others than the owner and the group may read or write it.
  bool open_to_all = false;
};
Result<Pem> ReadPem(const PemFile& file);

/// Valid as long as the text.
BioPtr Over(const std::string& text);
/// For OpenSSL. Nobody is asked for one: this is no terminal's program.
int NoPassphrase(char*, int, int, void*);

}  // namespace allot::transport
