#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "allot/base/result.h"

namespace allot::apps {

/// All bytes of a file; nothing when it cannot be read or is a folder.
std::optional<std::string> ReadWholeFile(const std::string& path);

/// Whether WriteWholeFile could write there now. The error says what to name instead.
Status CheckWritable(const std::string& path);

/// Written beside its place and moved into it, so that no reader meets half a file and an older one
/// stays until the new one is whole.
Status WriteWholeFile(const std::string& path, std::string_view text);

}  // namespace allot::apps
