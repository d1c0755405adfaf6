#pragma once

#include <string>
#include <string_view>

#include "allot/backup/backup.h"

namespace allot::backup {

/// backup.json, whole.
std::string FormatMetadata(const Backup& backup);
/// Reads what FormatMetadata wrote; config_invalid names what is not there. `path`: for messages.
Result<Backup> ParseMetadata(std::string_view text, const std::string& path);

/// Where the log that a backup needs begins and ends, by PostgreSQL's manifest.
Status ReadLogRange(const std::string& manifest_path, Backup& backup);

Result<std::string> ReadWhole(const std::string& path);

}  // namespace allot::backup
