#pragma once

#include <optional>
#include <string>

namespace allot::apps {

/// All bytes of a file; nothing when it cannot be read or is a folder.
std::optional<std::string> ReadWholeFile(const std::string& path);

}  // namespace allot::apps
