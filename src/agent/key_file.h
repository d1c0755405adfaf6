#pragma once

#include <string>

#include "allot/base/result.h"

namespace allot::agent {

/// The API key in a file: its first and only line. config_invalid when the file cannot be read, is
/// readable by group or others, or does not hold one printable word.
Result<std::string> ReadKeyFile(const std::string& path);

}  // namespace allot::agent
