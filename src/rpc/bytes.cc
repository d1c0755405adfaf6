#include "rpc/bytes.h"

#include <charconv>
#include <cstdint>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/slice.h>

#include "allot/base/check.h"
#include "allot/base/text.h"

namespace allot::rpc {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// No message of the API nests deeper; protobuf itself stops at 100.
constexpr int kNestingMax = 32;

Error Malformed(const std::string& path) {
  if (path.empty()) {
    return StateError(Reason::kRequestMalformed,
                      "the message is not of the type that this method takes");
  }
  return FieldError(Reason::kRequestMalformed, path, "",
                    "a message of the type that this method takes");
}

Status CheckMessage(const google::protobuf::Descriptor& type, std::string_view bytes,
                    const std::string& path, int depth);

/// A field of the type with a length in front: text, bytes, a message, or packed numbers.
Status CheckDelimited(const FieldDescriptor* field, std::string_view bytes, const std::string& path,
                      int depth) {
  if (field == nullptr) return Ok{};
  if (field->type() == FieldDescriptor::TYPE_STRING && !IsUtf8(bytes)) {
    return FieldError(Reason::kTextInvalid, path, std::string(bytes),
                      "UTF-8 without control characters");
  }
  if (field->type() == FieldDescriptor::TYPE_MESSAGE) {
    return CheckMessage(*field->message_type(), bytes, path, depth + 1);
  }
  return Ok{};
}

Status CheckMessage(const google::protobuf::Descriptor& type, std::string_view bytes,
                    const std::string& path, int depth) {
  if (depth > kNestingMax) return Malformed(path);
  CodedInputStream input(reinterpret_cast<const uint8_t*>(bytes.data()),
                         static_cast<int>(bytes.size()));
  while (input.CurrentPosition() < static_cast<int>(bytes.size())) {
    const uint32_t tag = input.ReadTag();
    if (tag == 0) return Malformed(path);
    const auto* field = type.FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag));
    if (WireFormatLite::GetTagWireType(tag) != WireFormatLite::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormatLite::SkipField(&input, tag)) return Malformed(path);
      continue;
    }
    uint32_t length = 0;
    if (!input.ReadVarint32(&length)) return Malformed(path);
    const auto start = static_cast<std::size_t>(input.CurrentPosition());
    if (length > bytes.size() - start || !input.Skip(static_cast<int>(length))) {
      return Malformed(path);
    }
    std::string field_path = path;
    if (field != nullptr) field_path += (path.empty() ? "" : ".") + field->name();
    ALLOT_RETURN_IF_ERROR(CheckDelimited(field, bytes.substr(start, length), field_path, depth));
  }
  return Ok{};
}

}  // namespace

std::string EncodeBase64Url(std::string_view bytes) {
  std::string text;
  uint32_t held = 0;
  int bits = 0;
  for (const char c : bytes) {
    held = (held << 8) | static_cast<unsigned char>(c);
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text += kDigits[(held >> bits) & 0x3f];
    }
  }
  if (bits > 0) text += kDigits[(held << (6 - bits)) & 0x3f];
  return text;
}

std::optional<std::string> DecodeBase64Url(std::string_view text) {
  std::string bytes;
  uint32_t held = 0;
  int bits = 0;
  for (const char c : text) {
    const auto digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    held = (held << 6) | static_cast<uint32_t>(digit);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>((held >> bits) & 0xff);
  }
  // One text for the same bytes: what is left over must be the encoder's zeros.
  if (EncodeBase64Url(bytes) != text) return std::nullopt;
  return bytes;
}

std::optional<std::string> PercentDecoded(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const std::string_view digits = text.substr(i + 1, 2);
    unsigned char byte = 0;
    const char* end = digits.data() + digits.size();
    const auto [stop, code] = std::from_chars(digits.data(), end, byte, 16);
    if (digits.size() != 2 || code != std::errc() || stop != end) return std::nullopt;
    decoded += static_cast<char>(byte);
    i += 2;
  }
  return decoded;
}

std::string DeterministicBytes(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream output(&stream);
    output.SetSerializationDeterministic(true);
    ALLOT_CHECK(message.SerializeToCodedStream(&output));
  }
  return bytes;
}

grpc::ByteBuffer ToByteBuffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

std::optional<std::string> FromByteBuffer(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  if (!buffer.DumpToSingleSlice(&slice).ok()) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(slice.begin()), slice.size());
}

Status CheckWire(const google::protobuf::Descriptor& type, std::string_view bytes) {
  return CheckMessage(type, bytes, "", 0);
}

}  // namespace allot::rpc
