#pragma once

#include <google/protobuf/message.h>

#include <optional>
#include <string>
#include <string_view>

namespace allot::fuzz {

/// What an input begins with that is a message in protobuf's text form rather than its bytes.
inline constexpr std::string_view kTextMark = "#text\n";

/// The bytes that an input stands for: itself, or a message of the type written as text. Nothing
/// for a text that is none of that type.
std::optional<std::string> BytesOf(const google::protobuf::Message& type, std::string_view input);

}  // namespace allot::fuzz
