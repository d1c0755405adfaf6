// What people write in one line: times, lengths of time, names, numbers, addresses. What is read is
// written back and read again; what is refused is refused by name.
#include "allot/base/gpu_seconds.h"
#include "allot/base/text.h"
#include "allot/base/time.h"
#include "allot/model/gpu.h"
#include "allot/model/name.h"
#include "allot/model/policy_settings.h"
#include "allot/transport/server_address.h"
#include "cli/resource_name.h"
#include "cli/text.h"
#include "cli/values.h"
#include "fuzz/support/property.h"

namespace allot::fuzz {
namespace {

/// 2026-03-01T00:00:00Z.
constexpr Instant kNow = Instant::FromSeconds(1'772'323'200);

void CheckText(std::string_view text) {
  const std::string shown = Printable(text);
  Require(shown.size() <= 128 && IsPlainText(shown), "Printable is bounded plain text", shown);
  if (IsPlainText(text) && text.size() <= 100) Require(shown == text, "plain text stays", shown);
  Require(!IsPlainText(text) || IsUtf8(text), "plain text is UTF-8");
  const std::string harmless = cli::Harmless(text);
  Require(IsPlainText(harmless), "Harmless is plain text", harmless);
  Require(cli::DisplayWidth(text) >= 0, "a width is no less than nothing");
  Require(BytesOfHex(Hex(text)) == text, "bytes come back from their hex");
  if (const auto bytes = BytesOfHex(text)) Require(Hex(*bytes) == text, "hex is written one way");
}

void CheckTimes(std::string_view text) {
  if (const auto length = ParseDuration(text)) {
    Require(length->count >= 0, "a length of time has no sign");
    Require(ParseDuration(FormatDuration(*length)) == length, "a length of time comes back",
            FormatDuration(*length));
  }
  if (const auto time = ParseRfc3339(text)) {
    Require(time->micros >= 0 && time->seconds() <= kEndOfTime.seconds(), "a time is in range");
    Require(ParseRfc3339(FormatRfc3339(*time)) == time, "a time comes back", FormatRfc3339(*time));
    Require(IsPlainText(cli::Moment(*time, kNow)), "a moment is plain text");
  }
  const auto moment = cli::ParseMoment("--at", text, kNow);
  if (!moment.ok()) return RequireOfField(moment.error());
  Require(*moment <= kEndOfTime + Seconds{1}, "a moment is in range", FormatRfc3339(*moment));
}

void CheckNames(std::string_view text) {
  const Status name = CheckName(text, "name");
  if (!name.ok()) RequireOfField(name.error());
  Require(name.ok() == ParseInstituteId(text).has_value(), "a name is an institute's id");
  const Status display_name = CheckDisplayName(text, "display_name");
  if (!display_name.ok()) RequireOfField(display_name.error());
  if (const auto id = ParseAllocationId(text)) {
    const ProjectId project = ProjectOf(*id);
    Require(ParseProjectId(project.str()) == project, "an allocation has a project", id->str());
    const auto full = cli::AllocationName(text);
    Require(full.ok() && cli::ShortName(*full) == text, "a short name comes back", text);
  }
}

void CheckNumbers(std::string_view text) {
  const auto count = cli::ParseCount("--gpus", text, Reason::kGpusOutOfRange, 0, 16'384);
  if (count.ok()) Require(*count >= 0 && *count <= 16'384, "a count is in range");
  if (!count.ok()) RequireOfField(count.error());
  const auto hours = cli::ParseGpuHours("--gpu-hours", text);
  if (!hours.ok()) return RequireOfField(hours.error());
  std::string shown = FormatGpuHours(GpuSeconds::FromCount(*hours));
  shown.erase(shown.find(' '));
  const auto again = cli::ParseGpuHours("--gpu-hours", shown);
  Require(*hours < 360 || (again.ok() && *again == *hours), "GPU-hours come back", shown);
}

void CheckLists(std::string_view text) {
  const auto models = cli::ParseModels("--models", text);
  if (!models.ok()) RequireOfField(models.error());
  for (const auto& part : models.ok() ? *models : std::vector<std::string>()) {
    Require(ParseGpuModel(part).has_value(), "a model is one", part);
  }
  for (const bool names_ca : {false, true}) {
    const auto address = transport::ParseServerAddress(text, names_ca, "--server");
    if (!address.ok()) {
      RequireOfField(address.error());
      continue;
    }
    Require(address->encrypted || !names_ca, "who names an authority is spoken to by TLS", text);
    if (address->encrypted || address->target.starts_with("unix:")) continue;
    std::string_view servers = text;
    if (servers.starts_with("http://")) servers.remove_prefix(7);
    if (servers.ends_with('/')) servers.remove_suffix(1);
    for (const std::string& server : cli::Split(servers, ',')) {
      Require(transport::StaysOnThisMachine(server), "plain text stays on this machine", text);
    }
  }
}

}  // namespace
}  // namespace allot::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string_view text = allot::fuzz::TextOf(data, size);
  allot::fuzz::CheckText(text);
  allot::fuzz::CheckTimes(text);
  allot::fuzz::CheckNames(text);
  allot::fuzz::CheckNumbers(text);
  allot::fuzz::CheckLists(text);
  return 0;
}
