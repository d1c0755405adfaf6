#pragma once

#include <optional>
#include <string>

#include "allot/base/result.h"
#include "allot/base/time.h"

namespace allot::transport {

/// A file of PEM, and the setting or flag that names it, for messages.
struct PemFile {
  std::string field;
  std::string path;
};

/// Who somebody is on a TLS connection, with the key that proves it.
struct Certificate {
  /// PEM: the certificate first, then those up to the authority.
  std::string chain;
  /// PEM. Never printed.
  std::string key;
  /// Of the certificate itself ("CN=pool.example").
  std::string subject;
  Instant expire_time;
};

/// Both files, judged together: the certificate is one at `now`, and the key is its key and not to
/// be read by everybody. config_invalid names the file that is not so, and why; of a certificate
/// that is not valid at `now` without a field, as another time may mend it.
Result<Certificate> ReadCertificate(const PemFile& chain, const PemFile& key, Instant now);

/// The PEM of one or more certificates of authorities. config_invalid when there is none, or one
/// that cannot be read.
Result<std::string> ReadAuthorities(const PemFile& file);

/// When a certificate in PEM ends, the first of several. Nothing when it cannot be read. Whether it
/// is to be believed is not looked at.
std::optional<Instant> ExpireTimeOf(const std::string& certificate);

/// The SPIFFE ID that a certificate in PEM is for. Nothing when there is none, or more than one
/// URI, or it cannot be read. Whether the certificate is to be believed is not looked at.
std::optional<std::string> SpiffeIdOf(const std::string& certificate);

}  // namespace allot::transport
