#include "allot/sim/trace.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <optional>
#include <utility>

#include "allot/base/text.h"

namespace allot::sim {
namespace {

constexpr std::string_view kPhillyHeading = "submit_time,duration_s,gpus,virtual_cluster";
constexpr int64_t kSecondsMax = Days(36'600).count;
constexpr int64_t kGpusMax = 1'000'000;
constexpr std::size_t kNameBytesMax = 200;
/// Spreadsheets write it before the first line of a file.
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// Where a file is broken; lines are counted from 1.
Error BrokenLine(int line, std::string_view value, std::string_view expected) {
  return FieldError(Reason::kConfigInvalid, "line " + std::to_string(line), std::string(value),
                    std::string(expected));
}

std::optional<int64_t> ParseNumber(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Whole seconds of a number that may have decimals, as some SWF traces do.
std::optional<int64_t> ParseWhole(std::string_view text) {
  const std::size_t point = std::min(text.find('.'), text.size());
  if (text.find_first_not_of("0123456789", point + 1) != std::string_view::npos) {
    return std::nullopt;
  }
  return ParseNumber(text.substr(0, point));
}

/// Calls `read` with each line and its number until it fails.
Status EachLine(std::string_view text, const std::function<Status(std::string_view, int)>& read) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  for (int line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view content = text.substr(0, end);
    if (content.ends_with('\r')) content.remove_suffix(1);
    ALLOT_RETURN_IF_ERROR(read(content, line));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return Ok{};
}

bool IsBlank(std::string_view content) {
  return content.find_first_not_of(" \t") == std::string_view::npos;
}

/// What was read of a file so far.
class Reading {
 public:
  explicit Reading(OnUnusable on_malformed) : on_malformed_(on_malformed) {}

  /// Takes what a line is; fails when it is malformed and the file is to be refused for it.
  Status Take(Result<std::optional<TraceJob>> read, int line) {
    if (read.ok()) {
      if (*read) {
        file_.jobs.push_back(**std::move(read));
        file_.jobs.back().line = line;
      } else {
        ++file_.left_out.never_ran;
      }
      return Ok{};
    }
    if (on_malformed_ == OnUnusable::kRefuse) return read.error();
    if (!first_) first_ = read.error();
    file_.left_out.malformed.Add({line, read.error().value, read.error().limit});
    return Ok{};
  }

  Result<TraceFile> Done() {
    if (file_.jobs.empty()) return WhyEmpty();
    std::stable_sort(file_.jobs.begin(), file_.jobs.end(),
                     [](const TraceJob& a, const TraceJob& b) { return a.submit < b.submit; });
    return std::move(file_);
  }

 private:
  Error WhyEmpty() const {
    const int malformed = file_.left_out.malformed.count;
    const int never_ran = file_.left_out.never_ran;
    std::string expected = first_ ? first_->limit : "at least one job";
    if (malformed > 1) {
      expected +=
          ", and no other line can be read either (" + FormatCount(malformed) + " are malformed)";
    }
    if (never_ran > 0) {
      expected +=
          "; " + FormatCount(never_ran) + " records are without a running time or processors";
    }
    Error error = first_.value_or(BrokenLine(1, "", expected));
    error.limit = std::move(expected);
    return error;
  }

  const OnUnusable on_malformed_;
  TraceFile file_;
  /// The first malformed line.
  std::optional<Error> first_;
};

Result<std::optional<TraceJob>> ReadPhillyLine(std::string_view content, int line) {
  std::array<std::string_view, 4> parts;
  std::string_view rest = content;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t comma = i + 1 < parts.size() ? rest.find(',') : rest.size();
    if (comma == std::string_view::npos) return BrokenLine(line, content, kPhillyHeading);
    parts[i] = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  TraceJob job;
  std::string time(parts[0]);
  if (time.size() == 19) time[10] = 'T';
  const auto submit = ParseRfc3339(time + "Z");
  if (!submit) return BrokenLine(line, parts[0], "a time like 2017-09-07 03:58:57");
  job.submit = *submit;
  const auto run = ParseNumber(parts[1]);
  if (!run || *run < 0 || *run > kSecondsMax) {
    return BrokenLine(line, parts[1],
                      "a running time of 0 to " + std::to_string(kSecondsMax) + " s");
  }
  job.run = Seconds{*run};
  const auto gpus = ParseNumber(parts[2]);
  if (!gpus || *gpus < 1 || *gpus > kGpusMax) {
    return BrokenLine(line, parts[2], "1 to " + std::to_string(kGpusMax) + " GPUs");
  }
  job.gpus = static_cast<int>(*gpus);
  const std::string_view name = parts[3];
  if (name.find(',') != std::string_view::npos) return BrokenLine(line, content, kPhillyHeading);
  if (name.empty() || name.size() > kNameBytesMax || !IsPlainText(name)) {
    return BrokenLine(line, name,
                      "a virtual cluster's name, plain text of at most " +
                          std::to_string(kNameBytesMax) + " bytes");
  }
  job.project = name;
  if (job.run.count == 0) return std::optional<TraceJob>();
  return std::optional(job);
}

enum SwfField { kSubmit = 1, kRun = 3, kAllocated = 4, kRequested = 7, kLimit = 8, kUser = 11 };
constexpr std::size_t kSwfFields = 18;

Result<std::optional<TraceJob>> ReadSwfLine(std::string_view content, int line) {
  std::array<int64_t, kSwfFields> fields{};
  std::size_t count = 0;
  std::string_view rest = content;
  while (!IsBlank(rest) && count < fields.size()) {
    rest.remove_prefix(rest.find_first_not_of(" \t"));
    const std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
    const auto number = ParseWhole(word);
    if (!number || *number > kSecondsMax || *number < -kSecondsMax) {
      return BrokenLine(line, word, "a number in field " + std::to_string(count + 1));
    }
    fields[count++] = *number;
    rest.remove_prefix(word.size());
  }
  if (count < fields.size() || !IsBlank(rest)) {
    return BrokenLine(line, content, "the 18 numbers of the Standard Workload Format");
  }
  const int64_t gpus = fields[kRequested] > 0 ? fields[kRequested] : fields[kAllocated];
  if (fields[kRun] <= 0 || gpus <= 0) return std::optional<TraceJob>();
  if (fields[kSubmit] < 0) {
    return BrokenLine(line, std::to_string(fields[kSubmit]), "a submission time of 0 s or later");
  }
  if (gpus > kGpusMax) {
    return BrokenLine(line, std::to_string(gpus),
                      "at most " + std::to_string(kGpusMax) + " processors");
  }
  TraceJob job;
  job.submit = Instant::FromSeconds(fields[kSubmit]);
  job.run = Seconds{fields[kRun]};
  job.gpus = static_cast<int>(gpus);
  job.project = "user-" + std::to_string(std::max<int64_t>(fields[kUser], 0));
  job.limit = Seconds{std::max<int64_t>(fields[kLimit], 0)};
  return std::optional(job);
}

bool IsSwf(std::string_view file_name) {
  constexpr std::string_view kEnding = ".swf";
  if (file_name.size() < kEnding.size()) return false;
  file_name.remove_prefix(file_name.size() - kEnding.size());
  return std::equal(file_name.begin(), file_name.end(), kEnding.begin(), [](char c, char wanted) {
    return c == wanted || (c >= 'A' && c <= 'Z' && c - 'A' + 'a' == wanted);
  });
}

}  // namespace

void LeftOutLines::Add(LeftOutLine line) {
  ++count;
  if (named.size() < kLeftOutNamedMax) named.push_back(std::move(line));
}

Result<TraceFile> ReadPhilly(std::string_view text, OnUnusable on_malformed) {
  Reading reading(on_malformed);
  ALLOT_RETURN_IF_ERROR(EachLine(text, [&](std::string_view content, int line) -> Status {
    if (line == 1) {
      if (content != kPhillyHeading) return BrokenLine(line, content, kPhillyHeading);
      return Ok{};
    }
    return IsBlank(content) ? Ok{} : reading.Take(ReadPhillyLine(content, line), line);
  }));
  return reading.Done();
}

Result<TraceFile> ReadSwf(std::string_view text, OnUnusable on_malformed) {
  Reading reading(on_malformed);
  ALLOT_RETURN_IF_ERROR(EachLine(text, [&](std::string_view content, int line) -> Status {
    const bool is_comment = !IsBlank(content) && content[content.find_first_not_of(" \t")] == ';';
    if (IsBlank(content) || is_comment) return Ok{};
    return reading.Take(ReadSwfLine(content, line), line);
  }));
  return reading.Done();
}

Result<TraceFile> ReadTrace(std::string_view file_name, std::string_view text,
                            OnUnusable on_malformed) {
  return IsSwf(file_name) ? ReadSwf(text, on_malformed) : ReadPhilly(text, on_malformed);
}

}  // namespace allot::sim
