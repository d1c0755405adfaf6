#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "allot/base/result.h"

namespace allot::agent {

/// What is in a folder, by name. store_unavailable when it cannot be read to its end: never a part.
Result<std::vector<std::filesystem::directory_entry>> EntriesOf(const std::string& folder);

}  // namespace allot::agent
