#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <grpcpp/support/byte_buffer.h>

#include "allot/base/result.h"

namespace allot::rpc {

/// Without padding, as it stands in URLs.
std::string EncodeBase64Url(std::string_view bytes);
std::optional<std::string> DecodeBase64Url(std::string_view text);

/// What was percent-encoded; nothing when a '%' is not followed by two digits.
std::optional<std::string> PercentDecoded(std::string_view text);

/// The same bytes for equal messages, in every process of this release.
std::string DeterministicBytes(const google::protobuf::Message& message);

grpc::ByteBuffer ToByteBuffer(const std::string& bytes);
/// Nothing when the buffer cannot be read.
std::optional<std::string> FromByteBuffer(const grpc::ByteBuffer& buffer);

/// Whether `bytes` are a well-formed message of this type whose texts are UTF-8. text_invalid names
/// the field by its path, which protobuf's own parser does not; request_malformed for the rest.
Status CheckWire(const google::protobuf::Descriptor& type, std::string_view bytes);

}  // namespace allot::rpc
