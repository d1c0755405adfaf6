#pragma once

#include <string>
#include <string_view>

#include "cli/failure.h"

namespace allot::cli {

// Everything may be named in short ("snu/llm/main") or in full
// ("institutes/snu/projects/llm/allocations/main"). These give the full name, or say which forms
// they take. Whether the parts are well formed is the server's to judge.

Outcome<std::string> ProviderName(std::string_view text);
Outcome<std::string> InstituteName(std::string_view text);
Outcome<std::string> ProjectName(std::string_view text);
Outcome<std::string> AllocationName(std::string_view text);
Outcome<std::string> ApiKeyName(std::string_view text);
Outcome<std::string> ProposalName(std::string_view text);
Outcome<std::string> PolicyName(std::string_view text);
Outcome<std::string> MemberName(std::string_view text);

/// "providers/<p>/clusters/<c>" from its full name or "<p>/<c>". A cluster's id alone is unique in
/// the nation, but its provider is part of the name: who has only the id asks the server (see
/// FindCluster).
Outcome<std::string> ClusterName(std::string_view text);

/// Drops the collections: "institutes/snu/projects/llm" is "snu/llm".
std::string ShortName(std::string_view full);
/// Up to the last two parts: the parent's full name; empty when there is none.
std::string ParentOf(std::string_view full);
/// The last part.
std::string LastPart(std::string_view name);

}  // namespace allot::cli
