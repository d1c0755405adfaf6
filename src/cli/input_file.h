#pragma once

#include <string>
#include <vector>

#include "cli/failure.h"
#include "cli/manifest.h"
#include "cli/session.h"

namespace allot::cli {

/// As many problems as a person mends in one go.
inline constexpr std::size_t kProblemsShownMax = 20;

/// A file of -f, whole; "-" is stdin. config_invalid for one that cannot be read, is empty or has
/// more than 64 MiB.
Outcome<std::string> ReadInput(const Environment& environment, const std::string& path);
/// What stands for the file in messages.
std::string InputName(const std::string& path);

/// Shows people each of the problems, up to a bound; the failure names the first.
Failure ShowProblems(const Session& session, const std::vector<ManifestProblem>& problems);

}  // namespace allot::cli
