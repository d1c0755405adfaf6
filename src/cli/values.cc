#include "cli/values.h"

#include <algorithm>
#include <charconv>

#include "allot/base/text.h"
#include "cli/text.h"

namespace allot::cli {
namespace {

constexpr std::string_view kModels[] = {"H200", "B200"};

std::string UpperCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return text;
}

}  // namespace

Result<Seconds> ParseLength(const std::string& field, std::string_view text) {
  if (const auto length = ParseDuration(text)) return *length;
  return FieldError(Reason::kDurationOutOfRange, field, Printable(text),
                    "a length of time such as 90m, 4h, 7d or 2w");
}

Result<Instant> ParseMoment(const std::string& field, std::string_view text, Instant now) {
  const std::string expected = "a time such as 2026-03-01T00:00:00Z, or +2h from now";
  if (text.starts_with('+')) {
    if (const auto ahead = ParseDuration(text.substr(1));
        ahead && ahead->count <= Between(now, kEndOfTime).count) {
      return now + *ahead;
    }
  } else if (const auto moment = ParseRfc3339(text)) {
    return *moment;
  }
  return FieldError(Reason::kTimeOutOfRange, field, Printable(text), expected);
}

Result<Instant> Moments::Read(const std::string& flag, std::string_view text) {
  ALLOT_ASSIGN_OR_RETURN(const Instant moment, ParseMoment(flag, text, now_));
  return text.starts_with('+') ? Keep(flag, moment) : moment;
}

Instant Moments::Keep(const std::string& flag, Instant moment) {
  kept_.insert(kept_.end(), {flag, FormatRfc3339(moment)});
  return moment;
}

Result<std::vector<std::string>> ParseModels(const std::string& field, std::string_view text) {
  std::vector<std::string> models;
  if (UpperCase(std::string(text)) == "ANY") return models;
  for (const std::string& part : Split(text, ',')) {
    const std::string model = UpperCase(part);
    if (std::find(std::begin(kModels), std::end(kModels), model) == std::end(kModels)) {
      return FieldError(Reason::kGpuModelUnknown, field, Printable(part),
                        "H200, B200, both in order of preference (H200,B200), or any alone");
    }
    if (std::find(models.begin(), models.end(), model) != models.end()) {
      return FieldError(Reason::kGpuModelRepeated, field, Printable(text), "each model once");
    }
    models.push_back(model);
  }
  return models;
}

Result<int64_t> ParseCount(const std::string& field, std::string_view text, Reason reason,
                           int64_t min, int64_t max) {
  int64_t count = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool whole = problem == std::errc() && end == text.data() + text.size();
  if (whole && count >= min && count <= max) return count;
  return FieldError(reason, field, Printable(text),
                    "a whole number from " + FormatCount(min) + " to " + FormatCount(max));
}

Result<int32_t> ParseSmallCount(const std::string& field, std::string_view text, Reason reason,
                                int32_t min, int32_t max) {
  ALLOT_ASSIGN_OR_RETURN(const int64_t count, ParseCount(field, text, reason, min, max));
  return static_cast<int32_t>(count);
}

Result<int64_t> ParseGpuHours(const std::string& field, std::string_view text) {
  std::string digits(text);
  std::erase(digits, ',');
  int64_t tenths = 0;
  if (const auto point = digits.find('.'); point != std::string::npos) {
    const char last = point + 2 == digits.size() ? digits.back() : 'x';
    tenths = last >= '0' && last <= '9' ? last - '0' : -1;
    digits.erase(point);
  }
  // The API takes 10^15 GPU-seconds.
  constexpr int64_t kHoursMax = 277'777'777'777;
  const auto hours = ParseCount(field, digits, Reason::kQuotaOutOfRange, 0, kHoursMax);
  int64_t seconds = 0;
  if (!hours.ok() || tenths < 0 || __builtin_mul_overflow(*hours, int64_t{3'600}, &seconds) ||
      __builtin_add_overflow(seconds, tenths * 360, &seconds)) {
    return FieldError(Reason::kQuotaOutOfRange, field, Printable(text),
                      "GPU-hours such as 4096 or 1,024.5, at most " + FormatCount(kHoursMax));
  }
  return seconds;
}

}  // namespace allot::cli
