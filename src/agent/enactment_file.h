#pragma once

#include <string>
#include <string_view>

#include "allot/agent/state_folder.h"

namespace allot::agent {

/// "snu.llm.train-1.2.json": names hold no dots, so two attempts never share a file.
std::string EnactmentFileName(const AllocationId& allocation, int attempt);

/// One JSON object, indented for the engineer who opens it.
std::string RenderEnactment(const Enactment& enactment);
/// config_invalid naming `file` and the member that is not what RenderEnactment writes.
Result<Enactment> ParseEnactment(std::string_view text, const std::string& file);

}  // namespace allot::agent
