#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "allot/base/result.h"

namespace allot::apps {

/// Of what is read; more is no recording and no trace, and may not fit into memory.
inline constexpr std::size_t kFileBytesMax = std::size_t{1} << 30;

/// All bytes of a file or a pipe; nothing when it cannot be read, is a folder or a device, or is
/// longer than that.
std::optional<std::string> ReadWholeFile(const std::string& path);

/// Whether WriteWholeFile could write there now. The error says what to name instead.
Status CheckWritable(const std::string& path);

/// Written beside its place and moved into it, so that no reader meets half a file and an older one
/// stays until the new one is whole.
Status WriteWholeFile(const std::string& path, std::string_view text);

}  // namespace allot::apps
