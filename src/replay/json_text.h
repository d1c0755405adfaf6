#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string_view>

#include "allot/base/result.h"

namespace allot::replay {

/// Far more than a pass of the nation has: a document takes up to some thirty times its length of
/// memory.
inline constexpr std::size_t kRecordingBytesMax = std::size_t{64} << 20;

/// The document; config_invalid where there is none, is too large, or has an object with the same
/// name twice, of which another reader might take the other value.
Result<nlohmann::json> ParseJson(std::string_view text);

}  // namespace allot::replay
