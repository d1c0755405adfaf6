#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace allot::testing {

// Frames of HTTP/2 (RFC 9113) made by hand, for callers that no library would be.

inline constexpr uint8_t kData = 0x0;
inline constexpr uint8_t kHeaders = 0x1;
inline constexpr uint8_t kReset = 0x3;
inline constexpr uint8_t kSettings = 0x4;
inline constexpr uint8_t kPing = 0x6;
inline constexpr uint8_t kWindowUpdate = 0x8;
inline constexpr uint8_t kContinuation = 0x9;
inline constexpr uint8_t kAcknowledged = 0x1;
inline constexpr uint8_t kEndHeaders = 0x4;
inline constexpr std::size_t kFrameHeadBytes = 9;

inline std::string Number(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

inline std::string Frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
  std::string frame = Number(static_cast<uint32_t>(payload.size())).substr(1);
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  frame += Number(stream);
  frame += payload;
  return frame;
}

/// HPACK: the length and then the text, which is shorter than 127 bytes.
inline std::string HpackText(std::string_view text) {
  return static_cast<char>(text.size()) + std::string(text);
}

/// HPACK: a call of a method, without a key; over TLS, or in plain text.
inline std::string CallHeaders(std::string_view path, bool tls) {
  using namespace std::string_literals;
  return "\x83"s + (tls ? "\x87" : "\x86") + "\x04" + HpackText(path) + "\x01" +
         HpackText("localhost") + "\x0f\x10" + HpackText("application/grpc") + "\x00"s +
         HpackText("te") + HpackText("trailers");
}

inline std::string Greeting() {
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + Frame(kSettings, 0, 0, "") +
         Frame(kSettings, kAcknowledged, 0, "");
}

}  // namespace allot::testing
