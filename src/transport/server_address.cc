#include "allot/transport/server_address.h"

#include <algorithm>
#include <charconv>

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

bool IsTarget(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  if (text.starts_with(kUnix)) return text.size() > kUnix.size();
  const std::size_t colon = text.rfind(':');
  return colon != std::string_view::npos && IsHost(text.substr(0, colon)) &&
         IsPort(text.substr(colon + 1));
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
  if (!IsTarget(target)) {
    return FieldError(Reason::kConfigInvalid, field, std::string(text),
                      "HOST:PORT, such as pool.example:8443");
  }
  const bool local = StaysOnThisMachine(target);
  if (plain && !local) {
    return FieldError(Reason::kConfigInvalid, field, std::string(text),
                      "https://" + std::string(target) +
                          ": in plain text everybody on the way could read the key");
  }
  if (plain && names_ca) {
    return FieldError(Reason::kConfigInvalid, field, std::string(text),
                      "https://, as an authority to believe is named");
  }
  return ServerAddress{.target = std::string(target),
                       .encrypted = tls || (!plain && (!local || names_ca))};
}

}  // namespace allot::transport
