#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "allot/base/result.h"

namespace allot::agent {

/// What a file is called while it is being written; a crash may leave one behind.
inline constexpr std::string_view kUnfinishedSuffix = ".unfinished";

/// Replaces `folder`/`name` by `content`, whole or not at all, and on disk when it returns:
/// written beside it, synced, renamed over it, the folder synced. store_unavailable when the
/// system refuses a step. `after_step`, when set, is called after each.
/// Requires: one writer for a name at a time.
Status WriteDurably(const std::string& folder, const std::string& name, std::string_view content,
                    const std::function<void(std::string_view step)>& after_step);

/// The file's content; nothing when there is no such file.
Result<std::optional<std::string>> ReadWhole(const std::string& path);

}  // namespace allot::agent
