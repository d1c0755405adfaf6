#pragma once

#include <string>
#include <vector>

#include "cli/apply.h"
#include "cli/output.h"

namespace allot::cli {

/// "created", "configured", "unchanged", "failed" or "skipped"; of a dry run, what it would be.
std::string_view OutcomeWord(const ApplyStep& step);

/// What a dry run found, as a diff: "+" what would be created, "~" what would change, "!" what
/// cannot.
std::string DiffText(const std::vector<ApplyStep>& steps, bool colours);

/// How many objects of each kind met which fate; with -o wide a line for each object as well.
std::string SummaryText(const std::vector<ApplyStep>& steps, bool dry_run, const Output& output);

/// {"dryRun": …, "objects": [{"kind", "name", "outcome", "differences", "error"}], "summary": {…}}.
std::string SummaryJson(const std::vector<ApplyStep>& steps, bool dry_run);

}  // namespace allot::cli
