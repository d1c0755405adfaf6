#include "allot/transport/server_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace allot::transport {
namespace {

constexpr std::string_view kTls = "https://";
constexpr std::string_view kPlain = "http://";

bool IsPort(std::string_view text) {
  int port = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), port);
  return code == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65'535;
}

bool IsHost(std::string_view text) {
  if (text.starts_with('[')) {
    return text.size() > 3 && text.ends_with(']') &&
           text.find_first_not_of("0123456789abcdefABCDEF:.", 1) == text.size() - 1;
  }
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
  };
  return !text.empty() && std::ranges::all_of(text, allowed);
}

bool IsHostAndPort(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  return colon != std::string_view::npos && IsHost(text.substr(0, colon)) &&
         IsPort(text.substr(colon + 1));
}

bool IsIpv4(std::string_view host) {
  in_addr address;
  return inet_pton(AF_INET, std::string(host).c_str(), &address) == 1;
}

bool IsIpv6(std::string_view host) {
  in6_addr address;
  return host.size() > 2 && host.starts_with('[') &&
         inet_pton(AF_INET6, std::string(host.substr(1, host.size() - 2)).c_str(), &address) == 1;
}

std::string_view HostOf(std::string_view target) { return target.substr(0, target.rfind(':')); }

std::vector<std::string_view> AtCommas(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t comma = 0; comma != std::string_view::npos; text.remove_prefix(comma + 1)) {
    comma = text.find(',');
    parts.push_back(text.substr(0, comma));
    if (comma == std::string_view::npos) break;
  }
  return parts;
}

/// What gRPC dials for several servers: "ipv4:HOST:PORT,HOST:PORT". Nothing unless all are
/// addresses of one family: gRPC itself takes lists of no others.
std::optional<std::string> ListTarget(const std::vector<std::string_view>& servers) {
  const auto all = [&](bool (*is)(std::string_view)) {
    return std::ranges::all_of(servers, [&](std::string_view server) {
      return IsHostAndPort(server) && is(HostOf(server));
    });
  };
  std::string target = all(IsIpv4) ? "ipv4:" : all(IsIpv6) ? "ipv6:" : "";
  if (target.empty()) return std::nullopt;
  for (const std::string_view server : servers) {
    if (!target.ends_with(':')) target += ',';
    target += server;
  }
  return target;
}

/// "HOST:PORT", several of them, or "unix:PATH", without a scheme.
std::optional<ServerAddress> AddressOf(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  if (text.starts_with(kUnix)) {
    if (text.size() == kUnix.size()) return std::nullopt;
    return ServerAddress{.target = std::string(text), .encrypted = false, .name = ""};
  }
  const std::vector<std::string_view> servers = AtCommas(text);
  const bool local = std::ranges::all_of(servers, StaysOnThisMachine);
  if (servers.size() == 1) {
    if (!IsHostAndPort(text)) return std::nullopt;
    return ServerAddress{.target = std::string(text), .encrypted = !local, .name = ""};
  }
  auto target = ListTarget(servers);
  if (!target) return std::nullopt;
  return ServerAddress{.target = *std::move(target),
                       .encrypted = !local,
                       .name = std::string(HostOf(servers.front()))};
}

}  // namespace

bool StaysOnThisMachine(std::string_view target) {
  constexpr std::string_view kIpv4 = "ipv4:";
  if (target.starts_with("unix:")) return true;
  if (target.starts_with(kIpv4)) target.remove_prefix(kIpv4.size());
  const std::string_view host = target.substr(0, target.rfind(':'));
  // A host may be called 127.example.
  const bool address = host.find_first_not_of("0123456789.") == std::string_view::npos;
  return host == "localhost" || host == "[::1]" || (address && host.starts_with("127."));
}

Result<ServerAddress> ParseServerAddress(std::string_view text, bool names_ca,
                                         const std::string& field) {
  const bool tls = text.starts_with(kTls);
  const bool plain = text.starts_with(kPlain);
  std::string_view target = text;
  if (tls) target.remove_prefix(kTls.size());
  if (plain) target.remove_prefix(kPlain.size());
  if ((tls || plain) && target.ends_with('/')) target.remove_suffix(1);
  std::optional<ServerAddress> address = AddressOf(target);
  if (!address) {
    return FieldError(
        Reason::kConfigInvalid, field, std::string(text),
        "HOST:PORT, such as pool.example:8443, or several addresses of one kind, such "
        "as 10.0.0.1:8443,10.0.0.2:8443");
  }
  const bool local = !address->encrypted;
  if (plain && !local) {
    return FieldError(Reason::kConfigInvalid, field, std::string(text),
                      "https://" + std::string(target) +
                          ": in plain text everybody on the way could read the key");
  }
  if (plain && names_ca) {
    return FieldError(Reason::kConfigInvalid, field, std::string(text),
                      "https://, as an authority to believe is named");
  }
  address->encrypted = tls || (!plain && (!local || names_ca));
  return *std::move(address);
}

}  // namespace allot::transport
