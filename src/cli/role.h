#pragma once

#include <string>

#include "allot/v1/access.pb.h"
#include "cli/failure.h"

namespace allot::cli {

/// "institute_admin" or "institute-admin" of --role; `words` are those that a refusal lists.
Outcome<v1::Role> ReadRole(const std::string& text, const char* words);

}  // namespace allot::cli
