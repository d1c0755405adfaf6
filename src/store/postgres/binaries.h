#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "allot/base/result.h"

namespace allot::store {

/// Where PostgreSQL's programs are: of `version` when the data has one already, else the newest.
/// config_invalid, with the package to install, when they are not there.
Result<std::filesystem::path> FindBinaries(const std::optional<std::string>& version);

}  // namespace allot::store
