#pragma once

#include <string>
#include <string_view>

#include "allot/base/result.h"

namespace allot::transport {

/// Where a client finds a server, or several of one installation, and whether it speaks TLS there.
struct ServerAddress {
  /// As gRPC dials it: "pool.example:8443", "[::1]:8443", "unix:/run/allot.sock", or
  /// "ipv4:10.0.0.1:8443,10.0.0.2:8443", of which it takes the first that answers. A name with
  /// several addresses is dialled in the same way.
  std::string target;
  /// False only for what stays on this machine.
  bool encrypted = true;
  /// What the certificate of each must name, if `target` does not say it. Else empty.
  std::string name;

  friend bool operator==(const ServerAddress&, const ServerAddress&) = default;
};

/// Whether what is sent to "HOST:PORT" or "unix:PATH" stays on this machine.
bool StaysOnThisMachine(std::string_view target);

/// Reads "HOST:PORT", "https://HOST:PORT", "http://HOST:PORT" or "unix:PATH", with a port from 1 to
/// 65535 and brackets around an IPv6 host; or several, "https://10.0.0.1:8443,10.0.0.2:8443", all
/// IPv4 or all IPv6 addresses, whose certificates all name the first. Without a scheme TLS is
/// spoken, but not on this machine, unless an authority to believe was named (`names_ca`).
///
/// config_invalid with `field` for anything else, and for "http://" to another machine: a key in
/// plain text is everybody's on the way.
Result<ServerAddress> ParseServerAddress(std::string_view text, bool names_ca,
                                         const std::string& field);

}  // namespace allot::transport
