#include "allot/replay/refused_passes.h"

#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <system_error>

#include "allot/replay/recording.h"

namespace allot::replay {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".json";
constexpr std::string_view kDraft = ".new";

Error Unwritable(const std::string& path, const std::error_code& problem) {
  return StateError(Reason::kStoreUnavailable, path + " cannot be written: " + problem.message());
}

std::error_code LastProblem() { return {errno != 0 ? errno : EIO, std::generic_category()}; }

/// A reader sees all of it or nothing, and a full disk is left as it was.
Status Write(const std::string& path, const std::string& text) {
  const std::string draft = path + std::string(kDraft);
  errno = 0;
  std::ofstream file(draft, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  std::error_code problem = file ? std::error_code() : LastProblem();
  if (!problem) fs::rename(draft, path, problem);
  if (!problem) return Ok{};
  std::error_code ignored;
  fs::remove(draft, ignored);
  return Unwritable(path, problem);
}

/// "123.json"; nothing for the name of a file that is somebody else's.
std::optional<int64_t> RevisionOf(const std::string& name) {
  int64_t revision = 0;
  const char* const end = name.data() + name.size();
  const auto [rest, code] = std::from_chars(name.data(), end, revision);
  if (code != std::errc() || std::string_view(rest, end) != kEnding) return std::nullopt;
  return revision;
}

void RemoveBetween(const std::string& folder, std::size_t oldest, std::size_t newest) {
  std::map<int64_t, fs::path> recordings;
  std::error_code problem;
  for (fs::directory_iterator entry(folder, problem), end; !problem && entry != end;
       entry.increment(problem)) {
    if (const auto revision = RevisionOf(entry->path().filename())) {
      recordings.emplace(*revision, entry->path());
    }
  }
  if (recordings.size() <= oldest + newest) return;
  const auto begin = std::next(recordings.begin(), static_cast<std::ptrdiff_t>(oldest));
  const auto end = std::prev(recordings.end(), static_cast<std::ptrdiff_t>(newest));
  std::for_each(begin, end, [&](const auto& row) { fs::remove(row.second, problem); });
}

}  // namespace

Result<std::optional<std::string>> RefusedPasses::Keep(const scheduler::Snapshot& snapshot,
                                                       const Policy& policy,
                                                       const scheduler::Plan& plan) {
  ++in_a_row_;
  if (folder_.empty() || !std::has_single_bit(static_cast<uint64_t>(in_a_row_))) {
    return std::optional<std::string>();
  }
  // Recordings name every tenant's work.
  if (mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) {
    return Unwritable(folder_, LastProblem());
  }
  const std::string file = folder_ + "/" + std::to_string(snapshot.revision) + std::string(kEnding);
  ALLOT_RETURN_IF_ERROR(Write(file, FormatRecording(snapshot, policy, plan)));
  RemoveBetween(folder_, kOldestKept, kNewestKept);
  return std::optional(file);
}

}  // namespace allot::replay
