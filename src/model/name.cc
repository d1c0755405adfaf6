#include "allot/model/name.h"

#include <algorithm>
#include <cstddef>

#include "allot/base/text.h"

namespace allot {
namespace {

bool IsLetter(char c) { return c >= 'a' && c <= 'z'; }
bool IsNameCharacter(char c) { return IsLetter(c) || (c >= '0' && c <= '9') || c == '-'; }

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= std::size_t{kNameLengthMax} && IsLetter(text.front()) &&
         std::all_of(text.begin(), text.end(), IsNameCharacter);
}

std::string Join(std::string_view parent, std::string_view name) {
  return std::string(parent).append("/").append(name);
}

/// Whether `text` is exactly `count` names joined by '/'.
bool AreNames(std::string_view text, int count) {
  for (int i = 1; i < count; ++i) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos || !IsName(text.substr(0, slash))) return false;
    text.remove_prefix(slash + 1);
  }
  return IsName(text);
}

template <class IdType>
std::optional<IdType> ParseNames(std::string_view text, int count) {
  if (!AreNames(text, count)) return std::nullopt;
  return IdType(text);
}

}  // namespace

Status CheckName(std::string_view name, const std::string& field) {
  if (IsName(name)) return Ok{};
  return FieldError(name.empty() ? Reason::kFieldRequired : Reason::kNameInvalid, field,
                    std::string(name.substr(0, std::size_t{4} * kNameLengthMax)),
                    "1 to 63 of a-z, 0-9 and '-', starting with a letter");
}

Status CheckDisplayName(std::string_view text, const std::string& field) {
  const std::string shown(text.substr(0, kDisplayNameBytesMax));
  if (text.size() > std::size_t{kDisplayNameBytesMax}) {
    return FieldError(Reason::kTextTooLong, field, shown,
                      "at most 256 bytes, not " + FormatCount(static_cast<int64_t>(text.size())));
  }
  if (!IsPlainText(text)) {
    return FieldError(Reason::kTextInvalid, field, shown, "UTF-8 without control characters");
  }
  return Ok{};
}

ProjectId MakeProjectId(const InstituteId& institute, std::string_view name) {
  return ProjectId(Join(institute.str(), name));
}
AllocationId MakeAllocationId(const ProjectId& project, std::string_view name) {
  return AllocationId(Join(project.str(), name));
}
NodeId MakeNodeId(const ClusterId& cluster, std::string_view name) {
  return NodeId(Join(cluster.str(), name));
}
ReservationId MakeReservationId(const ClusterId& cluster, std::string_view name) {
  return ReservationId(Join(cluster.str(), name));
}

std::optional<InstituteId> ParseInstituteId(std::string_view text) {
  return ParseNames<InstituteId>(text, 1);
}
std::optional<ProjectId> ParseProjectId(std::string_view text) {
  return ParseNames<ProjectId>(text, 2);
}
std::optional<AllocationId> ParseAllocationId(std::string_view text) {
  return ParseNames<AllocationId>(text, 3);
}
std::optional<ClusterId> ParseClusterId(std::string_view text) {
  return ParseNames<ClusterId>(text, 1);
}
std::optional<NodeId> ParseNodeId(std::string_view text) { return ParseNames<NodeId>(text, 2); }

}  // namespace allot
