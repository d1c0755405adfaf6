#include "rpc/fields.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "allot/base/text.h"
#include "allot/model/name.h"

namespace allot::rpc {
namespace {

constexpr std::size_t kRequestIdLengthMax = 64;
constexpr int32_t kNanosPerSecond = 1'000'000'000;
constexpr int32_t kNanosPerMicro = 1'000;
/// What google.protobuf.Duration itself allows: 10,000 years.
constexpr int64_t kDurationSecondsMax = 315'576'000'000;

/// "1.5s" as protobuf's JSON prints it, for values that FormatDuration cannot say.
std::string Shown(const google::protobuf::Duration& duration) {
  std::string text = std::to_string(duration.seconds());
  if (duration.nanos() != 0) {
    std::string nanos = std::to_string(std::abs(static_cast<int64_t>(duration.nanos())));
    nanos.insert(0, nanos.size() < 9 ? 9 - nanos.size() : 0, '0');
    nanos.erase(nanos.find_last_not_of('0') + 1);
    if (duration.seconds() == 0 && duration.nanos() < 0) text.insert(0, 1, '-');
    text += '.' + nanos;
  }
  return text + 's';
}

bool IsRequestIdCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

bool Contains(std::span<const std::string_view> paths, std::string_view path) {
  return std::find(paths.begin(), paths.end(), path) != paths.end();
}

std::string Joined(std::span<const std::string_view> paths) {
  std::string text;
  for (const std::string_view path : paths) {
    if (!text.empty()) text += ", ";
    text += path;
  }
  return text;
}

}  // namespace

Result<Seconds> ParseDuration(const google::protobuf::Duration& duration,
                              const std::string& field) {
  if (duration.nanos() != 0) {
    return FieldError(Reason::kDurationOutOfRange, field, Shown(duration), "whole seconds");
  }
  if (duration.seconds() > kDurationSecondsMax || duration.seconds() < -kDurationSecondsMax) {
    return FieldError(Reason::kDurationOutOfRange, field, Shown(duration), "at most 10,000 years");
  }
  return Seconds{duration.seconds()};
}

Result<Seconds> ParseDuration(const google::protobuf::Duration& duration, Seconds low, Seconds high,
                              const std::string& field) {
  if (duration.nanos() != 0) return ParseDuration(duration, field);
  if (duration.seconds() < low.count || duration.seconds() > high.count) {
    return FieldError(Reason::kDurationOutOfRange, field, Shown(duration),
                      FormatDuration(low) + " to " + FormatDuration(high));
  }
  return Seconds{duration.seconds()};
}

Result<Instant> ParseTimestamp(const google::protobuf::Timestamp& timestamp,
                               const std::string& field) {
  const bool in_range = timestamp.seconds() >= 0 && timestamp.seconds() <= kEndOfTime.seconds() &&
                        timestamp.nanos() >= 0 && timestamp.nanos() < kNanosPerSecond;
  if (!in_range) {
    return FieldError(Reason::kTimeOutOfRange, field,
                      std::to_string(timestamp.seconds()) + " s and " +
                          std::to_string(timestamp.nanos()) + " ns since 1970",
                      FormatRfc3339(Instant{0}) + " to " + FormatRfc3339(kEndOfTime));
  }
  return Instant{timestamp.seconds() * 1'000'000 + timestamp.nanos() / kNanosPerMicro};
}

Result<std::string> ParseText(const std::string& text, const std::string& field) {
  if (text.size() > kTextBytesMax) {
    return FieldError(Reason::kTextTooLong, field, text,
                      "at most " + std::to_string(kTextBytesMax) + " bytes");
  }
  if (!IsPlainText(text)) {
    return FieldError(Reason::kTextInvalid, field, text, "UTF-8 without control characters");
  }
  return IsBlank(text) ? std::string() : text;
}

Result<std::string> ParseRequiredText(const std::string& text, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const std::string said, ParseText(text, field));
  if (said.empty()) {
    return FieldError(Reason::kFieldRequired, field, "",
                      "1 to " + std::to_string(kTextBytesMax) + " bytes of text");
  }
  return said;
}

Result<std::string> ParseDisplayName(const std::string& text, const std::string& field) {
  ALLOT_RETURN_IF_ERROR(CheckDisplayName(text, field));
  return text;
}

Result<std::string> ParseNewName(const std::string& name, const std::string& field) {
  ALLOT_RETURN_IF_ERROR(CheckName(name, field));
  return name;
}

Result<std::string> ParseRequestId(const std::string& request_id) {
  if (request_id.size() > kRequestIdLengthMax ||
      !std::all_of(request_id.begin(), request_id.end(), IsRequestIdCharacter)) {
    return FieldError(Reason::kRequestIdInvalid, "request_id", request_id,
                      "1 to 64 of A-Z, a-z, 0-9, '-' and '_'");
  }
  return request_id;
}

Result<int64_t> ParseEtag(const std::string& etag, const std::string& field) {
  if (etag.empty()) return int64_t{0};
  int64_t version = 0;
  const char* end = etag.data() + etag.size();
  const auto [rest, error] = std::from_chars(etag.data(), end, version);
  if (error != std::errc() || rest != end || version < 1 || EtagOf(version) != etag) {
    return FieldError(Reason::kEtagStale, field, etag, "the etag that Get returns");
  }
  return version;
}

std::string EtagOf(int64_t version) { return std::to_string(version); }

Result<int> ParseCount(int32_t count, int most, const std::string& field) {
  if (count < 0 || count > most) {
    return FieldError(Reason::kPageSizeOutOfRange, field, std::to_string(count),
                      "1 to " + std::to_string(most) + ", or 0 for the default");
  }
  return count == 0 ? kPageSizeDefault : count;
}

Result<std::vector<std::string>> ParseFieldMask(const google::protobuf::FieldMask& mask,
                                                std::span<const std::string_view> updatable,
                                                std::span<const std::string_view> immutable) {
  if (mask.paths().empty()) {
    return FieldError(Reason::kFieldRequired, "update_mask", "", Joined(updatable));
  }
  std::vector<std::string> paths;
  for (const std::string& path : mask.paths()) {
    if (path == "*" && mask.paths_size() == 1) {
      return std::vector<std::string>(updatable.begin(), updatable.end());
    }
    if (Contains(immutable, path)) {
      return FieldError(Reason::kFieldImmutable, "update_mask", path, Joined(updatable));
    }
    if (!Contains(updatable, path)) {
      return FieldError(Reason::kFieldMaskInvalid, "update_mask", path, Joined(updatable));
    }
    paths.push_back(path);
  }
  return paths;
}

google::protobuf::Duration Render(Seconds duration) {
  google::protobuf::Duration rendered;
  rendered.set_seconds(duration.count);
  return rendered;
}

google::protobuf::Timestamp Render(Instant instant) {
  google::protobuf::Timestamp rendered;
  rendered.set_seconds(instant.seconds());
  rendered.set_nanos(
      static_cast<int32_t>((instant.micros - instant.seconds() * 1'000'000) * kNanosPerMicro));
  return rendered;
}

}  // namespace allot::rpc
