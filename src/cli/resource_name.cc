#include "cli/resource_name.h"

#include <span>
#include <vector>

#include "cli/text.h"

namespace allot::cli {
namespace {

Outcome<std::string> Expand(std::string_view text, std::span<const std::string_view> collections,
                            const char* noun) {
  const std::vector<std::string> parts = Split(text, '/');
  bool usable = true;
  for (const std::string& part : parts) usable = usable && !part.empty();
  const std::size_t count = collections.size();

  bool full = parts.size() == 2 * count;
  for (std::size_t i = 0; full && i < count; ++i) full = parts[2 * i] == collections[i];
  if (usable && full) return std::string(text);

  if (usable && parts.size() == count && (count == 1 || parts[0] != collections[0])) {
    std::string name;
    for (std::size_t i = 0; i < count; ++i) {
      name += (i == 0 ? "" : "/") + std::string(collections[i]) + "/" + parts[i];
    }
    return name;
  }
  std::string in_short;
  std::string in_full;
  for (const std::string_view collection : collections) {
    std::string singular(collection.substr(0, collection.size() - 1));
    if (singular == "apiKey") singular = "key";
    if (singular == "policie") singular = "policy";
    for (char& c : singular) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    in_short += (in_short.empty() ? "" : "/") + singular;
    in_full += (in_full.empty() ? "" : "/") + std::string(collection) + "/" + singular;
  }
  return FailureOf(
      FieldError(Reason::kResourceNameInvalid, noun, Printable(text), in_short + " or " + in_full));
}

constexpr std::string_view kTenant[] = {"institutes", "projects", "allocations"};
constexpr std::string_view kPool[] = {"providers", "clusters", "nodes"};
constexpr std::string_view kKeys[] = {"apiKeys"};
constexpr std::string_view kProposals[] = {"proposals"};
constexpr std::string_view kPolicies[] = {"policies"};
constexpr std::string_view kMembers[] = {"members"};

}  // namespace

Outcome<std::string> ProviderName(std::string_view text) {
  return Expand(text, std::span(kPool).first(1), "provider");
}
Outcome<std::string> ClusterName(std::string_view text) {
  return Expand(text, std::span(kPool).first(2), "cluster");
}
Outcome<std::string> InstituteName(std::string_view text) {
  return Expand(text, std::span(kTenant).first(1), "institute");
}
Outcome<std::string> ProjectName(std::string_view text) {
  return Expand(text, std::span(kTenant).first(2), "project");
}
Outcome<std::string> AllocationName(std::string_view text) {
  return Expand(text, kTenant, "allocation");
}
Outcome<std::string> ApiKeyName(std::string_view text) { return Expand(text, kKeys, "key"); }
Outcome<std::string> ProposalName(std::string_view text) {
  return Expand(text, kProposals, "proposal");
}
Outcome<std::string> PolicyName(std::string_view text) { return Expand(text, kPolicies, "policy"); }

Outcome<std::string> MemberName(std::string_view text) { return Expand(text, kMembers, "member"); }

std::string ShortName(std::string_view full) {
  const std::vector<std::string> parts = Split(full, '/');
  std::string name;
  for (std::size_t i = 1; i < parts.size(); i += 2) {
    name += (name.empty() ? "" : "/") + parts[i];
  }
  return name;
}

std::string ParentOf(std::string_view full) {
  for (int parts = 0; parts < 2; ++parts) {
    const std::size_t slash = full.rfind('/');
    if (slash == std::string_view::npos) return {};
    full = full.substr(0, slash);
  }
  return std::string(full);
}

std::string LastPart(std::string_view name) {
  return std::string(name.substr(name.rfind('/') + 1));
}

}  // namespace allot::cli
