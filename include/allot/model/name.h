#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "allot/base/id.h"
#include "allot/base/result.h"

namespace allot {

inline constexpr int kNameLengthMax = 63;
inline constexpr int kDisplayNameBytesMax = 256;

/// One part of an id: 1 to 63 of a-z, 0-9 and '-', starting with a letter. Otherwise name_invalid.
Status CheckName(std::string_view name, const std::string& field);
/// Plain UTF-8 of at most 256 bytes; may be empty. Otherwise text_too_long or text_invalid.
Status CheckDisplayName(std::string_view text, const std::string& field);

/// Ids are made of names joined by '/'. Requires: `name` passed CheckName.
ProjectId MakeProjectId(const InstituteId& institute, std::string_view name);
AllocationId MakeAllocationId(const ProjectId& project, std::string_view name);
NodeId MakeNodeId(const ClusterId& cluster, std::string_view name);
ReservationId MakeReservationId(const ClusterId& cluster, std::string_view name);

/// An id as somebody wrote it: exactly as many valid names as its kind has, or nothing.
std::optional<InstituteId> ParseInstituteId(std::string_view text);
std::optional<ProjectId> ParseProjectId(std::string_view text);
std::optional<AllocationId> ParseAllocationId(std::string_view text);
std::optional<ClusterId> ParseClusterId(std::string_view text);
std::optional<NodeId> ParseNodeId(std::string_view text);

}  // namespace allot
