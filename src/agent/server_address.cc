#include "agent/server_address.h"

#include <algorithm>
#include <charconv>
#include <string>

namespace allot::agent {
namespace {

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

}  // namespace

Status CheckServerAddress(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon != std::string_view::npos && IsHost(address.substr(0, colon)) &&
      IsPort(address.substr(colon + 1))) {
    return Ok{};
  }
  return FieldError(Reason::kConfigInvalid, "--server", std::string(address),
                    "HOST:PORT, such as pool.example:8443");
}

bool IsLoopback(std::string_view address) {
  const std::string_view host = address.substr(0, address.rfind(':'));
  return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

}  // namespace allot::agent
