#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include "allot/base/result.h"
#include "allot/base/time.h"

namespace allot::rpc {

// Scalars as they come over the wire. Each Parse function answers its own reason, with the field,
// the value and what would have been accepted.

inline constexpr int kTextBytesMax = 500;
inline constexpr int kPageSizeMax = 1000;
inline constexpr int kPageSizeDefault = 100;

/// Whole seconds; parts of a second are duration_out_of_range, never rounded.
Result<Seconds> ParseDuration(const google::protobuf::Duration& duration, const std::string& field);
/// Between `low` and `high`, both included.
Result<Seconds> ParseDuration(const google::protobuf::Duration& duration, Seconds low, Seconds high,
                              const std::string& field);
/// 1970 to 9999, cut to microseconds; otherwise time_out_of_range.
Result<Instant> ParseTimestamp(const google::protobuf::Timestamp& timestamp,
                               const std::string& field);

/// A reason or a message: plain text of at most 500 bytes; may be empty.
Result<std::string> ParseText(const std::string& text, const std::string& field);
/// The same, but not empty.
Result<std::string> ParseRequiredText(const std::string& text, const std::string& field);
Result<std::string> ParseDisplayName(const std::string& text, const std::string& field);
/// The last part of a name to be created.
Result<std::string> ParseNewName(const std::string& name, const std::string& field);

/// Empty, or 1 to 64 of A-Z, a-z, 0-9, '-' and '_'.
Result<std::string> ParseRequestId(const std::string& request_id);
/// The version an etag stands for; 0 for an empty one. What no resource ever had is etag_stale.
Result<int64_t> ParseEtag(const std::string& etag, const std::string& field);
std::string EtagOf(int64_t version);
/// 0 is the default.
Result<int> ParseCount(int32_t count, int most, const std::string& field);

/// The paths of a mask, "*" replaced by `updatable`. An empty mask is field_required; a path that
/// is no updatable one is field_mask_invalid, or field_immutable when it is in `immutable`.
Result<std::vector<std::string>> ParseFieldMask(const google::protobuf::FieldMask& mask,
                                                std::span<const std::string_view> updatable,
                                                std::span<const std::string_view> immutable);

google::protobuf::Duration Render(Seconds duration);
google::protobuf::Timestamp Render(Instant instant);

}  // namespace allot::rpc
